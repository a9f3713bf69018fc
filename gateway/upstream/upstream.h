/*
 * Upstream: this loop's connections to one instance: pooled, multiplexed, reconnected with backoff.
 *
 * Found by the number of the KnownInstance (instances.h), so that a reload keeps connections that
 * are still valid. Belongs to one loop. An instance that cannot be reached is down. It is connected
 * to again after a backoff (with jitter, doubled up to a limit), without a call; while its state is
 * UPSTREAM_DOWN, picking prefers others.
 */
#ifndef GATEWAY_UPSTREAM_H
#define GATEWAY_UPSTREAM_H

#include "gateway/config/config.h"
#include "gateway/instances/instance_counts.h"
#include "gateway/instances/latency.h"
#include "gateway/loop/fair_queue.h"
#include "gateway/loop/loop.h"
#include "gateway/upstream/candidates.h"
#include "protocols/http/http.h"

typedef enum UpstreamState {
    UPSTREAM_READY, /* up: connected, or never tried */
    UPSTREAM_DOWN,  /* down: the last connect failed, and none has succeeded since; or late: nothing
                       comes of its connections for limits.connect_patience */
} UpstreamState;

/* Never NULL. `instance->known` must not be NULL. Borrowed: until the turn ends, or while a wait or
   a candidate refers to it. */
Upstream *upstream_of(Loop *loop, const Instance *instance);

UpstreamState upstream_state(const Upstream *upstream, int64_t now);

/* It is down, but connecting now would cost little, or another loop has reached it since. So it may
   be used if there is no other instance. */
bool upstream_worth_a_try(const Upstream *upstream, int64_t now);

/* If it is down: the time from which upstream_worth_a_try is true, as far as this loop knows.
   NO_TIMEOUT: not before another loop reaches it. */
int64_t upstream_try_from(const Upstream *upstream);

/* Whether this loop has a connection to it, maybe without capacity. */
bool upstream_is_connected(const Upstream *upstream);

/* None of its HTTP/2 connections responds to a PING within limits.connect_patience: what was sent
   on them will hardly get a response. */
bool upstream_is_silent(const Upstream *upstream);

/* Why it is down: the last failure's chain, borrowed until the next connect. */
Result upstream_failure(const Upstream *upstream);

/* Its entries in the candidates of the loop's services, which are updated when it is back. */
Candidate **upstream_candidates(Upstream *upstream);

/* What this loop counts of its calls; NULL: it has no upstream for it any more. */
InstanceCounts *upstream_counts(Loop *loop, const Instance *instance);

/* Running calls of this loop on it, to compare two instances. */
uint32_t upstream_load(const Upstream *upstream);

/* How long it takes to respond to calls of this loop. Never NULL. */
const Latency *upstream_latency(const Upstream *upstream);

/* What was asked then has no response for long. If nothing at all has arrived on an HTTP/2
   connection since, a PING must be answered on it, or it is given up. */
void upstream_doubt(const Loop *loop, const Instance *instance, int64_t asked);

/* A response of the instance began, or an attempt ended without one: latency_add; and
   upstream_doubt. */
void upstream_measured(const Loop *loop, const Instance *instance, int64_t time, bool answered);

/*
 * Requests a connection with capacity for one more stream. If one is available, *connection_out is
 * set and on_ready is not called. Else it is NULL, and on_ready is called exactly once, from the
 * loop, with a connection (to be used at once) or with the failure. The connect time limits
 * connecting, and also waiting for capacity. With neither, the instance is late, and the wait has
 * ended: who has another instance goes there, the others request it again.
 *
 * Clients take turns for capacity (fair_queue.h). If there are too many waits, the client with the
 * most waits loses its last one. Some of the connections to an HTTP/1.1 instance are reserved for
 * complete requests. While the loop is crowded (read_order.h), urgent calls have an HTTP/2
 * connection for themselves, if limits.http2_connections allows for two.
 */
typedef struct UpstreamWait UpstreamWait;
struct UpstreamWait {
    void (*on_ready)(UpstreamWait *wait, HttpConnection *connection, Result why);
    IpAddress client; /* unknown for the gateway's own calls */
    bool partial;     /* the request's body is still arriving */
    bool urgent;      /* of catastrophic impact: while the loop is crowded, its response is read
                         before those of others */
    /* private */
    FairWait place;
    Upstream *upstream;
};
void upstream_want(Upstream *upstream, UpstreamWait *wait, HttpConnection **connection_out);

/* Cancels the wait: on_ready is not called. Does nothing if it is not waiting. */
void upstream_cancel(UpstreamWait *wait);

/* The instance's address, for the log. */
const char *upstream_name(const Upstream *upstream);

/* ---- For the process ------------------------------------------------------------------------- */

/* For loop->upstreams. Any thread. */
UpstreamTable *upstreams_new(Loop *loop);

/* loop->config was replaced, or the instance set of one of its services. Upstreams of instances
   that stay keep their connections; others end with their last call. */
void upstreams_reload(UpstreamTable *table);

/* Whether connections are to be opened without a call: then upstreams_reload is for the first
   config, too. */
bool upstreams_warm(const Config *config);

/* Closes all connections; their calls and the waits fail with `why`. */
void upstreams_close(UpstreamTable *table, Result why);

/* After loop_deinit, when all connections are closed. NULL is allowed. */
void upstreams_free(UpstreamTable *table);

#endif
