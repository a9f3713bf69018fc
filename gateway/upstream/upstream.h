/*
 * Upstream: this loop's connections to one instance: pooled, multiplexed, reconnected with backoff.
 *
 * Found by the number of what all loops know of the instance (instances.h), so that a reload keeps
 * connections that stay right. Belongs to one loop. An instance that cannot be reached is left
 * alone for a while (backoff with jitter, doubling to a limit) and then tried again, without a
 * call; UPSTREAM_AWAY tells the picker to prefer others.
 */
#ifndef GATEWAY_UPSTREAM_H
#define GATEWAY_UPSTREAM_H

#include "gateway/config/config.h"
#include "gateway/loop/loop.h"
#include "gateway/upstream/candidates.h"
#include "gateway/upstream/fair_queue.h"
#include "protocols/http/http.h"

typedef enum UpstreamState {
    UPSTREAM_READY, /* connected, or never tried: try it */
    UPSTREAM_AWAY,  /* the last attempt failed and no other has succeeded yet */
} UpstreamState;

/* Never NULL. `instance->known` is there. Borrowed: until the turn ends, or as long as a wait or a
   candidate has it. */
Upstream *upstream_of(Loop *loop, const Instance *instance);

UpstreamState upstream_state(const Upstream *upstream, int64_t now);

/* It is away, but an attempt now would cost little, or another loop has reached it since: better
   than none where there is no other. */
bool upstream_worth_a_try(const Upstream *upstream, int64_t now);

/* When it is away: from when on that is so, as far as this loop knows; NO_TIMEOUT: not before
   another loop reaches it. */
int64_t upstream_try_from(const Upstream *upstream);

/* Why it is away: the last failure's chain, borrowed until the next attempt. */
Result upstream_failure(const Upstream *upstream);

/* What it is in the candidates of the loop's services: they hear when it is back. */
Candidate **upstream_candidates(Upstream *upstream);

/* Calls at work on it from this loop: for least-loaded of two. */
uint32_t upstream_load(const Upstream *upstream);

/*
 * Wants a connection with room for one more stream. When one is at hand *connection_out is set at
 * once and nothing fires; else NULL, and `wait` completes exactly once, from the loop, with a
 * connection (use it at once) or the reason why there is none. Connecting is bounded by the connect
 * time, and so is waiting for room.
 *
 * Those who wait for room get it in turn, client by client (fair_queue.h). When too many wait, the
 * client with the most waits loses its last one. Of the connections of an HTTP/1.1 instance, some
 * are kept for requests that are there to their end.
 */
typedef struct UpstreamWait UpstreamWait;
struct UpstreamWait {
    void (*on_ready)(UpstreamWait *wait, HttpConnection *connection, Result why);
    IpAddress client; /* for whom: not known for the gateway's own calls */
    bool partial;     /* the request's body is still arriving */
    /* private */
    FairWait place;
    Upstream *upstream;
};
void upstream_want(Upstream *upstream, UpstreamWait *wait, HttpConnection **connection_out);

/* No longer wanted: it will not fire. Fine when it is not waiting. */
void upstream_cancel(UpstreamWait *wait);

/* The address that a connection of ours leads to, for the log. */
const char *upstream_name(const Upstream *upstream);

/* ---- For the process ------------------------------------------------------------------------- */

/* For loop->upstreams. Any thread. */
UpstreamTable *upstreams_new(Loop *loop);

/* loop->config is a new one, or the set of one of its services: the loop takes it. Upstreams of
   instances that stay keep their connections, others end with their last call. */
void upstreams_reload(UpstreamTable *table);

/* Closes all connections; calls on them and waits hear `why`. */
void upstreams_close(UpstreamTable *table, Result why);

/* After loop_deinit has seen the connections' end. NULL is fine. */
void upstreams_free(UpstreamTable *table);

#endif
