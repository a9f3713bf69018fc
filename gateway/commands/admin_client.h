/*
 * AdminClient: what a command asks the admin listener of a running gateway.
 *
 * The gateway is found by --admin, else by the environment's PASSERELLE_ADMIN, else at the default
 * socket. Where PASSERELLE_TOKEN is set, it is shown. Blocks, for at most 10 s.
 */
#ifndef GATEWAY_ADMIN_CLIENT_H
#define GATEWAY_ADMIN_CLIENT_H

#include "gateway/commands/command.h"
#include "gateway/config/config.h"

/* For the table of options of a command. */
#define ADMIN_OPTION                                                                               \
    {                                                                                              \
        "--admin", "ADDRESS", "the admin listener; default $PASSERELLE_ADMIN, or " ADMIN_DEFAULT   \
    }

/* The same for one that changes something. */
#define REASON_OPTION                                                                              \
    {                                                                                              \
        "--reason", "TEXT", "why; it is recorded in the audit"                                     \
    }

#define ADMIN_DEFAULT "unix:" CONFIG_ADMIN_SOCKET

/*
 * Asks for a page. EXIT_WELL with the body in `body_out`; else EXIT_NO (the gateway refused),
 * EXIT_USAGE (the address is none) or EXIT_UNREACHED, which was told on the standard error.
 */
int admin_get(const CommandLine *line, const char *path, Arena *arena, Bytes *body_out);

/* The same for an action, with the reason of the command line. Waits for a minute at most. */
int admin_act(const CommandLine *line, const char *path, Arena *arena, Bytes *body_out);

#endif
