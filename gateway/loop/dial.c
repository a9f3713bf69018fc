#include "gateway/loop/dial.h"

#include "base/arena.h"
#include "base/memory/descriptors.h"
#include "gateway/loop/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

typedef union DialAddress {
    struct sockaddr any;
    IpSocketAddress ip;
    struct sockaddr_un unix_socket;
} DialAddress;

/* A connect that has started. Freed by the loop when its poll is closed. */
typedef struct DialTry {
    uv_poll_t poll;
    Dial *dial;
    struct DialTry *next;
    uint32_t which;
    int fd;
} DialTry;

typedef struct DialTarget {
    IpAddress ip; /* unknown: the Unix socket */
    uint16_t port;
    DialState state;
} DialTarget;

struct Dial {
    Loop *loop;
    const DialEvents *events;
    void *owner;
    uint32_t descriptors;
    char *path;
    DialTarget *targets;
    uint32_t n, n_begun;
    DialTry *tries; /* running connects */
    bool more, connected;
    Timer delay;          /* until the next connect starts */
    LoopWork look;        /* starts the first connect, and reports the end */
    int error;            /* of the connect that failed last */
    uint32_t failed_last; /* its index */
};

static void on_delay(Timer *timer);
static void run_look(LoopWork *work);

Dial *dial_new(Loop *loop, uint32_t descriptors, const DialEvents *events, void *owner)
{
    Dial *dial = calloc(1, sizeof(*dial));
    CHECK(dial);
    *dial = (Dial){.loop = loop,
                   .events = events,
                   .owner = owner,
                   .descriptors = descriptors,
                   .delay.fire = on_delay,
                   .look.run = run_look};
    return dial;
}

uint32_t dial_size(const Dial *dial)
{
    return dial->n;
}

DialState dial_state(const Dial *dial, uint32_t which)
{
    CHECK(which < dial->n);
    return dial->targets[which].state;
}

const IpAddress *dial_address(const Dial *dial, uint32_t which)
{
    CHECK(which < dial->n);
    return &dial->targets[which].ip;
}

bool dial_has_more(const Dial *dial)
{
    return dial->n_begun < dial->n;
}

/* ---- One address ----------------------------------------------------------------------------- */

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

/* Stops watching the descriptor, which the caller then owns. */
static int try_end(DialTry *try, DialState state)
{
    Dial *dial = try->dial;
    DialTry **at = &dial->tries;
    while (*at != try)
        at = &(*at)->next;
    *at = try->next;
    dial->targets[try->which].state = state;
    int fd = try->fd;
    uv_close((uv_handle_t *)&try->poll, on_poll_closed);
    return fd;
}

static void end_tries(Dial *dial)
{
    while (dial->tries)
        close(try_end(dial->tries, DIAL_OVERTAKEN));
}

static void look_later(Dial *dial)
{
    loop_defer(dial->loop, &dial->look);
}

