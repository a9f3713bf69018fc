/*
 * Tally: what one loop has counted since it last handed over; and the sum of all of them.
 *
 * Failures and mistakes of clients are in tables of their own, so that no client can push out what
 * an operator has to see. For each method, and each path without one, the tally has how many
 * clients called it lately, and the sum has the calls of the last hour, which are taken from the
 * counters of telemetry: a failure is measured against these. Owned by one thread at a time.
 */
#ifndef GATEWAY_TALLY_H
#define GATEWAY_TALLY_H

#include "gateway/tally/failure_table.h"
#include "gateway/telemetry/telemetry.h"

/* All calls of a method, or of a path without one. */
typedef struct MethodUse {
    struct MethodUse *next; /* of all */
    uint32_t series;
    uint64_t latest; /* client, as a hash: the next call is often the same one's */
    int64_t until;   /* wall time: the end of the hour in which it was seen */
    RecentClients clients;
    uint64_t calls; /* of the sum: those that `hour` has already */
    Window hour;
} MethodUse;

typedef struct Tally {
    FailureTable failures, mistakes;
    MethodUse *uses;
    MethodUse **use_of; /* [series] */
} Tally;

/* `rows` is the limit of each of both tables. */
Tally *tally_new(uint32_t rows);
void tally_free(Tally *tally);

/* Counts a call that ended, and its failure if it had one. `line` is its line of the log. */
void tally_record(Tally *tally, const CallRecord *record, Bytes line);

/* Of the sum: takes the calls that have ended since the last time from telemetry. */
void tally_count_calls(Tally *tally, int64_t wall);

/* Adds `from`, which is empty then. */
void tally_take(Tally *tally, Tally *from);

/* Rows above the limit give way. */
void tally_limit(Tally *tally, uint32_t rows, int64_t wall);

/* The series of a failure that was stored, by its names; 0: the config has no such method or path.
 */
uint32_t tally_series(const Config *config, const FailureKey *key);

/* What is known of a failure's method; NULL: nothing. */
const MethodUse *tally_use(const Tally *tally, uint32_t series);

#endif
