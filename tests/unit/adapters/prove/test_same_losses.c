/*
 * What is lost there and back is lost of two messages alike: shadow calls rely on it, when they
 * compare the response of one version with that of another one.
 *
 * A version has a random message, and the other version has the same thing as far as it can say it.
 * What the first one gives, and what becomes of the other one's on its way to the client, are the
 * same when both are settled.
 *
 * CHANGE_SEEDS=n tries n chains instead of the usual few, from CHANGE_SEED on.
 */
#include "tests/unit/adapters/prove/random_changes.h"

#include "adapters/compare/compare.h"
#include "adapters/compare/settle.h"
#include "adapters/compile/plan_compile.h"
#include "adapters/prove/tree_random.h"
#include "adapters/run/plan_run.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEEDS = 60, MESSAGES = 20 };

typedef struct Both {
    const MappingSet *there, *back;
} Both;

static bool load(Arena *arena, uint64_t seed, bool upwards, Both *both)
{
    RandomChain chain;
    const ChangeList *lists[RANDOM_VERSIONS];
    Problems problems = problems_in(arena);
    random_chain(arena, seed, &chain);
    for (uint32_t i = 0; i < chain.n_lists; i++)
        assert_ok(arena, changes_load(arena, bytes_of(chain.lists[i]), "list.yaml", &chain.sides[i],
                                      &chain.sides[i + 1], &problems, &lists[i]));
    assert_int_equal(problems.n, 0);
    assert_ok(arena,
              changes_compose(arena, lists, chain.n_lists, upwards, &problems, &both->there));
    assert_ok(arena,
              changes_compose(arena, lists, chain.n_lists, !upwards, &problems, &both->back));
    return both->there && both->back;
}

/* False: the mapping is too much for a plan. */
static bool compiled(Arena *arena, const MappingSet *set, const Mapping *mapping,
                     const Plan **plan_out)
{
    PlanOptions options = {
        .from = CODEC_PROTO, .to = CODEC_PROTO, .unknown = UNKNOWN_COUNT, .types = set};
    return !failed(plan_compile(arena, mapping, &options, plan_out));
}

/* False: the change lists refuse it. */
static bool run(Arena *arena, const Plan *plan, Bytes *message)
{
    Buffer out = buffer_in(arena);
    Result r = plan_run(plan, &(PlanInput){.bytes = *message}, arena, &out, NULL);
    error_ignore(r, "it cannot be compared");
    *message = buffer_bytes(&out);
    return !failed(r);
}

/* False: it is refused, or goes on changing. */
static bool settles(Arena *arena, const ThereAndBack *ways, Bytes *message)
{
    bool settled;
    Result r = settle_message(ways, 1, arena, message, &settled);
    error_ignore(r, "it cannot be compared");
    return !failed(r) && settled;
}

static bool is_alike(Arena *arena, const MessageType *type, const ThereAndBack *ways,
                     const Tree *tree, uint64_t seed)
{
    CompareRules rules = {.show = {.most = 100}};
    Comparison comparison;
    Buffer wire = buffer_in(arena);
    tree_write(tree, &wire);
    Bytes real = buffer_bytes(&wire), shadow = real;
    /* There, it is the other version's own; back, it goes to the client. */
    if (!run(arena, ways->there, &shadow) || !run(arena, ways->back, &shadow) ||
        !settles(arena, ways, &shadow) || !settles(arena, ways, &real))
        return false;
    assert_ok(arena, compare_messages(type, real, shadow, &rules, arena, &comparison));
    for (const Difference *each = comparison.first; each; each = each->next)
        fprintf(stderr, "CHANGE_SEED=%llu %s.%.*s %s: %.*s / %.*s\n", (unsigned long long)seed,
                type->full_name, BYTES_ARGS(each->path), difference_shape_name(each->shape),
                BYTES_ARGS(each->first), BYTES_ARGS(each->second));
    assert_int_equal(comparison.n, 0);
    return true;
}

static uint32_t try_mapping(Arena *arena, const Both *both, const Mapping *mapping, Random *random,
                            const TreeHints *hints, uint64_t seed)
{
    const Mapping *back = mapping_set_find(both->back, mapping->to);
    ThereAndBack ways;
    uint32_t n = 0;
    if (!back || back->to != mapping->from || !compiled(arena, both->there, mapping, &ways.there) ||
        !compiled(arena, both->back, back, &ways.back))
        return 0;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        Tree *tree = tree_random(arena, random, hints, mapping->from);
        tree_forget_raw(tree);
        n += is_alike(arena, mapping->from, &ways, tree, seed);
    }
    return n;
}

static uint32_t try_chain(uint64_t seed, bool upwards)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Random random;
    TreeHints hints;
    Both both;
    uint32_t n = 0;
    random_seed_fixed(&random, seed);
    if (load(arena, seed, upwards, &both)) {
        tree_hints(arena, both.there, &hints);
        for (uint32_t i = 0; i < both.there->n_mappings; i++)
            n += try_mapping(arena, &both, both.there->mappings[i], &random, &hints, seed);
    }
    arena_free(arena);
    return n;
}

static void what_is_lost_is_lost_of_both(void **state)
{
    const char *first = getenv("CHANGE_SEED"), *many = getenv("CHANGE_SEEDS");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1, compared = 0;
    uint64_t n = many ? strtoull(many, NULL, 10) : first ? 1 : SEEDS;
    for (uint64_t i = 0; i < n; i++)
        compared += try_chain(seed + i, true) + try_chain(seed + i, false);
    print_message("%llu messages were compared\n", (unsigned long long)compared);
    assert_true(first || compared > n * MESSAGES); /* it is about more than refusals */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_lost_is_lost_of_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
