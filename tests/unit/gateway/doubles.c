#include "tests/unit/gateway/doubles.h"

#include "gateway/loop/loop.h"

#include <stdio.h>

unsigned counted[COUNTER_COUNT];

void telemetry_count(Loop *loop, Counter counter)
{
    (void)loop;
    counted[counter]++;
}

Code refused_code;
const Fault *refused_fault;

void telemetry_record_refused(Loop *loop, const CallRecord *record)
{
    (void)loop;
    refused_code = record->status.code;
    refused_fault = record->why.error->fault;
}

void telemetry_event(const char *level, const char *event, Result why, const char *format, ...)
{
    (void)level;
    (void)event;
    (void)why;
    (void)format;
}

unsigned healing_begun[HEALING_ACTS], healing_ended[HEALING_ACTS];
char healing_what[256];

void healing_begin(HealingAct act, const char *service, const char *subject, Result cause,
                   const char *format, ...)
{
    (void)cause;
    (void)format;
    healing_begun[act]++;
    snprintf(healing_what, sizeof healing_what, "%s %s", service, subject);
}

void healing_end(HealingAct act, const char *service, const char *subject, const char *format, ...)
{
    (void)service;
    (void)subject;
    (void)format;
    healing_ended[act]++;
}

bool healing_may(HealingAct act, const char *service)
{
    (void)act;
    (void)service;
    return true;
}

void healing_count(Loop *loop, HealingAct act, const Service *service)
{
    (void)loop;
    (void)act;
    (void)service;
}

Config config_for_test(void)
{
    return (Config){
        .limits =
            {
                .http = http_limits_default,
                .head_time = 200 * MILLISECOND,
                .body_time = 200 * MILLISECOND,
                .idle_time = 300 * MILLISECOND,
                .send_time = 300 * MILLISECOND,
                .handshake_time = 200 * MILLISECOND,
                .connections = 3,
                .connect_time = 300 * MILLISECOND,
            },
        .drain_time = SECOND,
    };
}

typedef struct Watch {
    Timer look, give_up;
    Loop *loop;
    bool (*done)(void);
} Watch;

static Watch watch;

static void look(Timer *timer)
{
    if (watch.done())
        loop_stop(watch.loop);
    else
        timer_start(&watch.loop->timers, timer, watch.loop->now + MILLISECOND);
}

static void give_up(Timer *timer)
{
    (void)timer;
    check_failed("the test ends in time", __FILE__, __LINE__);
}

void loop_run_until(Loop *loop, bool (*done)(void))
{
    watch = (Watch){.look.fire = look, .give_up.fire = give_up, .loop = loop, .done = done};
    timer_start(&loop->timers, &watch.give_up, clock_now() + 20 * SECOND);
    timer_start(&loop->timers, &watch.look, 0);
    loop_run(loop);
    timer_stop(&loop->timers, &watch.look);
    timer_stop(&loop->timers, &watch.give_up);
}
