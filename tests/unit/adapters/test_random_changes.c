/*
 * Random schemas with random change lists: plans against the oracle, there and back, over chains.
 *
 * CHANGE_SEEDS=n tries n chains instead of the usual few, from CHANGE_SEED on.
 */
#include "tests/unit/adapters/random_changes.h"

#include "adapters/prove.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEEDS = 150, MESSAGES = 40 };

static void tell(uint64_t seed, const RandomChain *chain, const char *what, Bytes why)
{
    fputs(chain->schemas, stderr); /* more than cmocka's messages hold */
    for (uint32_t i = 0; i < chain->n_lists; i++)
        fprintf(stderr, "---\n%s", chain->lists[i]);
    fprintf(stderr, "%.*s\n", BYTES_ARGS(why));
    fail_msg("CHANGE_SEED=%llu: %s", (unsigned long long)seed, what);
}

static void load_lists(Arena *arena, uint64_t seed, const RandomChain *chain, const ChangeList **lists)
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

static uint64_t prove(uint64_t seed)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RandomChain chain;
    const ChangeList *lists[RANDOM_VERSIONS];
    ProveOptions options = {.n_messages = MESSAGES, .seed = seed, .json = true};
    ProveOutcome outcome = {0};
    random_chain(arena, seed, &chain);
    load_lists(arena, seed, &chain, lists);
    if (composes(arena, &chain, lists))
        assert_ok(arena, prove_chain(arena, lists, chain.n_lists, &options, &outcome));
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plans_do_what_random_lists_say)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
