/* What both forms of an explanation need. */
#ifndef GATEWAY_EXPLAIN_INTERNAL_H
#define GATEWAY_EXPLAIN_INTERNAL_H

#include "gateway/policy/policy.h"
#include "gateway/report/explain.h"

/* Something that may happen to the first attempt, and what the data plane would do. */
typedef struct ExplainFailure {
    const char *what; /* "an instance cannot be reached" */
    const char
        *where; /* of a retry: "at another instance"; of a fallback: "to stale"; else empty */
    PolicyVerdict verdict;
} ExplainFailure;

enum { EXPLAIN_FAILURES = 6 };

/* Fills in at most EXPLAIN_FAILURES; returns the number. */
uint32_t explain_failures(const ExplainRequest *request, const Explained *found,
                          ExplainFailure *failures);

/* Whether a slow attempt would get another one beside it. */
bool explain_hedges(const Explained *found);

const char *explain_protocol_name(UpstreamProtocol protocol);

/* The codec of the client's messages, by its header fields. */
Codec explain_client_codec(const ExplainRequest *request, const Explained *found);

/* The mapping of a method's requests from one version to another, or of its responses, and its set;
   NULL: there is none, as between a version and itself. */
const Mapping *explain_mapping(const Version *from, const Version *to, const MethodType *method,
                               bool response, const MappingSet **set_out);

/* The service that is called; NULL: the gateway answers by itself. */
const Service *explain_service(const Explained *found);

/* Its bound of calls in flight; NULL: it has none. `service` may be NULL. */
const ConcurrencyConfig *explain_limit(const Service *service);

/* Whether the instance serves one of these versions (a bit each; 0: all). */
bool explain_serves(const Instance *instance, uint64_t versions);

/* explain_balance.c: among which instances the call is chosen, while all of them are up. */
typedef struct ExplainBalance {
    const CellPolicy *cells;  /* NULL: cells do not matter for it */
    uint32_t n_near, n_far;   /* instances that may serve it, in the own cell and in others */
    const Affinity *affinity; /* NULL: instances are not asked */
    Bytes value; /* what the request has for it; empty: nothing, or it is in the message */
    const Instance *owner; /* to which calls with this value go; NULL: by load */
} ExplainBalance;
ExplainBalance explain_balance(const ExplainRequest *request, const Explained *found, Arena *arena);
const char *explain_affinity_name(AffinityBy by);

/* explain_identity.c: what is given of the client, and the rest as trusted proxies say it. */
Identity explain_identity(const Config *config, const ExplainRequest *request, Arena *arena);

/* explain_limits.c: the limits that it meets, or nothing; and as a member of an object. */
void explain_limits_text(const Explained *found, Buffer *out);
void explain_limits_json(const Explained *found, Buffer *out);
/* explain_rollout.c: what a rollout has to do with the call, whose route was found. */
ExplainArm explain_arm(const ExplainRequest *request, const Explained *found, Arena *arena);
void explain_arm_text(const Explained *found, Buffer *out);
void explain_arm_json(const Explained *found, Buffer *out);

/* explain_job.c: who serves a call that begins a job; what else a method has to do with jobs,
   before its instances are told, or nothing; and all of it as a member of an object. */
void explain_job_text(const JobDefinition *job, Buffer *out);
void explain_job_use_text(const JobMethod *use, Buffer *out);
void explain_job_json(const JobMethod *use, Buffer *out);

#endif
