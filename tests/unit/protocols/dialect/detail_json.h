/* DetailJson for the types that every error may carry, by the plans that the gateway has for
   them. */
#ifndef TESTS_UNIT_PROTOCOLS_DETAIL_JSON_H
#define TESTS_UNIT_PROTOCOLS_DETAIL_JSON_H

#include "adapters/compile/plan_compile.h"
#include "adapters/details/details.h"
#include "adapters/mapping/error_types.h"
#include "protocols/dialect/dialect.h"
#include "tests/unit/check.h"

typedef struct DetailPlans {
    const Plan *to_json, *from_json;
} DetailPlans;

static bool write_detail(void *owner, Bytes detail, Arena *arena, Buffer *json)
{
    return detail_to_json(((const DetailPlans *)owner)->to_json, detail, arena, json);
}

static bool read_detail(void *owner, Bytes json, Arena *arena, Bytes *detail_out)
{
    return detail_from_json(((const DetailPlans *)owner)->from_json, json, arena, detail_out);
}

static DetailJson detail_json_in(Arena *arena)
{
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_JSON, .unknown = UNKNOWN_COUNT};
    DetailPlans *plans = arena_make(arena, DetailPlans);
    assert_ok(arena, error_types_load(arena, &options.common_types));
    assert_ok(arena, plan_compile_any(arena, &options, &plans->to_json));
    options.from = CODEC_JSON;
    options.to = CODEC_PROTO;
    assert_ok(arena, plan_compile_any(arena, &options, &plans->from_json));
    return (DetailJson){write_detail, read_detail, plans};
}

#endif
