/*
 * Endpoint: one of the addresses that an instance's host name resolves to, and the links to it.
 *
 * A numeric address or a unix socket is an instance's only endpoint. A host name has the endpoints
 * of its latest lookup, and older ones while links to them live. Endpoints that could not be
 * connected to are avoided for a while, if there are others.
 *
 * Owned by an Upstream; its loop's thread only. For upstream*.c and their tests.
 */
#ifndef GATEWAY_ENDPOINT_H
#define GATEWAY_ENDPOINT_H

#include "base/net/ip.h"

typedef struct Link Link;
typedef struct Endpoint Endpoint;

struct Endpoint {
    Endpoint *next;
    IpAddress ip;      /* unknown: the unix socket */
    bool named;        /* the latest lookup has it */
    bool mixed;        /* HTTP/2: urgent calls share its links with others, and should not */
    uint32_t n_links;  /* connected ones, and connecting ones that try it first */
    uint32_t n_full;   /* HTTP/1.1: running calls */
    uint64_t used;     /* when it was last chosen, as a number of choices */
    uint32_t failures; /* attempts in a row */
    int64_t avoid_until;
    Link *ready; /* those with capacity; the most recently used one first */
};

/* NULL: no endpoint has this address. */
Endpoint *endpoint_find(Endpoint *first, const IpAddress *ip);

/* The same; a missing endpoint is added, and is not named. */
Endpoint *endpoint_get(Endpoint **first, const IpAddress *ip);

/* Marks all as not named. */
void endpoints_forget(Endpoint *first);

/* Marks these as named, adds new ones, and frees those that are neither named nor linked. Starts
   with the address at `start`, modulo `n`, so that each loop starts with a different one. */
void endpoints_name(Endpoint **first, const IpAddress *addresses, uint32_t n, uint32_t start);

void endpoints_free(Endpoint **first);

bool endpoints_any_named(const Endpoint *first);

/* Connecting to it failed, or another endpoint was connected first. */
void endpoint_failed(Endpoint *endpoint, int64_t now);
void endpoint_connected(Endpoint *endpoint);

/* It has no link, and should have one; or one more. */
bool endpoint_is_missed(const Endpoint *endpoint, int64_t now);

/*
 * The order in which to connect to the named endpoints, at most `most` of them: first one with the
 * fewest links, then alternately of the other address family and its own (RFC 8305 section 4),
 * those with the fewest links first; avoided ones last. Returns their number.
 */
uint32_t endpoints_order(const Endpoint *first, int64_t now, IpAddress *order, uint32_t most);

#endif
