/*
 * TimerWheel: many deadlines at a small cost each: starting and stopping one is a list operation.
 *
 * Granularity 1 ms, never early. Timers are embedded in their owner; one wheel per loop, its thread
 * only.
 */
#ifndef GATEWAY_TIMER_H
#define GATEWAY_TIMER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Timer Timer;
typedef struct TimerWheel TimerWheel;

struct Timer {
    Timer *next, **at;          /* at: the pointer to this one; NULL when it is not running */
    int64_t when;               /* monotonic nanoseconds */
    void (*fire)(Timer *timer); /* may start it again or free its owner */
};

enum { TIMER_LEVELS = 5, TIMER_SLOTS = 64 };

struct TimerWheel {
    Timer *slots[TIMER_LEVELS][TIMER_SLOTS];
    uint64_t occupied[TIMER_LEVELS]; /* bit: the slot has timers */
    int64_t tick;                    /* milliseconds: all timers up to here have fired */
    Timer *due;                      /* started with a time that had passed */
};

void timer_wheel_init(TimerWheel *wheel, int64_t now);

/* Starts or restarts. A time that has passed fires in the next timer_wheel_run. */
void timer_start(TimerWheel *wheel, Timer *timer, int64_t when);
void timer_stop(TimerWheel *wheel, Timer *timer);
static inline bool timer_running(const Timer *timer)
{
    return timer->at != 0;
}

/* Fires what is due. */
void timer_wheel_run(TimerWheel *wheel, int64_t now);

/* When to call timer_wheel_run next: nanoseconds from `now`; -1: no timer runs. It may be too
   early, never too late. */
int64_t timer_wheel_wait(const TimerWheel *wheel, int64_t now);

#endif
