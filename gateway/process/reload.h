/*
 * Reload: a config that is read again on a thread of its own, so that no call waits for it.
 *
 * Started and finished by the main thread. Lives until it was dropped, or until all workers have
 * taken their sockets out of it.
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

/* The config is no longer wanted: the reload stops waiting for instances. on_read is still called;
   reload_finish then fails with SHUTTING_DOWN, unless the config had been read before. */
void reload_cancel(Reload *reload);

/* After that: the caller gets a reference to the config, or why there is none. All mistakes in it
   have been printed to stderr. Afterwards either reload_drop, or reload_taken once by each
   worker. */
MUST_USE Result reload_finish(Reload *reload, Arena *arena, Config **config_out);

/* The mistakes of the config, a line each; empty where it had none. As long as the reload. */
Bytes reload_mistakes(const Reload *reload);

BoundSocket *reload_sockets(const Reload *reload);

/* One worker has its sockets. Any thread. */
void reload_taken(void *reload);

void reload_drop(Reload *reload);

#endif
