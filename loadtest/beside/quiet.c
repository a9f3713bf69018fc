#include "loadtest/beside/quiet.h"

#include "base/clock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GATEWAY, SERVICE, LOAD, RUNNERS, WINDOWS = 1 << 14 };

#define WINDOW (5 * MILLISECOND)
/* In a window, at most, so that it is not disturbed. The load and the service share a core, and so
   wait for each other. */
#define GATEWAY_WAITS (MILLISECOND / 4)
#define LOAD_WAITS (3 * MILLISECOND / 2)

/* A thread that may have to wait for its core. */
typedef struct Runner {
    int fd;
    int64_t waited; /* so far */
} Runner;

static Runner runners[RUNNERS];
static struct {
    int64_t gateway, load; /* nanoseconds for which they waited */
} windows[WINDOWS];
static int64_t started;

static bool runner_open(Runner *runner, const char *path)
{
    runner->fd = open(path, O_RDONLY | O_CLOEXEC);
    return runner->fd >= 0;
}

bool quiet_open(const char *gateway, const char *service)
{
    return runner_open(&runners[GATEWAY], gateway) && runner_open(&runners[SERVICE], service) &&
           runner_open(&runners[LOAD], "/proc/thread-self/schedstat");
}

/* For how long it has waited since it was last asked: the second number in its file. */
static int64_t runner_waited(Runner *runner)
{
    char text[128] = "";
    const char *second;
    int64_t before = runner->waited;
    if (pread(runner->fd, text, sizeof text - 1, 0) > 0 && (second = strchr(text, ' ')))
        runner->waited = atoll(second);
    return runner->waited - before;
}

static int64_t window_at(int64_t time)
{
    int64_t at = time > started ? (time - started) / WINDOW : 0;
    return at < WINDOWS ? at : WINDOWS - 1;
}

int64_t quiet_note(int64_t now)
{
    int64_t at = window_at(now), gateway = runner_waited(&runners[GATEWAY]);
    windows[at].gateway += gateway;
    windows[at].load += runner_waited(&runners[SERVICE]) + runner_waited(&runners[LOAD]);
    return gateway;
}

void quiet_start(int64_t now)
{
    started = now;
    (void)quiet_note(now);
    memset(windows, 0, sizeof windows);
}

bool quiet_was(int64_t from, int64_t until)
{
    int64_t at = window_at(from - WINDOW), last = window_at(until + WINDOW);
    while (at <= last && windows[at].gateway <= GATEWAY_WAITS && windows[at].load <= LOAD_WAITS)
        at++;
    return at > last;
}
