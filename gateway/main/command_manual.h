/* The man page, the completion of shells, and a description for programs: all are made from the
   table of commands. */
#ifndef GATEWAY_COMMAND_MANUAL_H
#define GATEWAY_COMMAND_MANUAL_H

#include "gateway/commands/command.h"

/* passerelle(1), in the man macros of groff. */
void command_write_manual(const Command *commands, int n, FILE *out);

/* One JSON object: "commands", "exit_codes", "environment". */
void command_write_json(const Command *commands, int n, Buffer *out);

/* Completion of commands, options and file names. command_completion.c */
void command_write_bash(const Command *commands, int n, FILE *out);
void command_write_zsh(const Command *commands, int n, FILE *out);
void command_write_fish(const Command *commands, int n, FILE *out);

#endif
