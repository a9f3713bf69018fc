#include "gateway/job_run/job_caller.h"

#include "tests/unit/check.h"

/* By what a service says. */
static void mistakes_are_refused_and_what_may_pass_is_tried_again(void **state)
{
    static const Code refused[] = {
        CODE_INVALID_ARGUMENT,  CODE_NOT_FOUND,       CODE_ALREADY_EXISTS,
        CODE_PERMISSION_DENIED, CODE_UNAUTHENTICATED, CODE_FAILED_PRECONDITION,
        CODE_OUT_OF_RANGE,      CODE_UNIMPLEMENTED,   CODE_DATA_LOSS,
    };
    static const Code broke[] = {
        CODE_CANCELLED, CODE_UNKNOWN,  CODE_DEADLINE_EXCEEDED, CODE_RESOURCE_EXHAUSTED,
        CODE_ABORTED,   CODE_INTERNAL, CODE_UNAVAILABLE,
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(job_failure_means(NULL, refused[i]), JOB_REFUSED);
    for (size_t i = 0; i < sizeof broke / sizeof *broke; i++)
        assert_int_equal(job_failure_means(NULL, broke[i]), JOB_BROKE);
    assert_int_equal(sizeof refused / sizeof *refused + sizeof broke / sizeof *broke,
                     CODE_COUNT - 1);
}

static JobEvent meaning(const Fault *fault)
{
    return job_failure_means(fault, (Code)fault->grpc_status);
}

static void faults_that_may_pass_are_tried_again(void **state)
{
    assert_int_equal(meaning(&FAULT_UPSTREAM_DOWN), JOB_BROKE);
    assert_int_equal(meaning(&FAULT_DEADLINE_EXCEEDED), JOB_BROKE);
    assert_int_equal(meaning(&FAULT_SHUTTING_DOWN), JOB_BROKE);
    assert_int_equal(meaning(&FAULT_OUT_OF_MEMORY), JOB_BROKE);
    assert_int_equal(meaning(&FAULT_CANCELLED), JOB_BROKE);
    assert_int_equal(meaning(&FAULT_INTERNAL), JOB_BROKE);
    /* The next response of the service may be a better one. */
    assert_int_equal(meaning(&FAULT_UPSTREAM_MESSAGE), JOB_BROKE);
    assert_int_equal(meaning(&FAULT_UPSTREAM_TOO_LARGE), JOB_REFUSED); /* it would be so again */
}

static void faults_of_the_definition_are_refused(void **state)
{
    assert_int_equal(meaning(&FAULT_CANNOT_CONVERT), JOB_REFUSED);
    assert_int_equal(meaning(&FAULT_METHOD_REMOVED), JOB_REFUSED);
    assert_int_equal(meaning(&FAULT_MESSAGE_TOO_LARGE), JOB_REFUSED);
    assert_int_equal(meaning(&FAULT_FIELD_REQUIRED), JOB_REFUSED);
}

static void the_key_of_a_step_has_its_name_and_its_undo_another_one(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes id = bytes_of("01mcc5rm001r00000000000000");
    assert_bytes(job_step_key(arena, id, "reserve", false), "01mcc5rm001r00000000000000-reserve");
    assert_bytes(job_step_key(arena, id, "reserve", true),
                 "01mcc5rm001r00000000000000-reserve-undo");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_refused_and_what_may_pass_is_tried_again),
        cmocka_unit_test(faults_that_may_pass_are_tried_again),
        cmocka_unit_test(faults_of_the_definition_are_refused),
        cmocka_unit_test(the_key_of_a_step_has_its_name_and_its_undo_another_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
