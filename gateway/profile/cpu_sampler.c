#include "gateway/profile/cpu_sampler.h"

#include "base/arena.h"
#include "gateway/profile/tick_ring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { NAME_SIZE = 16 }; /* of a thread, with its NUL */

typedef struct SampledThread {
    pid_t id;
    timer_t timer;
    bool has_timer, seen;
    bool named; /* it has had time to say its name */
    const char *name;
} SampledThread;

typedef struct Sampler {
    Arena *arena;
    TickRing *ring;
    SampledThread *threads; /* those that have ended, too: ticks name them by their place */
    uint32_t n, capacity;
    StackBook *book;
    CpuSampled *sampled;
} Sampler;

/* ---- In the handler -------------------------------------------------------------------------- */

/* Where its ticks go; NULL: nobody samples, and this one comes late. */
static _Atomic(TickRing *) sink;
static atomic_uint n_inside;

static void take_sample(TickRing *ring, const siginfo_t *info, const void *context)
{
    int64_t began = clock_now();
    Tick *tick = tick_begin(ring);
    if (!tick)
        return;
    tick->thread = (uint32_t)info->si_value.sival_int;
    tick->periods = 1 + (uint32_t)info->si_overrun;
    tick->n = unwind_interrupted(context, tick->frames, &tick->broken);
    tick->took = clock_now() - began;
    tick_end(tick);
}

static void on_tick(int number, siginfo_t *info, void *context)
{
    (void)number;
    int error = errno;
    atomic_fetch_add(&n_inside, 1);
    TickRing *ring = atomic_load(&sink);
    if (ring && info->si_code == SI_TIMER)
        take_sample(ring, info, context);
    atomic_fetch_sub(&n_inside, 1);
    errno = error;
}

/* The handler stays: a signal that comes late must not end the process. */
static void open_sink(TickRing *ring)
{
    struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(SIGPROF, &action, NULL) == 0);
    unwind_guard();
    atomic_store(&sink, ring);
}

static void close_sink(void)
{
    atomic_store(&sink, NULL);
    while (atomic_load(&n_inside))
        sched_yield();
    unwind_unguard();
}

/* ---- Threads --------------------------------------------------------------------------------- */

/* The clock of the time that the thread runs, as Linux numbers it: what pthread_getcpuclockid gives
   of a pthread_t, which nobody has of all. */
static clockid_t clock_of(pid_t thread)
{
    return (clockid_t)((~(unsigned)thread << 3) | 6u);
}

static const char *name_of(Arena *arena, pid_t thread)
{
    char name[NAME_SIZE] = "";
    int file =
        open(arena_printf(arena, "/proc/self/task/%d/comm", (int)thread), O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? 0 : read(file, name, sizeof name);
    if (file >= 0)
        close(file);
    return size > 1 ? arena_text(arena, bytes(name, (size_t)size - 1)) : "?";
}

static bool start_timer(SampledThread *thread, uint32_t place)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
                             .sigev_signo = SIGPROF,
                             .sigev_value = {.sival_int = (int)place}};
    struct timespec period = {.tv_nsec = CPU_SAMPLER_PERIOD};
    event.sigev_notify_thread_id = thread->id;
    if (timer_create(clock_of(thread->id), &event, &thread->timer) != 0)
        return false;
    if (timer_settime(thread->timer, 0, &(struct itimerspec){period, period}, NULL) == 0)
        return true;
    timer_delete(thread->timer);
    return false;
}

static void add_thread(Sampler *s, pid_t id)
{
    if (s->n == s->capacity) {
        uint32_t more = s->capacity ? 2 * s->capacity : 64;
        s->threads = arena_grow(s->arena, s->threads, s->capacity * sizeof *s->threads,
                                more * sizeof *s->threads);
        CHECK(s->threads);
        s->capacity = more;
    }
    SampledThread *thread = &s->threads[s->n];
    *thread = (SampledThread){.id = id, .seen = true, .name = name_of(s->arena, id)};
    thread->has_timer = start_timer(thread, s->n);
    s->sampled->n_threads++;
    s->sampled->n_unseen += !thread->has_timer;
    s->n++;
}

/* One that has just begun has the name of who has made it. */
static void see_again(const Sampler *s, SampledThread *thread)
{
    if (!thread->named)
        thread->name = name_of(s->arena, thread->id);
    thread->named = thread->seen = true;
}

static void see_thread(Sampler *s, pid_t id)
{
    if (id <= 0 || id == (pid_t)syscall(SYS_gettid))
        return;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->threads[i].id == id) {
            see_again(s, &s->threads[i]);
            return;
        }
    add_thread(s, id);
}

/* Of a thread that has ended. The system may give its number to another one. */
static void forget_thread(SampledThread *thread)
{
    if (thread->has_timer)
        timer_delete(thread->timer);
    thread->has_timer = false;
    thread->id = 0;
}

static bool look_at_threads(Sampler *s)
{
    DIR *folder = opendir("/proc/self/task");
    if (!folder)
        return false;
    for (uint32_t i = 0; i < s->n; i++)
        s->threads[i].seen = false;
    for (const struct dirent *one; (one = readdir(folder));)
        see_thread(s, (pid_t)atoi(one->d_name));
    closedir(folder);
    for (uint32_t i = 0; i < s->n; i++)
        if (!s->threads[i].seen)
            forget_thread(&s->threads[i]);
    return true;
}

/* ---- Samples --------------------------------------------------------------------------------- */

/* A timer of an earlier look may have ticked late: then nobody knows whose it was. */
static const char *name_at(const Sampler *s, uint32_t place)
{
    return place < s->n ? s->threads[place].name : NULL;
}

static void count(Sampler *s, const Tick *tick)
{
    s->sampled->n_samples++;
    s->sampled->n_broken += tick->broken;
    s->sampled->took += tick->took;
    stack_book_add(s->book, tick->frames, tick->n, name_at(s, tick->thread),
                   (int64_t[STACK_VALUES]){tick->periods, tick->periods * CPU_SAMPLER_PERIOD});
}

static void gather(Sampler *s)
{
    for (Tick *tick; (tick = tick_take(s->ring));) {
        count(s, tick);
        tick_give_back(s->ring, tick);
    }
}

static void sample_until(Sampler *s, int64_t end, const ProfileEnd *over)
{
    while (!over->is_over(over->owner) && clock_now() < end) {
        int64_t left = end - clock_now();
        int64_t wait = left < CPU_SAMPLER_LOOK ? left : CPU_SAMPLER_LOOK;
        if (wait > 0)
            nanosleep(&(struct timespec){.tv_nsec = wait}, NULL);
        (void)look_at_threads(s); /* it was possible at the start */
        gather(s);
    }
}

Result cpu_sampler_run(Arena *arena, int64_t lasts, const ProfileEnd *end, StackBook *book,
                       CpuSampled *sampled_out)
{
    int64_t began = clock_now();
    *sampled_out = (CpuSampled){.began = clock_wall()};
    Sampler s = {.arena = arena, .ring = tick_ring_new(), .book = book, .sampled = sampled_out};
    open_sink(s.ring);
    bool seen = look_at_threads(&s);
    int error = errno;
    if (seen)
        sample_until(&s, began + lasts, end);
    for (uint32_t i = 0; i < s.n; i++)
        forget_thread(&s.threads[i]);
    close_sink();
    gather(&s);
    sampled_out->n_lost = atomic_load(&s.ring->n_lost);
    sampled_out->lasted = clock_now() - began;
    free(s.ring);
    return seen ? OK
                : FAIL(arena, FAULT_SYSTEM, "listing the threads in /proc/self/task: %s",
                       strerror(error));
}
