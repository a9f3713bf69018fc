#include "gateway/certificates/renewal_decision.h"

#include "tests/unit/check.h"

typedef struct Look {
    uint64_t before, after;
    bool fits;
    RenewalDecision decision;
} Look;

static RenewalDecision look(RenewalState *state, const Look *at)
{
    return renewal_is_due(state, at->before)
               ? renewal_decide(state, at->before, at->after, at->fits)
               : RENEWAL_NOTHING;
}

static void expect(const Look *looks, size_t n)
{
    RenewalState state = {.in_use = 1};
    for (size_t i = 0; i < n; i++)
        assert_int_equal(look(&state, &looks[i]), looks[i].decision);
}

#define EXPECT(...)                                                                                \
    expect((const Look[]){__VA_ARGS__}, sizeof((const Look[]){__VA_ARGS__}) / sizeof(Look))

static void files_that_stay_are_not_read(void **state)
{
    EXPECT({1, 1, true, RENEWAL_NOTHING}, {1, 1, false, RENEWAL_NOTHING});
}

static void new_files_that_fit_are_taken_once(void **state)
{
    EXPECT({2, 2, true, RENEWAL_TAKE}, {2, 2, true, RENEWAL_NOTHING}, {3, 3, true, RENEWAL_TAKE});
}

static void what_is_being_written_is_waited_for(void **state)
{
    EXPECT({2, 3, true, RENEWAL_WAIT}, {3, 4, false, RENEWAL_WAIT}, {4, 4, false, RENEWAL_WAIT},
           {5, 5, false, RENEWAL_WAIT}, {6, 6, true, RENEWAL_TAKE});
}

static void what_does_not_fit_by_two_looks_is_told_once(void **state)
{
    EXPECT({2, 2, false, RENEWAL_WAIT}, {2, 2, false, RENEWAL_TELL}, {2, 2, false, RENEWAL_NOTHING},
           {3, 3, false, RENEWAL_WAIT}, {3, 3, false, RENEWAL_TELL}, {4, 4, true, RENEWAL_TAKE});
}

static void what_is_put_back_is_forgotten(void **state)
{
    EXPECT({2, 2, false, RENEWAL_WAIT}, {1, 1, true, RENEWAL_NOTHING}, {2, 2, false, RENEWAL_WAIT},
           {2, 2, false, RENEWAL_TELL}, {1, 1, true, RENEWAL_NOTHING}, {2, 2, false, RENEWAL_WAIT});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_stay_are_not_read),
        cmocka_unit_test(new_files_that_fit_are_taken_once),
        cmocka_unit_test(what_is_being_written_is_waited_for),
        cmocka_unit_test(what_does_not_fit_by_two_looks_is_told_once),
        cmocka_unit_test(what_is_put_back_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
