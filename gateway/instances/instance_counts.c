#include "gateway/instances/instance_counts.h"

#include <pthread.h>

#define LOST_TOGETHER (1 * MILLISECOND)

enum { LOG_PARTS = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards KnownInstance.counts and .past */

/* ---- Of a loop ------------------------------------------------------------------------------- */

void instance_counts_join(InstanceCounts *counts, KnownInstance *known)
{
    pthread_mutex_lock(&lock);
    counts->known = known;
    counts->next = known->counts;
    counts->at = &known->counts;
    if (known->counts)
        known->counts->at = &counts->next;
    known->counts = counts;
    pthread_mutex_unlock(&lock);
}

static uint64_t read(const atomic_ullong *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

static void sum_up(CallSums *sums, const InstanceCounts *counts)
{
    sums->calls += read(&counts->calls);
    sums->failures += read(&counts->failures);
    sums->unanswered += read(&counts->unanswered);
    sums->running += read(&counts->running);
    sums->timed += read(&counts->timed);
    sums->log_sum += read(&counts->log_sum);
    sums->log_squares += read(&counts->log_squares);
}

void instance_counts_leave(InstanceCounts *counts)
{
    pthread_mutex_lock(&lock);
    sum_up(&counts->known->past, counts);
    *counts->at = counts->next;
    if (counts->next)
        counts->next->at = counts->at;
    pthread_mutex_unlock(&lock);
}

/* One thread writes, so this need not be an atomic addition. */
static void add(atomic_ullong *count, uint64_t n)
{
    atomic_store_explicit(count, read(count) + n, memory_order_relaxed);
}

void instance_attempt_begins(InstanceCounts *counts)
{
    if (counts)
        add(&counts->running, 1);
}

void instance_attempt_leaves(InstanceCounts *counts, KnownInstance *known)
{
    if (counts) {
        add(&counts->running, (uint64_t)-1);
        return;
    }
    pthread_mutex_lock(&lock);
    known->past.running--;
    pthread_mutex_unlock(&lock);
}

/* To the base 2, in parts of LOG_PARTS; linear between the powers of two. */
static uint32_t log_of(uint64_t time)
{
    uint32_t exponent = 63 - (uint32_t)__builtin_clzll(time);
    uint64_t rest = time << (63 - exponent) << 1;
    return exponent * LOG_PARTS + (uint32_t)(rest >> 58);
}

static void count_time(InstanceCounts *counts, int64_t time)
{
    uint32_t log = log_of((uint64_t)time);
    add(&counts->timed, 1);
    add(&counts->log_sum, log);
    add(&counts->log_squares, (uint64_t)log * log);
}

/* ---- Of all loops ---------------------------------------------------------------------------- */

static void lengthen_row(KnownInstance *known)
{
    unsigned row = atomic_fetch_add_explicit(&known->row, 1, memory_order_relaxed) + 1;
    unsigned longest = atomic_load_explicit(&known->row_longest, memory_order_relaxed);
    while (row > longest &&
           !atomic_compare_exchange_weak_explicit(&known->row_longest, &longest, row,
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
}

static bool was_lost_with_others(KnownInstance *known, int64_t now)
{
    int64_t before = atomic_exchange_explicit(&known->lost_at, now, memory_order_relaxed);
    bool together = before && now - before < LOST_TOGETHER;
    if (together)
        atomic_store_explicit(&known->lost_at, before, memory_order_relaxed);
    return together;
}

void known_instance_forget_row(KnownInstance *known)
{
    atomic_store_explicit(&known->row, 0, memory_order_relaxed);
    atomic_store_explicit(&known->row_longest, 0, memory_order_relaxed);
}

void instance_attempt_ended(InstanceCounts *counts, AttemptVerdict verdict, int64_t time,
                            int64_t now)
{
    KnownInstance *known = counts->known;
    if (time > 0)
        count_time(counts, time);
    if (verdict == ATTEMPT_UNANSWERED)
        add(&counts->unanswered, 1);
    if (verdict == ATTEMPT_UNJUDGED || verdict == ATTEMPT_UNANSWERED ||
        (verdict == ATTEMPT_LOST && was_lost_with_others(known, now)))
        return;
    add(&counts->calls, 1);
    if (verdict != ATTEMPT_GOOD) {
        add(&counts->failures, 1);
        lengthen_row(known);
    } else if (atomic_load_explicit(&known->row, memory_order_relaxed)) {
        atomic_store_explicit(&known->row, 0, memory_order_relaxed);
    }
}

/* ---- Looking --------------------------------------------------------------------------------- */

static CallSums sums_of(KnownInstance *known)
{
    pthread_mutex_lock(&lock);
    CallSums sums = known->past;
    for (const InstanceCounts *counts = known->counts; counts; counts = counts->next)
        sum_up(&sums, counts);
    pthread_mutex_unlock(&lock);
    return sums;
}

Sample known_instance_look(KnownInstance *known, uint32_t *row_out)
{
    CallSums now = sums_of(known), before = known->seen;
    known->seen = now;
    *row_out = atomic_exchange_explicit(&known->row_longest, 0, memory_order_relaxed);
    return (Sample){
        .calls = (double)(now.calls - before.calls),
        .failures = (double)(now.failures - before.failures),
        .unanswered = (double)(now.unanswered - before.unanswered),
        .timed = (double)(now.timed - before.timed),
        .log_sum = (double)(now.log_sum - before.log_sum) / LOG_PARTS,
        .log_squares = (double)(now.log_squares - before.log_squares) / (LOG_PARTS * LOG_PARTS),
    };
}

/* It may be below 0 while an attempt is counted on two loops. */
uint64_t known_instance_running(KnownInstance *known)
{
    uint64_t running = sums_of(known).running;
    return running <= INT64_MAX ? running : 0;
}

bool known_instance_called(KnownInstance *known)
{
    CallSums sums = sums_of(known);
    return sums.calls || sums.unanswered || sums.running;
}
