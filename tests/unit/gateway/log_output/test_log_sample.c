#include "tests/unit/check.h"

#include "gateway/log_output/log_sample.h"

#include <stdio.h>

/* Gateways of different builds must agree: these are what the hash has always been. */
static void the_hash_does_not_change(void **state)
{
    assert_int_equal(log_sample_hash(bytes_of("")), 0xefd01f60u);
    assert_int_equal(log_sample_hash(bytes_of("4bf92f3577b34da6a3ce929d0e0e4736")), 0xe668f55du);
}

static void shares_have_exact_borders(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes id = bytes_of("4bf92f3577b34da6a3ce929d0e0e4736");
    LogSample sample = log_sample_of(0, 0, arena);
    assert_false(log_sample_keeps_all(&sample));
    sample.below = log_sample_hash(id);
    assert_false(log_sample_draws(&sample, id));
    sample.below++;
    assert_true(log_sample_draws(&sample, id));

    sample = log_sample_of(1, 0, arena);
    assert_true(log_sample_keeps_all(&sample));
    sample = log_sample_of(0.9999999999, 0, arena);
    assert_false(log_sample_keeps_all(&sample));
    sample = log_sample_of(0, 0, arena);
    assert_int_equal(sample.below, 0);
    arena_free(arena);
}

static void a_line_says_its_share(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    assert_bytes(log_sample_of(0.01, 0, arena).member, ",\"sampled\":0.01");
    assert_bytes(log_sample_of(0.25, 0, arena).member, ",\"sampled\":0.25");
    assert_bytes(log_sample_of(0, 0, arena).member, ",\"sampled\":0");
    arena_free(arena);
}

/* Ids that differ in one digit are drawn independently. */
static void so_many_are_drawn(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    LogSample sample = log_sample_of(0.1, 0, arena);
    int drawn = 0;
    char id[40];
    for (int i = 0; i < 100000; i++) {
        int size = snprintf(id, sizeof id, "00000000000000000000000000%06x", (unsigned)i);
        drawn += log_sample_draws(&sample, bytes(id, (size_t)size));
    }
    assert_in_range(drawn, 9700, 10300);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_does_not_change),
        cmocka_unit_test(shares_have_exact_borders),
        cmocka_unit_test(a_line_says_its_share),
        cmocka_unit_test(so_many_are_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
