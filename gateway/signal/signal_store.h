/*
 * Signals in the store: one row for each, whichever gateway has found it; and what each gateway
 * remembers (Watch). Tasks, and what was read by them. Any thread.
 */
#ifndef GATEWAY_SIGNAL_STORE_H
#define GATEWAY_SIGNAL_STORE_H

#include "gateway/signal/signal_list.h"
#include "gateway/store/seal.h"
#include "gateway/store/store_task.h"

/* Lists it. Conflict: it was found less than `every` ago, by this gateway or another one: nobody
   need be told. */
StoreTask *signal_claim_task(const SignalEntry *entry, int64_t every, const StoreKeys *keys);

/* The SIGNALS_LISTED found last; and what was read. An entry whose evidence cannot be opened has
   none. In the arena. */
StoreTask *signal_read_task(void);
const SignalEntry **signal_read(const StoreTask *task, const StoreKeys *keys, Arena *arena,
                                uint32_t *n_out);

/* Conflict: there is no such signal. */
StoreTask *signal_acknowledge_task(Bytes id, Bytes who, Bytes why, int64_t wall,
                                   const StoreKeys *keys);

/* What a gateway remembers. `state_out` is empty if there is none. */
StoreTask *signal_state_write_task(const char *node, Bytes state, int64_t wall,
                                   const StoreKeys *keys);
StoreTask *signal_state_read_task(const char *node);
MUST_USE Result signal_state_read(const StoreTask *task, const char *node, const StoreKeys *keys,
                                  Arena *arena, Bytes *state_out);

#endif
