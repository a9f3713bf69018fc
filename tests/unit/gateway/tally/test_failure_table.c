#include "tests/unit/check.h"

#include "gateway/tally/failure_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOON (INT64_C(1772366400) * SECOND)

typedef struct Bench {
    FailureTable table, other;
    Failure failure;
} Bench;

static int setup(void **state)
{
    Bench *b = calloc(1, sizeof *b);
    b->table.limit = b->other.limit = 3;
    b->failure = (Failure){
        .key = {.side = SIDE_UPSTREAM,
                .fault = &FAULT_UPSTREAM_DOWN,
                .code = CODE_UNAVAILABLE,
                .route = bytes_of("orders"),
                .method = bytes_of("shop.orders.v1.Orders/Get"),
                .client_version = bytes_of("v1"),
                .served_version = bytes_of("v3"),
                .cause = bytes_of("connecting to *")},
        .at = NOON,
        .client = 1,
        .instance = bytes_of("127.0.0.1:7001"),
        .request_id = bytes_of("id"),
        .record = bytes_of("{}"),
    };
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    Bench *b = *state;
    failure_table_clear(&b->table);
    failure_table_clear(&b->other);
    free(b);
    return 0;
}

static uint64_t add(FailureTable *table, Failure failure, const char *cause, int n)
{
    failure.key.cause = bytes_of(cause);
    for (int i = 0; i < n; i++)
        failure_table_add(table, &failure);
    return failure_fingerprint(&failure.key);
}

static uint64_t all_failures(const FailureTable *table)
{
    uint64_t n = table->evicted_failures;
    for (uint32_t i = 0; i < table->n; i++)
        n += table->rows[i]->count;
    return n;
}

static void each_part_of_the_key_makes_another_fingerprint(void **state)
{
    Bench *b = *state;
    uint64_t prints[11];
    int n = 0;
    FailureKey key = b->failure.key;
    prints[n++] = failure_fingerprint(&key);
#define OTHER(member, value)                                                                       \
    key = b->failure.key;                                                                          \
    key.member = value;                                                                            \
    prints[n++] = failure_fingerprint(&key)
    OTHER(side, SIDE_GATEWAY);
    OTHER(fault, &FAULT_UPSTREAM_RESET);
    OTHER(code, CODE_INTERNAL);
    OTHER(route, bytes_of("order"));
    OTHER(method, bytes_of("shop.orders.v1.Orders/List"));
    OTHER(client_version, bytes_of("v2"));
    OTHER(served_version, bytes_of("v2"));
    OTHER(leg, bytes_of("orders"));
    OTHER(cause, bytes_of("connecting to"));
    OTHER(attempt, true);
#undef OTHER
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++)
            assert_true(prints[i] != prints[k]);
    key = b->failure.key;
    key.client_version = b->failure.key.served_version;
    key.served_version = b->failure.key.client_version;
    assert_true(failure_fingerprint(&key) != prints[0]);
}

/* Annotations in stores name fingerprints: they stay from build to build. */
static void a_fingerprint_stays_the_same(void **state)
{
    Bench *b = *state;
    assert_int_equal(failure_fingerprint(&b->failure.key), UINT64_C(0x52de81fa7cda618d));
}

static void failures_of_one_kind_are_one_row(void **state)
{
    Bench *b = *state;
    uint64_t print = add(&b->table, b->failure, "a", 2);
    b->failure.at = NOON - SECOND;
    b->failure.client = 2;
    b->failure.outcome = FAILURE_DEGRADED;
    b->failure.instance = bytes_of("127.0.0.1:7002");
    add(&b->table, b->failure, "a", 3);
    b->failure.at = NOON + SECOND;
    b->failure.outcome = FAILURE_RETRIED;
    add(&b->table, b->failure, "a", 4);
    assert_int_equal(b->table.n, 1);
    const FailureRow *row = failure_table_find(&b->table, print);
    assert_int_equal(row->count, 9);
    assert_int_equal(row->degraded, 3);
    assert_int_equal(row->retried, 4);
    assert_int_equal(row->first, NOON - SECOND);
    assert_int_equal(row->last, NOON + SECOND);
    assert_int_equal(window_count(&row->minute, WINDOW_MINUTE, NOON + SECOND), 9);
    assert_int_equal(window_count(&row->hour, WINDOW_HOUR, NOON + SECOND), 9);
    assert_int_equal(window_count(&row->day, WINDOW_DAY, NOON + SECOND), 9);
    assert_int_equal(lround(sketch_count(&row->clients)), 2);
    assert_int_equal(row->instances.n, 2);
    assert_false(row->instances.more);
    assert_bytes(row->key.method, "shop.orders.v1.Orders/Get");
    assert_bytes(row->key.cause, "a");
}

