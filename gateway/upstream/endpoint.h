/*
 * Endpoint: one of the addresses that an instance's name stands for, and the links to it.
 *
 * An address that is written as a number, or a unix socket, is an instance's only endpoint. A name
 * has those of its last answer, and others for as long as links to them live. Those that could not
 * be connected to are avoided for a while where there are others.
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
    IpAddress ip;      /* not known: the unix socket */
    bool named;        /* by the newest answer */
    uint32_t n_links;  /* those that are connected, and those that connect to it first */
    uint32_t n_full;   /* HTTP/1.1: calls at work */
    uint64_t used;     /* when it was chosen last: counted in choices */
    uint32_t failures; /* attempts in a row */
    int64_t avoid_until;
    Link *ready; /* those with room; the one that was used last comes first */
};

/* NULL: there is none of this address. */
Endpoint *endpoint_find(Endpoint *first, const IpAddress *ip);

/* The same; one that is not there is added, and is not named. */
Endpoint *endpoint_get(Endpoint **first, const IpAddress *ip);

/* None is named any more. */
void endpoints_forget(Endpoint *first);

/* Names these, adds those that are new, beginning with the one at `start`, modulo `n`, so that each
   loop begins with another, and frees those that are neither named nor linked. */
void endpoints_name(Endpoint **first, const IpAddress *addresses, uint32_t n, uint32_t start);

void endpoints_free(Endpoint **first);

bool endpoints_any_named(const Endpoint *first);

/* It could not be connected to, or another was faster. */
void endpoint_failed(Endpoint *endpoint, int64_t now);
void endpoint_connected(Endpoint *endpoint);

/* Nothing leads to it, and something should. */
bool endpoint_is_missed(const Endpoint *endpoint, int64_t now);

/*
 * In which order to connect to those that are named, at most `most` of them: one with the fewest
 * links, then by turns of the other family and its own (RFC 8305 section 4), again those with the
 * fewest links first; those to be avoided last. Returns how many they are.
 */
uint32_t endpoints_order(const Endpoint *first, int64_t now, IpAddress *order, uint32_t most);

#endif
