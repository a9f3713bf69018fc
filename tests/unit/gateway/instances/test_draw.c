#include "tests/unit/check.h"

#include "base/random.h"
#include "gateway/instances/draw.h"

#include <math.h>
#include <stdlib.h>

enum { MOST = 300 };

/* What part of all points falls on each number, by looking at every slot: the slow twin. */
static void shares_of(const Draw *draw, double *shares)
{
    for (uint32_t i = 0; i < draw->n; i++)
        shares[i] = 0;
    for (uint32_t i = 0; i < draw->n; i++) {
        double own = draw->slots[i].other == i ? 1 : draw->slots[i].cut * 0x1p-32;
        shares[i] += own / draw->n;
        shares[draw->slots[i].other] += (1 - own) / draw->n;
    }
}

static void each_number_has_its_weight_of_the_points(void **state)
{
    Random random;
    random_seed_fixed(&random, 3);
    for (int round = 0; round < 500; round++) {
        uint32_t n = 1 + (uint32_t)random_below(&random, MOST), weights[MOST];
        double shares[MOST], sum = 0;
        uint32_t heaviest = round % 2 ? 1000 : 3;
        for (uint32_t i = 0; i < n; i++)
            sum += weights[i] = 1 + (uint32_t)random_below(&random, heaviest);
        Draw *draw = draw_new(weights, n);
        shares_of(draw, shares);
        for (uint32_t i = 0; i < n; i++)
            assert_true(fabs(shares[i] - weights[i] / sum) < 1e-8);
        draw_free(draw);
    }
}

static void a_point_falls_on_the_slot_or_its_other(void **state)
{
    static const uint32_t weights[] = {1, 3};
    Draw *draw = draw_new(weights, 2);
    assert_int_equal(draw_at(draw, 0), 0);
    assert_int_equal(draw_at(draw, UINT64_C(0x3fffffff) << 32), 0);
    assert_int_equal(draw_at(draw, UINT64_C(0x40000000) << 32), 1);
    assert_int_equal(draw_at(draw, UINT64_MAX), 1);
    draw_free(draw);
}

/* Not only on average, as of random numbers: within each hundred draws, nobody is three off. */
static void steps_are_in_proportion_at_any_time(void **state)
{
    static const uint32_t weights[] = {1, 2, 7};
    Draw *draw = draw_new(weights, 3);
    uint64_t point = 12345;
    for (int round = 0; round < 1000; round++) {
        int counts[3] = {0};
        for (int i = 0; i < 100; i++)
            counts[draw_at(draw, point += DRAW_STEP)]++;
        for (int i = 0; i < 3; i++)
            assert_true(abs(counts[i] - (int)weights[i] * 10) <= 3);
    }
    draw_free(draw);
}

static void one_of_one_is_always_drawn(void **state)
{
    Draw *draw = draw_new(&(uint32_t){7}, 1);
    for (uint64_t point = 0; point < 64; point++)
        assert_int_equal(draw_at(draw, UINT64_C(1) << point), 0);
    assert_int_equal(draw_at(draw, UINT64_MAX), 0);
    draw_free(draw);
    draw_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_has_its_weight_of_the_points),
        cmocka_unit_test(a_point_falls_on_the_slot_or_its_other),
        cmocka_unit_test(steps_are_in_proportion_at_any_time),
        cmocka_unit_test(one_of_one_is_always_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
