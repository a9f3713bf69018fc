#include "gateway/idempotency/claim_verdict.h"

#include "tests/unit/check.h"

/* All 3 x 3 x 2 x 2 x 2 questions: which verdict each gets, as a rule that is written another way.
 */
static ClaimVerdict expected(const ClaimQuestion *q)
{
    if (q->likeness == LIKENESS_OTHER)
        return CLAIM_REUSED;
    if (q->likeness == LIKENESS_UNKNOWN)
        return CLAIM_UNCERTAIN;
    if (q->state == CLAIM_DONE)
        return q->kept ? CLAIM_REPLAY : CLAIM_UNREADABLE;
    if (q->state == CLAIM_RUNNING && !q->overdue)
        return CLAIM_IN_USE;
    return q->honoured ? CLAIM_AGAIN : CLAIM_UNCERTAIN;
}

static void each_question_has_its_verdict(void **state)
{
    int n = 0;
    for (ClaimState s = CLAIM_RUNNING; s <= CLAIM_UNKNOWN; s++)
        for (RequestLikeness likeness = LIKENESS_SAME; likeness <= LIKENESS_UNKNOWN; likeness++)
            for (int bits = 0; bits < 8; bits++, n++) {
                ClaimQuestion q = {s, likeness, bits & 1, (bits & 2) != 0, (bits & 4) != 0};
                assert_int_equal(claim_decide(&q), expected(&q));
            }
    assert_int_equal(n, 72);
}

static void a_call_is_made_again_only_where_instances_honour_its_key(void **state)
{
    for (ClaimState s = CLAIM_RUNNING; s <= CLAIM_UNKNOWN; s++)
        for (RequestLikeness likeness = LIKENESS_SAME; likeness <= LIKENESS_UNKNOWN; likeness++)
            for (int overdue = 0; overdue < 2; overdue++) {
                ClaimQuestion q = {s, likeness, overdue, .honoured = false, .kept = true};
                assert_int_not_equal(claim_decide(&q), CLAIM_AGAIN);
            }
}

static void verdicts_that_refuse_have_their_own_faults(void **state)
{
    static const struct {
        ClaimVerdict verdict;
        const Fault *fault;
        int http, grpc;
    } rows[] = {
        {CLAIM_REPLAY, NULL, 0, 0},
        {CLAIM_AGAIN, NULL, 0, 0},
        {CLAIM_REUSED, &FAULT_IDEMPOTENCY_KEY_REUSED, 422, CODE_FAILED_PRECONDITION},
        {CLAIM_IN_USE, &FAULT_IDEMPOTENCY_KEY_IN_USE, 409, CODE_ABORTED},
        {CLAIM_UNCERTAIN, &FAULT_IDEMPOTENCY_OUTCOME_UNKNOWN, 409, CODE_ABORTED},
        {CLAIM_UNREADABLE, &FAULT_IDEMPOTENCY_RESPONSE_GONE, 409, CODE_ALREADY_EXISTS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const Fault *fault = claim_fault(rows[i].verdict);
        assert_ptr_equal(fault, rows[i].fault);
        assert_int_equal(fault ? fault->http_status : 0, rows[i].http);
        assert_int_equal(fault ? fault->grpc_status : 0, rows[i].grpc);
    }
}

static void final_errors_are_kept_and_others_are_not(void **state)
{
    static const struct {
        Code code;
        ClaimEnd end, honoured;
    } rows[CODE_COUNT] = {
        {CODE_OK, CLAIM_END_KEEP, CLAIM_END_KEEP},
        {CODE_CANCELLED, CLAIM_END_UNKNOWN, CLAIM_END_RELEASE},
        {CODE_UNKNOWN, CLAIM_END_KEEP, CLAIM_END_KEEP},
        {CODE_INVALID_ARGUMENT, CLAIM_END_KEEP, CLAIM_END_KEEP},
        {CODE_DEADLINE_EXCEEDED, CLAIM_END_UNKNOWN, CLAIM_END_RELEASE},
        {CODE_NOT_FOUND, CLAIM_END_KEEP, CLAIM_END_KEEP},
        {CODE_ALREADY_EXISTS, CLAIM_END_KEEP, CLAIM_END_KEEP},
        {CODE_PERMISSION_DENIED, CLAIM_END_KEEP, CLAIM_END_KEEP},
        {CODE_RESOURCE_EXHAUSTED, CLAIM_END_RELEASE, CLAIM_END_RELEASE},
        {CODE_FAILED_PRECONDITION, CLAIM_END_KEEP, CLAIM_END_KEEP},
        {CODE_ABORTED, CLAIM_END_RELEASE, CLAIM_END_RELEASE},
        {CODE_OUT_OF_RANGE, CLAIM_END_KEEP, CLAIM_END_KEEP},
        {CODE_UNIMPLEMENTED, CLAIM_END_KEEP, CLAIM_END_KEEP},
        {CODE_INTERNAL, CLAIM_END_KEEP, CLAIM_END_KEEP},
        {CODE_UNAVAILABLE, CLAIM_END_UNKNOWN, CLAIM_END_RELEASE},
        {CODE_DATA_LOSS, CLAIM_END_KEEP, CLAIM_END_KEEP},
        {CODE_UNAUTHENTICATED, CLAIM_END_RELEASE, CLAIM_END_RELEASE},
    };
    for (int i = 0; i < CODE_COUNT; i++) {
        assert_int_equal(rows[i].code, i);
        assert_int_equal(claim_end_of_code(rows[i].code, false), rows[i].end);
        assert_int_equal(claim_end_of_code(rows[i].code, true), rows[i].honoured);
    }
}

static void without_a_response_the_key_is_free_if_nothing_was_executed(void **state)
{
    assert_int_equal(claim_end_of_failure(false, false), CLAIM_END_RELEASE);
    assert_int_equal(claim_end_of_failure(false, true), CLAIM_END_RELEASE);
    assert_int_equal(claim_end_of_failure(true, true), CLAIM_END_RELEASE);
    assert_int_equal(claim_end_of_failure(true, false), CLAIM_END_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_question_has_its_verdict),
        cmocka_unit_test(a_call_is_made_again_only_where_instances_honour_its_key),
        cmocka_unit_test(verdicts_that_refuse_have_their_own_faults),
        cmocka_unit_test(final_errors_are_kept_and_others_are_not),
        cmocka_unit_test(without_a_response_the_key_is_free_if_nothing_was_executed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
