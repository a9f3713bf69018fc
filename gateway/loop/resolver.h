/*
 * Resolver: host names to IP addresses, by /etc/hosts and DNS, without blocking the loop (c-ares).
 *
 * IPv6 and IPv4 addresses are queried at the same time. The first event comes with the IPv6
 * addresses; or, if there are only IPv4 addresses, RESOLVER_DELAY after these (RFC 8305 section 3).
 * Later addresses come in a second event.
 *
 * Relative names are completed by the search domains of /etc/resolv.conf; both families of a name
 * come from the same domain. /etc/resolv.conf is read again after it was changed, /etc/hosts at
 * each lookup. Other sources of nsswitch.conf are not used.
 *
 * One per loop, its thread only. It holds no descriptor while no lookup is running.
 */
#ifndef GATEWAY_RESOLVER_H
#define GATEWAY_RESOLVER_H

#include "base/net/ip.h"
#include "gateway/config/config.h"
#include "gateway/loop/loop.h"

typedef struct Resolver Resolver;
typedef struct Lookup Lookup;
typedef struct Question Question; /* resolver.c */
typedef struct RecordQuery RecordQuery;
typedef struct RecordAnswer RecordAnswer; /* resolver.c */

#define RESOLVER_DELAY (50 * MILLISECOND)
#define RESOLVER_TTL_LEAST (1 * SECOND) /* also for /etc/hosts */
#define RESOLVER_TTL_MOST (3600 * SECOND)

enum { RESOLVER_MOST = 64 }; /* addresses of a name; more are ignored */

typedef struct Resolved {
    const IpAddress *addresses; /* IPv6 first, each family in the order of the response */
    uint32_t n;                 /* 0: according to the name servers there are none */
    int64_t until;              /* monotonic nanoseconds: when they expire */
    bool more;                  /* another event follows, with these and later ones */
} Resolved;

/* One lookup, embedded in its owner. All zeros except on_resolved: not running. */
struct Lookup {
    /* Called from the loop, never from within lookup_begin: with addresses, or at last with the
       failure: SYSTEM. `resolved` is NULL if the name servers gave no result. The arguments are
       valid during the call. The callback may begin the lookup again if no event follows. */
    void (*on_resolved)(Lookup *lookup, const Resolved *resolved, Result why);
    Question *question; /* private; NULL: not running */
};

/* Never NULL. Opens and reads nothing yet. */
Resolver *resolver_new(Loop *loop);

/* The settings for lookups from now on; copied. Running lookups are restarted if the servers
   differ. */
void resolver_use(Resolver *resolver, const DnsConfig *dns);

/* Before loop_deinit. Running lookups get no further event. NULL is allowed. */
void resolver_free(Resolver *resolver);

/* The name must not be an IP address. It is copied. `lookup` must not be running. */
void lookup_begin(Resolver *resolver, Lookup *lookup, const char *name);

/* No further event. Does nothing if the lookup is not running. */
void lookup_cancel(Lookup *lookup);

/* ---- Records --------------------------------------------------------------------------------- */

/* One query for records of any type, of DNS only and for the full name: without search domains and
   /etc/hosts. Embedded in its owner. All zeros except on_records: not running. */
struct RecordQuery {
    /* Called once from the loop, never from within records_begin, with the response as it came, in
       DNS's format. It is empty if there is no such name, or it has no such records. Failure:
       SYSTEM, if the name servers failed or did not respond. The arguments are valid during the
       call, which may begin the query again. */
    void (*on_records)(RecordQuery *query, Bytes response, Result why);
    RecordAnswer *answer; /* private; NULL: not running */
};

/* `type`: of RFC 1035 and its successors. The name is copied. `query` must not be running. */
void records_begin(Resolver *resolver, RecordQuery *query, const char *name, uint16_t type);

/* No event follows. Does nothing if the query is not running. */
void records_cancel(RecordQuery *query);

/* ---------------------------------------------------------------------------------------------- */

static inline bool lookup_running(const Lookup *lookup)
{
    return lookup->question != NULL;
}

#endif
