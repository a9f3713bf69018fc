/*
 * plan_compile: compiles a Mapping into a Plan, for one pair of codecs.
 *
 * Done when a config is loaded, by one thread. Plans live in the given arena, which must have no
 * limit. Without a cache so do their programs, all of which are compiled at once. They borrow from
 * the mapping, its schemas, and the mapping sets that the options point to: all of these must live
 * as long. The options themselves are copied.
 */
#ifndef ADAPTERS_PLAN_COMPILE_H
#define ADAPTERS_PLAN_COMPILE_H

#include "adapters/program/plan.h"

/*
 * A cache of programs that plans share: a message type that many methods use, and everything that
 * may be inside an Any, is then compiled once, and not before a message of that type is converted:
 * most of a large schema never is. That its programs can be compiled is found out when a plan is.
 *
 * Lives in `programs`, and so do the programs that it compiles later, for whichever thread needs
 * one: from the first run of a plan on nobody else may use that arena. What is known of programs
 * that can be compiled is in `proof`, which may be freed when no more plans are compiled; it may be
 * the same arena. Both must have no limit.
 */
PlanCache *plan_cache_new(Arena *programs, Arena *proof);

/*
 * Compiles a plan. On failure *plan_out is NULL. Faults: BAD_SCHEMA when the mapping cannot be a
 * plan (too many fields, too deep, no such only_field).
 */
MUST_USE Result plan_compile(Arena *arena, const Mapping *mapping, const PlanOptions *options,
                             const Plan **plan_out);

/* The same for a single google.protobuf.Any, such as an error detail. One of options->types and
   options->common_types must have the type Any. */
MUST_USE Result plan_compile_any(Arena *arena, const PlanOptions *options, const Plan **plan_out);

#endif
