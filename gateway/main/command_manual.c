#include "gateway/main/command_manual.h"

#include "base/text/json_text.h"

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
    const CommandOption *o;
    for (int i = 0; (o = command_option_at(command, i)); i++) {
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

/* ---- The table as JSON ----------------------------------------------------------------------- */

static void add_text(Buffer *out, const char *name, const char *text)
{
    json_text_add_member(out, name, bytes_of(text));
}

static void add_command_json(const Command *command, Buffer *out)
{
    const CommandOption *o;
    json_text_open_item(out);
    add_text(out, "name", command->name);
    add_text(out, "arguments", command->arguments);
    add_text(out, "text", command->text);
    json_text_add_bool(out, "prints", command->kind & COMMAND_PRINTS);
    json_text_add_bool(out, "asks", command->kind & COMMAND_ASKS);
    json_text_add_bool(out, "changes", command->kind & COMMAND_CHANGES);
    json_text_open_list(out, "options");
    for (int i = 0; (o = command_option_at(command, i)); i++) {
        json_text_open_item(out);
        add_text(out, "name", o->name);
        if (o->value)
            add_text(out, "value", o->value);
        add_text(out, "text", o->text);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
    json_text_open_list(out, "examples");
    for (int i = 0; i < COMMAND_EXAMPLES_MOST && command->examples[i]; i++) {
        json_text_add_element(out);
        json_text_add(out, bytes_of(command->examples[i]));
    }
    buffer_add_text(out, "]}");
}

void command_write_json(const Command *commands, int n, Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_open_list(out, "commands");
    for (int i = 0; i < n; i++)
        add_command_json(&commands[i], out);
    buffer_add_byte(out, ']');
    json_text_open_list(out, "exit_codes");
    for (const CommandExit *e = command_exits; e->text; e++) {
        json_text_open_item(out);
        json_text_add_number(out, "code", (uint64_t)e->code);
        add_text(out, "text", e->text);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
    json_text_open_list(out, "environment");
    for (const CommandVariable *v = command_variables; v->name; v++) {
        json_text_open_item(out);
        add_text(out, "name", v->name);
        add_text(out, "text", v->text);
        buffer_add_byte(out, '}');
    }
    buffer_add_text(out, "]}");
}
