/* Loaded before libc (LD_PRELOAD), it measures the turns of a process' event loops: from the return
   of epoll_wait to the next call. It writes the longest of each thread into a file that the
   environment names (TURNS). For turns.py. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 64 };

/* Nanoseconds. */
typedef struct Turns {
    int64_t thread, n;
    int64_t longest; /* in which it ran or was blocked, and not the machine elsewhere */
    int64_t in_all;  /* with that, of the same turn */
    int64_t cpu;     /* of the same turn */
} Turns;

static Turns *all;
static atomic_int n_threads;

static _Thread_local struct {
    Turns *turns;
    int stat;
    int64_t began, cpu, waited, blocked;
} own;

static int64_t now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* How long this thread was ready to run, and did not. */
static int64_t waited(void)
{
    char text[128];
    long long ran = 0, ready = 0;
    ssize_t size = pread(own.stat, text, sizeof text - 1, 0);
    if (size > 0) {
        text[size] = '\0';
        sscanf(text, "%lld %lld", &ran, &ready);
    }
    return ready;
}

/* How often this thread gave up the processor by itself, because it had to wait. */
static int64_t blocked(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

__attribute__((constructor)) static void begin(void)
{
    int file = open(getenv("TURNS"), O_RDWR);
    all = mmap(NULL, THREADS * sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (all == MAP_FAILED)
        abort();
}

static void end_turn(void)
{
    if (!own.turns) {
        int at = atomic_fetch_add(&n_threads, 1);
        if (at >= THREADS)
            abort();
        own.turns = &all[at];
        own.turns->thread = gettid();
        own.stat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
        return;
    }
    int64_t in_all = now(CLOCK_MONOTONIC) - own.began, cpu = now(CLOCK_THREAD_CPUTIME_ID) - own.cpu;
    int64_t turn = blocked() == own.blocked ? cpu : in_all - (waited() - own.waited);
    own.turns->n++;
    if (turn > own.turns->longest) {
        own.turns->longest = turn;
        own.turns->in_all = in_all;
        own.turns->cpu = cpu;
    }
}

static int begin_turn(int n)
{
    own.waited = waited();
    own.blocked = blocked();
    own.cpu = now(CLOCK_THREAD_CPUTIME_ID);
    own.began = now(CLOCK_MONOTONIC);
    return n;
}

int epoll_wait(int file, struct epoll_event *events, int most, int timeout)
{
    int (*real)(int, struct epoll_event *, int, int) =
        (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
    end_turn();
    return begin_turn(real(file, events, most, timeout));
}

int epoll_pwait(int file, struct epoll_event *events, int most, int timeout, const sigset_t *mask)
{
    int (*real)(int, struct epoll_event *, int, int, const sigset_t *) =
        (int (*)(int, struct epoll_event *, int, int, const sigset_t *))dlsym(RTLD_NEXT,
                                                                              "epoll_pwait");
    end_turn();
    return begin_turn(real(file, events, most, timeout, mask));
}
