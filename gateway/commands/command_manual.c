#include "gateway/commands/command_manual.h"

#include <string.h>

/* ---- The man page ---------------------------------------------------------------------------- */

/* In roff a backslash begins an escape, a hyphen is one of typography, and a dot or quote in front
   begins a request. */
static void add_roff(const char *text, FILE *out)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '-')
            fputs("\\-", out);
        else if (*text == '\\')
            fputs("\\e", out);
        else
            fputc(*text, out);
    }
}

static void add_command(const Command *command, FILE *out)
{
    fprintf(out, ".SS ");
    add_roff(command->name, out);
    fprintf(out, " ");
    add_roff(command->arguments, out);
    fprintf(out, "\n");
    add_roff(command->text, out);
    fprintf(out, ".\n");
    for (const CommandOption *o = command->options; o->name; o++) {
        fprintf(out, ".TP\n.B ");
        add_roff(o->name, out);
        if (o->value) {
            fprintf(out, " ");
            add_roff(o->value, out);
        }
        fprintf(out, "\n");
        add_roff(o->text, out);
        fprintf(out, "\n");
    }
    fprintf(out, ".PP\n.nf\n");
    for (int i = 0; i < COMMAND_EXAMPLES_MOST && command->examples[i]; i++) {
        add_roff(command->examples[i], out);
        fprintf(out, "\n");
    }
    fprintf(out, ".fi\n");
}

void command_write_manual(const Command *commands, int n, FILE *out)
{
    fprintf(out, ".TH PASSERELLE 1 \"\" \"passerelle %s\" \"User Commands\"\n", VERSION);
    fprintf(out, ".SH NAME\npasserelle \\- an RPC gateway between versions of services\n");
    fprintf(out, ".SH SYNOPSIS\n.B passerelle\nCOMMAND [ARGUMENT ...] [OPTION ...]\n");
    fprintf(out, ".SH COMMANDS\n");
    for (int i = 0; i < n; i++)
        add_command(&commands[i], out);
    fprintf(out, ".SH EXIT STATUS\n");
    for (const CommandExit *e = command_exits; e->text; e++) {
        fprintf(out, ".TP\n.B %d\n", e->code);
        add_roff(e->text, out);
        fprintf(out, "\n");
    }
    fprintf(out, ".SH ENVIRONMENT\n");
    for (const CommandVariable *v = command_variables; v->name; v++) {
        fprintf(out, ".TP\n.B %s\n", v->name);
        add_roff(v->text, out);
        fprintf(out, "\n");
    }
}

/* ---- Completion ------------------------------------------------------------------------------ */

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
        fprintf(out, "        %s) words='--help", commands[i].name);
        for (const CommandOption *o = commands[i].options; o->name; o++)
            fprintf(out, " %s", o->name);
        fprintf(out, "' ;;\n");
    }
    fprintf(out, "        esac\n"
                 "        case $word in -*) ;; *) words= ;; esac\n"
                 "    fi\n"
                 "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
                 "}\n"
                 "complete -o default -F _passerelle passerelle\n");
}