static void long_texts_are_cut(void **state)
{
    Bench *b = *state;
    char text[FAILURE_TEXT_SIZE + 1];
    memset(text, 'r', sizeof text);
    b->failure.key.route = b->failure.key.method = b->failure.key.client_version =
        b->failure.key.served_version = b->failure.key.leg = bytes(text, sizeof text);
    uint64_t print = add(&b->table, b->failure, "a", 1);
    const FailureRow *row = failure_table_find(&b->table, print);
    assert_int_equal(row->key.route.size, FAILURE_TEXT_SIZE);
    assert_int_equal(row->key.leg.size, FAILURE_TEXT_SIZE);
    assert_bytes(row->key.cause, "a");
}

static void instances_are_a_bounded_set(void **state)
{
    Bench *b = *state;
    FailureInstances instances = {0};
    char name[FAILURE_NAME_SIZE + 1];
    for (int i = 0; i < FAILURE_INSTANCES; i++) {
        snprintf(name, sizeof name, "127.0.0.1:%d", 7000 + i);
        failure_instances_add(&instances, bytes_of(name));
        failure_instances_add(&instances, bytes_of(name));
    }
    failure_instances_add(&instances, BYTES_NONE);
    assert_int_equal(instances.n, FAILURE_INSTANCES);
    assert_false(instances.more);
    failure_instances_add(&instances, b->failure.instance); /* known */
    assert_false(instances.more);
    failure_instances_add(&instances, bytes_of("127.0.0.1:8000"));
    assert_int_equal(instances.n, FAILURE_INSTANCES);
    assert_true(instances.more);
}

static void the_first_five_calls_of_a_loop_are_samples(void **state)
{
    Bench *b = *state;
    uint64_t print = 0;
    for (int i = 0; i < FAILURE_SAMPLES + 1; i++) {
        char id[2] = {(char)('a' + i)};
        b->failure.request_id = bytes_of(id);
        b->failure.at = NOON + i;
        print = add(&b->table, b->failure, "a", 1);
    }
    const FailureRow *row = failure_table_find(&b->table, print);
    assert_int_equal(row->n_samples, FAILURE_SAMPLES);
    assert_string_equal(row->samples[0].id, "a");
    assert_string_equal(row->samples[4].id, "e");
    assert_string_equal(row->samples[4].record, "{}");
}

static void of_merged_samples_the_newest_stay(void **state)
{
    Bench *b = *state;
    uint64_t print = 0;
    for (int i = 0; i < FAILURE_SAMPLES; i++) {
        char id[2] = {(char)('a' + i)};
        b->failure.request_id = bytes_of(id);
        b->failure.at = NOON + 10 * i;
        print = add(&b->table, b->failure, "a", 1);
    }
    b->failure.request_id = bytes_of("old");
    b->failure.at = NOON - 1;
    add(&b->other, b->failure, "a", 1);
    b->failure.request_id = bytes_of("between");
    b->failure.at = NOON + 15;
    add(&b->other, b->failure, "a", 1);
    b->failure.request_id = bytes_of("new");
    b->failure.at = NOON + 99;
    add(&b->other, b->failure, "a", 1);
    failure_table_take(&b->table, &b->other);
    const FailureRow *row = failure_table_find(&b->table, print);
    const char *const expected[] = {"between", "c", "d", "e", "new"};
    for (int i = 0; i < FAILURE_SAMPLES; i++)
        assert_string_equal(row->samples[i].id, expected[i]);
    assert_int_equal(b->other.n, 0);
}

