/*
 * Negotiation: determines the version of a service that the client speaks, and the rule that
 * decided.
 *
 * The rules are tried in the service's order, and the first that finds a version decides (the RPC
 * path's package, the URL, a header, media types, the client's pin, the default). An unknown
 * version is an error that lists the supported ones, never a guess.
 *
 * The first four rules read the request. If several of them find a version, there must be one that
 * all allow; from a range or a list, the deciding rule takes the best of these. Else the request
 * contradicts itself, which is an error unless the service has on_conflict: first.
 *
 * The header (API-Version unless the service has another) contains a version ("v2", "2"), a list
 * with weights ("v3;q=1, v2;q=0.5"), a range (">=v1 <v3", "v1..v3") or a date ("2026-03-01"). A
 * range means the newest version in it, a date the newest version released by then.
 *
 * Pure functions over the config; any thread.
 */
#ifndef GATEWAY_NEGOTIATE_H
#define GATEWAY_NEGOTIATE_H

#include "gateway/config/config.h"

/* The inputs of a negotiation. */
typedef struct VersionQuestion {
    const Service *service;
    const Version
        *by_path; /* the only version with this RPC path; NULL: several have it, or no RPC path */
    const Version *by_prefix; /* the only version with this REST template; NULL likewise */
    const Fields *head;
    Bytes identity; /* of the client, or empty */
    Bytes client;   /* as brown-outs know it: its identity, or else its address */
    int64_t wall;   /* nanoseconds, for sunset */
} VersionQuestion;

typedef struct Negotiation {
    const Version *client; /* of the request's messages */
    const Version *reply;  /* of the response's: the same unless Accept has another */
    VersionRule rule;      /* the rule that decided `client`; RULE_COUNT: none found a version */
    uint32_t retry_after;  /* of VERSION_BROWNOUT: seconds until it is over; else 0 */
} Negotiation;

/* Faults: UNKNOWN_VERSION, VERSION_CONFLICT (`rule` is the last one tried), VERSION_SUNSET and
   VERSION_BROWNOUT (all is filled in). */
MUST_USE Result negotiate(const VersionQuestion *question, Arena *arena,
                          Negotiation *negotiation_out);

const char *version_rule_name(VersionRule rule); /* "header" */

#endif
