/*
 * CpuSampler: what the threads of the process do, looked at a hundred times in each second of their
 * CPU time.
 *
 * Each thread gets a timer of its own, which counts the time that it runs and interrupts nobody
 * else; threads that begin meanwhile get theirs within CPU_SAMPLER_LOOK. A thread that blocks
 * SIGPROF is not seen: thread_make leaves it open. While nobody samples, there is nothing.
 */
#ifndef GATEWAY_CPU_SAMPLER_H
#define GATEWAY_CPU_SAMPLER_H

#include "base/clock.h"
#include "base/result.h"
#include "gateway/profile/stack_book.h"

#define CPU_SAMPLER_PERIOD (10 * MILLISECOND)
#define CPU_SAMPLER_LOOK (50 * MILLISECOND)

/* Whether somebody still wants it. `is_over` is called on the thread that samples. */
typedef struct ProfileEnd {
    bool (*is_over)(void *owner);
    void *owner;
} ProfileEnd;

/* What became of it. */
typedef struct CpuSampled {
    int64_t began;        /* clock_wall */
    int64_t lasted, took; /* nanoseconds: all of it; and of it in handlers of the signal */
    uint64_t n_samples, n_lost, n_broken; /* lost: there was no room; broken: cut, see unwind.h */
    uint64_t n_threads, n_unseen;         /* unseen: they got no timer */
} CpuSampled;

/*
 * For `lasts` nanoseconds, or until it is over, which is asked each CPU_SAMPLER_LOOK: adds stacks
 * to `book`, with the number of periods and their nanoseconds as values. The thread that calls it
 * is not sampled. One at a time in the process. Fault: SYSTEM (threads cannot be listed).
 */
MUST_USE Result cpu_sampler_run(Arena *arena, int64_t lasts, const ProfileEnd *end, StackBook *book,
                                CpuSampled *sampled_out);

#endif
