/*
 * Series: sets of metric labels, each with a number that indexes the counters of all loops.
 *
 * Labels come from configs and from this program, never from peers, and stay for the life of the
 * process: a service of the same name continues its counters in the next config. There is a limit;
 * series beyond it count as SERIES_OTHER, whose labels are "other". Number 0 has empty labels.
 * Guarded by its owner's lock.
 */
#ifndef GATEWAY_SERIES_H
#define GATEWAY_SERIES_H

#include "base/table.h"

enum { SERIES_LIMIT = 1 << 14, SERIES_LABELS = 5, SERIES_OTHER = 1 };

typedef struct SeriesSet {
    Table numbers; /* labels, each ended by NUL -> the number plus one. In an arena without a limit;
                      entry i is of number i */
    uint32_t n, n_labels;
    uint32_t limit;  /* SERIES_LIMIT at most; may be changed at any time */
    uint64_t beyond; /* how often there was no room */
} SeriesSet;

/* An empty set, with number 0 and SERIES_OTHER. */
SeriesSet series_set_in(Arena *arena, uint32_t n_labels);

/* Makes room for `n` more, if these are the first: nothing is left behind in the arena then. */
void series_expect(SeriesSet *set, size_t n);

/* The number of these labels, existing or new. They are copied. NULL is an empty label. */
uint32_t series_number(SeriesSet *set, const char *const labels[]);

/* One of the labels of a number. */
const char *series_text(const SeriesSet *set, uint32_t number, uint32_t label);

#endif