static void a_long_record_is_left_out_of_its_sample(void **state)
{
    Bench *b = *state;
    static char record[FAILURE_RECORD_SIZE + 1];
    memset(record, ' ', sizeof record);
    b->failure.record = bytes(record, FAILURE_RECORD_SIZE);
    add(&b->table, b->failure, "a", 1);
    b->failure.record = bytes(record, sizeof record);
    uint64_t print = add(&b->table, b->failure, "a", 1);
    const FailureRow *row = failure_table_find(&b->table, print);
    assert_int_equal(strlen(row->samples[0].record), FAILURE_RECORD_SIZE);
    assert_string_equal(row->samples[1].id, "id");
    assert_null(row->samples[1].record);
}

static void as_many_kinds_as_the_limit_have_room(void **state)
{
    Bench *b = *state;
    add(&b->table, b->failure, "a", 1);
    add(&b->table, b->failure, "b", 1);
    add(&b->table, b->failure, "c", 1);
    assert_int_equal(b->table.n, 3);
    assert_int_equal(b->table.evicted, 0);
}

static void the_row_that_matters_least_gives_way(void **state)
{
    Bench *b = *state;
    uint64_t rare = add(&b->table, b->failure, "rare", 2);
    uint64_t often = add(&b->table, b->failure, "often", 9);
    b->failure.impact = IMPACT_HIGH;
    uint64_t high = add(&b->table, b->failure, "high", 1);
    b->failure.impact = IMPACT_LOW;
    uint64_t new = add(&b->table, b->failure, "new", 1);
    assert_null(failure_table_find(&b->table, rare));
    assert_non_null(failure_table_find(&b->table, often));
    assert_non_null(failure_table_find(&b->table, high));
    assert_non_null(failure_table_find(&b->table, new));
    assert_int_equal(b->table.evicted, 1);
    assert_int_equal(b->table.evicted_failures, 2);
    assert_int_equal(all_failures(&b->table), 13);
}

static void impact_counts_ten_times(void **state)
{
    Bench *b = *state;
    b->failure.impact = IMPACT_HIGH;
    uint64_t high = add(&b->table, b->failure, "high", 1);
    b->failure.impact = IMPACT_LOW;
    b->failure.at++;
    uint64_t ten = add(&b->table, b->failure, "ten", 10);
    uint64_t nine = add(&b->table, b->failure, "nine", 9);
    add(&b->table, b->failure, "x", 1);
    assert_null(failure_table_find(&b->table, nine));
    add(&b->table, b->failure, "x", 99);
    add(&b->table, b->failure, "y", 1); /* high and ten weigh the same: the older one goes */
    assert_null(failure_table_find(&b->table, high));
    assert_non_null(failure_table_find(&b->table, ten));
}

static void what_is_over_matters_less_than_what_happens_now(void **state)
{
    Bench *b = *state;
    uint64_t over = add(&b->table, b->failure, "over", 1000);
    b->failure.at = NOON + WINDOW_HOUR;
    add(&b->table, b->failure, "b", 1);
    add(&b->table, b->failure, "c", 1);
    add(&b->table, b->failure, "d", 1);
    assert_null(failure_table_find(&b->table, over));
}

static void tables_are_merged_row_by_row(void **state)
{
    Bench *b = *state;
    uint64_t print = add(&b->table, b->failure, "a", 2);
    b->failure.at = NOON + SECOND;
    b->failure.client = 2;
    b->failure.series = 7;
    add(&b->other, b->failure, "a", 3);
    add(&b->other, b->failure, "b", 4);
    failure_table_find(&b->table, print)->changed = false;
    failure_table_take(&b->table, &b->other);
    const FailureRow *row = failure_table_find(&b->table, print);
    assert_int_equal(row->count, 5);
    assert_int_equal(row->first, NOON);
    assert_int_equal(row->last, NOON + SECOND);
    assert_int_equal(row->series, 7);
    assert_true(row->changed);
    assert_int_equal(lround(sketch_count(&row->clients)), 2);
    assert_int_equal(b->table.n, 2);
    assert_int_equal(all_failures(&b->table), 9);
}

