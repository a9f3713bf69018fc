/*
 * Forwarding: the request fields about proxies on the way, as received and as sent on.
 *
 * Any client can send `X-Forwarded-For`, and services trust it. So forwarding fields are removed
 * from a request before anything else reads it, and are written again when it is sent on. Values
 * from a trusted proxy are kept and extended, all others are dropped. Names that a CGI or WSGI
 * service cannot distinguish from these (`X_Forwarded_For`) are always dropped.
 *
 * Plain values in the call's arena; pure functions.
 */
#ifndef GATEWAY_FORWARDING_H
#define GATEWAY_FORWARDING_H

#include "base/net/trusted_peers.h"
#include "base/random.h"
#include "gateway/config/baggage_config.h"
#include "protocols/http/http.h"

typedef struct Forwarding {
    const char *self; /* this gateway's HopName; borrowed */
    const char *peer; /* the peer of the connection: "192.0.2.1:52314", "[::1]:443", "unix";
                         borrowed from the connection */
    bool secure;      /* TLS */
    bool trusted;     /* the peer is a trusted proxy: only then the five texts below are set */
    bool passed_us;   /* of any peer: this gateway is one of the hops; */
    uint8_t baggage;  /* BaggageRead, of any peer */
    uint32_t hops;    /* and so many of them are Passerelle gateways */
    Bytes forwarded_for, forwarded_host, forwarded_proto; /* as received, lists joined by ", " */
    Bytes forwarded;                                      /* RFC 7239 */
    Bytes request_id;                                     /* well-formed */
    /* From any peer: */
    Bytes via, passed; /* the names of hops: in Via, and in passerelle-hops */
    Bytes attempts;    /* grpc-previous-rpc-attempts: whoever invents some has fewer retries */
} Forwarding;

/* What has come of the field `baggage`. */
typedef enum BaggageRead {
    BAGGAGE_NONE,
    BAGGAGE_WHOLE,
    BAGGAGE_CUT, /* there was too much of it */
} BaggageRead;

/* The name of a gateway in Via and passerelle-hops: "passerelle-" and 16 random hex digits, with a
   NUL. */
enum { HOP_NAME_SIZE = 27 };
typedef struct HopName {
    char text[HOP_NAME_SIZE + 1];
} HopName;

/* Created once per process, so that all its loops are one gateway. */
HopName hop_name_new(Random *random);

/* The kind of request that is sent on. */
typedef enum ForwardingKind {
    FORWARDING_HTTP, /* an opaque route: has Via */
    FORWARDING_RPC,  /* to an instance of a version: has `passerelle-hops` */
} ForwardingKind;

/*
 * Reads the forwarding fields into `arena`; all others go to `rest_out` (borrowed, in their order),
 * a list in `of_rest`. The caller has set self, peer, secure and trusted. `identity` (ends with
 * NULL; may be NULL) names the fields about the client's identity: they are dropped, too, unless
 * the peer is trusted. `baggage` says how much of it there may be. Fault: OUT_OF_MEMORY.
 */
MUST_USE Result forwarding_read(Forwarding *forwarding, const Fields *fields,
                                const char *const *identity, const BaggageConfig *baggage,
                                Arena *arena, Arena *of_rest, Fields *rest_out);

/* Fault: LOOP_DETECTED, if the request has passed this gateway before, or `most` gateways. */
MUST_USE Result forwarding_check(const Forwarding *forwarding, uint32_t most, Arena *arena);

/* Adds the forwarding fields for the next hop, including this one. `authority` is that of the
   request; `minor` is of its HTTP version. All is borrowed. At the arena's limit `fields` is marked
   as full. */
void forwarding_write(const Forwarding *forwarding, ForwardingKind kind, Bytes authority,
                      uint8_t minor, Bytes request_id, Fields *fields);

/* The client's address as text: the last one in X-Forwarded-For that is not itself a trusted proxy,
   or the peer's. Borrowed; "unix" if there is none. */
Bytes forwarding_client(const Forwarding *forwarding, const TrustedPeers *trusted);

/* 1 to 128 characters that need no quotes anywhere: letters, digits and "._:/+=-". */
bool request_id_is_good(Bytes id);

#endif
