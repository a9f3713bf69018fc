/*
 * FlowWindow: the receive window of a connection or a stream: how many bytes of DATA the peer may
 * still send (RFC 9113 section 6.9).
 *
 * The size of the window is the sum of three parts: `open`, `held`, and the bytes that were
 * consumed and not yet returned to the peer. They are returned when they are at least half of the
 * window, so that there are few WINDOW_UPDATE frames. The caller knows the size.
 */
#ifndef PROTOCOLS_FLOW_WINDOW_H
#define PROTOCOLS_FLOW_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

typedef struct FlowWindow {
    int32_t open;  /* bytes; negative after SETTINGS made the window smaller */
    uint32_t held; /* bytes received and not yet consumed */
} FlowWindow;

/* `n` bytes were received. False, and nothing is changed: the window is smaller. */
static inline bool flow_window_take(FlowWindow *window, uint32_t n)
{
    if ((int64_t)n > window->open)
        return false;
    window->open -= (int32_t)n;
    window->held += n;
    return true;
}

/* `n` of the held bytes were consumed. `size`: of the whole window. Returns the increment of the
   WINDOW_UPDATE that is to be sent now; 0: none. */
static inline uint32_t flow_window_consume(FlowWindow *window, uint32_t n, uint32_t size)
{
    window->held -= n;
    int64_t due = (int64_t)size - window->open - window->held;
    if (due <= 0 || due * 2 < size)
        return 0;
    window->open += (int32_t)due;
    return (uint32_t)due;
}

/* The peer sent WINDOW_UPDATE: our send window grows. False, and nothing is changed: it
   would be larger than WINDOW_MOST. */
static inline bool flow_window_grow(int32_t *window, uint32_t increment)
{
    if ((int64_t)*window + increment > INT32_MAX)
        return false;
    *window += (int32_t)increment;
    return true;
}

#endif
