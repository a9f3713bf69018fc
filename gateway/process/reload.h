/*
 * Reload: reads a config again on a thread of its own, so that no call waits for it.
 *
 *      reload_start ... on_read: reload_finish ... reload_taken by each worker, or reload_drop
 *      reload_start ... reload_leave: a file of the config does not arrive, and the process ends
 *
 * Belongs to the main thread, except where another one is named.
 */
#ifndef GATEWAY_RELOAD_H
#define GATEWAY_RELOAD_H

#include "gateway/listen/bind.h"

#include <uv.h>

typedef struct Reload Reload;

/* Reads the file and opens the sockets that `running` does not have. Then the loop calls `on_read`.
   `path` is borrowed as long as the reload. */
Reload *reload_start(const char *path, Config *running, uint32_t n_workers, uv_loop_t *loop,
                     void (*on_read)(void *owner), void *owner);

/* Before on_read: how long it has been reading, in nanoseconds; and what it waits for. */
int64_t reload_time(const Reload *reload);
const char *reload_doing(Reload *reload, Arena *arena);

/* Cancels the reload: it stops waiting for instances. on_read is still called; reload_finish then
   fails with SHUTTING_DOWN, unless the config had been read before. */
void reload_cancel(Reload *reload);

/* Before on_read, which is then not called. The thread goes on, and the memory stays, for the
   process is about to end. */
void reload_leave(Reload *reload);

/* After on_read: gives the caller a reference to the config, or the failure. All mistakes in it
   were printed to stderr. Then the caller calls reload_drop, or each worker calls reload_taken
   once. */
MUST_USE Result reload_finish(Reload *reload, Arena *arena, Config **config_out);

/* The mistakes of the config, a line each; may be empty. Valid as long as the reload. */
Bytes reload_mistakes(const Reload *reload);

BoundSocket *reload_sockets(const Reload *reload);

/* A worker has taken its sockets. Any thread. */
void reload_taken(void *reload);

void reload_drop(Reload *reload);

#endif
