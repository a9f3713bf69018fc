/*
 * Commands: what `passerelle WORD ...` does. One file per command, and main.c with the table of
 * them, from which also come the help, the man page, the completion of shells and the check of
 * options.
 *
 * A command gets its arguments and options, and gives the exit code: 0 good, 1 the answer is no (a
 * config with mistakes, a difference found, a refusal), 2 called in the wrong way, 3 the gateway
 * that it asks cannot be reached. Results go to the standard output, as a text or with --json as
 * one JSON document; errors go to the standard error.
 */
#ifndef GATEWAY_COMMAND_H
#define GATEWAY_COMMAND_H

#include "gateway/config/config.h"

#include <stdio.h>

enum { EXIT_WELL = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_UNREACHED = 3 };

enum { COMMAND_OPTIONS_MOST = 10, COMMAND_GIVEN_MOST = 64, COMMAND_EXAMPLES_MOST = 3 };

typedef struct Command Command;

typedef struct CommandOption {
    const char *name;  /* "--json", "-H" */
    const char *value; /* what follows it: "N", "'NAME: VALUE'", "FILE"; NULL: it is a flag */
    const char *text;  /* one line for the help */
} CommandOption;

/* An option as it was given. */
typedef struct CommandGiven {
    const CommandOption *option;
    const char *value; /* NULL: it is a flag */
} CommandGiven;

/* What was written behind the word. Borrowed from main's arguments. */
typedef struct CommandLine {
    const Command *command;
    char **arguments; /* those that are no options */
    int n;
    int n_given;
    CommandGiven given[COMMAND_GIVEN_MOST];
} CommandLine;

/* What commands have in common, and with it a set of options. */
enum {
    COMMAND_PRINTS = 1,  /* prints a result: --json, --quiet */
    COMMAND_ASKS = 2,    /* asks a running gateway: --admin, and how each proves who it is */
    COMMAND_CHANGES = 4, /* changes what that gateway does: --why */
};

struct Command {
    const char *name;
    const char *arguments; /* those that are no options: "CONFIG [VERB] PATH" */
    const char *text;      /* one line for the help */
    unsigned kind;         /* COMMAND_PRINTS ... */
    CommandOption options[COMMAND_OPTIONS_MOST + 1]; /* its own; the last one has no name */
    int (*run)(const CommandLine *line);
    const char *examples[COMMAND_EXAMPLES_MOST]; /* at least one; the others may be NULL */
};

/* What an exit code means. */
typedef struct CommandExit {
    int code;
    const char *text;
} CommandExit;

/* A variable of the environment. */
typedef struct CommandVariable {
    const char *name, *text;
} CommandVariable;

/* For all commands; the last one has no text, or no name. */
extern const CommandExit command_exits[];
extern const CommandVariable command_variables[];

/* The options of a command, its own first; NULL: there are no more. */
const CommandOption *command_option_at(const Command *command, int at);

/* How the command is used, with each option, examples, and exit codes. */
void command_help(const Command *command, FILE *out);

/* The line of usage, to the standard error; gives EXIT_USAGE. */
int command_usage(const Command *command);

/* Whether --help or -h is among the arguments, where it is not the value of an option. */
bool command_wants_help(const Command *command, int n, char **arguments);

/* Parts the arguments into options and others; those after "--" are others. `arguments` is put in
   another order. False: one is not an option of the command, or lacks its value; which is told. */
bool command_parse(const Command *command, int n, char **arguments, CommandLine *line_out);

/* Whether the flag was given. */
bool command_flag(const CommandLine *line, const char *name);

/* The value of the option, the last one where there are several; NULL when it was not given. */
const char *command_option(const CommandLine *line, const char *name);

/* Whether --why was given, and says something. */
bool command_has_reason(const CommandLine *line);

/* All "-H 'Name: value'", with lower-case names; false when one has no colon, which is told. */
bool command_take_fields(const CommandLine *line, Arena *arena, Fields *fields);

/* Whether what is printed may have colours: a terminal reads it, and NO_COLOR is not set. */
bool command_colours(void);

/*
 * The result, for people (nothing with --json): each line without control characters (printable.h).
 * Nothing with --quiet.
 */
void command_print(const CommandLine *line, const Buffer *text);

/* The result with --json: one document, on a line of its own. Nothing with --quiet. */
void command_print_json(const CommandLine *line, Bytes json);

/* Whether the result is wanted as JSON. */
bool command_wants_json(const CommandLine *line);

/* A cell of a table: its text as one line, then blanks up to `width` and one more. Width 0 ends the
   row. */
void command_add_cell(Buffer *out, Bytes text, size_t width);

/* A line on the standard error, behind the command's name. */
void command_tell(const CommandLine *line, const char *format, ...) PRINTF_LIKE(2, 3);

/* Some lines on the standard error, without control characters. */
void command_tell_lines(Bytes lines);

/*
 * Loads the config that the argument at `at` names, for a command that cannot go on without one:
 * mistakes are told, with --json as those of `check`, and NULL is given.
 */
Config *command_config(const CommandLine *line, int at);

int command_audit(const CommandLine *line);
int command_check(const CommandLine *line);
int command_client(const CommandLine *line);
int command_diff(const CommandLine *line);
int command_drain(const CommandLine *line);
int command_errors(const CommandLine *line);
int command_explain(const CommandLine *line);
int command_fleet(const CommandLine *line);
int command_healing(const CommandLine *line);
int command_instance(const CommandLine *line);
int command_jobs(const CommandLine *line);
int command_idempotency(const CommandLine *line);
int command_prove(const CommandLine *line);
int command_reload(const CommandLine *line);
int command_limits(const CommandLine *line);
int command_rollout(const CommandLine *line);
int command_request(const CommandLine *line);
int command_retire(const CommandLine *line);
int command_run(const CommandLine *line);
int command_service(const CommandLine *line);
int command_shadow(const CommandLine *line);
int command_store(const CommandLine *line);
int command_upgrade(const CommandLine *line);
int command_usage_of(const CommandLine *line);

#endif