/* The next connect starts without a delay. */
static void fail(Dial *dial, uint32_t which, int error)
{
    dial->targets[which].state = DIAL_FAILED;
    dial->error = error;
    dial->failed_last = which;
    timer_stop(&dial->loop->timers, &dial->delay);
    look_later(dial);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    DialTry *try = (DialTry *)poll;
    Dial *dial = try->dial;
    int error = 0;
    socklen_t size = sizeof(error);
    (void)events;
    loop_enter(dial->loop);
    if (getsockopt(try->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error == 0 && status < 0)
        error = -status;
    uint32_t which = try->which;
    if (error) {
        close(try_end(try, DIAL_FAILED));
        fail(dial, which, error);
        return;
    }
    int fd = try_end(try, DIAL_CONNECTED);
    end_tries(dial);
    dial->connected = true;
    timer_stop(&dial->loop->timers, &dial->delay);
    loop_undefer(dial->loop, &dial->look);
    dial->events->on_connected(dial->owner, dial, fd, which); /* may free it */
}

static socklen_t address_of(const Dial *dial, const DialTarget *target, DialAddress *address)
{
    memset(address, 0, sizeof(*address));
    if (target->ip.known)
        return ip_socket_address(&target->ip, target->port, &address->ip);
    address->unix_socket.sun_family = AF_UNIX;
    strncpy(address->unix_socket.sun_path, dial->path, sizeof(address->unix_socket.sun_path) - 1);
    return sizeof(address->unix_socket);
}

/* 0, or an error number. The descriptor is -1 after an error. */
static int begin_connect(Dial *dial, const DialTarget *target, int *fd_out)
{
    DialAddress address;
    socklen_t size = address_of(dial, target, &address);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *fd_out = -1;
    if (fd < 0)
        return errno;
    int error = 0;
    if (!descriptor_within(dial->descriptors, fd))
        error = EMFILE;
    else if (connect(fd, &address.any, size) != 0 && errno != EINPROGRESS)
        error = errno;
    if (error)
        close(fd);
    else
        *fd_out = fd;
    return error;
}

static void begin_next(Dial *dial)
{
    uint32_t which = dial->n_begun++;
    int fd, error = begin_connect(dial, &dial->targets[which], &fd);
    if (error) {
        fail(dial, which, error);
        return;
    }
    DialTry *try = calloc(1, sizeof(*try));
    CHECK(try);
    *try = (DialTry){.dial = dial, .which = which, .fd = fd, .next = dial->tries};
    error = uv_poll_init(&dial->loop->uv, &try->poll, fd);
    if (error) {
        close(fd);
        free(try);
        fail(dial, which, -error);
        return;
    }
    dial->tries = try;
    dial->targets[which].state = DIAL_BEGUN;
    uv_poll_start(&try->poll, UV_WRITABLE, on_poll);
    timer_start(&dial->loop->timers, &dial->delay, dial->loop->now + DIAL_DELAY);
}

/* ---- All of them ----------------------------------------------------------------------------- */

static Result failure_of(Dial *dial)
{
    Arena *arena = loop_scratch(dial->loop);
    const DialTarget *last = &dial->targets[dial->failed_last];
    Result r = FAIL(arena, FAULT_SYSTEM, "connecting: %s", uv_strerror(-dial->error));
    char name[SOCKET_NAME_SIZE];
    socket_peer_name(&last->ip, last->port, name);
    if (dial->n == 1)
        return r;
    return FAIL_OVER(arena, r, FAULT_SYSTEM,
                     "connecting to %u addresses failed; the last one was %s", dial->n, name);
}

static void run_look(LoopWork *work)
{
    Dial *dial = (Dial *)((char *)work - offsetof(Dial, look));
    if (timer_running(&dial->delay))
        return;
    if (dial_has_more(dial))
        begin_next(dial);
    else if (!dial->tries && !dial->more)
        dial->events->on_failed(dial->owner, dial, failure_of(dial)); /* may free it */
}

static void on_delay(Timer *timer)
{
    run_look(&((Dial *)((char *)timer - offsetof(Dial, delay)))->look);
}

static DialTarget *target_add(Dial *dial)
{
    dial->targets = realloc(dial->targets, (dial->n + 1) * sizeof(dial->targets[0]));
    CHECK(dial->targets);
    DialTarget *target = &dial->targets[dial->n++];
    *target = (DialTarget){0};
    return target;
}

void dial_add(Dial *dial, const IpAddress *addresses, uint32_t n, uint16_t port, bool more)
{
    for (uint32_t i = 0; i < n && dial->n < DIAL_MOST; i++) {
        DialTarget *target = target_add(dial);
        target->ip = addresses[i];
        target->port = port;
    }
    dial->more = more;
    if (!dial->connected)
        look_later(dial);
}

void dial_add_path(Dial *dial, const char *path)
{
    CHECK(!dial->path);
    dial->path = text_copy(path);
    target_add(dial);
    look_later(dial);
}

bool dial_go_on(Dial *dial)
{
    CHECK(dial->connected);
    if (!dial_has_more(dial))
        return false;
    dial->connected = false;
    look_later(dial);
    return true;
}

void dial_free(Dial *dial)
{
    if (!dial)
        return;
    end_tries(dial);
    timer_stop(&dial->loop->timers, &dial->delay);
    loop_undefer(dial->loop, &dial->look);
    free(dial->targets);
    free(dial->path);
    free(dial);
}
