#include "gateway/process/pulse.h"

#include "base/clock.h"

static void on_turn(void *owner)
{
    Pulse *pulse = owner;
    atomic_fetch_sub(&pulse->n_silent, 1);
}

static void ask_all(Pulse *pulse)
{
    atomic_store(&pulse->n_silent, pulse->n_workers);
    for (uint32_t i = 0; i < pulse->n_workers; i++)
        worker_ask(pulse->workers[i], on_turn, pulse);
}

static void on_time(uv_timer_t *timer)
{
    Pulse *pulse = timer->data;
    if (atomic_load(&pulse->n_silent))
        return;
    pulse->beat(pulse->owner);
    ask_all(pulse);
}

void pulse_start(Pulse *pulse, uv_loop_t *loop, Worker **workers, uint32_t n_workers,
                 int64_t period, void (*beat)(void *owner), void *owner)
{
    *pulse = (Pulse){.workers = workers, .n_workers = n_workers, .beat = beat, .owner = owner};
    uint64_t millis = (uint64_t)(period / MILLISECOND);
    CHECK(uv_timer_init(loop, &pulse->timer) == 0);
    pulse->timer.data = pulse;
    ask_all(pulse);
    CHECK(uv_timer_start(&pulse->timer, on_time, millis, millis ? millis : 1) == 0);
}

void pulse_stop(Pulse *pulse)
{
    if (pulse->timer.data)
        uv_close((uv_handle_t *)&pulse->timer, NULL);
}
