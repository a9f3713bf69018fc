/*
 * Series: the names under which things are counted, each with a number for the counters of all
 * loops.
 *
 * Names come from configs and from our own sources, never from peers, and stay for the life of the
 * process: a config that names the same service goes on counting where the last one ended. There is
 * a limit; what comes after it counts as number 0, whose labels are empty. Guarded by its owner's
 * lock.
 */
#ifndef GATEWAY_SERIES_H
#define GATEWAY_SERIES_H

#include "base/table.h"

enum { SERIES_LIMIT = 1 << 14, SERIES_LABELS = 5 };

typedef struct Series {
    const char *labels[SERIES_LABELS]; /* never NULL up to the set's n_labels */
} Series;

typedef struct SeriesSet {
    Arena *arena;  /* without a limit */
    Table numbers; /* labels, each ended by NUL -> the number plus one */
    Series *items;
    uint32_t n, capacity, n_labels;
} SeriesSet;

/* With number 0 in it. */
SeriesSet series_set_in(Arena *arena, uint32_t n_labels);

/* The number of these labels (copied), now or from before. NULL is an empty label. */
uint32_t series_number(SeriesSet *set, const char *const labels[]);

#endif
