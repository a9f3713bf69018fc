/* The man page and the completion of a shell, made from the table of commands. */
#ifndef GATEWAY_COMMAND_MANUAL_H
#define GATEWAY_COMMAND_MANUAL_H

#include "gateway/commands/command.h"

/* passerelle(1), in the man macros of groff. */
void command_write_manual(const Command *commands, int n, FILE *out);

/* A completion function for bash: commands, options and file names. */
void command_write_bash(const Command *commands, int n, FILE *out);

#endif
