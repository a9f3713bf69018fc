#include "gateway/loop/timer.h"

#include "base/clock.h"

#include <stddef.h>

/*
 * A slot of level L spans 64^L ticks. A timer is at the lowest level at which its time and the
 * wheel's tick are in the same turn:
 *
 *      level 0   |.|.|x|.|...   1 ms each, fired when the tick reaches it
 *      level 1   |...|.x.|...   64 ms each, emptied into level 0 when the tick reaches its start
 *      ...
 *      level 4   a ring of 64 slots of 4.7 hours; later timers are in the farthest of them
 *
 * So slots before that of the tick are empty at every level except the last, and the next slot to
 * fire or empty is the first occupied one of the lowest occupied level.
 */
enum { SLOT_BITS = 6, TOP = TIMER_LEVELS - 1 };

static int64_t tick_of(int64_t now)
{
    return now / MILLISECOND;
}

/* Rounded up, so that nothing fires early. */
static int64_t tick_after(int64_t when)
{
    return when / MILLISECOND + (when % MILLISECOND != 0);
}

static void list_push(Timer **list, Timer *timer)
{
    timer->next = *list;
    timer->at = list;
    if (timer->next)
        timer->next->at = &timer->next;
    *list = timer;
}

static Timer *list_pop(Timer **list)
{
    Timer *timer = *list;
    *list = timer->next;
    if (timer->next)
        timer->next->at = list;
    timer->next = NULL;
    timer->at = NULL;
    return timer;
}

/* Moves a whole list into an empty head. */
static void list_move(Timer **from, Timer **into)
{
    *into = *from;
    if (*into)
        (*into)->at = into;
    *from = NULL;
}

static unsigned slot_of(int64_t tick, unsigned level)
{
    return (unsigned)(tick >> (SLOT_BITS * level)) % TIMER_SLOTS;
}

static void wheel_place(TimerWheel *wheel, Timer *timer, int64_t tick)
{
    unsigned level =
        (63 - (unsigned)__builtin_clzll((uint64_t)(tick ^ wheel->tick) | 1)) / SLOT_BITS;
    unsigned slot;
    if (level < TOP) {
        slot = slot_of(tick, level);
    } else {
        level = TOP;
        int64_t far = (tick >> (SLOT_BITS * TOP)) - (wheel->tick >> (SLOT_BITS * TOP));
        slot = far < TIMER_SLOTS ? slot_of(tick, TOP)
                                 : (slot_of(wheel->tick, TOP) + TIMER_SLOTS - 1) % TIMER_SLOTS;
    }
    list_push(&wheel->slots[level][slot], timer);
    wheel->occupied[level] |= UINT64_C(1) << slot;
}

void timer_wheel_init(TimerWheel *wheel, int64_t now)
{
    *wheel = (TimerWheel){.tick = tick_of(now)};
}

void timer_start(TimerWheel *wheel, Timer *timer, int64_t when)
{
    timer_stop(wheel, timer);
    timer->when = when;
    int64_t tick = tick_after(when);
    if (tick <= wheel->tick)
        list_push(&wheel->due, timer);
    else
        wheel_place(wheel, timer, tick);
}

void timer_stop(TimerWheel *wheel, Timer *timer)
{
    if (!timer_running(timer))
        return;
    *timer->at = timer->next;
    if (timer->next)
        timer->next->at = timer->at;

    /* A slot became empty if `at` is its head; other lists have no bit. */
    Timer **first = &wheel->slots[0][0];
    if (!*timer->at && timer->at >= first && timer->at < first + TIMER_LEVELS * TIMER_SLOTS) {
        size_t index = (size_t)(timer->at - first);
        wheel->occupied[index / TIMER_SLOTS] &= ~(UINT64_C(1) << index % TIMER_SLOTS);
    }
    timer->next = NULL;
    timer->at = NULL;
}

static void fire_all(Timer **list)
{
    while (*list) {
        Timer *timer = list_pop(list);
        timer->fire(timer); /* may free it, and stop or start others */
    }
}

/* The next tick at which a slot is to be fired or emptied; false when none is. */
static bool wheel_next(const TimerWheel *wheel, int64_t *tick_out)
{
    for (unsigned level = 0; level < TOP; level++) {
        if (wheel->occupied[level]) {
            int64_t turn = wheel->tick >> (SLOT_BITS * (level + 1));
            int64_t slot = __builtin_ctzll(wheel->occupied[level]);
            *tick_out = ((turn << SLOT_BITS) + slot) << (SLOT_BITS * level);
            return true;
        }
    }
    if (!wheel->occupied[TOP])
        return false;
    int64_t turn = wheel->tick >> (SLOT_BITS * TOP);
    while (!(wheel->occupied[TOP] >> (++turn % TIMER_SLOTS) & 1))
        continue;
    *tick_out = turn << (SLOT_BITS * TOP);
    return true;
}

/* Empties the slots that begin at the tick, from the highest level down, and fires that of level
   0. */
static void wheel_turn(TimerWheel *wheel)
{
    Timer *list = NULL;
    for (unsigned level = TOP; level > 0; level--) {
        if (wheel->tick & ((INT64_C(1) << (SLOT_BITS * level)) - 1))
            continue;
        unsigned slot = slot_of(wheel->tick, level);
        wheel->occupied[level] &= ~(UINT64_C(1) << slot);
        list_move(&wheel->slots[level][slot], &list);
        while (list) {
            Timer *timer = list_pop(&list);
            int64_t tick = tick_after(timer->when);
            if (tick <= wheel->tick) {
                list_push(&wheel->slots[0][slot_of(wheel->tick, 0)], timer);
                wheel->occupied[0] |= UINT64_C(1) << slot_of(wheel->tick, 0);
            } else {
                wheel_place(wheel, timer, tick);
            }
        }
    }
    unsigned slot = slot_of(wheel->tick, 0);
    wheel->occupied[0] &= ~(UINT64_C(1) << slot);
    list_move(&wheel->slots[0][slot], &list);
    fire_all(&list);
}

void timer_wheel_run(TimerWheel *wheel, int64_t now)
{
    Timer *list = NULL;
    list_move(&wheel->due, &list);
    fire_all(&list);

    int64_t until = tick_of(now), next;
    while (wheel_next(wheel, &next) && next <= until) {
        wheel->tick = next;
        wheel_turn(wheel);
    }
    if (wheel->tick < until)
        wheel->tick = until;
}

int64_t timer_wheel_wait(const TimerWheel *wheel, int64_t now)
{
    int64_t tick;
    if (wheel->due)
        return 0;
    if (!wheel_next(wheel, &tick))
        return -1;
    int64_t when = tick * MILLISECOND;
    return when > now ? when - now : 0;
}
