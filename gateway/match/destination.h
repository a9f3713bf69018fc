/*
 * Destination: what the path of a request belongs to: a method, a service of the gateway itself, a
 * REST binding, or a route without a schema.
 *
 * Prefixes of routes are compared with the normal form of the path (http_path.h), which is also
 * what the instance gets, so that no spelling leads out of the prefix. Methods and REST bindings
 * are looked up by the exact path; another spelling of such a path matches nothing. Pure functions
 * over the config; any thread.
 */
#ifndef GATEWAY_DESTINATION_H
#define GATEWAY_DESTINATION_H

#include "gateway/builtin/builtin.h"
#include "gateway/identity/identity.h"
#include "protocols/http/http.h"
#include "protocols/rest/rest.h"

/* One of the four, or none. */
typedef struct Destination {
    const Method *method;
    const Builtin *builtin;
    const RestBinding *binding; /* of the oldest version with this path */
    const Route *route;
    bool is_rpc;     /* the request is an RPC, also if there is no such method */
    RestMatch match; /* of a binding; without one, the verbs that the path takes */
    Bytes path;      /* of a route: what is sent on, without the query */
} Destination;

/*
 * `path` is that of the head without its query. Faults: BAD_REQUEST, if the path is malformed, or
 * if a lenient server would read it as one of another route, of a method or of a binding;
 * OUT_OF_MEMORY.
 */
MUST_USE Result destination_find(const Config *config, const HttpHead *head, Bytes path,
                                 Arena *arena, Destination *out);

/*
 * The same, of what a POST with X-HTTP-Method-Override stands for, where the config has
 * `rest: {method_override: true}` and that is a request of REST: then *meant_out is the head that
 * is meant (method_override.h), in the arena; else it is `head`. Faults: also BAD_REQUEST, if the
 * field says no such method, where the path is one of REST.
 */
MUST_USE Result destination_find_meant(const Config *config, const HttpHead *head, Bytes path,
                                       Arena *arena, const HttpHead **meant_out, Destination *out);

/* What Allow says of a path of REST that takes other verbs, `match.allowed`: these, and OPTIONS,
   which the gateway answers with it. In the arena; empty: the path takes none. */
Bytes destination_allow(Bytes allowed, Arena *arena);

/* Those of the verbs that the client may know of: they lead to a method of some version that it may
   call, as pages of the catalog show them, or to what the gateway itself serves. In the arena;
   empty: none. Fault: OUT_OF_MEMORY. */
MUST_USE Result destination_allow_shown(const Config *config, Bytes path, Bytes allowed,
                                        const Identity *identity, Arena *arena, Bytes *shown_out);

/* METHOD_NOT_ALLOWED. */
MUST_USE Result destination_refuse_verb(Bytes path, Bytes allowed, Bytes verb, Arena *arena);

/* A request for which there is nothing. */
typedef struct MissingRequest {
    const Config *config;
    Bytes verb, path; /* without the query */
    int64_t wall;     /* nanoseconds */
} MissingRequest;

/* The error of a request whose destination is none of the four: UNKNOWN_METHOD, METHOD_NOT_ALLOWED
   or UNKNOWN_PATH. Where only the version in the path is unknown, it lists those that there are. */
MUST_USE Result destination_missing(const Destination *destination, const MissingRequest *request,
                                    Arena *arena);

#endif
