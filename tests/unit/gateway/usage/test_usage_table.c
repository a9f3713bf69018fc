#include "tests/unit/check.h"

#include "gateway/usage/usage_table.h"

#include <pthread.h>
#include <stdio.h>

#define NOON (INT64_C(1772366400) * SECOND)
#define PLENTY (64 << 20)

/* What a table has, summed over what is asked for. */
typedef struct Sum {
    uint32_t use;
    const char *client; /* NULL: any */
    uint32_t shared;    /* this shared row; 0: rows of clients */
    bool any;           /* all rows of the use */
    uint64_t calls, rows;
    int64_t last;
} Sum;

static void see(void *owner, const UsageCount *row)
{
    Sum *sum = owner;
    bool meant = sum->any || (row->shared == sum->shared &&
                              (!sum->client || bytes_are(row->client, sum->client)));
    if (row->use != sum->use || !meant)
        return;
    sum->calls += row->calls;
    sum->rows++;
    sum->last = row->last > sum->last ? row->last : sum->last;
}

static Sum sum_of(UsageTable *table, Sum sum)
{
    for (uint32_t i = 0; i < USAGE_SHARDS; i++)
        usage_table_each(table, i, see, &sum);
    return sum;
}

static Bytes client(int i, char name[32])
{
    snprintf(name, 32, "client-%d", i);
    return bytes_of(name);
}

static void calls_of_a_client_are_counted_by_what_it_uses(void **state)
{
    UsageTable *table = usage_table_new(PLENTY);
    usage_table_call(table, 1, bytes_of("ada"), NOON);
    usage_table_call(table, 1, bytes_of("ada"), NOON + 5 * SECOND);
    usage_table_call(table, 1, bytes_of("ada"), NOON + 2 * SECOND);
    usage_table_call(table, 2, bytes_of("ada"), NOON);
    usage_table_call(table, 1, bytes_of("bob"), NOON);
    usage_table_call(table, 1, BYTES_NONE, NOON);
    Sum ada = sum_of(table, (Sum){.use = 1, .client = "ada"});
    assert_int_equal(ada.calls, 3);
    assert_int_equal(ada.last, NOON + 5 * SECOND);
    assert_int_equal(sum_of(table, (Sum){.use = 2, .client = "ada"}).calls, 1);
    assert_int_equal(sum_of(table, (Sum){.use = 1, .client = "bob"}).calls, 1);
    assert_int_equal(sum_of(table, (Sum){.use = 1, .client = ""}).calls, 1);
    assert_int_equal(sum_of(table, (Sum){.use = 1, .any = true}).calls, 5);
    usage_table_free(table);
}

static void each_period_has_rows_of_its_own(void **state)
{
    UsageTable *table = usage_table_new(PLENTY);
    int64_t begin = NOON / USAGE_PERIOD * USAGE_PERIOD;
    usage_table_call(table, 1, bytes_of("ada"), begin);
    usage_table_call(table, 1, bytes_of("ada"), begin + USAGE_PERIOD - 1);
    assert_int_equal(sum_of(table, (Sum){.use = 1, .client = "ada"}).rows, 1);
    usage_table_call(table, 1, bytes_of("ada"), begin + USAGE_PERIOD);
    Sum sum = sum_of(table, (Sum){.use = 1, .client = "ada"});
    assert_int_equal(sum.rows, 2);
    assert_int_equal(sum.calls, 3);
    usage_table_free(table);
}

/* A client without a row of its own is in the shared one that is said to be its: its use is
   overstated, and never missed. */
static void without_room_clients_share_rows_and_no_call_is_lost(void **state)
{
    enum { CLIENTS = 20000, CALLS = 3 };
    UsageTable *table = usage_table_new(512 << 10);
    char name[32];
    for (int k = 0; k < CALLS; k++)
        for (int i = 0; i < CLIENTS; i++)
            usage_table_call(table, 1, client(i, name), NOON + i * SECOND);
    Sum all = sum_of(table, (Sum){.use = 1, .any = true});
    assert_int_equal(all.calls, CLIENTS * CALLS);
    assert_in_range(usage_table_stats(table).bytes, 256 << 10, (512 << 10) + 64 * 1024);
    assert_true(usage_table_stats(table).shared_calls > 0);
    int n_shared = 0;
    for (int i = 0; i < CLIENTS; i += 7) {
        Sum own = sum_of(table, (Sum){.use = 1, .client = (client(i, name), name)});
        Sum shared = own;
        if (!own.rows)
            shared = sum_of(table, (Sum){.use = 1, .shared = usage_shared_of(bytes_of(name))});
        n_shared += !own.rows;
        assert_true(shared.calls >= CALLS);
        assert_true(shared.last >= NOON + i * SECOND);
        if (own.rows)
            assert_int_equal(own.calls, CALLS);
    }
    assert_true(n_shared > 0);
    assert_true(n_shared < CLIENTS / 7);
    usage_table_free(table);
}

