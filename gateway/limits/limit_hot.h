/*
 * LimitHot: who is refused most by limits now, and since when.
 *
 * At most LIMIT_HOT_MOST clients of limits, by key. A spell begins with the first refusal, and is
 * over when there was none for LIMIT_HOT_SPELL. When there are more clients than room, whoever is
 * refused most stays. What is refused again is counted without a lock. Any thread.
 */
#ifndef GATEWAY_LIMIT_HOT_H
#define GATEWAY_LIMIT_HOT_H

#include "base/bytes.h"
#include "base/clock.h"
#include "gateway/limits/limit_table.h"

enum { LIMIT_HOT_MOST = 1024, LIMIT_HOT_CLIENT = 127 /* bytes of a name that are kept */ };

#define LIMIT_HOT_SPELL (60 * SECOND)

typedef struct LimitHot LimitHot;

/* Whom a limit has refused. */
typedef struct LimitRefused {
    LimitPart part;
    uint64_t key;
    const char *limit; /* its name; copied */
    Bytes client;      /* as it may be shown; copied, empty: nobody is named */
    int64_t wall;
} LimitRefused;

LimitHot *limit_hot_new(void);
void limit_hot_free(LimitHot *hot); /* NULL is allowed */

/* Counts a refusal. `note`: what this returned for the key before, or 0. Returns a note for the
   next time; 0: there is no room. */
uint16_t limit_hot_count(LimitHot *hot, uint16_t note, const LimitRefused *refused);

/* One that is refused now. */
typedef struct LimitHotRow {
    LimitPart part;
    uint64_t key;
    const char *limit;
    Bytes client;
    int64_t since, last; /* wall time */
    uint64_t refused;    /* since then */
} LimitHotRow;

/* Those whose spell is not over at `wall`, in no order; `see` keeps nothing, and uses nothing of
 * this. */
void limit_hot_each(LimitHot *hot, int64_t wall, void (*see)(void *owner, const LimitHotRow *row),
                    void *owner);

/* {"limited":[{"limit","client","since","last","refused"}], ...}: the members of an object, the
   most refused per second first, at most `most` of them. */
void limit_hot_write(LimitHot *hot, int64_t wall, uint32_t most, Buffer *out);

#endif
