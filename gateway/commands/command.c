#include "gateway/commands/command.h"

#include "base/arena.h"
#include "base/problem.h"
#include "gateway/commands/admin_client.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_COLUMN = 24 }; /* where the text of an option begins in the help */

const CommandExit command_exits[] = {
    {EXIT_WELL, "good"},
    {EXIT_NO, "no: mistakes, a difference, or the gateway refuses"},
    {EXIT_USAGE, "wrong usage"},
    {EXIT_UNREACHED, "the gateway, or the instance, cannot be reached"},
    {0, NULL},
};

const CommandVariable command_variables[] = {
    {"PASSERELLE_ADMIN", "the admin listener of the gateway, where --admin is not given"},
    {"PASSERELLE_TOKEN", "the token of an operator, where --token-file is not given"},
    {"PASSERELLE_PASSWORD", "the password of --user, where --password-file is not given"},
    {"NO_COLOR", "if it is set, and not empty, nothing is printed in colours"},
    {NULL, NULL},
};

/* ---- Options --------------------------------------------------------------------------------- */

static const struct {
    unsigned kind; /* of commands that have it; 0: all */
    CommandOption option;
} shared_options[] = {
    {COMMAND_PRINTS, {"--json", NULL, "print one JSON document"}},
    {COMMAND_PRINTS, {"--quiet", NULL, "print nothing but errors; the exit code has the answer"}},
    {COMMAND_ASKS, {"--admin", "ADDRESS", "the admin listener; default " ADMIN_DEFAULT}},
    {COMMAND_ASKS, {"--token-file", "FILE", "a file with the token of an operator"}},
    {COMMAND_ASKS, {"--user", "NAME", "the operator whose password it is"}},
    {COMMAND_ASKS, {"--password-file", "FILE", "a file with that password"}},
    {COMMAND_ASKS, {"--ca", "FILE", "authorities for the gateway's certificate (PEM)"}},
    {COMMAND_ASKS, {"--cert", "FILE", "certificate of an operator (PEM)"}},
    {COMMAND_ASKS, {"--key", "FILE", "the key of --cert (PEM)"}},
    {COMMAND_CHANGES, {"--why", "TEXT", "the reason, for the audit"}},
    {0, {"--help", NULL, "print this"}},
};

const CommandOption *command_option_at(const Command *command, int at)
{
    const CommandOption *o = command->options;
    for (; o->name; o++)
        if (at-- == 0)
            return o;
    for (size_t i = 0; i < sizeof shared_options / sizeof *shared_options; i++) {
        unsigned kind = shared_options[i].kind;
        if ((kind == 0 || (command->kind & kind)) && at-- == 0)
            return &shared_options[i].option;
    }
    return NULL;
}

/* ---- Help ------------------------------------------------------------------------------------ */

static void add_usage(const Command *command, FILE *out)
{
    fprintf(out, "usage: passerelle %s", command->name);
    if (*command->arguments)
        fprintf(out, " %s", command->arguments);
    for (const CommandOption *o = command->options; o->name; o++)
        fprintf(out, " [%s%s%s]", o->name, o->value ? " " : "", o->value ? o->value : "");
    fputc('\n', out);
}

int command_usage(const Command *command)
{
    add_usage(command, stderr);
    return EXIT_USAGE;
}

