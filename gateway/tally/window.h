/*
 * Window: how often something happened lately: in the last minute, hour or day.
 *
 * Twelve parts, each for a twelfth of the time; what is older than the window is forgotten part by
 * part, so that a count is that of the whole time or up to a twelfth of it less. Parts are numbered
 * by wall time: windows of several loops, and of before a restart, are added part by part. What
 * comes late counts where it belongs, or not at all. Owned by one thread; zeros are an empty
 * window.
 */
#ifndef GATEWAY_WINDOW_H
#define GATEWAY_WINDOW_H

#include "base/clock.h"

enum { WINDOW_PARTS = 12 };

/* The length of a window in nanoseconds. */
#define WINDOW_MINUTE (60 * SECOND)
#define WINDOW_HOUR (3600 * SECOND)
#define WINDOW_DAY (86400 * SECOND)

typedef struct Window {
    int64_t latest; /* the number of the newest part; part n is at n % WINDOW_PARTS */
    uint64_t counts[WINDOW_PARTS];
} Window;

/* `n` times at `wall`, nanoseconds since 1970. `length` is that of the window. */
void window_add(Window *window, int64_t length, int64_t wall, uint64_t n);

/* How often until `wall`. */
uint64_t window_count(const Window *window, int64_t length, int64_t wall);

void window_merge(Window *into, const Window *from);

#endif
