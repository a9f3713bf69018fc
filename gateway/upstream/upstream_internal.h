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
 */
#ifndef GATEWAY_UPSTREAM_INTERNAL_H
#define GATEWAY_UPSTREAM_INTERNAL_H

#include "gateway/instances/reach.h"
#include "gateway/loop/pump.h"
#include "gateway/upstream/upstream.h"

typedef struct Link Link;

typedef enum LinkState {
    LINK_CONNECTING,
    LINK_READY,
    LINK_FULL,
    LINK_LEAVING,
    LINK_GONE,
    LINK_STATES,
} LinkState;

/* The settings, defaults filled in. */
typedef struct UpstreamLimits {
    int64_t connect_time, idle_time, ping_time, send_time;
    uint32_t connections;
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

    Link *links[LINK_STATES];
    uint32_t n_links[LINK_STATES];
    uint32_t turn; /* which of a name's addresses is tried first */

    UpstreamWait *waits, **waits_end;
    uint32_t n_waits;
    LoopWork serve;

    Reach reach;
    Arena *failure_arena;
    Result failure;
    Timer timer; /* the oldest wait's patience, the end of a backoff */
};

struct Link {
    Pump pump; /* `http` is NULL until there is a stream of bytes */
    Upstream *upstream;
    Link *next, **at; /* in upstream->links[state] */
    LinkState state;
    int64_t since; /* connecting, or without calls, since then */
    int64_t heard; /* last sign of life */
    uv_getaddrinfo_t resolve;
    struct addrinfo *addresses, *next_address;
    bool resolving, opened; /* `opened`: the socket is, and on_closed will come */
    bool pinged;
};

struct UpstreamTable {
    Loop *loop;
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

/* upstream_link.c */
void link_connect(Upstream *upstream);
void link_move(Link *link, LinkState state);
void link_drain(Link *link);
void link_end(Link *link, Result why);
/* Brings its state up to date with its engine. */
void link_settle(Link *link);

#endif
