#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/job_admin/job_query.h"

#include <stdlib.h>

typedef struct Bench {
    Arena *arena;
    JobQuery query;
} Bench;

static bool reads(Bench *b, const char *text, unsigned may_say)
{
    Result r = job_query_read(bytes_of(text), may_say, b->arena, &b->query);
    if (failed(r))
        assert_ptr_equal(r.error->fault, &FAULT_BAD_VALUE);
    return !failed(r);
}

static int setup(void **state)
{
    Bench *b = calloc(1, sizeof *b);
    b->arena = arena_new(ARENA_UNLIMITED);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    Bench *b = *state;
    arena_free(b->arena);
    free(b);
    return 0;
}

static void without_parts_all_jobs_are_meant(void **state)
{
    Bench *b = *state;
    assert_true(reads(b, "", JOB_QUERY_LIST));
    assert_int_equal(b->query.filter.most, JOB_LIST_DEFAULT);
    assert_int_equal(b->query.filter.states, 0);
    assert_int_equal(b->query.older, 0);
    assert_false(b->query.has_client);
}

static void each_part_is_read(void **state)
{
    Bench *b = *state;
    assert_true(reads(b,
                      "client=a%20b&service=hosting.Sites/Create&state=failed,waiting&step=ready&"
                      "resource=site%2Fone&older=90s&limit=1000&after=01jd2v7w3zcmq9e3f5h8k0n4rt",
                      JOB_QUERY_LIST));
    const JobFilter *filter = &b->query.filter;
    assert_bytes(b->query.client, "a b");
    assert_bytes(filter->method, "hosting.Sites/Create");
    assert_int_equal(filter->states, 1 << JOB_FAILED | 1 << JOB_WAITING);
    assert_bytes(filter->step, "ready");
    assert_bytes(filter->resource, "site/one");
    assert_int_equal(b->query.older, 90 * SECOND);
    assert_int_equal(filter->most, 1000);
    assert_bytes(filter->after, "01jd2v7w3zcmq9e3f5h8k0n4rt");
    assert_true(reads(b, "client=", JOB_QUERY_LIST));
    assert_true(b->query.has_client && !b->query.client.size);
}

static void what_is_no_value_is_refused(void **state)
{
    static const char *const wrong[] = {
        "state=lost", "state=",        "older=0",       "older=soon", "limit=0",
        "limit=1001", "after=x",       "step=",         "service=",   "colour=red",
        "client=%zz", "step=a&step=b", "name=approved", "to=1",       "=",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (reads(*state, wrong[i], JOB_QUERY_LIST))
            fail_msg("%s was read", wrong[i]);
}

static void each_word_has_parts_of_its_own(void **state)
{
    Bench *b = *state;
    assert_true(reads(b, "name=approved", JOB_QUERY_EVENT));
    assert_bytes(b->query.name, "approved");
    assert_false(reads(b, "", JOB_QUERY_EVENT));
    assert_true(reads(b, "", JOB_QUERY_TO));
    assert_int_equal(b->query.to, 0);
    assert_true(reads(b, "to=4294967295", JOB_QUERY_TO));
    assert_int_equal(b->query.to, UINT32_MAX);
    assert_false(reads(b, "to=4294967296", JOB_QUERY_TO));
    assert_false(reads(b, "to=0", JOB_QUERY_TO));
    assert_true(reads(b, "", 0));
    assert_false(reads(b, "state=failed", 0));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_parts_all_jobs_are_meant),
        TEST(each_part_is_read),
        TEST(what_is_no_value_is_refused),
        TEST(each_word_has_parts_of_its_own),
    };
    return cmocka_run_group_tests_name("job_query", tests, NULL, NULL);
}
