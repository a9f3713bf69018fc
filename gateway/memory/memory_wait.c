#include "gateway/memory/memory_wait.h"

#include <stdlib.h>

#define LOOK_TIME (10 * MILLISECOND)

struct MemoryWaits {
    Loop *loop;
    MemoryWait *first, **end;
    Timer timer;
};

static void look(Timer *timer);

static MemoryWaits *waits_of(Loop *loop)
{
    if (loop->memory_waits)
        return loop->memory_waits;
    MemoryWaits *waits = calloc(1, sizeof *waits);
    CHECK(waits);
    waits->loop = loop;
    waits->end = &waits->first;
    waits->timer.fire = look;
    return loop->memory_waits = waits;
}

static void begin(Loop *loop, MemoryWait *wait)
{
    MemoryWaits *waits = waits_of(loop);
    if (wait->at)
        return;
    wait->next = NULL;
    wait->at = waits->end;
    *waits->end = wait;
    waits->end = &wait->next;
    if (!timer_running(&waits->timer))
        timer_start(&loop->timers, &waits->timer, loop->now + LOOK_TIME);
}

void memory_wait_end(Loop *loop, MemoryWait *wait)
{
    MemoryWaits *waits = loop->memory_waits;
    if (!wait->at)
        return;
    *wait->at = wait->next;
    if (wait->next)
        wait->next->at = wait->at;
    else
        waits->end = wait->at;
    wait->at = NULL;
    if (!waits->first)
        timer_stop(&loop->timers, &waits->timer);
}

/* Waits that begin during this are after `end`, and are handled the next time. */
static void look(Timer *timer)
{
    MemoryWaits *waits = (MemoryWaits *)((char *)timer - offsetof(MemoryWaits, timer));
    MemoryWait end = {0};
    memory_settle();
    begin(waits->loop, &end);
    for (MemoryWait **at = &waits->first; *at != &end;) {
        MemoryWait *wait = *at;
        wait->look(wait);
        if (*at == wait)
            at = &wait->next;
    }
    memory_wait_end(waits->loop, &end);
    if (waits->first)
        timer_start(&waits->loop->timers, timer, waits->loop->now + LOOK_TIME);
}

static bool is_let_through(const Loop *loop, const MemoryWait *wait)
{
    const MemoryWaits *waits = loop->memory_waits;
    uint64_t limit = memory_limit();
    int64_t total = memory_total();
    bool first = waits && waits->first == wait;
    return first && (total < 0 || (uint64_t)total < limit + limit / 8);
}

bool memory_wait_for(Loop *loop, MemoryWait *wait, const Account *account, size_t more)
{
    if (memory_ask(account, more) == MEMORY_GRANTED) {
        memory_wait_end(loop, wait);
        return false;
    }
    begin(loop, wait);
    return !is_let_through(loop, wait);
}

void memory_waits_free(Loop *loop)
{
    if (!loop->memory_waits)
        return;
    timer_stop(&loop->timers, &loop->memory_waits->timer);
    free(loop->memory_waits);
    loop->memory_waits = NULL;
}
