#include "tests/unit/check.h"

#include "protocols/http/http_engine.h"

enum { PER_SECOND = 100, DEPTH = 400 };

static uint32_t taken(HttpBucket *bucket, int64_t now)
{
    uint32_t n = 0;
    while (n < 10 * DEPTH && http_bucket_take(bucket, now))
        n++;
    return n;
}

static void a_bucket_gives_what_it_holds_and_no_more(void **state)
{
    HttpBucket bucket;
    http_bucket_init(&bucket, PER_SECOND, DEPTH);
    assert_int_equal(taken(&bucket, 1), DEPTH);
    assert_int_equal(taken(&bucket, 1), 0);
}

static void a_bucket_fills_with_time_up_to_its_depth(void **state)
{
    HttpBucket bucket;
    http_bucket_init(&bucket, PER_SECOND, DEPTH);
    assert_int_equal(taken(&bucket, 1), DEPTH);
    assert_int_equal(taken(&bucket, 1 + SECOND / PER_SECOND - 1), 0);
    assert_int_equal(taken(&bucket, 1 + SECOND / PER_SECOND), 1);
    assert_int_equal(taken(&bucket, 1 + SECOND), PER_SECOND - 1);
    assert_int_equal(taken(&bucket, 3600 * SECOND), DEPTH);
}

static void parts_of_a_token_can_be_taken(void **state)
{
    HttpBucket bucket;
    http_bucket_init(&bucket, PER_SECOND, DEPTH);
    uint32_t n = 0;
    while (http_bucket_take_time(&bucket, bucket.cost / 4, 1))
        n++;
    assert_int_equal(n, 4 * DEPTH);
}

static void what_is_earned_by_a_full_bucket_is_not_kept(void **state)
{
    HttpBucket bucket;
    http_bucket_init(&bucket, PER_SECOND, DEPTH);
    for (int i = 0; i < 10000; i++)
        http_bucket_credit(&bucket, 4, 1);
    assert_int_equal(taken(&bucket, 1), DEPTH);
    http_bucket_credit(&bucket, 4, 1);
    assert_int_equal(taken(&bucket, 1), 4);
    http_bucket_credit(&bucket, DEPTH + 4, 1);
    assert_int_equal(taken(&bucket, 1), DEPTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_gives_what_it_holds_and_no_more),
        cmocka_unit_test(a_bucket_fills_with_time_up_to_its_depth),
        cmocka_unit_test(parts_of_a_token_can_be_taken),
        cmocka_unit_test(what_is_earned_by_a_full_bucket_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
