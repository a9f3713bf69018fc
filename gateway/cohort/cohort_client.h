/*
 * CohortClient: who the client of a call is, for rollouts: its identity, or what `cohort` of the
 * config names instead.
 */
#ifndef GATEWAY_COHORT_CLIENT_H
#define GATEWAY_COHORT_CLIENT_H

#include "gateway/config/config.h"
#include "gateway/identity/identity.h"

typedef struct CohortClient {
    Bytes name;     /* for pilots; empty: nothing tells the client apart */
    Bytes recorded; /* the same as it may be recorded: the name, or its keyed hash */
} CohortClient;

extern const CohortClient cohort_nobody;

/* What a call comes with. */
typedef struct CohortEvidence {
    const Config *config;
    const Identity *identity;
    Bytes recorded;     /* of the identity: identity_shown */
    const Fields *head; /* NULL: the peer is no trusted proxy */
    Bytes field;        /* of the request's message: of CohortSource.field; empty: none */
} CohortEvidence;

/* Borrows from the evidence; a keyed hash is in the arena. Nobody, where the arena is full. */
CohortClient cohort_client_find(const CohortSource *source, const CohortEvidence *evidence,
                                Arena *arena);

#endif