static void a_table_without_memory_has_shared_rows_only(void **state)
{
    UsageTable *table = usage_table_new(0);
    char name[32];
    for (int i = 0; i < 5000; i++)
        usage_table_call(table, 1, client(i, name), NOON);
    assert_int_equal(usage_table_stats(table).rows, USAGE_SHARED);
    assert_int_equal(sum_of(table, (Sum){.use = 1, .any = true}).calls, 5000);
    usage_table_free(table);
}

static void what_is_taken_out_and_added_again_is_the_same(void **state)
{
    UsageTable *table = usage_table_new(64 << 10), *other = usage_table_new(PLENTY);
    char name[32];
    for (int i = 0; i < 5000; i++)
        usage_table_call(table, 1 + i % 3, client(i, name), NOON + i * SECOND);
    UsageTableStats before = usage_table_stats(table);
    for (uint32_t i = 0; i < USAGE_SHARDS; i++) {
        UsageRows *rows = usage_table_take(table, i);
        for (UsageCount row; rows && usage_rows_next(rows, &row);)
            usage_table_add(other, &row);
        usage_rows_free(rows);
        assert_null(usage_table_take(table, i));
    }
    assert_int_equal(usage_table_stats(table).rows, 0);
    assert_int_equal(usage_table_stats(other).rows, before.rows);
    uint64_t calls = 0;
    for (uint32_t use = 1; use <= 3; use++)
        calls += sum_of(other, (Sum){.use = use, .any = true}).calls;
    assert_int_equal(calls, 5000);
    usage_table_free(table);
    usage_table_free(other);
}

static void old_rows_are_forgotten_by_their_last_call(void **state)
{
    UsageTable *table = usage_table_new(PLENTY);
    usage_table_call(table, 1, bytes_of("ada"), NOON);
    usage_table_call(table, 1, bytes_of("bob"), NOON + SECOND);
    usage_table_forget_old(table, NOON + SECOND);
    assert_int_equal(sum_of(table, (Sum){.use = 1, .client = "ada"}).rows, 0);
    assert_int_equal(sum_of(table, (Sum){.use = 1, .client = "bob"}).calls, 1);
    usage_table_free(table);
}

static void a_client_that_is_forgotten_becomes_anonymous(void **state)
{
    UsageTable *table = usage_table_new(PLENTY);
    usage_table_call(table, 1, bytes_of("ada"), NOON);
    usage_table_call(table, 2, bytes_of("ada"), NOON);
    usage_table_call(table, 1, bytes_of("bob"), NOON);
    usage_table_forget_client(table, bytes_of("ada"));
    assert_int_equal(sum_of(table, (Sum){.use = 1, .client = "ada"}).rows, 0);
    assert_int_equal(sum_of(table, (Sum){.use = 1, .client = ""}).calls, 1);
    assert_int_equal(sum_of(table, (Sum){.use = 2, .client = ""}).calls, 1);
    assert_int_equal(sum_of(table, (Sum){.use = 1, .client = "bob"}).calls, 1);
    usage_table_call(table, 1, bytes_of("ada"), NOON);
    assert_int_equal(sum_of(table, (Sum){.use = 1, .client = "ada"}).calls, 1);
    usage_table_free(table);
}

static void a_name_that_is_too_long_is_cut_off(void **state)
{
    UsageTable *table = usage_table_new(PLENTY);
    char name[USAGE_CLIENT_SIZE + 2];
    memset(name, 'x', sizeof name);
    usage_table_call(table, 1, bytes(name, USAGE_CLIENT_SIZE), NOON);
    usage_table_call(table, 1, bytes(name, USAGE_CLIENT_SIZE + 1), NOON);
    usage_table_call(table, 1, bytes(name, USAGE_CLIENT_SIZE - 1), NOON);
    assert_int_equal(usage_table_stats(table).rows, 2);
    usage_table_free(table);
}

enum { THREADS = 4, EACH = 20000 };

static void *call_often(void *table)
{
    char name[32];
    for (int i = 0; i < EACH; i++)
        usage_table_call(table, 1, client(i % 100, name), NOON);
    return NULL;
}

static void loops_count_at_the_same_time(void **state)
{
    UsageTable *table = usage_table_new(PLENTY);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, table), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    Sum sum = sum_of(table, (Sum){.use = 1, .any = true});
    assert_int_equal(sum.calls, THREADS * EACH);
    assert_int_equal(sum.rows, 100);
    usage_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_a_client_are_counted_by_what_it_uses),
        cmocka_unit_test(each_period_has_rows_of_its_own),
        cmocka_unit_test(without_room_clients_share_rows_and_no_call_is_lost),
        cmocka_unit_test(a_table_without_memory_has_shared_rows_only),
        cmocka_unit_test(what_is_taken_out_and_added_again_is_the_same),
        cmocka_unit_test(old_rows_are_forgotten_by_their_last_call),
        cmocka_unit_test(a_client_that_is_forgotten_becomes_anonymous),
        cmocka_unit_test(a_name_that_is_too_long_is_cut_off),
        cmocka_unit_test(loops_count_at_the_same_time),
    };
    return cmocka_run_group_tests_name("usage_table", tests, NULL, NULL);
}
