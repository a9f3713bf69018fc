/* passerelle: the table of commands, and what finds one in it. */
#include "gateway/commands/command.h"

#include <stdio.h>
#include <string.h>

static int help(const CommandLine *line);

static const Command commands[] = {
    {"run", "CONFIG", "be the gateway, until told to stop", {{NULL}}, command_run},
    {"check",
     "CONFIG",
     "tell every mistake of a config, or what it means and loses",
     {{"--json", NULL, "one object for programs"},
      {"--strict", NULL, "exit with 1 also when there is a warning"}},
     command_check},
    {"explain",
     "CONFIG [VERB] PATH",
     "what would become of a request: version, rule, route, plan, losses",
     {{"-H", "'NAME: VALUE'", "a field of the request; may be given several times"},
      {"--client", "NAME", "the identity of the client"},
      {"--plan", NULL, "print the programs that convert the messages"}},
     command_explain},
    {"diff",
     "OLD[:PACKAGE] NEW[:PACKAGE]",
     "what changed between two descriptor sets, whom it breaks, and a first change list",
     {{"--json", NULL, "one object for programs"},
      {"--changes", NULL, "the change list only; not together with --json"}},
     command_diff},
    {"prove",
     "CONFIG",
     "random messages through every plan and back, against a plain interpreter",
     {{"--messages", "N", "for each direction of each two versions; 10000, unless said"},
      {"--seed", "N", "the same seed gives the same messages; 1, unless said"}},
     command_prove},
    {"version", "", "what was built, and with what", {{NULL}}, command_version},
    {"help", "[COMMAND]", "the commands, or how one is used", {{NULL}}, help},
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_commands(FILE *out)
{
    fprintf(out, "usage: passerelle COMMAND ...\n\n");
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].text);
    fprintf(out, "\npasserelle COMMAND --help tells how one is used.\n");
}

static const Command *find(const char *name)
{
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return find("help");
    return strcmp(name, "--version") == 0 ? find("version") : NULL;
}

/* Gives EXIT_USAGE. */
static int tell_unknown(const char *name)
{
    const char *names[N_COMMANDS];
    for (int i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    const char *nearest = nearest_word(bytes_of(name), names, N_COMMANDS);
    fprintf(stderr, "passerelle: there is no command %s%s%s\n", name,
            nearest ? "; did you mean " : "", nearest ? nearest : "");
    print_commands(stderr);
    return EXIT_USAGE;
}

static int help(const CommandLine *line)
{
    if (line->n > 1)
        return command_usage(line->command);
    if (line->n == 0) {
        print_commands(stdout);
        return EXIT_WELL;
    }
    const Command *command = find(line->arguments[0]);
    if (!command)
        return tell_unknown(line->arguments[0]);
    command_help(command, stdout);
    return EXIT_WELL;
}

int main(int n, char **arguments)
{
    if (n < 2) {
        print_commands(stderr);
        return EXIT_USAGE;
    }
    const Command *command = find(arguments[1]);
    if (!command)
        return tell_unknown(arguments[1]);
    if (command_wants_help(command, n - 2, arguments + 2)) {
        command_help(command, stdout);
        return EXIT_WELL;
    }
    CommandLine line;
    if (!command_parse(command, n - 2, arguments + 2, &line))
        return command_usage(command);
    return command->run(&line);
}
