#include "tests/unit/check.h"

#include "base/random.h"
#include "gateway/instances/ring.h"

#include <stdlib.h>

enum { MOST = 2000, KEYS = 20000 };

static RingMember members[MOST];
static Random chance;

static int set_up(void **state)
{
    random_seed_fixed(&chance, 5);
    for (uint32_t i = 0; i < MOST; i++)
        members[i] = (RingMember){.name = random_next(&chance), .member = i, .weight = 1};
    return 0;
}

static uint32_t a_key(void)
{
    return (uint32_t)random_next(&chance);
}

static uint32_t owner(const Ring *ring, uint32_t key)
{
    return ring->points[ring_find(ring, key)].member;
}

static void the_point_of_a_key_is_the_first_at_or_behind_it(void **state)
{
    for (uint32_t n = 1; n <= MOST; n = n * 3 + 1) {
        Ring *ring = ring_new(members, n);
        assert_int_equal(ring->n, n * RING_POINTS);
        for (uint32_t i = 1; i < ring->n; i++)
            assert_true(ring->points[i - 1].place <= ring->points[i].place);
        for (int k = 0; k < 1000; k++) {
            uint32_t key = k == 0   ? 0
                           : k == 1 ? UINT32_MAX
                                    : a_key(),
                     at = 0; /* by looking at all */
            while (at < ring->n && ring->points[at].place < key)
                at++;
            assert_int_equal(ring_find(ring, key), at == ring->n ? 0 : at);
        }
        uint32_t there = ring->points[ring->n / 2].place;
        assert_int_equal(ring->points[ring_find(ring, there)].place, there);
        ring_free(ring);
    }
}

static void without_members_there_is_no_ring(void **state)
{
    assert_null(ring_new(members, 0));
    ring_free(NULL);
}

/* Without one, only the keys of that one move. */
static void when_one_leaves_only_its_keys_move(void **state)
{
    enum { N = 50 };
    Ring *all = ring_new(members, N);
    RingMember gone = members[7];
    members[7] = members[N - 1]; /* the order does not matter either */
    Ring *rest = ring_new(members, N - 1);
    for (int k = 0; k < KEYS; k++) {
        uint32_t key = a_key();
        if (owner(all, key) == gone.member)
            assert_int_not_equal(owner(rest, key), gone.member);
        else
            assert_int_equal(owner(rest, key), owner(all, key));
    }
    ring_free(all);
    ring_free(rest);
}

static void the_keys_of_one_that_leaves_go_to_many(void **state)
{
    enum { N = 50 };
    Ring *ring = ring_new(members, N);
    int heirs[N] = {0}, n_heirs = 0;
    for (int k = 0; k < KEYS; k++) {
        uint32_t at = ring_find(ring, a_key());
        if (ring->points[at].member != 7)
            continue;
        while (ring->points[at].member == 7)
            at = (at + 1) % ring->n;
        heirs[ring->points[at].member]++;
    }
    for (int i = 0; i < N; i++)
        n_heirs += heirs[i] > 0;
    assert_true(n_heirs > 15);
    ring_free(ring);
}

static void keys_are_spread_by_weight(void **state)
{
    enum { N = 100 };
    int counts[N] = {0};
    for (uint32_t i = 0; i < N; i++)
        members[i].weight = i < 50 ? 10 : 30;
    Ring *ring = ring_new(members, N);
    for (int k = 0; k < 100 * KEYS; k++)
        counts[owner(ring, a_key())]++;
    double light = 0, heavy = 0;
    for (int i = 0; i < N; i++) {
        double of_mean = counts[i] / (100.0 * KEYS / N) / (i < 50 ? 0.5 : 1.5);
        assert_true(of_mean > 0.4 && of_mean < 1.8);
        *(i < 50 ? &light : &heavy) += counts[i];
    }
    assert_true(heavy / light > 2.6 && heavy / light < 3.4);
    ring_free(ring);
}

static void a_heavy_one_does_not_make_the_ring_large(void **state)
{
    members[0].weight = 1000;
    Ring *ring = ring_new(members, MOST);
    uint32_t of_heavy = 0;
    for (uint32_t i = 0; i < ring->n; i++)
        of_heavy += ring->points[i].member == 0;
    assert_int_equal(of_heavy, 100 * RING_POINTS);
    for (uint32_t i = 1; i < MOST; i++) /* and the others have a point at least */
        assert_in_range(ring->n, MOST - 1 + of_heavy, 2 * MOST * RING_POINTS);
    ring_free(ring);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(the_point_of_a_key_is_the_first_at_or_behind_it),
        TEST(without_members_there_is_no_ring),
        TEST(when_one_leaves_only_its_keys_move),
        TEST(the_keys_of_one_that_leaves_go_to_many),
        TEST(keys_are_spread_by_weight),
        TEST(a_heavy_one_does_not_make_the_ring_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
