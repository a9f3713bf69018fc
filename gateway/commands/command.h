/*
 * Commands: what `passerelle WORD ...` does. One file per command, and main.c that finds it.
 *
 * Each gets the arguments behind its word and gives the exit code: 0 well, 1 the answer is no (a
 * config with mistakes, a difference found), 2 called in the wrong way. Results go to the standard
 * output, the rest to the standard error.
 */
#ifndef GATEWAY_COMMAND_H
#define GATEWAY_COMMAND_H

#include "gateway/config/config.h"

enum { EXIT_WELL = 0, EXIT_NO = 1, EXIT_USAGE = 2 };

typedef struct Command {
    const char *name;
    const char *arguments; /* "CONFIG [--json]" */
    const char *text;      /* one line for the help */
    int (*run)(const struct Command *command, int n, char **arguments);
} Command;

/* The lines of usage of one command, to the standard error; gives EXIT_USAGE. */
int command_usage(const Command *command);

/* Takes the flag out of the arguments, wherever it stands. */
bool command_flag(int *n, char **arguments, const char *flag);

/* Takes "NAME VALUE" or "NAME=VALUE" out of the arguments; NULL when it is not there. */
const char *command_option(int *n, char **arguments, const char *name);

/*
 * Loads a config for a command that cannot go on without one: mistakes are printed to the standard
 * error, and NULL is given.
 */
Config *command_config(const char *path);

int command_check(const Command *command, int n, char **arguments);
int command_diff(const Command *command, int n, char **arguments);
int command_explain(const Command *command, int n, char **arguments);
int command_prove(const Command *command, int n, char **arguments);
int command_run(const Command *command, int n, char **arguments);
int command_version(const Command *command, int n, char **arguments);

#endif
