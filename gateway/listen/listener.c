#include "gateway/listen/listener.h"

#include "base/arena.h"
#include "gateway/handover/handover.h"
#include "gateway/telemetry/telemetry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PAUSE_TIME (100 * MILLISECOND) /* no accept after an error that lasts */
#define REPORT_TIME (10 * SECOND)      /* at most one log event of accept errors in this time */

enum { ACCEPTS_PER_TURN = 64 }; /* so that other work of the loop is not delayed */

struct Listener {
    uv_poll_t poll;
    ListenerSet *set;
    Listener *next;
    SSL_CTX *tls; /* borrowed from the loop's config */
    Timer pause;
    int64_t reported;
    int fd;
    char address[]; /* as written */
};

static void on_connections(uv_poll_t *poll, int status, int events);

static void listener_resume(Listener *listener)
{
    CHECK(uv_poll_start(&listener->poll, UV_READABLE, on_connections) == 0);
}

static void on_pause_over(Timer *timer)
{
    listener_resume((Listener *)((char *)timer - offsetof(Listener, pause)));
}

static void listener_pause(Listener *listener)
{
    Loop *loop = listener->set->loop;
    uv_poll_stop(&listener->poll);
    timer_start(&loop->timers, &listener->pause, loop->now + PAUSE_TIME);
}

static void report(Listener *listener, Result why)
{
    Loop *loop = listener->set->loop;
    if (listener->reported && loop->now - listener->reported < REPORT_TIME)
        return;
    listener->reported = loop->now;
    telemetry_event("error", "accept_failed", why, "listener %s", listener->address);
}

static Result system_error(Listener *listener, int error)
{
    return FAIL(loop_scratch(listener->set->loop), FAULT_SYSTEM, "accepting: %s", strerror(error));
}

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Without a free descriptor no client can be accepted, not even to be closed, and the first client
   in the backlog would wait for ever. So the spare descriptor is used for it. */
static void send_one_away(Listener *listener)
{
    ListenerSet *set = listener->set;
    if (set->spare < 0)
        return;
    close(set->spare);
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        telemetry_count(set->loop, COUNTER_CONNECTIONS_REFUSED);
    }
    set->spare = open_spare();
}

/* The number of the descriptor is above those for clients: all of them are in use. */
static void refuse(Listener *listener, int fd)
{
    Loop *loop = listener->set->loop;
    close(fd);
    telemetry_count(loop, COUNTER_CONNECTIONS_REFUSED);
    report(listener, FAIL(loop_scratch(loop), FAULT_OVERLOADED,
                          "all file descriptors for clients are in use (limits.connections): those "
                          "from %u to %u are reserved for "
                          "instances and for the gateway itself",
                          loop->config->descriptors.clients, loop->config->descriptors.most));
}

static void take(Listener *listener, int fd, const struct sockaddr *peer)
{
    if (descriptor_within(listener->set->loop->config->descriptors.clients, fd))
        connection_accept(listener->set->connections, fd, peer, listener->address, listener->tls);
    else
        refuse(listener, fd);
}

/* True: continue to accept. */
static bool accept_failed(Listener *listener, int error)
{
    switch (error) {
    case EAGAIN: return false;
    case EINTR:
    case ECONNABORTED: /* errors of one connection: accept(2), "Error handling" */
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM: return true;
    case EMFILE:
    case ENFILE: send_one_away(listener); break;
    default: break;
    }
    report(listener, system_error(listener, error));
    return false;
}

/* Returns 0, or why no more can be accepted now. */
static int accept_some(Listener *listener, int n)
{
    while (n-- > 0) {
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof(peer);
        int fd =
            accept4(listener->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        int error = errno;
        if (fd >= 0)
            take(listener, fd, (struct sockaddr *)&peer);
        else if (!accept_failed(listener, error))
            return error;
    }
    return 0;
}

static void on_connections(uv_poll_t *poll, int status, int events)
{
    Listener *listener = poll->data;
    loop_enter(listener->set->loop);
    int error = status < 0 ? -status : accept_some(listener, ACCEPTS_PER_TURN);
    if (error && error != EAGAIN)
        listener_pause(listener);
}

static void listener_open(ListenerSet *set, const ListenerConfig *config, int fd)
{
    size_t size = strlen(config->address.text) + 1;
    Listener *listener = calloc(1, sizeof(*listener) + size);
    CHECK(listener);
    memcpy(listener->address, config->address.text, size);
    listener->set = set;
    listener->fd = fd;
    listener->tls = config->tls;
    listener->pause.fire = on_pause_over;
    int error = uv_poll_init(&set->loop->uv, &listener->poll, fd);
    if (error) {
        report(listener, system_error(listener, -error));
        close(fd);
        free(listener);
        return;
    }
    listener->poll.data = listener;
    listener->next = set->first;
    set->first = listener;
    if (!set->held)
        listener_resume(listener);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Removes the listener from its list, at `*at`. Closing the socket resets the connections in its
   backlog, so they are accepted immediately before; unless it was handed over, and stays open
   elsewhere. */
static void listener_close(Listener **at)
{
    Listener *listener = *at;
    *at = listener->next;
    timer_stop(&listener->set->loop->timers, &listener->pause);
    uv_poll_stop(&listener->poll);
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    if (!handover_shared())
        accept_some(listener, INT16_MAX);
    close(listener->fd);
}

void listeners_init(ListenerSet *set, Loop *loop, ConnectionSet *connections)
{
    *set = (ListenerSet){.loop = loop, .connections = connections, .spare = open_spare()};
}

static const ListenerConfig *config_of(const Config *config, const Listener *listener)
{
    return config_listener(config, listener->address);
}

void listeners_apply(ListenerSet *set, const Config *config, BoundSocket *sockets)
{
    Listener **at = &set->first;
    while (*at) {
        const ListenerConfig *stays = config_of(config, *at);
        if (stays) {
            (*at)->tls = stays->tls;
            at = &(*at)->next;
        } else {
            listener_close(at);
        }
    }
    for (BoundSocket *s = sockets; s; s = s->next) {
        if (s->fds[set->loop->index] < 0)
            continue;
        listener_open(set, s->listener, s->fds[set->loop->index]);
        s->fds[set->loop->index] = -1;
    }
}

void listeners_hold(ListenerSet *set)
{
    CHECK(!set->first);
    set->held = true;
}

void listeners_release(ListenerSet *set)
{
    set->held = false;
    for (Listener *listener = set->first; listener; listener = listener->next)
        listener_resume(listener);
}

void listeners_close(ListenerSet *set)
{
    while (set->first)
        listener_close(&set->first);
    if (set->spare >= 0)
        close(set->spare);
    set->spare = -1;
}
