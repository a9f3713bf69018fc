/*
 * Forwarding: what a request says of the way that it came, and what it says of it when it goes on.
 *
 * Anybody can write `X-Forwarded-For`, and services believe it. So the fields that speak for
 * somebody else are taken out of a request before anything else looks at it, and written anew when
 * it goes on: what a trusted proxy said is kept and continued, what anybody else said is gone.
 * Names that a CGI or WSGI service cannot tell from these
 * (`X_Forwarded_For`) are dropped whoever sent them.
 *
 * Plain values in the call's arena; pure functions.
 */
#ifndef GATEWAY_FORWARDING_H
#define GATEWAY_FORWARDING_H

#include "base/net/trusted_peers.h"
#include "base/random.h"
#include "protocols/http/http.h"

typedef struct Forwarding {
    const char *self; /* this gateway's HopName; borrowed */
    const char *peer; /* who brought the request: "192.0.2.1:52314", "[::1]:443", "unix"; borrowed
                         from the connection */
    bool secure;      /* by TLS */
    bool trusted;     /* the peer is a trusted proxy: only then are the following there */
    Bytes forwarded_for, forwarded_host, forwarded_proto; /* as it said, lists joined by ", " */
    Bytes forwarded;                                      /* RFC 7239 */
    Bytes request_id;                                     /* well-formed */
    /* Whoever the peer is: */
    Bytes via,
        passed;     /* the names of hops: in Via, and in the field that other kinds of calls have */
    uint32_t hops;  /* gateways like this one among them */
    bool passed_us; /* this gateway is one of them */
} Forwarding;

/* The name of a gateway in Via and its like: "passerelle-" and 16 hex digits that nobody else has;
   a NUL behind. */
enum { HOP_NAME_SIZE = 27 };
typedef struct HopName {
    char text[HOP_NAME_SIZE + 1];
} HopName;

/* Drawn once for a process, so that all its loops are one gateway. */
HopName hop_name_new(Random *random);

/* How a request goes on. */
typedef enum ForwardingKind {
    FORWARDING_HTTP, /* an opaque route: by Via */
    FORWARDING_RPC,  /* to an instance of a version: by `passerelle-hops` */
} ForwardingKind;

/*
 * Reads the fields, and gives in `rest_out` all that are about something else (borrowed, in their
 * order). `forwarding` has self, peer, secure and trusted. `identity_header` (may be NULL) names
 * the client: dropped too unless the peer is trusted. Fault: OUT_OF_MEMORY.
 */
MUST_USE Result forwarding_read(Forwarding *forwarding, const Fields *fields,
                                const char *identity_header, Arena *arena, Fields *rest_out);

/* Fault: LOOP_DETECTED, when it has passed this gateway before, or `most` gateways. */
MUST_USE Result forwarding_check(const Forwarding *forwarding, uint32_t most, Arena *arena);

/* Adds what the next one is told, this hop included. `authority` is the one that was asked for;
   `minor` is that of the request's HTTP version. All is borrowed. At the arena's limit `fields` say
   that they are full. */
void forwarding_write(const Forwarding *forwarding, ForwardingKind kind, Bytes authority,
                      uint8_t minor, Bytes request_id, Fields *fields);

/* The client's address as text: the last one in X-Forwarded-For that is not itself a trusted proxy,
   or the peer's. Borrowed; "unix" where there is none. */
Bytes forwarding_client(const Forwarding *forwarding, const TrustedPeers *trusted);

/* 1 to 128 characters that need no quotes anywhere: letters, digits and "._:/+=-". */
bool request_id_is_good(Bytes id);

#endif