void command_help(const Command *command, FILE *out)
{
    add_usage(command, out);
    fprintf(out, "\n%s\n\n", command->text);
    const CommandOption *o;
    for (int i = 0; (o = command_option_at(command, i)); i++) {
        int width =
            fprintf(out, "  %s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        fprintf(out, "%*s%s\n", width < TEXT_COLUMN ? TEXT_COLUMN - width : 2, "", o->text);
    }
    fprintf(out, "\nexamples:\n");
    for (int i = 0; i < COMMAND_EXAMPLES_MOST && command->examples[i]; i++)
        fprintf(out, "  %s\n", command->examples[i]);
    fprintf(out, "\nexit codes:\n");
    for (const CommandExit *e = command_exits; e->text; e++)
        fprintf(out, "  %d  %s\n", e->code, e->text);
}

/* ---- The command line ------------------------------------------------------------------------ */

/* "--json", "--seed=7". `value_out`: what stands behind "=", or NULL. */
static const CommandOption *find_option(const Command *command, const char *argument,
                                        const char **value_out)
{
    const CommandOption *o;
    for (int i = 0; (o = command_option_at(command, i)); i++) {
        size_t size = strlen(o->name);
        if (strncmp(argument, o->name, size) != 0)
            continue;
        *value_out = argument[size] == '=' && o->value ? argument + size + 1 : NULL;
        if (*value_out || argument[size] == '\0')
            return o;
    }
    return NULL;
}

static bool looks_like_option(const char *argument)
{
    return argument[0] == '-' && argument[1];
}

bool command_wants_help(const Command *command, int n, char **arguments)
{
    for (int i = 0; i < n && strcmp(arguments[i], "--") != 0; i++) {
        const char *value;
        const CommandOption *option = find_option(command, arguments[i], &value);
        if (option && option->value && !value)
            i++;
        else if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0)
            return true;
    }
    return false;
}

static bool tell_unknown(const Command *command, const char *argument)
{
    const char *names[COMMAND_GIVEN_MOST];
    size_t n = 0;
    for (const CommandOption *o;
         n < COMMAND_GIVEN_MOST && (o = command_option_at(command, (int)n));)
        names[n++] = o->name;
    const char *nearest = nearest_word(bytes_of(argument), names, n);
    fprintf(stderr, "passerelle %s: there is no option %s%s%s\n", command->name, argument,
            nearest ? "; did you mean " : "", nearest ? nearest : "");
    return false;
}

static bool add_given(CommandLine *line, const CommandOption *option, const char *value)
{
    if (option->value && !value)
        fprintf(stderr, "passerelle %s: %s needs a value\n", line->command->name, option->name);
    else if (line->n_given == COMMAND_GIVEN_MOST)
        fprintf(stderr, "passerelle %s: there are more than %d options\n", line->command->name,
                COMMAND_GIVEN_MOST);
    else {
        line->given[line->n_given++] = (CommandGiven){option, value};
        return true;
    }
    return false;
}

bool command_parse(const Command *command, int n, char **arguments, CommandLine *line_out)
{
    *line_out = (CommandLine){.command = command, .arguments = arguments};
    bool options_ended = false;
    for (int i = 0; i < n; i++) {
        const char *value = NULL;
        if (options_ended || !looks_like_option(arguments[i])) {
            arguments[line_out->n++] = arguments[i];
            continue;
        }
        if (strcmp(arguments[i], "--") == 0) {
            options_ended = true;
            continue;
        }
        const CommandOption *option = find_option(command, arguments[i], &value);
        if (!option)
            return tell_unknown(command, arguments[i]);
        if (option->value && !value && i + 1 < n)
            value = arguments[++i];
        if (!add_given(line_out, option, value))
            return false;
    }
    return true;
}

bool command_flag(const CommandLine *line, const char *name)
{
    for (int i = 0; i < line->n_given; i++)
        if (strcmp(line->given[i].option->name, name) == 0)
            return true;
    return false;
}

const char *command_option(const CommandLine *line, const char *name)
{
    for (int i = line->n_given; i-- > 0;)
        if (strcmp(line->given[i].option->name, name) == 0)
            return line->given[i].value;
    return NULL;
}

bool command_take_fields(const CommandLine *line, Arena *arena, Fields *fields)
{
    for (int i = 0; i < line->n_given; i++) {
        if (strcmp(line->given[i].option->name, "-H") != 0)
            continue;
        const char *text = line->given[i].value;
        Bytes rest = bytes_of(text), name;
        if (bytes_find(rest, ':') == rest.size) {
            command_tell(line, "a field is written 'Name: value', not %s", text);
            return false;
        }
        bytes_split(&rest, ':', &name);
        char *lower = arena_array(arena, char, name.size + 1);
        for (size_t k = 0; k < name.size; k++)
            lower[k] = (char)tolower(name.data[k]);
        fields_add(fields, bytes(lower, name.size), bytes_trim(rest));
    }
    return true;
}

bool command_has_reason(const CommandLine *line)
{
    return bytes_trim(bytes_of(command_option(line, "--why"))).size > 0;
}
