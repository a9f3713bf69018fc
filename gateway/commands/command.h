/*
 * Commands: what `passerelle WORD ...` does. One file per command, and main.c with the table of
 * them, from which also come the help and the check of options.
 *
 * A command gets its arguments and options, and gives the exit code: 0 well, 1 the answer is no (a
 * config with mistakes, a difference found), 2 called in the wrong way, 3 the gateway that it asks
 * cannot be reached. Results go to the standard output, the rest to the standard error.
 */
#ifndef GATEWAY_COMMAND_H
#define GATEWAY_COMMAND_H

#include "gateway/config/config.h"

#include <stdio.h>

enum { EXIT_WELL = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_UNREACHED = 3 };

enum { COMMAND_OPTIONS_MOST = 4, COMMAND_GIVEN_MOST = 64, COMMAND_EXAMPLES_MOST = 3 };

typedef struct Command Command;

typedef struct CommandOption {
    const char *name;  /* "--json", "-H" */
    const char *value; /* what follows it: "N", "'Name: value'"; NULL: it is a flag */
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

struct Command {
    const char *name;
    const char *arguments; /* those that are no options: "CONFIG [VERB] PATH" */
    const char *text;      /* one line for the help */
    CommandOption options[COMMAND_OPTIONS_MOST + 1]; /* the last one has no name */
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

/*
 * Loads a config for a command that cannot go on without one: mistakes are printed to the standard
 * error, and NULL is given.
 */
Config *command_config(const char *path);

int command_audit(const CommandLine *line);
int command_check(const CommandLine *line);
int command_client(const CommandLine *line);
int command_diff(const CommandLine *line);
int command_drain(const CommandLine *line);
int command_explain(const CommandLine *line);
int command_fleet(const CommandLine *line);
int command_prove(const CommandLine *line);
int command_reload(const CommandLine *line);
int command_run(const CommandLine *line);
int command_store(const CommandLine *line);
int command_version(const CommandLine *line);

#endif
