/* The plans that fuzz_wire and fuzz_plan run: identities of the test schemas, between all
   codecs. */
#ifndef TESTS_FUZZ_PLAN_STORY_H
#define TESTS_FUZZ_PLAN_STORY_H

#include "adapters/compile/plan_compile.h"
#include "adapters/run/plan_run.h"
#include "base/arena.h"

extern const Bytes kinds_set, old_set; /* descriptor sets of tests/unit/adapters/schemas */

enum { CALL_LIMIT = 1 << 24, N_TYPES = 2 };

typedef struct Plans {
    const Plan *between[CODEC_COUNT][CODEC_COUNT];
} Plans;

static inline void compile_plans(Arena *arena, Bytes descriptors, const char *type, Plans *plans)
{
    const Schema *schema;
    const MappingSet *set;
    Result r = schema_load(arena, descriptors, type, &schema);
    CHECK(!failed(r));
    r = mapping_set_identity(arena, schema, &set);
    CHECK(!failed(r));
    const Mapping *mapping = mapping_set_find(set, schema_message(schema, bytes_of(type)));
    for (Codec from = 0; from < CODEC_COUNT; from++) {
        for (Codec to = 0; to < CODEC_COUNT; to++) {
            PlanOptions options = {.from = from,
                                   .to = to,
                                   .types = set,
                                   .walk_all = true,
                                   .unknown = UNKNOWN_COUNT,
                                   .max_depth = 50,
                                   .max_elements = 100000};
            r = plan_compile(arena, mapping, &options, &plans->between[from][to]);
            CHECK(!failed(r));
        }
    }
}

/* Compiled once. */
static inline const Plans *plans_of(unsigned type)
{
    static Plans plans[N_TYPES];
    static Arena *arena;
    if (!arena) {
        arena = arena_new(ARENA_UNLIMITED);
        compile_plans(arena, kinds_set, "test.kinds.Kinds", &plans[0]);
        compile_plans(arena, old_set, "test.old.Old", &plans[1]);
    }
    return &plans[type % N_TYPES];
}

/* False: a fault, which is what most inputs are. */
static inline bool run_plan(const Plan *plan, Arena *arena, Bytes from, Bytes *to)
{
    Buffer out = buffer_in(arena);
    PlanInput input = {.bytes = from};
    Result r = plan_run(plan, &input, arena, &out, NULL);
    *to = buffer_bytes(&out);
    return !failed(r);
}

#endif
