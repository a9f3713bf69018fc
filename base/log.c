#include "base/log.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/thread/thread_signals.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>

enum { DOZE = 10000000 /* nanoseconds */, PATIENCE = 2000 /* milliseconds */ };

/*
 *   bytes:   [ ....waiting lines.... ]
 *             ^ taken                ^ given      both only grow; the index is value mod size
 */
struct LogRing {
    Log *log;
    LogRing *next;
    size_t size;
    atomic_size_t given; /* by the producer */
    atomic_ullong dropped;
    _Alignas(64) atomic_size_t taken; /* by the writer; on a cache line of its own */
    uint8_t bytes[];
};

struct Log {
    _Atomic(LogRing *) rings; /* a list; rings are only added */
    LogRing *shared;
    pthread_mutex_t shared_lock;
    pthread_t writer;
    sem_t wake;
    sem_t ended;          /* posted by the writer at its end, unless it frees the log */
    atomic_bool sleeping; /* the writer waits for `wake`, because there was nothing to write */
    atomic_bool dozing;   /* it waits for `wake` or DOZE, to write more lines at once */
    atomic_bool closing;
    atomic_bool
        over; /* the writer has ended, or log_close does not wait for it: the other one frees */
    _Atomic(LogTarget *) next_target; /* from now on; NULL: none */
    atomic_ullong failed;
    pthread_mutex_t tap_lock; /* of the next two */
    LogTap *tap;              /* NULL: nobody gets the lines */
    void *tap_owner;
    LogTarget *target; /* the writer thread's */
};

/* ---- Producers ------------------------------------------------------------------------------- */

static void copy_in(LogRing *ring, size_t at, Bytes piece)
{
    size_t from = at & (ring->size - 1);
    size_t to_end = ring->size - from;
    size_t first = piece.size < to_end ? piece.size : to_end;
    memcpy(ring->bytes + from, piece.data, first);
    memcpy(ring->bytes, piece.data + first, piece.size - first);
}

/* To be called after `given` or `next_target` was stored. That store and the load here, and the
   store and loads of wait_for_lines, are sequentially consistent: either the writer sees the
   change, or we see that it sleeps. */
static void wake_writer(Log *log)
{
    if (atomic_load(&log->sleeping) && atomic_exchange(&log->sleeping, false))
        sem_post(&log->wake);
}

/* A ring that is less than half full waits until DOZE has passed. */
static void wake_dozing_writer(LogRing *ring, size_t waiting)
{
    if (waiting > ring->size / 2 &&
        atomic_load_explicit(&ring->log->dozing, memory_order_relaxed) &&
        atomic_exchange(&ring->log->dozing, false))
        sem_post(&ring->log->wake);
}

bool log_write(LogRing *ring, Bytes line)
{
    size_t given = atomic_load_explicit(&ring->given, memory_order_relaxed);
    size_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);
    if (line.size + 1 > ring->size - (given - taken)) {
        atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
        return false;
    }
    copy_in(ring, given, line);
    copy_in(ring, given + line.size, bytes("\n", 1));
    atomic_store(&ring->given, given + line.size + 1);
    wake_writer(ring->log);
    wake_dozing_writer(ring, given + line.size + 1 - taken);
    return true;
}

bool log_write_shared(Log *log, Bytes line)
{
    pthread_mutex_lock(&log->shared_lock);
    bool taken = log_write(log->shared, line);
    pthread_mutex_unlock(&log->shared_lock);
    return taken;
}

LogRing *log_ring(Log *log, size_t size)
{
    CHECK(size && (size & (size - 1)) == 0);
    LogRing *ring = NULL;
    int error = posix_memalign((void **)&ring, _Alignof(LogRing), sizeof *ring + size);
    CHECK(error == 0); /* out of memory aborts, as for unlimited arenas */
    *ring = (LogRing){.log = log, .size = size};
    ring->next = atomic_load(&log->rings);
    while (!atomic_compare_exchange_weak(&log->rings, &ring->next, ring))
        ;
    return ring;
}

uint64_t log_dropped(const Log *log)
{
    uint64_t dropped = 0;
    for (const LogRing *ring = atomic_load(&log->rings); ring; ring = ring->next)
        dropped += atomic_load_explicit(&ring->dropped, memory_order_relaxed);
    return dropped;
}

uint64_t log_failed(const Log *log)
{
    return atomic_load_explicit(&log->failed, memory_order_relaxed);
}

/* ---- The writer ------------------------------------------------------------------------------ */

static void pass_on(Log *log, const struct iovec parts[2])
{
    pthread_mutex_lock(&log->tap_lock);
    if (log->tap)
        log->tap(log->tap_owner, parts);
    pthread_mutex_unlock(&log->tap_lock);
}

/* Writes the lines of a ring. False: there are none. */
static bool empty_ring(Log *log, LogRing *ring)
{
    size_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
    size_t given = atomic_load_explicit(&ring->given, memory_order_acquire);
    if (given == taken)
        return false;

    size_t from = taken & (ring->size - 1), size = given - taken;
    size_t to_end = ring->size - from;
    size_t first = size < to_end ? size : to_end;
    const struct iovec parts[2] = {{ring->bytes + from, first}, {ring->bytes, size - first}};
    pass_on(log, parts);
    uint64_t lost = log->target->write(log->target, parts);
    if (lost)
        atomic_fetch_add_explicit(&log->failed, lost, memory_order_relaxed);
    atomic_store_explicit(&ring->taken, given, memory_order_release);
    return true;
}

