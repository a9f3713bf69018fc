/*
 * FlowWindow: what a peer may still send (RFC 9113 section 6.9), of a connection or a stream.
 *
 * `open`, `held` and what can be returned add up to the size of the window, which the caller knows.
 * It is returned when it is half of the window, so that there are few WINDOW_UPDATE frames.
 */
#ifndef PROTOCOLS_FLOW_WINDOW_H
#define PROTOCOLS_FLOW_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

typedef struct FlowWindow {
    int32_t open;  /* negative when the setting became smaller */
    uint32_t held; /* received, and not consumed yet */
} FlowWindow;

/* `n` bytes were received. False: more than the peer may send. */
static inline bool flow_window_take(FlowWindow *window, uint32_t n)
{
    if ((int64_t)n > window->open)
        return false;
    window->open -= (int32_t)n;
    window->held += n;
    return true;
}

/* `n` of the held bytes were consumed. Returns what to tell the peer in a WINDOW_UPDATE, or 0. */
static inline uint32_t flow_window_consume(FlowWindow *window, uint32_t n, uint32_t size)
{
    window->held -= n;
    int64_t due = (int64_t)size - window->open - window->held;
    if (due <= 0 || due * 2 < size)
        return 0;
    window->open += (int32_t)due;
    return (uint32_t)due;
}

/* The peer opened its window for us. False: beyond what a window can be. */
static inline bool flow_window_grow(int32_t *window, uint32_t increment)
{
    if ((int64_t)*window + increment > INT32_MAX)
        return false;
    *window += (int32_t)increment;
    return true;
}

#endif
