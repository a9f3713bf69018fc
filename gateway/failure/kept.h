/*
 * Kept: which responses are kept for calls that fail, and by what they are found.
 *
 * A response belongs to a request of a client: the same bytes of the same method and versions, to
 * the same host, from the same Origin, with the same identity (name, tenant, class, claims),
 * Authorization and Cookie. Without a name and credentials that say something a client cannot be
 * told from others: then nothing is kept, unless the route says that its responses are public. What
 * is hashed into the key are the schemas and change lists, too, so that a config with others finds
 * nothing.
 *
 * RFC 9111 is obeyed in what it forbids, in the head and, since gRPC services say it there, in the
 * trailers: a response (or request) with `no-store` is not kept, nor a response that must not be
 * given when it is stale; one with `private` only for a client of its own, and one that varies by
 * other fields not at all.
 */
#ifndef GATEWAY_KEPT_H
#define GATEWAY_KEPT_H

#include "gateway/cache/response_key.h"
#include "gateway/call/exchange.h"

/* Where the responses to a call are kept. */
typedef struct KeptPlace {
    ResponseKey key;
    bool has_client; /* it belongs to one client */
    bool no_store;   /* says the request: nothing is kept or given, but what is there may go */
} KeptPlace;

/* False: there is none, since nothing tells the client from others. */
bool kept_place(const FallbackCall *call, const KeySeed *seed, KeptPlace *place_out);

/* Whether a response with these fields in its head and trailers may be kept there. */
bool kept_may_be(const KeptPlace *place, const Fields *head, const Fields *trailers);

#endif
