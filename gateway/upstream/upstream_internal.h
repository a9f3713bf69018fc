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
 * A link connects to one of the upstream's endpoints, whichever is there first. Calls go to the
 * endpoint with the fewest of them; where one has no link, a spare link is connected to it. A link
 * that gets old is replaced: it leaves once a younger one is there.
 */
#ifndef GATEWAY_UPSTREAM_INTERNAL_H
#define GATEWAY_UPSTREAM_INTERNAL_H

#include "gateway/instances/reach.h"
#include "gateway/loop/dial.h"
#include "gateway/loop/pump.h"
#include "gateway/loop/resolver.h"
#include "gateway/upstream/endpoint.h"
#include "gateway/upstream/upstream.h"

typedef enum LinkState {
    LINK_CONNECTING,
    LINK_READY,
    LINK_FULL,
    LINK_LEAVING,
    LINK_GONE,
    LINK_STATES,
} LinkState;

/* Of requests that are there to their end, and of those whose body is still arriving. HTTP/2 has
   the first kind only: there no call keeps a connection from others. */
typedef enum WaitKind { WAIT_WHOLE, WAIT_PARTIAL, WAIT_KINDS } WaitKind;

/* The settings, defaults filled in. */
typedef struct UpstreamLimits {
    int64_t connect_time, idle_time, max_age, ping_time, send_time;
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
    bool http2;           /* as `known` has it */
    SSL_CTX *tls;         /* a reference: that of the newest config, equal to that of `known` */

    UpstreamLimits limits; /* of the loop's config */
    Candidate *candidates; /* what it is in those of the loop's services */
    bool named;            /* a set of the loop's config has it */
    bool told_down;        /* as known to all loops */
    int64_t retired_at;    /* since when none has; 0: one does */

    Link *links[LINK_STATES]; /* READY: those of an endpoint stand there */
    uint32_t n_links[LINK_STATES];
    uint32_t n_old; /* those among READY and FULL that are to be replaced */

    Endpoint *endpoints;
    Lookup lookup;    /* of a name; else never begun */
    int64_t known_to; /* until when the endpoints are what the name stands for */
    uint64_t choices; /* of endpoints */
    bool missed;      /* some endpoint has no link, and calls come */

    FairQueue waits[WAIT_KINDS];
    uint32_t n_waits;   /* in both */
    uint32_t n_partial; /* links whose calls came with a body that was still arriving */
    bool partial_turn;  /* of the two kinds of waits */
    LoopWork serve;

    Reach reach;
    Arena *failure_arena;
    Result failure;
    Timer timer; /* the oldest wait's patience, the end of a backoff */
};

struct Link {
    Pump pump; /* `http` is NULL until there is a stream of bytes */
    Upstream *upstream;
    Link *next, **at; /* in the list of its state */
    LinkState state;
    int64_t since; /* connecting, or without calls, since then */
    int64_t heard; /* last sign of life */
    int64_t old_at;

    Endpoint *endpoint; /* that it leads to, or is to lead to; NULL: none yet, or GONE */
    Dial *dial;         /* while it is CONNECTING */
    uint32_t n_judged;  /* addresses of the dial of which the endpoints know what became of them */
    bool asks;          /* the lookup is to give the dial its addresses */
    bool spare;         /* nobody waits for it: it is to lead to this endpoint alone */
    bool opened;        /* the socket is, and on_closed will come */
    bool partial;       /* while it is FULL: counted in n_partial */
    bool old, pinged;
};

struct UpstreamTable {
    Loop *loop;
    Resolver *resolver; /* NULL once it closes */
    Upstream *first;
    bool closing;
    Upstream **by_number; /* of KnownInstance; NULL: not used by this loop yet */
    uint32_t n_numbers;
};

/* upstream.c: an attempt that was begun then failed. */
void upstream_failed(Upstream *upstream, int64_t begun, Result why);
/* A connection is there. */
void upstream_connected(Upstream *upstream);
/* Something changed: waits are looked at later in this turn. */
void upstream_look(Upstream *upstream);

/* Connecting links whose dials have no addresses get those of the name, once they are known. */
void upstream_resolve(Upstream *upstream);

/* upstream_link.c */
/* To any endpoint, or to this one alone. */
void link_connect(Upstream *upstream, Endpoint *spare);
/* Gives its dial the endpoints that it does not have yet. `more`: others may follow. */
void link_dial(Link *link, bool more);
void link_move(Link *link, LinkState state);
void link_drain(Link *link);
void link_end(Link *link, Result why);
/* Brings its state up to date with its engine. */
void link_settle(Link *link);

#endif