static void a_full_table_takes_what_matters_more_only(void **state)
{
    Bench *b = *state;
    add(&b->table, b->failure, "a", 5);
    add(&b->table, b->failure, "b", 6);
    uint64_t c = add(&b->table, b->failure, "c", 7);
    uint64_t less = add(&b->other, b->failure, "less", 4);
    uint64_t more = add(&b->other, b->failure, "more", 6);
    b->other.evicted = 2;
    b->other.evicted_failures = 3;
    failure_table_take(&b->table, &b->other);
    assert_null(failure_table_find(&b->table, less));
    assert_non_null(failure_table_find(&b->table, more));
    assert_non_null(failure_table_find(&b->table, c));
    assert_int_equal(b->table.n, 3);
    assert_int_equal(b->table.evicted, 4);
    assert_int_equal(all_failures(&b->table), 5 + 6 + 7 + 4 + 6 + 3);
}

static void a_lower_limit_takes_effect_when_it_is_set(void **state)
{
    Bench *b = *state;
    add(&b->table, b->failure, "a", 1);
    add(&b->table, b->failure, "b", 2);
    uint64_t c = add(&b->table, b->failure, "c", 3);
    b->table.limit = 1;
    failure_table_trim(&b->table, NOON);
    assert_int_equal(b->table.n, 1);
    assert_non_null(failure_table_find(&b->table, c));
    assert_int_equal(b->table.evicted, 2);
}

static void what_is_stored_gives_way_and_is_not_lost(void **state)
{
    Bench *b = *state;
    uint64_t a = add(&b->table, b->failure, "a", 1);
    uint64_t often = add(&b->table, b->failure, "b", 2);
    uint64_t c = add(&b->table, b->failure, "c", 3);
    failure_table_trim_stored(&b->table, 1, NOON);
    assert_int_equal(b->table.n, 3);
    failure_table_find(&b->table, a)->changed = failure_table_find(&b->table, c)->changed = false;
    failure_table_find(&b->table, a)->stored = STORED_KNOWN;
    failure_table_find(&b->table, c)->stored = STORED_APART;
    failure_table_trim_stored(&b->table, 3, NOON);
    assert_int_equal(b->table.n, 3);
    failure_table_trim_stored(&b->table, 1, NOON);
    assert_int_equal(b->table.n, 2);
    assert_null(failure_table_find(&b->table, a));
    assert_non_null(failure_table_find(&b->table, often));
    assert_int_equal(b->table.evicted + b->table.evicted_failures, 0);
}

static void a_stored_row_that_finds_no_room_is_not_lost(void **state)
{
    Bench *b = *state;
    add(&b->table, b->failure, "a", 5);
    add(&b->table, b->failure, "b", 6);
    add(&b->table, b->failure, "c", 7);
    FailureRow *less = failure_table_find(&b->other, add(&b->other, b->failure, "less", 4));
    less->changed = false;
    failure_table_merge(&b->table, less);
    assert_int_equal(b->table.n, 3);
    assert_int_equal(b->table.evicted + b->table.evicted_failures, 0);
    less->changed = true;
    failure_table_merge(&b->table, less);
    assert_int_equal(b->table.evicted, 1);
    assert_int_equal(b->table.evicted_failures, 4);
}

static const FailureRow *with_pause(Bench *b, int64_t pause)
{
    uint64_t print = add(&b->table, b->failure, "a", 1);
    b->failure.at += pause;
    add(&b->other, b->failure, "a", 1);
    failure_table_take(&b->table, &b->other);
    return failure_table_find(&b->table, print);
}

static void an_hour_without_failures_is_a_pause(void **state)
{
    Bench *b = *state;
    assert_int_equal(with_pause(b, WINDOW_HOUR - 1)->resumed, 0);
    const FailureRow *row = with_pause(b, WINDOW_HOUR);
    assert_int_equal(row->pause, WINDOW_HOUR);
    assert_int_equal(row->resumed, b->failure.at);
}

