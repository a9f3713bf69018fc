/*
 * Handover: what a gateway leaves to the one that takes its place, after an upgrade or a crash: its
 * listening sockets, and blobs with names ("ejections"), which are bytes that their owner writes
 * and reads.
 *
 *      main           handover_begin: what the supervisor or systemd has handed to this process
 *      a module       handover_take: its blob of the process before
 *                     handover_offer: from now on `write` makes the blob for the next one
 *                     handover_changed: soon it is written again
 *
 * A blob is written when its owner says that it has changed, and all of them before an upgrade: so
 * after a crash there is what was last said. The supervisor keeps them; without one nothing is
 * kept, and nothing is written. There is one of it in the process. The main thread only, except
 * where another one is named.
 */
#ifndef GATEWAY_HANDOVER_H
#define GATEWAY_HANDOVER_H

#include "base/bytes.h"

#include <sys/socket.h>

enum { HANDOVER_BLOB = 64 << 20 }; /* bytes of a blob, at most: a larger one is not kept */

/* First, before other threads: reads and removes the variables of the environment. */
void handover_begin(void);

/* Whether there is a supervisor; whether another gateway serves until this one does; and whether
   one serves or has served before it, so that this one has to. */
bool handover_supervised(void);
bool handover_succeeds(void);
bool handover_replaces(void);

/* The channel to the supervisor, and the file for the backtrace of a crash; -1: none. */
int handover_channel(void);
int handover_crash_file(void);

/* ---- Blobs ----------------------------------------------------------------------------------- */

/* What the process before has left under the name, in `arena`; empty: nothing. It is gone then, but
   the supervisor has it until another is written, or it is dropped. */
Bytes handover_take(const char *name, Arena *arena);

/* `write` adds the blob to `out`; it is called on the main thread. Nothing added: there is nothing
   to keep. `name` stays. At most 32 names. */
void handover_offer(const char *name, void (*write)(void *owner, Buffer *out), void *owner);

/* Before `owner` is freed. What was written last stays kept. */
void handover_withdraw(const char *name);

/* The blob is to be written again, soon. Any thread. */
void handover_changed(const char *name);

/* The supervisor forgets what was kept. */
void handover_drop(const char *name);

/* For whoever runs the main loop: `wake` is called on any thread when a blob has changed; then
   handover_write_changed. NULL: nobody any more. */
void handover_wake_by(void (*wake)(void *owner), void *owner);
void handover_write_changed(void);
void handover_write_all(void);

/* ---- Sockets --------------------------------------------------------------------------------- */

/* Takes a socket that listens at the address, or has the name if the port of the address is 0; one
   after the other. -1: there is none any more. Closed on exec, does not block. Any thread. */
int handover_take_socket(const struct sockaddr *address, socklen_t size, const char *name);

/* The supervisor keeps copies of these under the name, instead of what had it; `n` 0: of none. It
   learns of it when this process serves (handover_settle). Any thread. */
void handover_keep_sockets(const char *name, const int *fds, uint32_t n);

/* This process serves: the supervisor learns of its sockets; those that nobody has taken are
   closed, and forgotten. */
void handover_settle(void);

/* The sockets belong to a successor from now on. */
void handover_give(void);

/* Whether the sockets are another gateway's, too: that of the one before, until this one serves, or
   of a successor. Who closes one leaves its queue, and its file. Any thread. */
bool handover_shared(void);

#endif
