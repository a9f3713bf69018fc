/*
 * Random schemas with random change lists: plans against the oracle, there and back, over chains of
 * up to eight versions; and methods by their names.
 *
 * CHANGE_SEEDS=n tries n chains instead of the usual few, from CHANGE_SEED on.
 */
#include "tests/unit/adapters/prove/random_changes.h"

#include "adapters/mapping/error_types.h"
#include "adapters/prove/prove.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEEDS = 400, MESSAGES = 40 };

static void tell(uint64_t seed, const RandomChain *chain, const char *what, Bytes why)
{
    fputs(chain->schemas, stderr); /* more than cmocka's messages hold */
    for (uint32_t i = 0; i < chain->n_lists; i++)
        fprintf(stderr, "---\n%s", chain->lists[i]);
    fprintf(stderr, "%.*s\n", BYTES_ARGS(why));
    fail_msg("CHANGE_SEED=%llu: %s", (unsigned long long)seed, what);
}

static void load_lists(Arena *arena, uint64_t seed, const RandomChain *chain,
                       const ChangeList **lists)
{
    Problems problems = problems_in(arena);
    for (uint32_t i = 0; i < chain->n_lists; i++)
        assert_ok(arena, changes_load(arena, bytes_of(chain->lists[i]),
                                      arena_printf(arena, "list%u.yaml", i + 1), &chain->sides[i],
                                      &chain->sides[i + 1], &problems, &lists[i]));
    Buffer told = buffer_in(arena);
    problems_print(&problems, &told);
    if (problems.n)
        tell(seed, chain, "the list is refused", buffer_bytes(&told));
}

/* Some chains are refused as a whole: what one list makes up the next one may refuse. */
static bool composes(Arena *arena, const RandomChain *chain, const ChangeList *const *lists)
{
    Problems problems = problems_in(arena);
    for (int upwards = 0; upwards < 2; upwards++) {
        const MappingSet *set;
        assert_ok(arena, changes_compose(arena, lists, chain->n_lists, upwards, &problems, &set));
        if (!set && !strstr(problems.items[0].reason, "made up"))
            fail_msg("%s", problems.items[0].reason);
        if (!set)
            return false;
    }
    return true;
}

static const ServiceType *service_of(Arena *arena, const RandomChain *chain, uint32_t version)
{
    const char *name = arena_printf(arena, "%s.%s", chain->sides[version].package,
                                    chain->methods[version].service);
    const ServiceType *service = schema_service(chain->sides[version].schema, bytes_of(name));
    assert_non_null(service);
    return service;
}

static const MethodType *method_with(const ServiceType *service, const RandomMethods *methods,
                                     uint32_t id)
{
    for (uint32_t i = 0; i < service->n_methods; i++) {
        if (methods->ids[i] == id)
            return &service->methods[i];
    }
    return NULL;
}

/* From one end of the chain to the other. */
static void follow_methods(Arena *arena, const RandomChain *chain, const ChangeList *const *lists)
{
    for (int upwards = 0; upwards < 2; upwards++) {
        uint32_t from = upwards ? 0 : chain->n_versions - 1, to = chain->n_versions - 1 - from;
        const ServiceType *source = service_of(arena, chain, from);
        const ServiceType *target = service_of(arena, chain, to);
        for (uint32_t i = 0; i < source->n_methods; i++) {
            MethodChange change =
                changes_method(lists, chain->n_lists, upwards, &source->methods[i], arena);
            assert_ptr_equal(change.target,
                             method_with(target, &chain->methods[to], chain->methods[from].ids[i]));
            assert_int_equal(!change.target, !!change.reason);
        }
    }
}

/* Very long chains of values that are made up on the way may be too much for a plan. */
static void prove_plans(Arena *arena, const ChangeList *const *lists, uint32_t n_lists,
                        const ProveOptions *options, ProveOutcome *outcome)
{
    Result r = prove_chain(arena, lists, n_lists, options, outcome);
    if (!failed(r) || !strstr(error_text(arena, r), "too many fields for one program"))
        assert_ok(arena, r);
}

static uint64_t prove(uint64_t seed)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RandomChain chain;
    const ChangeList *lists[RANDOM_VERSIONS];
    ProveOptions options = {.n_messages = MESSAGES, .seed = seed, .json = true};
    ProveOutcome outcome = {0};
    assert_ok(arena, error_types_load(arena, &options.common));
    random_chain(arena, seed, &chain);
    load_lists(arena, seed, &chain, lists);
    follow_methods(arena, &chain, lists);
    if (composes(arena, &chain, lists))
        prove_plans(arena, lists, chain.n_lists, &options, &outcome);
    if (outcome.disproved)
        tell(seed, &chain, "the plan and the oracle disagree", outcome.counter_example);
    uint64_t n = outcome.n_converted;
    arena_free(arena);
    return n;
}

static void plans_do_what_random_lists_say(void **state)
{
    const char *first = getenv("CHANGE_SEED"), *many = getenv("CHANGE_SEEDS");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1;
    uint64_t n = many ? strtoull(many, NULL, 10) : first ? 1 : SEEDS, n_converted = 0;
    (void)state;
    for (uint64_t i = 0; i < n; i++)
        n_converted += prove(seed + i);
    assert_true(first || n_converted > n * MESSAGES / 4); /* it is about more than refusals */
}

/* Chains that found a fault once, which has its own test. */
static void plans_do_what_lists_say_that_found_a_fault(void **state)
{
    static const uint64_t seeds[] = {32010,   33013,   33424,   33427,   34616,   34937,   35293,
                                     35992,   36124,   36400,   37831,   39127,   39764,   39957,
                                     40605,   40822,   40909,   42204,   45920,   53247,   54385,
                                     75784,   2004827, 1003381, 1004159, 1004360, 1008766, 1009478,
                                     1009755, 1010444, 1012262, 1012530, 1015185, 1015422, 1015780};
    (void)state;
    if (getenv("CHANGE_SEED"))
        skip();
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++)
        prove(seeds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_do_what_lists_say_that_found_a_fault),
        cmocka_unit_test(plans_do_what_random_lists_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
