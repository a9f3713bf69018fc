/*
 * UsageFields: which fields the requests of a method may set, or name in a
 * google.protobuf.FieldMask, with the number of each use; and what one request has of them.
 *
 * A field is known by its message and name, "Order.comment", wherever in the request it is. Each
 * request is read, none is left out. Made with a config, and never changed; any thread.
 */
#ifndef GATEWAY_USAGE_FIELDS_H
#define GATEWAY_USAGE_FIELDS_H

#include "adapters/run/plan_run.h"
#include "gateway/config/config.h"
#include "gateway/usage/usage_names.h"
#include "gateway/usage/usage_table.h"

typedef struct UsageFields UsageFields;

/* In the arena. `table` outlives it. */
const UsageFields *usage_fields_new(const Method *method, UsageNames *names, UsageTable *table,
                                    Arena *arena);

/* A message of a request, in the version of the method. */
typedef struct UsageRequest {
    const PlanInput *input; /* as a plan reads it */
    bool json;
    Bytes client; /* as it is recorded */
    int64_t wall;
} UsageRequest;

/* Counts each field once for the message, also where what is behind it is not valid. `arena` is for
   the moment. */
void usage_fields_see(const UsageFields *fields, const UsageRequest *request, Arena *arena);

#endif
