/*
 * Pump: a Socket bound to an HttpConnection; shared by client connections and links to instances.
 *
 *      HttpConnection -- pump_flush --> Socket           output, at most a share in each turn
 *      HttpConnection <-- the owner's on_read -- Socket  while the engine wants input
 *
 * Embedded as the first member of its owner, so that a Socket pointer can be cast to the Pump and
 * to the owner. The owner acts on the state of engine and socket, and closes both. The pump moves
 * bytes and records since when the peer has accepted none. On one loop, its thread only.
 */
#ifndef GATEWAY_PUMP_H
#define GATEWAY_PUMP_H

#include "gateway/loop/socket.h"
#include "protocols/http/http.h"

typedef struct Pump {
    Socket socket;
    HttpConnection *http;  /* created and freed by the owner; NULL until it is created */
    LoopWork flush;        /* pump_flush_later */
    Timer timer;           /* pump_wake_by */
    int64_t blocked_since; /* when the peer last accepted bytes; 0: not blocked */
} Pump;

/* Initialises zeroed memory, before the socket is opened or connects. `run_flush` and `fire` are
   the owner's functions for pump_flush_later and pump_wake_by. */
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
    size_t sent; /* bytes that the socket accepted */
    bool dry;    /* the engine has nothing more to send now */
} PumpFlow;

/*
 * Sends output of the engine, at most one turn's share (about SOCKET_WRITE_MAX); the rest is sent
 * in the next turn, or at the socket's on_writable. Shuts down the socket's sending side when the
 * engine has ended its own. The engine may call its streams' owners; if one of them closes the
 * socket, nothing more is sent. `http` must not be NULL.
 */
PumpFlow pump_flush(Pump *pump);

/* Runs the owner's run_flush after this turn's events were read. */
static inline void pump_flush_later(Pump *pump)
{
    loop_defer(pump->socket.loop, &pump->flush);
}

/* For the socket's on_writable: no longer blocked. The owner flushes after it. */
static inline void pump_writable(Pump *pump)
{
    pump->blocked_since = 0;
}

/* Reads while the engine wants input, and pauses while it does not. `http` must not be NULL. */
static inline void pump_set_reading(Pump *pump)
{
    if (http_connection_wants_input(pump->http) != pump->socket.paused)
        return;
    if (pump->socket.paused)
        socket_resume(&pump->socket);
    else
        socket_pause(&pump->socket);
}

/* Fires at this time or earlier: the timer is only moved forward. The owner checks whether it is
   too early and starts it again, which is cheaper than moving it with each request. */
static inline void pump_wake_by(Pump *pump, int64_t when)
{
    if (!timer_running(&pump->timer) || pump->timer.when > when)
        timer_start(&pump->socket.loop->timers, &pump->timer, when);
}

/* Cancels flush and timer. The socket continues until the owner closes it. */
void pump_stop(Pump *pump);

#endif
