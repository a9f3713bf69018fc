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

/* ---- bash ------------------------------------------------------------------------------------ */

/* Without words of its own, bash completes file names: -o default. */
void command_write_bash(const Command *commands, int n, FILE *out)
{
    fprintf(out, "_passerelle() {\n"
                 "    local word=${COMP_WORDS[COMP_CWORD]} words=\n"
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
        fprintf(out, "' ;;\n");
    }
    fprintf(out, "        esac\n"
                 "        case $word in -*) ;; *) words= ;; esac\n"
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
    }
}