/* Another loop has seen failures, too: the pause is over, but it was one. */
static void the_last_pause_is_known(void **state)
{
    Bench *b = *state;
    const FailureRow *row = with_pause(b, 5 * WINDOW_HOUR);
    int64_t resumed = b->failure.at;
    with_pause(b, SECOND);
    assert_int_equal(row->pause, 5 * WINDOW_HOUR);
    assert_int_equal(row->resumed, resumed);
    with_pause(b, 2 * WINDOW_HOUR);
    assert_int_equal(row->pause, 2 * WINDOW_HOUR);
}

/* What a store has is older, and comes second. */
static void a_pause_before_a_row_is_noticed_too(void **state)
{
    Bench *b = *state;
    uint64_t print = add(&b->table, b->failure, "a", 1);
    b->failure.at = NOON - 3 * WINDOW_HOUR;
    add(&b->other, b->failure, "a", 1);
    failure_table_take(&b->table, &b->other);
    assert_int_equal(failure_table_find(&b->table, print)->pause, 3 * WINDOW_HOUR);
    assert_int_equal(failure_table_find(&b->table, print)->resumed, NOON);
}

/* ---- Causes ---------------------------------------------------------------------------------- */

static const char *cause_of(int i)
{
    static char text[16];
    snprintf(text, sizeof text, "cause %c%c", 'a' + i / 26, 'a' + i % 26);
    return text;
}

static const FailureRow *other_row(const FailureTable *table, FailureKey key)
{
    key.cause = bytes_of(FAILURE_OTHER);
    return failure_table_find(table, failure_fingerprint(&key));
}

static void above_the_most_causes_there_is_one_row_for_all_others(void **state)
{
    Bench *b = *state;
    b->table.limit = 100;
    for (int i = 0; i < FAILURE_CAUSES; i++)
        add(&b->table, b->failure, cause_of(i), 1);
    assert_int_equal(b->table.n, FAILURE_CAUSES);
    assert_null(other_row(&b->table, b->failure.key));
    for (int i = FAILURE_CAUSES; i < 200; i++)
        add(&b->table, b->failure, cause_of(i), 2);
    add(&b->table, b->failure, cause_of(0), 1);
    assert_int_equal(b->table.n, FAILURE_CAUSES + 1);
    assert_int_equal(other_row(&b->table, b->failure.key)->count, 2 * (200 - FAILURE_CAUSES));
    assert_int_equal(b->table.evicted, 0);
    assert_int_equal(all_failures(&b->table), FAILURE_CAUSES + 1 + 2 * (200 - FAILURE_CAUSES));
}

/* Methods and versions are known; texts are not. */
static void a_cause_of_several_methods_is_one_cause(void **state)
{
    static const char *const methods[] = {"A/Get", "A/List", "A/Make"};
    Bench *b = *state;
    b->table.limit = 1000;
    for (int m = 0; m < 3; m++) {
        b->failure.key.method = bytes_of(methods[m]);
        for (int i = 0; i < 2 * FAILURE_CAUSES; i++)
            add(&b->table, b->failure, cause_of(i), 1);
    }
    assert_int_equal(b->table.n, 3 * (FAILURE_CAUSES + 1));
}

static void another_route_fault_or_code_has_causes_of_its_own(void **state)
{
    Bench *b = *state;
    b->table.limit = 1000;
    for (int i = 0; i < FAILURE_CAUSES; i++)
        add(&b->table, b->failure, cause_of(i), 1);
    FailureKey key = b->failure.key;
    const FailureKey keys[] = {
        {.side = key.side, .fault = &FAULT_UPSTREAM_RESET, .code = key.code, .route = key.route},
        {.side = key.side, .fault = key.fault, .code = CODE_INTERNAL, .route = key.route},
        {.side = key.side, .fault = key.fault, .code = key.code, .route = bytes_of("other")},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        b->failure.key = keys[i];
        uint64_t print = add(&b->table, b->failure, "new", 1);
        assert_non_null(failure_table_find(&b->table, print));
    }
}

