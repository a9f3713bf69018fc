/*
 * A task of its own session: for what reads so much that no other task should wait for it. Any
 * thread, which waits.
 */
#ifndef GATEWAY_STORE_APART_H
#define GATEWAY_STORE_APART_H

#include "gateway/store/store.h"

/* Opens the store as `settings` say, without changing it, and executes a task that only reads; the
   caller frees it. The error lives in the arena. Faults: as those of tasks, store.h. */
MUST_USE Result store_run_apart(const StoreSettings *settings, Arena *arena, StoreTask *task);

#endif
