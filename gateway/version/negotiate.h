/*
 * Negotiation: which version of a service the client speaks, and by which rule we know.
 *
 * The rules are tried in the service's order and the first that says something decides (the RPC
 * path's package, the URL, a header, media types, the client's pin, the default). What a client
 * says and we do not know is an error that lists what is supported, never a guess.
 *
 * The first four are the request's own words. Where several of them speak, they must leave a
 * version that all of them allow; of a range or a list the rule that decides takes the best of
 * these. Else the request contradicts itself, which is an error unless the service says
 * on_conflict: first.
 *
 * The header (API-Version unless the service says another) holds a version, a list with weights, a
 * range or a date: v2      2      v3;q=1, v2;q=0.5      >=v1 <v3      v1..v3      2026-03-01 A
 * range means the newest version in it, a date the newest version released not later.
 *
 * Pure functions over the config; any thread.
 */
#ifndef GATEWAY_NEGOTIATE_H
#define GATEWAY_NEGOTIATE_H

#include "gateway/config/config.h"

/* What is known of a call when its version is asked for. */
typedef struct VersionQuestion {
    const Service *service;
    const Version
        *by_path; /* the only version with this RPC path; NULL: several have it, or no RPC path */
    const Version *by_prefix; /* the only version with this REST template; NULL likewise */
    const Fields *head;
    Bytes identity; /* of the client, or empty */
    int64_t wall;   /* nanoseconds, for sunset */
} VersionQuestion;

typedef struct Negotiation {
    const Version *client; /* of the request's messages */
    const Version *reply;  /* of the answer's: the same unless Accept says another */
    VersionRule rule;      /* what decided `client` */
} Negotiation;

/* Faults: UNKNOWN_VERSION, VERSION_CONFLICT (`rule` is what was asked last), VERSION_SUNSET (all is
   filled in). */
MUST_USE Result negotiate(const VersionQuestion *question, Arena *arena,
                          Negotiation *negotiation_out);

const char *version_rule_name(VersionRule rule); /* "header" */

#endif