static void a_row_that_gives_way_makes_room_for_another_cause(void **state)
{
    Bench *b = *state;
    b->table.limit = FAILURE_CAUSES;
    for (int i = 0; i < FAILURE_CAUSES; i++)
        add(&b->table, b->failure, cause_of(i), 2);
    b->table.limit = FAILURE_CAUSES - 1;
    failure_table_trim(&b->table, NOON);
    b->table.limit = 100;
    uint64_t print = add(&b->table, b->failure, "new", 1);
    assert_non_null(failure_table_find(&b->table, print));
    add(&b->table, b->failure, "newer", 1);
    assert_int_equal(other_row(&b->table, b->failure.key)->count, 1);
}

static void causes_of_more_than_a_day_ago_give_way_to_new_ones(void **state)
{
    Bench *b = *state;
    b->table.limit = 100;
    for (int i = 0; i < FAILURE_CAUSES; i++)
        add(&b->table, b->failure, cause_of(i), 1);
    b->failure.at = NOON + WINDOW_DAY;
    add(&b->table, b->failure, "new", 1);
    assert_int_equal(other_row(&b->table, b->failure.key)->count, 1);
    b->failure.at += WINDOW_MINUTE;
    add(&b->table, b->failure, "new", 1);
    assert_int_equal(b->table.n, 2);
    assert_int_equal(b->table.evicted, FAILURE_CAUSES);
}

static void merged_tables_have_no_more_causes_than_one(void **state)
{
    Bench *b = *state;
    b->table.limit = b->other.limit = 100;
    for (int i = 0; i < FAILURE_CAUSES; i++) {
        add(&b->table, b->failure, cause_of(i), 1);
        add(&b->other, b->failure, cause_of(i + 5), 1);
    }
    failure_table_take(&b->table, &b->other);
    assert_int_equal(b->table.n, FAILURE_CAUSES + 1);
    assert_int_equal(other_row(&b->table, b->failure.key)->count, 5);
    assert_int_equal(all_failures(&b->table), 2 * FAILURE_CAUSES);
    b->failure.key.cause = bytes_of("new");
    assert_false(failure_table_admits(&b->table, &b->failure.key));
    b->failure.key.cause = bytes_of(cause_of(3));
    assert_true(failure_table_admits(&b->table, &b->failure.key));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_part_of_the_key_makes_another_fingerprint),
        TEST(a_fingerprint_stays_the_same),
        TEST(failures_of_one_kind_are_one_row),
        TEST(long_texts_are_cut),
        TEST(instances_are_a_bounded_set),
        TEST(the_first_five_calls_of_a_loop_are_samples),
        TEST(of_merged_samples_the_newest_stay),
        TEST(a_long_record_is_left_out_of_its_sample),
        TEST(as_many_kinds_as_the_limit_have_room),
        TEST(the_row_that_matters_least_gives_way),
        TEST(impact_counts_ten_times),
        TEST(what_is_over_matters_less_than_what_happens_now),
        TEST(tables_are_merged_row_by_row),
        TEST(a_full_table_takes_what_matters_more_only),
        TEST(a_lower_limit_takes_effect_when_it_is_set),
        TEST(what_is_stored_gives_way_and_is_not_lost),
        TEST(a_stored_row_that_finds_no_room_is_not_lost),
        TEST(an_hour_without_failures_is_a_pause),
        TEST(the_last_pause_is_known),
        TEST(a_pause_before_a_row_is_noticed_too),
        TEST(above_the_most_causes_there_is_one_row_for_all_others),
        TEST(a_cause_of_several_methods_is_one_cause),
        TEST(another_route_fault_or_code_has_causes_of_its_own),
        TEST(a_row_that_gives_way_makes_room_for_another_cause),
        TEST(causes_of_more_than_a_day_ago_give_way_to_new_ones),
        TEST(merged_tables_have_no_more_causes_than_one),
    };
    return cmocka_run_group_tests_name("failure_table", tests, NULL, NULL);
}
