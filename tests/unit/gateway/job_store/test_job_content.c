#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/job_store/job_content.h"

#include <stdlib.h>

static int setup(void **state)
{
    *state = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static Bytes written(Arena *arena, const JobRecord *record)
{
    Buffer out = buffer_in(arena);
    job_content_write(record, &out);
    return buffer_bytes(&out);
}

static void what_was_written_is_read(void **state)
{
    Arena *arena = *state;
    JobRecord *record = arena_make(arena, JobRecord), *read = arena_make(arena, JobRecord);
    record->request = bytes_of("the request");
    record->responses[0] = bytes_of("");
    record->responses[JOB_STEPS_MOST - 1] = bytes("\0\xff", 2);
    record->forwarded = fields_in(arena);
    fields_add(&record->forwarded, bytes_of("accept-language"), bytes_of("fr"));
    fields_add(&record->forwarded, bytes_of("accept-language"), bytes_of(""));
    const Claim scope = {"scope", bytes_of("orders.read orders.write")};
    const Identity ada = {.name = bytes_of("ada"),
                          .class = bytes_of("partner"),
                          .claims = &scope,
                          .n_claims = 1,
                          .how = PROOF_TOKEN,
                          .by = "people"};
    record->identity = &ada;
    assert_ok(arena, job_content_read(written(arena, record), arena, read));
    assert_bytes(read->request, "the request");
    assert_non_null(read->responses[0].data); /* an empty message is a response */
    assert_int_equal(read->responses[0].size, 0);
    assert_null(read->responses[1].data);
    assert_true(bytes_equal(read->responses[JOB_STEPS_MOST - 1], bytes("\0\xff", 2)));
    assert_int_equal(read->forwarded.n, 2);
    assert_bytes(read->forwarded.items[0].value, "fr");
    assert_int_equal(read->forwarded.items[1].value.size, 0);
    assert_bytes(read->identity->name, "ada");
    assert_bytes(read->identity->tenant, "");
    assert_bytes(read->identity->class, "partner");
    assert_int_equal(read->identity->how, PROOF_TOKEN);
    assert_string_equal(read->identity->by, "people");
    assert_int_equal(read->identity->n_claims, 1);
    assert_string_equal(read->identity->claims[0].name, "scope");
    assert_bytes(read->identity->claims[0].value, "orders.read orders.write");
}

static void a_job_may_have_no_content(void **state)
{
    Arena *arena = *state;
    JobRecord *record = arena_make(arena, JobRecord), *read = arena_make(arena, JobRecord);
    assert_ok(arena, job_content_read(written(arena, record), arena, read));
    assert_int_equal(read->request.size, 0);
    assert_int_equal(read->forwarded.n, 0);
    assert_null(read->identity); /* the gateway itself has begun it */
    for (int i = 0; i < JOB_STEPS_MOST; i++)
        assert_null(read->responses[i].data);
}

static void a_response_belongs_to_a_step_that_a_job_can_have(void **state)
{
    Arena *arena = *state;
    JobRecord *read = arena_make(arena, JobRecord);
    assert_ok(arena, job_content_read(bytes("\x1a\x02\x08\x3e", 4), arena, read));
    assert_non_null(read->responses[62].data);
    assert_fault(job_content_read(bytes("\x1a\x02\x08\x3f", 4), arena, read), FAULT_STORE_DAMAGED);
}

static void other_texts_change_nothing(void **state)
{
    Arena *arena = *state;
    JobRecord *read = arena_make(arena, JobRecord);
    read->request = bytes_of("as before");
    assert_fault(job_content_read(bytes_of("\x0a\x7f"), arena, read), FAULT_STORE_DAMAGED);
    assert_bytes(read->request, "as before");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_written_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_job_may_have_no_content, setup, teardown),
        cmocka_unit_test_setup_teardown(a_response_belongs_to_a_step_that_a_job_can_have, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(other_texts_change_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
