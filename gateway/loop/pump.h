/*
 * Pump: a Socket bound to an HttpConnection: what client connections and links to instances share.
 *
 *      HttpConnection -- pump_flush --> Socket           output, at most a share in each turn
 *      HttpConnection <-- the owner's on_read -- Socket  while the engine wants input
 *
 * Embedded as the first member of its owner, so that a Socket of one is a Pump and its owner. The
 * owner decides what the engine's and the socket's state mean and ends both; the pump moves bytes
 * and remembers since when the peer has taken none. On one loop, its thread only.
 */
#ifndef GATEWAY_PUMP_H
#define GATEWAY_PUMP_H

#include "gateway/loop/socket.h"
#include "protocols/http/http.h"

typedef struct Pump {
    Socket socket;
    HttpConnection *http;  /* the owner's to make and to free; NULL until there is one */
    LoopWork flush;        /* pump_flush_later */
    Timer timer;           /* pump_wake_by */
    int64_t blocked_since; /* when the peer last took something; 0: nothing is held up */
} Pump;

/* Of zeroed memory, before the socket is opened or connects. `run_flush` and `fire` are the
   owner's: what pump_flush_later and pump_wake_by lead to. */
void pump_init(Pump *pump, Loop *loop, void (*run_flush)(LoopWork *flush),
               void (*fire)(Timer *timer));

static inline Pump *pump_of_flush(LoopWork *flush)
{
    return (Pump *)((char *)flush - offsetof(Pump, flush));
}

static inline Pump *pump_of_timer(Timer *timer)
{
    return (Pump *)((char *)timer - offsetof(Pump, timer));
}

typedef struct PumpFlow {
    size_t sent; /* bytes that the socket took */
    bool dry;    /* the engine has nothing more to send now */
} PumpFlow;

/*
 * Sends what the engine has, at most one turn's share (about SOCKET_WRITE_MAX); what is left goes
 * out in the next turn, or with the socket's on_writable. Ends the socket's sending side when the
 * engine has ended its own. The engine may call its streams' owners; when one of them closes the
 * socket, nothing more is sent. `http` is there.
 */
PumpFlow pump_flush(Pump *pump);

/* Runs the owner's run_flush once this turn's events have been read. */
static inline void pump_flush_later(Pump *pump)
{
    loop_defer(pump->socket.loop, &pump->flush);
}

/* The socket's on_writable: nothing is held up any more. The owner flushes after it. */
static inline void pump_writable(Pump *pump)
{
    pump->blocked_since = 0;
}

/* Reads while the engine wants input, and pauses while it does not. `http` is there. */
static inline void pump_set_reading(Pump *pump)
{
    if (http_connection_wants_input(pump->http) != pump->socket.paused)
        return;
    if (pump->socket.paused)
        socket_resume(&pump->socket);
    else
        socket_pause(&pump->socket);
}

/* Fires at this time or before: the timer is only ever brought forward. The owner finds out that it
   is too early, and starts it again: cheaper than moving it with each request. */
static inline void pump_wake_by(Pump *pump, int64_t when)
{
    if (!timer_running(&pump->timer) || pump->timer.when > when)
        timer_start(&pump->socket.loop->timers, &pump->timer, when);
}

/* Neither the flush nor the timer comes any more. The socket goes on until the owner closes it. */
void pump_stop(Pump *pump);

#endif
