/*
 * Explain: what would become of a request, found by the same tables and rules that calls go by.
 *
 * Nothing is sent and no instance is looked at: who answers is said in the order in which instances
 * that are all well would be asked. For `passerelle explain`; any thread.
 */
#ifndef GATEWAY_EXPLAIN_H
#define GATEWAY_EXPLAIN_H

#include "gateway/config/config.h"
#include "gateway/identity/identity.h"
#include "gateway/version/negotiate.h"

enum { EXPLAIN_VERSIONS = 64 /* of one service, at most */ };

typedef struct ExplainRequest {
    Bytes verb, path; /* the path with its query, if any */
    Fields fields;    /* lower-case names */
    Bytes identity;   /* of the client, or empty; then that is its name, and this is known of it: */
    Bytes tenant, class;
    const Claim *claims; /* what is not given is taken from the fields, as trusted proxies say it */
    uint32_t n_claims;
    const char
        *by;   /* what has proved all that: explain_knows_proof; NULL: a trusted proxy says it */
    bool plan; /* print the plans too */
} ExplainRequest;

/* Of a rollout of the service. */
typedef struct ExplainArm {
    const RolloutDefinition *rollout; /* NULL: there is none; then all are NULL */
    Bytes client;                     /* in the rollout; empty: nothing tells it */
    const char *arm; /* "candidate", "baseline"; NULL: it is no part of the rollout, or only the
                        gateways know */
    const char *why;
} ExplainArm;

/* What was found until the end, or until the request was refused. All but `refused` belongs to the
   config. */
typedef struct Explained {
    const Config *config;
    Identity identity;          /* who the request says that the client is */
    Negotiation negotiation;    /* `client` NULL: not reached, or no version is asked for */
    const Method *method;       /* in the client's version; NULL: the path is passed through */
    const RestBinding *binding; /* its HTTP rule; NULL: an RPC */
    const Route *route;         /* NULL: refused before one was found */
    const Version *served[EXPLAIN_VERSIONS]; /* which may serve it, best first */
    uint32_t n_served;
    ExplainArm arm;
    bool by_gateway; /* a built-in service answers */
    Bytes allow;     /* OPTIONS: what the gateway itself answers it with; else empty */
    Result refused;  /* OK: it is not */
} Explained;

/* Whether it is a kind of proof (token, api_key, certificate, header), or has the name of a method.
 */
bool explain_knows_proof(const Config *config, const char *by);

/* The verb of a request for which none is said, by its path and fields: of a path of REST GET, or
   the first verb that it takes where it takes no GET; else POST. In the arena. */
Bytes explain_verb(const Config *config, const ExplainRequest *request, Arena *arena);

void explain(const Config *config, const ExplainRequest *request, Arena *arena,
             Explained *found_out);

/* For people. */
void explain_text(const ExplainRequest *request, const Explained *found, Buffer *out);

/* One JSON object; its members are in docs/commands.md. */
void explain_json(const ExplainRequest *request, const Explained *found, Buffer *out);

#endif
