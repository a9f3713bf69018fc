/* What the tests of plans share: the schemas, and one message through one plan. */
#ifndef TESTS_UNIT_ADAPTERS_PLANS_H
#define TESTS_UNIT_ADAPTERS_PLANS_H

#include "adapters/compile/plan_compile.h"
#include "adapters/run/plan_run.h"
#include "tests/unit/check.h"

typedef struct Bench {
    Arena *arena; /* of schemas and plans */
    Arena *call;
    const Schema *kinds, *old;
    const MappingSet *kinds_set, *old_set;
} Bench;

static Bench bench;

static inline int plans_begin(void **state)
{
    bench.arena = arena_new(ARENA_UNLIMITED);
    bench.call = arena_new(1 << 26);
    assert_ok(bench.arena, schema_load_file(bench.arena, SCHEMAS "kinds.binpb", &bench.kinds));
    assert_ok(bench.arena, schema_load_file(bench.arena, SCHEMAS "old.binpb", &bench.old));
    assert_ok(bench.arena, mapping_set_identity(bench.arena, bench.kinds, &bench.kinds_set));
    assert_ok(bench.arena, mapping_set_identity(bench.arena, bench.old, &bench.old_set));
    return 0;
}

static inline int plans_end(void **state)
{
    arena_free(bench.call);
    arena_free(bench.arena);
    return 0;
}

/* The identity of "test.kinds.Kinds" or "test.old.Old". */
static inline const Mapping *identity_of(const char *type)
{
    const MappingSet *set = strncmp(type, "test.old.", 9) == 0 ? bench.old_set : bench.kinds_set;
    const MessageType *message = schema_message(set->from, bytes_of(type));
    assert_non_null(message);
    return mapping_set_find(set, message);
}

static inline const Plan *compiled(const Mapping *mapping, PlanOptions options)
{
    const Plan *plan;
    assert_ok(bench.arena, plan_compile(bench.arena, mapping, &options, &plan));
    return plan;
}

static inline Result run_input(const Plan *plan, PlanInput input, Bytes *out, PlanRun *run)
{
    Buffer buffer = buffer_in(bench.call);
    Result r = plan_run(plan, &input, bench.call, &buffer, run);
    *out = buffer_bytes(&buffer);
    return r;
}

static inline Bytes run_ok(const Plan *plan, Bytes from)
{
    Bytes out;
    assert_ok(bench.call, run_input(plan, (PlanInput){.bytes = from}, &out, NULL));
    return out;
}

static inline Result run_result_of(const Plan *plan, Bytes from)
{
    Bytes out;
    return run_input(plan, (PlanInput){.bytes = from}, &out, NULL);
}

/* JSON through the identity to protobuf, and back to JSON. */
static inline Bytes json_there_and_back(const char *type, const char *json, PlanOptions options)
{
    const MappingSet *set = strncmp(type, "test.old.", 9) == 0 ? bench.old_set : bench.kinds_set;
    options.types = set;
    options.from = CODEC_JSON;
    options.to = CODEC_PROTO;
    Bytes wire = run_ok(compiled(identity_of(type), options), bytes_of(json));
    options.from = CODEC_PROTO;
    options.to = CODEC_JSON;
    return run_ok(compiled(identity_of(type), options), wire);
}

static inline Result json_in(const char *type, const char *json)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO, .types = bench.kinds_set};
    return run_result_of(compiled(identity_of(type), options), bytes_of(json));
}

#endif
