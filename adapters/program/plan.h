/*
 * Plan: a Mapping compiled for one pair of codecs: a program that reads a message of the client's
 * version and writes the instance's in one pass (or the other way round).
 *
 * Compiled when the config is loaded; immutable; run by any thread. A run allocates from the call's
 * arena only, costs a bounded amount, and never touches a socket, a clock or global state.
 */
#ifndef ADAPTERS_PLAN_H
#define ADAPTERS_PLAN_H

#include "adapters/mapping/mapping.h"
#include "base/call.h"

typedef struct Plan Plan;
typedef struct PlanCache PlanCache;

/*
 * Where plans share what they have in common: a message type that many methods use, and everything
 * that may be inside an Any, are then compiled once. Lives in the arena, which must be that of the
 * plans; used by the thread that compiles. NULL at the arena's limit.
 */
PlanCache *plan_cache_new(Arena *arena);

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
    bool proto_names;       /* JSON out: "customer_id" instead of "customerId" */
    const char *only_field; /* JSON out: write just this field's value (response_body); NULL: all */
    const MappingSet *types;        /* for Any: all types that may be inside; may be NULL */
    const MappingSet *common_types; /* for Any: types that are the same in every version, for where
                                       `types` has none of that name; may be NULL */
    uint32_t max_depth;             /* nesting; 0: 100 */
    uint32_t max_elements; /* list elements, map entries and members in one message; 0: 1,000,000 */
    bool walk_all;    /* wire to wire: read equal sub-messages too, instead of copying their bytes
                         (what is in them, unknown fields too, then travels along unread) */
    bool canonical;   /* wire to wire, with walk_all: write as a serializer would, whatever the
                         sender's   spelling was: each field once, in order, packed as declared, no
                         needless zeros */
    PlanCache *cache; /* or NULL */
} PlanOptions;

MUST_USE Result plan_compile(Arena *arena, const Mapping *mapping, const PlanOptions *options,
                             const Plan **plan_out);

/* The plan of a google.protobuf.Any by itself, such as error details are. `common_types` has the
 * Any. */
MUST_USE Result plan_compile_any(Arena *arena, const PlanOptions *options, const Plan **plan_out);

/* A value that is not in the body: from the path or the query of a REST request. */
typedef struct PlanParameter {
    Bytes field_path; /* "order.id": either spelling */
    Bytes text;       /* decoded; "true", "42", "QUEUED", base64 ... by the field's type */
} PlanParameter;

/* One message to convert. Zero what is not needed. */
typedef struct PlanInput {
    Bytes bytes;
    Bytes body_field; /* JSON in: the bytes are the value of this field (google.api.http body);
                         empty: of all */
    bool no_body;     /* JSON in: there is no body at all, only parameters */
    const PlanParameter *parameters;
    uint32_t n_parameters;
} PlanInput;

/* What happened on the way. */
typedef struct PlanRun {
    void (*on_loss)(void *owner, const Loss *loss); /* for each that did happen; may be NULL */
    void *owner;
    uint32_t n_losses;
    uint32_t n_unknown; /* unknown fields dropped */
} PlanRun;

/*
 * Converts one message. `out` gets the result appended; it may borrow nothing from the input.
 * Faults (of the message's sender): BAD_JSON, BAD_MESSAGE, BAD_VALUE, UNKNOWN_FIELD,
 * FIELD_REQUIRED, CANNOT_CONVERT, TOO_DEEP, MESSAGE_TOO_LARGE (elements), OUT_OF_MEMORY, with the
 * field's path in the sender's names: "items[2].price".
 */
MUST_USE Result plan_run(const Plan *plan, const PlanInput *input, Arena *arena, Buffer *out,
                         PlanRun *run);

/* True when running it would copy the bytes: same codec, same meaning. */
bool plan_is_copy(const Plan *plan);

/* The program as text, one operation a line, for `passerelle explain --plan` and golden tests. */
void plan_print(const Plan *plan, Buffer *out);

#endif
