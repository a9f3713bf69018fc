#include "gateway/memory/memory_wait.h"

#include <stdlib.h>

#define LOOK_TIME (10 * MILLISECOND)

/* Whether a client that holds more than its share has the turn above seven eighths. */
static _Atomic bool turn_is_taken;

struct MemoryWaits {
    Loop *loop;
    MemoryWait *first, **end;
    MemoryWait *looks, *next; /* the one that is looked at now, and the one after it; or NULL */
    Timer timer;
    bool sheds; /* ends calls of who holds more than its share */
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

void memory_wait_begin(Loop *loop, MemoryWait *wait, Account *account)
{
    MemoryWaits *waits = waits_of(loop);
    if (wait->at)
        return;
    wait->account = account;
    wait->next = NULL;
    wait->at = waits->end;
    *waits->end = wait;
    waits->end = &wait->next;
    if (!timer_running(&waits->timer))
        timer_start(&loop->timers, &waits->timer, loop->now + LOOK_TIME);
}

static bool is_over_share(const Account *account)
{
    return account && account_held(account) > memory_share(account);
}

/* ---- Turns ----------------------------------------------------------------------------------- */

static bool take(_Atomic bool *turn)
{
    return !atomic_exchange_explicit(turn, true, memory_order_relaxed);
}

static void give(_Atomic bool *turn)
{
    atomic_store_explicit(turn, false, memory_order_relaxed);
}

/* Above seven eighths. */
static bool is_crowded(int64_t total, int64_t limit)
{
    return total > limit - limit / 8;
}

static bool may_have_turn(const Account *account, int64_t total, int64_t limit)
{
    return total < limit + limit / 8 &&
           (!account || account_queued(account) <= memory_share(account) / 8);
}

static bool take_turn(MemoryWait *wait, Account *account)
{
    int64_t limit = memory_bound(), total = memory_total();
    if (!may_have_turn(account, total, limit) || (account && !take(&account->growing)))
        return false;
    bool alone = is_crowded(total, limit) && is_over_share(account);
    if (alone && !take(&turn_is_taken)) {
        give(&account->growing);
        return false;
    }
    wait->alone = alone;
    return wait->has_turn = true;
}

static void give_turn(MemoryWait *wait)
{
    if (wait->has_turn && wait->account)
        give(&wait->account->growing);
    if (wait->alone)
        give(&turn_is_taken);
    wait->has_turn = wait->alone = false;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

void memory_wait_end(Loop *loop, MemoryWait *wait)
{
    MemoryWaits *waits = loop->memory_waits;
    if (!wait->at)
        return;
    give_turn(wait);
    if (waits->next == wait)
        waits->next = wait->next;
    *wait->at = wait->next;
    if (wait->next)
        wait->next->at = wait->at;
    else
        waits->end = wait->at;
    wait->at = NULL;
    if (!waits->first)
        timer_stop(&loop->timers, &waits->timer);
}

/* It begins above the limit, and goes on until a sixteenth is free. */
static bool sheds(MemoryWaits *waits)
{
    int64_t limit = memory_bound(), total = memory_total();
    waits->sheds = total > (waits->sheds ? limit - limit / 16 : limit);
    return waits->sheds;
}

static void look_at(MemoryWaits *waits, MemoryWait *wait)
{
    if (!sheds(waits) || wait->has_turn || !is_over_share(wait->account)) {
        wait->look(wait);
        return;
    }
    wait->shed(wait);
    memory_settle();
}

/* What is looked at may end any of the waits. Those that begin during this are after `end`, and are
   handled the next time. */
static void look(Timer *timer)
{
    MemoryWaits *waits = (MemoryWaits *)((char *)timer - offsetof(MemoryWaits, timer));
    MemoryWait end = {0};
    memory_settle();
    memory_wait_begin(waits->loop, &end, NULL);
    for (waits->looks = waits->first; waits->looks != &end; waits->looks = waits->next) {
        MemoryWait *wait = waits->looks;
        waits->next = wait->next;
        look_at(waits, wait);
    }
    waits->looks = waits->next = NULL;
    memory_wait_end(waits->loop, &end);
    if (waits->first)
        timer_start(&waits->loop->timers, timer, waits->loop->now + LOOK_TIME);
}

/* So that the oldest one gets the turn. */
static bool is_next(const MemoryWaits *waits, const MemoryWait *wait)
{
    return waits->first == wait || waits->looks == wait;
}

bool memory_wait_for(Loop *loop, MemoryWait *wait, Account *account, size_t more)
{
    if (memory_ask(account, more) == MEMORY_GRANTED) {
        memory_wait_end(loop, wait);
        return false;
    }
    memory_wait_begin(loop, wait, account);
    return !wait->has_turn && !(is_next(loop->memory_waits, wait) && take_turn(wait, account));
}

void memory_waits_free(Loop *loop)
{
    if (!loop->memory_waits)
        return;
    timer_stop(&loop->timers, &loop->memory_waits->timer);
    free(loop->memory_waits);
    loop->memory_waits = NULL;
}
