/*
 * Reload: reads a config again on a separate thread, so that no call waits for it.
 *
 * Started and finished by the main thread. Lives until reload_drop, or until all workers have
 * called reload_taken.
 */
#ifndef GATEWAY_RELOAD_H
#define GATEWAY_RELOAD_H

#include "gateway/listen/bind.h"

typedef struct Reload Reload;

/* Reads the file and opens the sockets that `running` does not have. `on_read` is called on another
   thread when that is done. */
Reload *reload_start(const char *path, Config *running, uint32_t n_workers,
                     void (*on_read)(void *owner), void *owner);

bool reload_is_read(const Reload *reload);

/* Cancels the reload: it stops waiting for instances. on_read is still called; reload_finish then
   fails with SHUTTING_DOWN, unless the config had been read before. */
void reload_cancel(Reload *reload);

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
