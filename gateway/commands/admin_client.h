/*
 * AdminClient: what a command asks the admin listener of a running gateway.
 *
 * The gateway is found by --admin, else by the environment's PASSERELLE_ADMIN, else at the default
 * socket. On a unix socket the kernel says who we are; over TCP a token (--token-file, or
 * PASSERELLE_TOKEN), a certificate (--cert and --key, with https://) or a password (--user, with
 * --password-file or PASSERELLE_PASSWORD) proves it.
 */
#ifndef GATEWAY_ADMIN_CLIENT_H
#define GATEWAY_ADMIN_CLIENT_H

#include "gateway/commands/command.h"
#include "gateway/config/config.h"

#define ADMIN_DEFAULT "unix:" CONFIG_ADMIN_SOCKET

/*
 * Asks for a page, for at most 10 s. EXIT_WELL with the body in `body_out`; else EXIT_NO (the
 * gateway refused), EXIT_USAGE (the options are wrong) or EXIT_UNREACHED, which was told on the
 * standard error; a refusal also as JSON, with --json.
 */
int admin_get(const CommandLine *line, const char *path, Arena *arena, Bytes *body_out);

/* The same, for as long as `patience` says, in nanoseconds. */
int admin_get_within(const CommandLine *line, const char *path, int64_t patience, Arena *arena,
                     Bytes *body_out);

/* The same for an action, with the reason of the command line. Waits for a minute at most. */
int admin_act(const CommandLine *line, const char *path, Arena *arena, Bytes *body_out);

/* The same with something to say: JSON. */
int admin_say(const CommandLine *line, const char *path, Bytes json, Arena *arena, Bytes *body_out);

/* Gets a piece of a body. False: it has had enough. */
typedef bool AdminTake(void *owner, Bytes piece);

/* Follows a page that does not end. EXIT_WELL: `take` has had enough, or the response has ended or
   broken off; else as admin_get. `answered_out`: a gateway has answered, if only to refuse. */
int admin_follow(const CommandLine *line, const char *path, AdminTake *take, void *owner,
                 Arena *arena, bool *answered_out);

/* Tells that the response was not one of a gateway. Gives EXIT_NO. */
int admin_tell_stranger(const CommandLine *line);

/* admin_get or admin_act. */
typedef int AdminAsk(const CommandLine *line, const char *path, Arena *arena, Bytes *body_out);

/* Writes the answer for people. False: it is no such answer. */
typedef bool AdminAnswerWriter(Buffer *out, Bytes answer);

/* Asks, and prints the answer: as `write` makes it, or with --json as it is. Gives an exit code. */
int admin_print(const CommandLine *line, AdminAsk *ask, const char *path, AdminAnswerWriter *write,
                Arena *arena);

/* Adds "?name=value", or "&name=value", encoded. NULL: left out. */
void admin_path_add(Buffer *path, const char *name, const char *value);

#endif
