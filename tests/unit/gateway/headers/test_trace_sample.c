#include "tests/unit/check.h"

#include "gateway/headers/trace_sample.h"

#define WHOLE (UINT64_C(1) << 32)

static Random random_of(uint64_t seed)
{
    Random random;
    random_seed_fixed(&random, seed);
    return random;
}

static TraceContext known_with(uint8_t flags)
{
    return (TraceContext){
        .known = true, .trace_id = "0af7651916cd43dd8448eb211c80319c", .flags = flags};
}

static void who_calls_decides_if_it_may(void **state)
{
    Random random = random_of(1);
    TraceContext sampled = known_with(TRACE_SAMPLED), unsampled = known_with(TRACE_RANDOM);
    TracingConfig none = {.to.on = true, .parent = true};
    TracingConfig all = {.to.on = true, .parent = true, .share = WHOLE};
    trace_sample(&sampled, &none, &random);
    trace_sample(&unsampled, &all, &random);
    assert_true(sampled.recorded && sampled.flags == TRACE_SAMPLED);
    assert_true(!unsampled.recorded && unsampled.flags == TRACE_RANDOM);
}

static void else_chance_decides_and_what_is_recorded_is_so_for_all(void **state)
{
    Random random = random_of(1);
    TraceContext sampled = known_with(TRACE_SAMPLED), unsampled = known_with(TRACE_RANDOM);
    TracingConfig none = {.to.on = true}, all = {.to.on = true, .share = WHOLE};
    trace_sample(&sampled, &none, &random);
    trace_sample(&unsampled, &all, &random);
    assert_true(!sampled.recorded && sampled.flags == TRACE_SAMPLED); /* it goes on as it came */
    assert_true(unsampled.recorded && unsampled.flags == (TRACE_SAMPLED | TRACE_RANDOM));
}

static void a_trace_begins_only_with_a_call_that_is_recorded(void **state)
{
    Random random = random_of(1);
    TracingConfig none = {.to.on = true, .parent = true};
    TracingConfig all = {.to.on = true, .parent = true, .share = WHOLE};
    TraceContext context = {0};
    trace_sample(&context, &none, &random);
    assert_false(context.known || context.recorded);
    trace_sample(&context, &all, &random);
    assert_true(context.known && context.recorded);
    assert_int_equal(context.flags, TRACE_SAMPLED | TRACE_RANDOM);
    assert_int_equal(context.caller[0], 0);
}

static void a_share_is_a_share(void **state)
{
    enum { CALLS = 100000 };
    Random random = random_of(7);
    TracingConfig tenth = {.to.on = true, .parent = true, .share = WHOLE / 10};
    uint32_t n = 0;
    for (int i = 0; i < CALLS; i++) {
        TraceContext context = {0};
        trace_sample(&context, &tenth, &random);
        n += context.recorded;
    }
    assert_in_range(n, CALLS / 10 - 300, CALLS / 10 + 300); /* three standard deviations */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_calls_decides_if_it_may),
        cmocka_unit_test(else_chance_decides_and_what_is_recorded_is_so_for_all),
        cmocka_unit_test(a_trace_begins_only_with_a_call_that_is_recorded),
        cmocka_unit_test(a_share_is_a_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
