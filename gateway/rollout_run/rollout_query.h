/*
 * RolloutQuery: which rollout an operator means, and what is told of a client, from the query of an
 * admin page. Pure.
 */
#ifndef GATEWAY_ROLLOUT_QUERY_H
#define GATEWAY_ROLLOUT_QUERY_H

#include "base/bytes.h"
#include "base/result.h"

typedef struct RolloutQuery {
    Bytes name;   /* of a rollout, or of its service */
    Bytes client; /* empty: none */
    Bytes metric;
    bool bad; /* what is told of the client: `value` above 0, or not said */
} RolloutQuery;

/* Reads "name=orders", "name=orders&client=ada&metric=complaints&value=1", of which each part may
   be there once. In the arena. Fault: BAD_VALUE. */
MUST_USE Result rollout_query_read(Bytes text, Arena *arena, RolloutQuery *query_out);

#endif
