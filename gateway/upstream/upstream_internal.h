/*
 * Upstream and its links: for upstream.c, upstream_link.c and their tests.
 *
 * A Link is one connection to the instance. Its state is the list that it is in, and link_move
 * alone moves it.
 *
 *      CONNECTING -> READY <-> FULL      CONNECTING: until TCP, TLS and, with HTTP/2, the
 *           |           \______/         instance's first frame are there
 *           |              |             READY: room for one more call; FULL: none now
 *           |           LEAVING          no new calls; ends with its last one
 *           |______________|____> GONE   the socket is closing
 *
 * A link connects to the first endpoint of the upstream that accepts. Calls go to the endpoint with
 * the fewest calls. For an endpoint without a link, a spare link is opened. An old link is
 * replaced: it moves to LEAVING as soon as a younger one is READY.
 */
#ifndef GATEWAY_UPSTREAM_INTERNAL_H
#define GATEWAY_UPSTREAM_INTERNAL_H

#include "gateway/instances/reach.h"
#include "gateway/loop/dial.h"
#include "gateway/loop/pump.h"
#include "gateway/loop/resolver.h"
#include "gateway/upstream/endpoint.h"
#include "gateway/upstream/upstream.h"
#include "gateway/upstream/warm.h"

typedef enum LinkState {
    LINK_CONNECTING,
    LINK_READY,
    LINK_FULL,
    LINK_LEAVING,
    LINK_GONE,
    LINK_STATES,
} LinkState;

/* Waits of complete requests, and of those whose body is still arriving. HTTP/2 has only the first
   kind, since a call there does not occupy a connection. */
typedef enum WaitKind { WAIT_WHOLE, WAIT_PARTIAL, WAIT_KINDS } WaitKind;

/* The settings, defaults filled in. */
typedef struct UpstreamLimits {
    int64_t connect_time, patience, idle_time, max_age, ping_time, send_time;
    uint32_t connections;
    uint32_t partial; /* of these, for requests whose body is still arriving */
    uint32_t waits;
    uint32_t descriptors; /* bound of their numbers: descriptors.h */
    HttpLimits http;
} UpstreamLimits;

struct Upstream {
    UpstreamTable *table;
    Upstream *next;

    KnownInstance *known; /* a reference */
    InstanceCounts counts;
    bool http2;   /* as `known` has it */
    SSL_CTX *tls; /* a reference: that of the newest config, equal to that of `known` */

    UpstreamLimits limits; /* of the loop's config */
    Candidate *candidates; /* its entries in those of the loop's services */
    bool named;            /* an instance set of the loop's config contains it */
    const char *service;   /* whose set that is; NULL: it is not named */
    bool told_down;        /* as known to all loops */
    int64_t retired_at;    /* since when no set contains it; 0: one does */

    Link *links[LINK_STATES]; /* READY links are in the lists of their endpoints */
    uint32_t n_links[LINK_STATES];
    uint32_t n_old;    /* READY and FULL links that are to be replaced; */
    uint32_t n_silent; /* and those that are silent */
    bool late;         /* nothing comes of it, though it may not be down: upstream_state */

    Endpoint *endpoints;
    Lookup lookup;    /* of a host name; else never begun */
    int64_t known_to; /* until when the result of the lookup is valid */
    uint64_t choices; /* of endpoints */
    bool missed;      /* an endpoint has no link, or is mixed, and there are calls */

    FairQueue waits[WAIT_KINDS];
    uint32_t n_waits;   /* in both */
    uint32_t n_partial; /* links used by requests whose body was still arriving */
    bool partial_turn;  /* which of the two kinds of waits is next */
    LoopWork serve;

    Reach reach;
    Latency latency;
    Warmth warmth;
    Arena *failure_arena;
    Result failure;
    Timer timer; /* timeout of the oldest wait, end of a backoff */
};

struct Link {
    Pump pump; /* `http` is NULL until the socket is connected */
    Upstream *upstream;
    Link *next, **at; /* in the list of its state */
    LinkState state;
    int64_t since;      /* start of connecting, or of the time without calls */
    int64_t heard;      /* when data last arrived */
    int64_t give_up_at; /* unless data arrives; 0: it is not in doubt */
    int64_t doubt_from; /* no sooner is it in doubt again */
    int64_t old_at;
    int64_t urgent_at; /* when an urgent call was last sent on it; 0: never */

    Endpoint *endpoint; /* the one it is connected or connecting to; NULL: none yet, or GONE */
    Dial *dial;         /* while it is CONNECTING */
    uint32_t n_judged;  /* addresses of the dial whose result was recorded in the endpoints */
    bool asks;          /* it waits for the lookup, which provides the dial's addresses */
    bool warming;       /* opened by warm.c, while it is CONNECTING */
    bool spare;         /* opened without a wait, to this endpoint only */
    bool opened;        /* the socket is open, and on_closed will follow */
    bool partial;       /* while it is FULL: counted in n_partial */
    bool old, pinged;
    bool silent; /* a PING has had no response for the patience: FULL if it is live */
};

struct UpstreamTable {
    Loop *loop;
    Resolver *resolver; /* NULL once it closes */
    Upstream *first;
    Warming warming;
    bool closing;
    Timer forgetting;     /* runs while an upstream is retired */
    Upstream **by_number; /* of KnownInstance; NULL: not used by this loop yet */
    uint32_t n_numbers;
};

/* upstream.c: a connect that started at `begun` has failed. */
void upstream_failed(Upstream *upstream, int64_t begun, Result why);
/* A connection was established. */
void upstream_connected(Upstream *upstream);
/* Something changed: the waits are served later in this turn. */
void upstream_look(Upstream *upstream);

/* Connecting links whose dials have no addresses get those of the name, once they are known. */
void upstream_resolve(Upstream *upstream);

/* upstream_link.c */
/* `spare`: connects to this endpoint only; NULL: to any. The link stays until the turn ends. */
Link *link_connect(Upstream *upstream, Endpoint *spare);
/* Adds the endpoints that its dial does not have yet. `more`: others may follow. */
void link_dial(Link *link, bool more);
void link_move(Link *link, LinkState state);
void link_drain(Link *link);
void link_end(Link *link, Result why);
/* A call that was sent at `asked` has ended without a response. If the link was used since and
   nothing at all has arrived, it is in doubt: it must respond to a PING within the connect time. */
void link_doubt(Link *link, int64_t asked);
/* Brings its state up to date with its engine. */
void link_settle(Link *link);

#endif
