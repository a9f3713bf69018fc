/*
 * AuthzRequest: what a policy server is asked: an envoy.service.auth.v3.CheckRequest.
 *
 * The fields of the head are written while the head is there, the rest when the server is asked.
 * Plain functions. Texts become UTF-8, since protobuf's readers refuse anything else.
 */
#ifndef GATEWAY_AUTHZ_REQUEST_H
#define GATEWAY_AUTHZ_REQUEST_H

#include "gateway/config/policy_server.h"
#include "gateway/identity/identity.h"
#include "protocols/http/http.h"

/* The client's request, during the event of its head. */
typedef struct AuthzHead {
    const HttpHead *head;
    Bytes path; /* with its query: as it is matched and sent on, not as the client has spelled it */
    Bytes authority;
    Bytes id; /* of the request */
    bool secure;
} AuthzHead;

/* All but the body of the attribute `http`. */
void authz_add_head(Buffer *out, const PolicyServer *server, const AuthzHead *head);

/* The rest. Texts may be NULL, and bytes empty, where nothing is known. */
typedef struct AuthzAttributes {
    const PolicyServer *server;
    Bytes http;                          /* by authz_add_head */
    Bytes body;                          /* the first bytes of it; data NULL: none is sent along */
    bool is_cut;                         /* there are more */
    Bytes source;                        /* the client's address: "192.0.2.1", "[::1]:80", "unix" */
    Bytes destination;                   /* of the listener: likewise, or "unix:/run/a.sock" */
    const CertificateNames *certificate; /* of the peer, verified; or NULL */
    const PolicyContext *context;
    uint32_t n_context;
    int64_t wall; /* nanoseconds since 1970: when the request began */
    /* What the gateway knows of the call, as metadata "passerelle": */
    const Identity *identity;
    const char *service, *version, *method, *route;
} AuthzAttributes;

void authz_add_request(Buffer *out, const AuthzAttributes *attributes);

#endif
