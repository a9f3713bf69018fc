#include "gateway/main/command_manual.h"

#include <string.h>

static bool is_file(const CommandOption *option)
{
    return option->value && strcmp(option->value, "FILE") == 0;
}

/* Inside single quotes of a shell, with a backslash before each of `special`. */
static void add_quoted(const char *text, const char *special, FILE *out)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr(special, *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

/* The words in what a command takes: of "show|schema [CONFIG]" show and schema, each with a space
   before it but for the first. What is in capitals is a name of something. */
static bool write_actions(const Command *command, FILE *out)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz-";
    bool some = false;
    for (const char *at = command->arguments; *at;) {
        size_t size = strcspn(at, "|[] ");
        if (size && strspn(at, letters) == size && *at != '-') {
            fprintf(out, "%s%.*s", some ? " " : "", (int)size, at);
            some = true;
        }
        at += size;
        at += strspn(at, "|[] ");
    }
    return some;
}

static bool has_actions(const Command *command)
{
    return strcspn(command->arguments, "abcdefghijklmnopqrstuvwxyz") < strlen(command->arguments);
}

/* ---- bash ------------------------------------------------------------------------------------ */

/* Without words of its own, bash completes file names: -o default. */
void command_write_bash(const Command *commands, int n, FILE *out)
{
    fprintf(out, "_passerelle() {\n"
                 "    local word=${COMP_WORDS[COMP_CWORD]} words= actions=\n"
                 "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                 "        words='");
    for (int i = 0; i < n; i++)
        fprintf(out, "%s%s", i ? " " : "", commands[i].name);
    fprintf(out, "'\n    else\n        case ${COMP_WORDS[1]} in\n");
    for (int i = 0; i < n; i++) {
        const CommandOption *o;
        fprintf(out, "        %s) words='", commands[i].name);
        for (int k = 0; (o = command_option_at(&commands[i], k)); k++)
            fprintf(out, "%s%s", k ? " " : "", o->name);
        fprintf(out, "' actions='");
        write_actions(&commands[i], out);
        fprintf(out, "' ;;\n");
    }
    fprintf(out, "        esac\n"
                 "        [ \"$COMP_CWORD\" -eq 2 ] || actions=\n"
                 "        case $word in -*) ;; *) words=$actions ;; esac\n"
                 "    fi\n"
                 "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
                 "}\n"
                 "complete -o default -F _passerelle passerelle\n");
}

/* ---- zsh ------------------------------------------------------------------------------------- */

/* '--ca[text]:FILE:_files', as _arguments takes it. An option may be repeated: "*". */
static void add_zsh_option(const CommandOption *option, FILE *out)
{
    fprintf(out, " '*%s[", option->name);
    add_quoted(option->text, "[]\\", out);
    fputc(']', out);
    if (option->value) {
        fputc(':', out);
        add_quoted(option->value, ":\\", out);
        fputs(is_file(option) ? ":_files" : ": ", out);
    }
    fputc('\'', out);
}

void command_write_zsh(const Command *commands, int n, FILE *out)
{
    fprintf(out, "#compdef passerelle\n"
                 "_passerelle() {\n"
                 "    local -a words_of_passerelle=(\n");
    for (int i = 0; i < n; i++) {
        fprintf(out, "        '%s:", commands[i].name);
        add_quoted(commands[i].text, ":\\", out);
        fprintf(out, "'\n");
    }
    fprintf(out, "    )\n"
                 "    if (( CURRENT == 2 )); then\n"
                 "        _describe command words_of_passerelle\n"
                 "        return\n"
                 "    fi\n"
                 "    local word=$words[2]\n"
                 "    shift words\n"
                 "    (( CURRENT-- ))\n"
                 "    case $word in\n");
    for (int i = 0; i < n; i++) {
        const CommandOption *o;
        fprintf(out, "    %s) _arguments", commands[i].name);
        for (int k = 0; (o = command_option_at(&commands[i], k)); k++)
            add_zsh_option(o, out);
        if (has_actions(&commands[i])) {
            fprintf(out, " '1:action:(");
            write_actions(&commands[i], out);
            fprintf(out, ")'");
        }
        fprintf(out, " '*:file:_files' ;;\n");
    }
    /* As a file of $fpath it is called; sourced, it registers itself. */
    fprintf(out, "    esac\n"
                 "}\n"
                 "if [[ $funcstack[1] == _passerelle ]]; then\n"
                 "    _passerelle \"$@\"\n"
                 "else\n"
                 "    compdef _passerelle passerelle\n"
                 "fi\n");
}

/* ---- fish ------------------------------------------------------------------------------------ */

static void add_fish_option(const Command *command, const CommandOption *option, FILE *out)
{
    bool is_long = strncmp(option->name, "--", 2) == 0;
    fprintf(out, "complete -c passerelle -n '__fish_seen_subcommand_from %s' -%c %s", command->name,
            is_long ? 'l' : 's', option->name + (is_long ? 2 : 1));
    if (option->value)
        fputs(is_file(option) ? " -r -F" : " -x", out);
    fprintf(out, " -d '");
    for (const char *c = option->text; *c; c++)
        fprintf(out, strchr("'\\", *c) ? "\\%c" : "%c", *c);
    fprintf(out, "'\n");
}

static void add_fish_actions(const Command *command, FILE *out)
{
    if (!has_actions(command))
        return;
    fprintf(out,
            "complete -c passerelle -n '__fish_seen_subcommand_from %s; and not "
            "__fish_seen_subcommand_from ",
            command->name);
    write_actions(command, out);
    fprintf(out, "' -a '");
    write_actions(command, out);
    fprintf(out, "'\n");
}

void command_write_fish(const Command *commands, int n, FILE *out)
{
    for (int i = 0; i < n; i++) {
        const CommandOption *o;
        fprintf(out, "complete -c passerelle -n __fish_use_subcommand -f -a %s -d '",
                commands[i].name);
        for (const char *c = commands[i].text; *c; c++)
            fprintf(out, strchr("'\\", *c) ? "\\%c" : "%c", *c);
        fprintf(out, "'\n");
        for (int k = 0; (o = command_option_at(&commands[i], k)); k++)
            add_fish_option(&commands[i], o, out);
        add_fish_actions(&commands[i], out);
    }
}
