/*
 * Tail: readers that follow the log of the running gateway, by GET /tail.
 *
 *   writer thread  --line--> filter --> [queue of a reader] --tail_take--> admin thread -->
 * operator
 *
 * Of the process. The log's writer gives each line to all readers; a loop does nothing for them.
 * What a queue has no room for is lost, until all of it was taken: the reader is told how many
 * lines that were, where they are missing.
 */
#ifndef GATEWAY_TAIL_H
#define GATEWAY_TAIL_H

#include "gateway/log_output/log_filter.h"

enum {
    TAIL_READERS = 16,
    TAIL_QUEUE = 256 * 1024 /* bytes */
};

typedef struct TailReader TailReader;

/* ---- The writer's thread --------------------------------------------------------------------- */

/* Whether there is a reader. */
bool tail_is_read(void);

void tail_tell(const LogView *view);

/* Wakes the readers that have got something since the last time. */
void tail_wake(void);

/* ---- Readers --------------------------------------------------------------------------------- */

/* A reader; the filter's texts are copied. `wake` is called on the writer's thread, must be quick,
   and must use nothing of this header. NULL: there are TAIL_READERS already. Any thread. */
TailReader *tail_open(const LogFilter *filter, void (*wake)(void *owner), void *owner);

/* Moves what has come, lines with their ends, to `out`; and behind them, if lines were lost,
   {"log":"tail","lost":7}. False: nothing has. Any thread. */
bool tail_take(TailReader *reader, Buffer *out);

/* `wake` is not called any more. Any thread. */
void tail_close(TailReader *reader);

/* How many there are, and how many lines all have lost since the start. Any thread. */
uint32_t tail_readers(void);
uint64_t tail_lost(void);

#endif