static bool empty_rings(Log *log)
{
    bool any = false;
    for (LogRing *ring = atomic_load(&log->rings); ring; ring = ring->next)
        any |= empty_ring(log, ring);
    return any;
}

static bool rings_are_empty(const Log *log)
{
    for (const LogRing *ring = atomic_load(&log->rings); ring; ring = ring->next) {
        if (atomic_load(&ring->given) != atomic_load_explicit(&ring->taken, memory_order_relaxed))
            return false;
    }
    return true;
}

static void change_target(Log *log)
{
    LogTarget *next = atomic_exchange(&log->next_target, NULL);
    if (!next)
        return;
    log->target->free(log->target);
    log->target = next;
}

static void wait_for_lines(Log *log)
{
    atomic_store(&log->sleeping, true);
    if (rings_are_empty(log) && !atomic_load(&log->closing) && !atomic_load(&log->next_target)) {
        while (sem_wait(&log->wake) != 0)
            ; /* interrupted by a signal */
    }
    atomic_store(&log->sleeping, false);
}

/* Waits for more lines: under load this means few, large writes and few wake-ups. */
static void doze(Log *log)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += DOZE;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    atomic_store(&log->dozing, true);
    if (!atomic_load(&log->closing))
        sem_timedwait(&log->wake, &until);
    atomic_store(&log->dozing, false);
}

static void free_log(Log *log)
{
    LogRing *next;
    for (LogRing *ring = atomic_load(&log->rings); ring; ring = next) {
        next = ring->next;
        free(ring);
    }
    log->target->free(log->target);
    sem_destroy(&log->wake);
    sem_destroy(&log->ended);
    pthread_mutex_destroy(&log->shared_lock);
    pthread_mutex_destroy(&log->tap_lock);
    free(log);
}

static void *run_writer(void *argument)
{
    Log *log = argument;
    pthread_setname_np(pthread_self(), "log");
    for (;;) {
        /* Read before the rings, so that lines before log_close are still written. */
        bool closing = atomic_load(&log->closing);
        change_target(log);
        bool any = empty_rings(log);
        if (closing)
            break;
        if (any)
            doze(log);
        else
            wait_for_lines(log);
    }
    change_target(log);
    if (atomic_exchange(&log->over, true)) /* log_close has not waited for it */
        free_log(log);
    else
        sem_post(&log->ended);
    return NULL;
}

/* ---- Opening and closing --------------------------------------------------------------------- */

/* The writer blocks all signals: the main thread handles them. */
static int start_writer(Log *log)
{
    sigset_t others, before;
    thread_signals_of_others(&others);
    pthread_sigmask(SIG_SETMASK, &others, &before);
    int error = pthread_create(&log->writer, NULL, run_writer, log);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

Result log_start(Arena *arena, LogTarget *target, Log **log_out)
{
    Log *log = calloc(1, sizeof *log);
    CHECK(log);
    log->target = target;
    pthread_mutex_init(&log->shared_lock, NULL);
    pthread_mutex_init(&log->tap_lock, NULL);
    sem_init(&log->wake, 0, 0);
    sem_init(&log->ended, 0, 0);
    log->shared = log_ring(log, LOG_RING_SIZE / 4);

    int error = start_writer(log);
    if (error) {
        free_log(log);
        return FAIL(arena, FAULT_SYSTEM, "starting the log writer thread: %s", strerror(error));
    }
    *log_out = log;
    return OK;
}

void log_direct(Log *log, LogTarget *target)
{
    LogTarget *unused = atomic_exchange(&log->next_target, target);
    if (unused)
        unused->free(unused);
    wake_writer(log);
}

void log_count_failure(Log *log)
{
    atomic_fetch_add_explicit(&log->failed, 1, memory_order_relaxed);
}

/* Until the writer has what was logged before, or does not get on. */
static void wait_for_writer(Log *log)
{
    const struct timespec pause = {.tv_nsec = MILLISECOND};
    for (int i = 0; i < PATIENCE && !rings_are_empty(log); i++)
        nanosleep(&pause, NULL);
}

void log_tap(Log *log, LogTap *tap, void *owner)
{
    if (!tap)
        wait_for_writer(log);
    pthread_mutex_lock(&log->tap_lock);
    log->tap = tap;
    log->tap_owner = owner;
    pthread_mutex_unlock(&log->tap_lock);
}

bool log_close(Log *log, int64_t patience)
{
    if (!log)
        return true;
    int64_t end = clock_now() + patience;
    struct timespec until = {.tv_sec = end / SECOND, .tv_nsec = end % SECOND};
    atomic_store(&log->closing, true);
    sem_post(&log->wake);
    pthread_t writer = log->writer; /* whoever comes first at `over` must not touch the log again */
    bool waits = true;
    while (waits && sem_clockwait(&log->ended, CLOCK_MONOTONIC, &until) != 0)
        waits = errno == EINTR;
    if (!waits && !atomic_exchange(&log->over, true)) {
        pthread_detach(writer);
        return false;
    }
    pthread_join(writer, NULL);
    free_log(log);
    return true;
}
