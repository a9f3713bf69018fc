#include "gateway/loop/pump.h"

enum { VECTORS = 64 };

void pump_init(Pump *pump, Loop *loop, void (*run_flush)(LoopWork *flush),
               void (*fire)(Timer *timer))
{
    pump->socket.loop = loop;
    pump->flush.run = run_flush;
    pump->timer.fire = fire;
}

static size_t total_of(const struct iovec *vectors, int n)
{
    size_t total = 0;
    for (int i = 0; i < n; i++)
        total += vectors[i].iov_len;
    return total;
}

/* False: the socket accepts no more now; on_writable follows. */
static bool send_vectors(Pump *pump, const struct iovec *vectors, int n, PumpFlow *flow)
{
    size_t total = total_of(vectors, n);
    size_t taken = socket_write(&pump->socket, vectors, n);
    http_connection_sent(pump->http, taken);
    flow->sent += taken;
    if (taken == total)
        pump->blocked_since = 0;
    else if (taken > 0 || !pump->blocked_since)
        pump->blocked_since = pump->socket.loop->now;
    return taken == total;
}

PumpFlow pump_flush(Pump *pump)
{
    struct iovec vectors[VECTORS];
    PumpFlow flow = {0};
    while (pump->socket.state != SOCKET_CLOSING) {
        int n = http_connection_output(pump->http, vectors, VECTORS);
        if (n == 0) {
            flow.dry = true;
            if (http_connection_half_closed(pump->http))
                socket_shutdown(&pump->socket);
            break;
        }
        if (!send_vectors(pump, vectors, n, &flow))
            break;
        if (flow.sent >= SOCKET_WRITE_MAX) {
            pump_flush_later(pump);
            break;
        }
    }
    return flow;
}

void pump_stop(Pump *pump)
{
    timer_stop(&pump->socket.loop->timers, &pump->timer);
    loop_undefer(pump->socket.loop, &pump->flush);
}
