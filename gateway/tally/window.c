#include "gateway/tally/window.h"

static void add_to_part(Window *window, int64_t part, uint64_t n)
{
    if (part > window->latest) {
        int64_t behind = part - window->latest;
        for (int64_t i = 1; i <= behind && i <= WINDOW_PARTS; i++)
            window->counts[(window->latest + i) % WINDOW_PARTS] = 0;
        window->latest = part;
    }
    if (part > window->latest - WINDOW_PARTS && part >= 0)
        window->counts[part % WINDOW_PARTS] += n;
}

void window_add(Window *window, int64_t length, int64_t wall, uint64_t n)
{
    add_to_part(window, wall / (length / WINDOW_PARTS), n);
}

/* The oldest part that is still in the window. */
static int64_t first_part(const Window *window)
{
    int64_t first = window->latest - WINDOW_PARTS + 1;
    return first > 0 ? first : 0;
}

uint64_t window_count(const Window *window, int64_t length, int64_t wall)
{
    int64_t now = wall / (length / WINDOW_PARTS);
    uint64_t n = 0;
    for (int64_t part = first_part(window); part <= window->latest; part++)
        if (part > now - WINDOW_PARTS && part <= now)
            n += window->counts[part % WINDOW_PARTS];
    return n;
}

void window_merge(Window *into, const Window *from)
{
    for (int64_t part = first_part(from); part <= from->latest; part++)
        if (from->counts[part % WINDOW_PARTS])
            add_to_part(into, part, from->counts[part % WINDOW_PARTS]);
}
