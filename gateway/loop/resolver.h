/*
 * Resolver: host names to IP addresses, by /etc/hosts and DNS, without blocking the loop (c-ares).
 *
 * IPv6 and IPv4 addresses are asked for at the same time. The first tell comes when IPv6 addresses
 * are there, or IPv4 addresses and RESOLVER_DELAY later still no IPv6 ones (RFC 8305 section 3);
 * what comes later is told as well.
 *
 * Relative names are completed by the search domains of /etc/resolv.conf; both families of a name
 * come from the same domain. /etc/resolv.conf is read again after it was changed, /etc/hosts with
 * each lookup. Other sources of nsswitch.conf are not asked.
 *
 * One per loop, its thread only. It holds no descriptor while no lookup is under way.
 */
#ifndef GATEWAY_RESOLVER_H
#define GATEWAY_RESOLVER_H

#include "base/net/ip.h"
#include "gateway/config/config.h"
#include "gateway/loop/loop.h"

typedef struct Resolver Resolver;
typedef struct Lookup Lookup;
typedef struct Question Question; /* resolver.c */

#define RESOLVER_DELAY (50 * MILLISECOND)
#define RESOLVER_TTL_LEAST (1 * SECOND) /* also of what /etc/hosts says */
#define RESOLVER_TTL_MOST (3600 * SECOND)

enum { RESOLVER_MOST = 64 }; /* addresses of a name; the rest of a longer answer is left out */

typedef struct Resolved {
    const IpAddress *addresses; /* IPv6 first, each family in the order of the answer */
    uint32_t n;                 /* 0: the name servers say that there are none */
    int64_t until;              /* monotonic nanoseconds: from then on they are out of date */
    bool more;                  /* another tell follows: with these, and with what came later */
} Resolved;

/* One lookup, embedded in its owner. All zeros but for on_resolved: not under way. */
struct Lookup {
    /* From the loop only, never from within lookup_begin. With addresses; or, once and last, with
       the reason why there are none: SYSTEM. `resolved` is NULL when the name servers could not
       say. All is valid during the call, which may begin the lookup again once there is no more. */
    void (*on_resolved)(Lookup *lookup, const Resolved *resolved, Result why);
    Question *question; /* private; NULL: not under way */
};

/* Never NULL; opens and reads nothing yet. */
Resolver *resolver_new(Loop *loop);

/* The settings for lookups from now on; a copy is made. Those under way are asked anew when the
   servers are others. */
void resolver_use(Resolver *resolver, const DnsConfig *dns);

/* Before loop_deinit. Lookups that are under way hear nothing any more. NULL is fine. */
void resolver_free(Resolver *resolver);

/* The name must not be an IP address. It is copied. `lookup` is not under way. */
void lookup_begin(Resolver *resolver, Lookup *lookup, const char *name);

/* It hears nothing any more. Fine when it is not under way. */
void lookup_cancel(Lookup *lookup);

static inline bool lookup_running(const Lookup *lookup)
{
    return lookup->question != NULL;
}

#endif
