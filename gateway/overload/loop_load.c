#include "gateway/overload/loop_load.h"

#include "base/memory/budget.h"
#include "gateway/healing/healing.h"
#include "gateway/overload/loop_lag.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define MEMORY_EVERY (20 * MILLISECOND)
#define RECORD_EVERY (100 * MILLISECOND)

enum { NAME_SIZE = 24 };

struct LoopLoad {
    LoopLoad *next; /* of all loops */
    char name[NAME_SIZE];
    uint32_t index;
    Shedding shedding;
    int64_t memory_at; /* when the memory was last looked at */
    int64_t recorded_at;
    uint64_t n_unrecorded;
    bool told;
    /* For the metrics: */
    _Atomic bool has_clock;
    clockid_t clock; /* the CPU time of its thread */
    _Atomic uint64_t shed[IMPACTS];
    _Atomic uint32_t cut; /* thousandths */
    LoopLag lag;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static LoopLoad *all;

/* Only the loop writes. */
#define ADD(counter, more)                                                                         \
    atomic_store_explicit(&(counter),                                                              \
                          atomic_load_explicit(&(counter), memory_order_relaxed) + (more),         \
                          memory_order_relaxed)

/* ---- Turns ----------------------------------------------------------------------------------- */

static void tell(Loop *loop)
{
    LoopLoad *load = loop->load;
    const Shedding *s = &load->shedding;
    bool on = loop->sheds;
    if (on == load->told)
        return;
    load->told = on;
    if (!on)
        healing_end(HEALING_SHED, NULL, load->name, "everything that arrives can be done again");
    else if (s->active)
        healing_begin(HEALING_SHED, NULL, load->name, OK,
                      "turns take longer than %lld ms without a pause (overload.delay), for more "
                      "than %lld ms (overload.interval)",
                      (long long)(loop->config->overload.delay / MILLISECOND),
                      (long long)(loop->config->overload.interval / MILLISECOND));
    else
        healing_begin(HEALING_SHED, NULL, load->name, OK,
                      "%lld bytes of memory are in use, where the limit is %llu (limits.memory)",
                      (long long)memory_total(), (unsigned long long)memory_limit());
}

static void look_at_memory(LoopLoad *load, int64_t now)
{
    load->memory_at = now;
    if (memory_is_short() || load->shedding.memory_cut > 0)
        shedding_set_memory(&load->shedding, memory_total(), memory_bound());
}

/* On the loop's thread. */
static void find_clock(LoopLoad *load)
{
    bool found = pthread_getcpuclockid(pthread_self(), &load->clock) == 0;
    atomic_store_explicit(&load->has_clock, found, memory_order_release);
}

static void on_turn(Loop *loop, const LoopTurn *turn)
{
    LoopLoad *load = loop->load;
    const OverloadConfig *limits = &loop->config->overload;
    if (!atomic_load_explicit(&load->has_clock, memory_order_relaxed))
        find_clock(load);
    if (turn->ended - load->memory_at >= MEMORY_EVERY)
        look_at_memory(load, turn->ended);
    loop_lag_turn(&load->lag, turn);
    shedding_turn(&load->shedding, limits, turn);
    loop->sheds = limits->shed && shedding_on(&load->shedding);
    loop->watch_from = load->shedding.active ? 0 : limits->delay;
    atomic_store_explicit(&load->cut, loop->sheds ? (uint32_t)(load->shedding.cut * 1000) : 0,
                          memory_order_relaxed);
    if (loop->sheds != load->told)
        tell(loop);
}

void loop_load_open(Loop *loop)
{
    LoopLoad *load = calloc(1, sizeof *load);
    CHECK(load);
    load->index = loop->index;
    snprintf(load->name, sizeof load->name, "loop %u", loop->index);
    loop->load = load;
    loop->on_turn = on_turn;
    pthread_mutex_lock(&lock);
    load->next = all;
    all = load;
    pthread_mutex_unlock(&lock);
}

void loop_load_close(Loop *loop)
{
    LoopLoad *load = loop->load;
    if (!load)
        return;
    loop->on_turn = NULL;
    loop->sheds = false;
    if (load->told)
        healing_end(HEALING_SHED, NULL, load->name, "the loop has ended");
    pthread_mutex_lock(&lock);
    LoopLoad **at = &all;
    while (*at != load)
        at = &(*at)->next;
    *at = load->next;
    pthread_mutex_unlock(&lock);
    loop->load = NULL;
    free(load);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

bool overload_admits(Loop *loop, Impact impact, const Service *service)
{
    LoopLoad *load = loop->load;
    if (shedding_admits(&load->shedding, impact, random_next(&loop->random)))
        return true;
    ADD(load->shed[impact], 1);
    healing_count(loop, HEALING_SHED, service);
    return false;
}

bool overload_spares(const Loop *loop, Impact impact)
{
    return shedding_spares(&loop->load->shedding, impact);
}

void overload_leave_unread(Loop *loop)
{
    shedding_leave_unread(&loop->load->shedding);
}

bool overload_is_recorded(Loop *loop, uint64_t *since_out)
{
    LoopLoad *load = loop->load;
    *since_out = load->n_unrecorded++;
    if (load->recorded_at && loop->now - load->recorded_at < RECORD_EVERY)
        return false;
    load->recorded_at = loop->now;
    load->n_unrecorded = 0;
    return true;
}

uint32_t overload_retry_after(Loop *loop)
{
    uint32_t least = (uint32_t)((loop->config->overload.retry_after + SECOND - 1) / SECOND);
    least = least ? least : 1;
    return least + (uint32_t)(random_next(&loop->random) % (least + 1));
}

/* ---- Metrics --------------------------------------------------------------------------------- */

static void write_shed(Exposition *e)
{
    exposition_family(e, "passerelle_calls_shed", METRIC_COUNTER,
                      "Calls refused because a loop was overloaded, by the impact of their route.");
    for (int i = 0; i < IMPACTS; i++) {
        uint64_t n = 0;
        for (const LoopLoad *load = all; load; load = load->next)
            n += atomic_load_explicit(&load->shed[i], memory_order_relaxed);
        exposition_number(e, "", &(Label){"impact", impact_name((Impact)i)}, 1, n);
    }
}

static void write_cpu(Exposition *e)
{
    exposition_family(
        e, "passerelle_loop_cpu_seconds", METRIC_COUNTER,
        "CPU time of the loop's thread: at one second in each it has no more to give.");
    for (const LoopLoad *load = all; load; load = load->next) {
        struct timespec time;
        if (atomic_load_explicit(&load->has_clock, memory_order_acquire) &&
            clock_gettime(load->clock, &time) == 0)
            exposition_seconds(e, "", &(Label){"loop", load->name + strlen("loop ")}, 1,
                               time.tv_sec * SECOND + time.tv_nsec);
    }
}

void loop_lags_write(Buffer *out)
{
    const char *between = "";
    buffer_add_text(out, "{\"loops\":[");
    pthread_mutex_lock(&lock);
    for (const LoopLoad *load = all; load; load = load->next) {
        buffer_add_text(out, between);
        loop_lag_write(&load->lag, load->index, clock_now(), clock_wall(), out);
        between = ",";
    }
    pthread_mutex_unlock(&lock);
    buffer_add_text(out, "]}");
}

void loop_load_metrics_write(Exposition *e, void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    write_shed(e);
    write_cpu(e);
    exposition_family(e, "passerelle_loop_shedding", METRIC_GAUGE,
                      "0 while the loop refuses nothing; at 1000 all calls of low impact, at 2000 "
                      "also those of high impact.");
    for (const LoopLoad *load = all; load; load = load->next)
        exposition_number(e, "", &(Label){"loop", load->name + strlen("loop ")}, 1,
                          atomic_load_explicit(&load->cut, memory_order_relaxed));
    pthread_mutex_unlock(&lock);
}
