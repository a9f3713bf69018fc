/*
 * Plan: a Mapping compiled for one pair of codecs: a program that reads a message of the client's
 * version and writes one of the instance's version in one pass (or in reverse).
 *
 * Made by plan_compile (compile/plan_compile.h) when a config is loaded, used by plan_run
 * (run/plan_run.h). Immutable: any thread may read it. Lives in the arena of its compilation.
 */
#ifndef ADAPTERS_PLAN_H
#define ADAPTERS_PLAN_H

#include "adapters/mapping/mapping.h"
#include "base/call.h"

typedef struct Plan Plan;
typedef struct PlanCache PlanCache; /* of the compiler */

typedef enum UnknownFields {
    UNKNOWN_REFUSE, /* FAULT_UNKNOWN_FIELD, naming it and the nearest known one */
    UNKNOWN_COUNT,  /* dropped, counted in the run */
    UNKNOWN_KEEP,   /* wire to wire: kept as they are; otherwise as COUNT */
} UnknownFields;

typedef struct PlanOptions {
    Codec from, to;
    UnknownFields unknown;
    bool enums_as_numbers;  /* JSON out */
    bool emit_defaults;     /* JSON out: fields without presence are written also when zero */
    bool emit_nulls;        /* JSON out: unset messages are null (field_emits_null) */
    bool proto_names;       /* JSON out: "customer_id" instead of "customerId" */
    const char *only_field; /* JSON out: write just this field's value (response_body); NULL: all */
    const MappingSet *types;        /* for Any: all types that may be inside; may be NULL */
    const MappingSet *common_types; /* for Any: types that are the same in every version, for where
                                       `types` has none of that name; may be NULL */
    uint32_t max_depth;             /* nesting; 0: 100 */
    uint32_t max_elements; /* list elements, map entries and members in one message; 0: 1,000,000 */
    bool walk_all;    /* wire to wire: read equal sub-messages too, instead of copying their bytes
                         (copied bytes keep their content unread, also unknown fields) */
    bool canonical;   /* wire to wire, with walk_all: write as a serializer would, regardless of the
                         sender's encoding: each field once, in order, packed as declared, no   needless
                         zeros */
    PlanCache *cache; /* shared by plans; or NULL */
} PlanOptions;

/* Whether running it only copies the bytes: same codec, same meaning. */
bool plan_is_copy(const Plan *plan);

/*
 * How much longer than usual a byte of its messages may take, at worst: 1 << cost times. A usual
 * byte takes PLAN_USUAL_NS nanoseconds at most. From the types alone: see compile_cost.c.
 */
enum { PLAN_USUAL_NS = 12, PLAN_HIGHEST_COST = 8 };
uint8_t plan_cost(const Plan *plan);

/* The program as text, one operation a line, for `passerelle explain --plan` and golden tests. */
void plan_print(const Plan *plan, Buffer *out);

#endif
