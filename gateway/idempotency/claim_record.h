/*
 * ClaimRecord: what the store keeps of a call with an idempotency key, as bytes: the fingerprints
 * of its request, and its response, when there is one.
 *
 * The response is as the instance sent it: in the version that it serves, before any conversion. So
 * it can be given to clients of each version and dialect. Written as protobuf without a schema;
 * what a later gateway adds is skipped by this one.
 *
 * Pure; any thread.
 */
#ifndef GATEWAY_CLAIM_RECORD_H
#define GATEWAY_CLAIM_RECORD_H

#include "base/call.h"
#include "gateway/idempotency/claim_verdict.h"
#include "gateway/idempotency/fingerprint.h"

enum { CLAIM_PRINTS = 2 };

/* Of the request in one version. */
typedef struct ClaimPrint {
    Bytes version; /* its name */
    Fingerprint print;
} ClaimPrint;

typedef struct ClaimResponse {
    Bytes version;  /* that served it; empty: there is no response */
    bool too_large; /* nothing of it is kept but this */
    Codec codec;    /* of the message */
    Bytes message;  /* of a good response */
    Status status;  /* code, service_code, http_status, of_rest, message and details */
    Fields metadata, trailers;
    int64_t at; /* wall time in nanoseconds */
    /* Of the job that the call has begun: its name, the state that was told, and after how many
       seconds to look again. Empty: there is none. */
    Bytes job, job_state;
    uint32_t retry_after;
} ClaimResponse;

typedef struct ClaimRecord {
    ClaimPrint prints[CLAIM_PRINTS]; /* the client's version first */
    uint32_t n_prints;
    Bytes method; /* its path in the client's version; empty: an older gateway has recorded it */
    ClaimResponse response;
} ClaimRecord;

/* At the end of the buffer. */
void claim_record_write(const ClaimRecord *record, Buffer *out);

/* Borrows from `text`; lists are in the arena. Faults: STORE_DAMAGED, OUT_OF_MEMORY. */
MUST_USE Result claim_record_read(Bytes text, Arena *arena, ClaimRecord *record_out);

/* A request beside the recorded one: in its own version, the first of `asked`, or else in the
   newest one that both were read in. LIKENESS_UNKNOWN: there is none. */
RequestLikeness claim_record_compare(const ClaimRecord *record, const ClaimRecord *asked);

#endif
