#include "loadtest/simulation/events.h"

#include "base/result.h"

#include <stdlib.h>

static Event *heap;
static size_t n_heap, room;

void event_push(int64_t at, What what, uint32_t which)
{
    if (n_heap == room) {
        room = room ? 2 * room : 1 << 16;
        heap = realloc(heap, room * sizeof *heap);
        CHECK(heap);
    }
    size_t i = n_heap++;
    for (; i > 0 && heap[(i - 1) / 2].at > at; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = (Event){at, what, which};
}

Event event_pop(void)
{
    CHECK(n_heap > 0);
    Event first = heap[0], last = heap[--n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < n_heap; i = child) {
        if (child + 1 < n_heap && heap[child + 1].at < heap[child].at)
            child++;
        if (heap[child].at >= last.at)
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return first;
}
