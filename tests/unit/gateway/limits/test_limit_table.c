#include "tests/unit/check.h"

#include "base/clock.h"
#include "base/random.h"
#include "gateway/limits/limit_table.h"
#include "gateway/limits/rate.h"

#include <pthread.h>
#include <stdlib.h>

/* One call of a bucket. */
typedef struct Take {
    const Rate *rate;
    int64_t now;
    bool admitted;
} Take;

static bool take(void *how, uint64_t word, uint64_t *word_out)
{
    Take *it = how;
    RateVerdict verdict = rate_take(it->rate, word, 1, it->now);
    *word_out = verdict.word;
    it->admitted = verdict.admitted;
    return verdict.admitted;
}

/* A key that is spread as a hash is. */
static uint64_t key_of(uint64_t n)
{
    n = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    n = (n ^ n >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return n ^ n >> 32;
}

static LimitTable *make(uint64_t buckets)
{
    return limit_table_new((uint64_t[LIMIT_PARTS]){16, buckets, buckets});
}

static LimitSlot *call(LimitTable *table, LimitPart part, uint64_t key, Take *how)
{
    return limit_table_change(table, part, key, how->now, take, how);
}

static void a_key_finds_its_bucket_again(void **state)
{
    LimitTable *table = make(100);
    Rate rate = rate_of(1, SECOND, 3);
    Take how = {.rate = &rate, .now = SECOND};
    LimitSlot *slot = call(table, LIMIT_PART_PROVED, key_of(1), &how);
    assert_true(how.admitted);
    assert_ptr_equal(call(table, LIMIT_PART_PROVED, key_of(1), &how), slot);
    assert_ptr_equal(call(table, LIMIT_PART_PROVED, key_of(1), &how), slot);
    assert_true(how.admitted);
    call(table, LIMIT_PART_PROVED, key_of(1), &how);
    assert_false(how.admitted);
    call(table, LIMIT_PART_PROVED, key_of(2), &how);
    assert_true(how.admitted);
    assert_null(limit_table_find(table, LIMIT_PART_PROVED, key_of(3)));
    limit_table_free(table);
}

static void the_same_key_in_another_part_is_another_bucket(void **state)
{
    LimitTable *table = make(100);
    Rate rate = rate_of(1, SECOND, 1);
    Take how = {.rate = &rate, .now = SECOND};
    call(table, LIMIT_PART_PROVED, key_of(1), &how);
    call(table, LIMIT_PART_ADDRESSES, key_of(1), &how);
    assert_true(how.admitted);
    limit_table_free(table);
}

/* Fills the part until a key finds no room: how many have some. */
static uint64_t fill(LimitTable *table, LimitPart part, uint64_t from, Take *how)
{
    uint64_t n = 0;
    while (call(table, part, key_of(from + n), how))
        n++;
    return n;
}

static void invented_keys_take_no_bucket_away(void **state)
{
    enum { BUCKETS = 1000 };
    LimitTable *table = make(BUCKETS);
    Rate rate = rate_of(1, SECOND, 2);
    Take how = {.rate = &rate, .now = SECOND};
    for (uint64_t i = 0; i < BUCKETS; i++) {
        assert_non_null(call(table, LIMIT_PART_PROVED, key_of(i), &how));
        assert_non_null(call(table, LIMIT_PART_PROVED, key_of(i), &how));
    }
    fill(table, LIMIT_PART_ADDRESSES, 0, &how);
    fill(table, LIMIT_PART_PROVED, 1000000, &how);
    for (uint64_t i = 0; i < BUCKETS; i++) {
        assert_non_null(call(table, LIMIT_PART_PROVED, key_of(i), &how));
        assert_false(how.admitted);
    }
    limit_table_free(table);
}

static void a_bucket_that_is_full_again_gives_its_slot(void **state)
{
    LimitTable *table = make(8);
    Rate rate = rate_of(1, SECOND, 1);
    Take how = {.rate = &rate, .now = SECOND};
    uint64_t n = fill(table, LIMIT_PART_PROVED, 0, &how);
    assert_in_range(n, 8, 16);
    how.now = 2 * SECOND - 1;
    assert_null(call(table, LIMIT_PART_PROVED, key_of(n), &how));
    how.now = 2 * SECOND;
    LimitSlot *slot = call(table, LIMIT_PART_PROVED, key_of(n), &how);
    assert_non_null(slot);
    assert_true(how.admitted);
    call(table, LIMIT_PART_PROVED, key_of(n), &how);
    assert_false(how.admitted);
    limit_table_free(table);
}

static void a_million_clients_have_a_bucket_each_in_fixed_memory(void **state)
{
    enum { CLIENTS = 1000000 };
    LimitTable *table = limit_table_new((uint64_t[LIMIT_PARTS]){16, CLIENTS, 16});
    Rate rate = rate_of(1, SECOND, 1);
    Take how = {.rate = &rate, .now = SECOND};
    uint64_t bytes = limit_table_bytes(table);
    for (uint64_t i = 0; i < CLIENTS; i++) {
        assert_non_null(call(table, LIMIT_PART_PROVED, key_of(i), &how));
        assert_true(how.admitted);
    }
    assert_int_equal(limit_table_bytes(table), bytes);
    assert_in_range(bytes / CLIENTS, 36, 38);
    limit_table_free(table);
}

/* ---- Counts ---------------------------------------------------------------------------------- */

static bool enter(void *how, uint64_t word, uint64_t *word_out)
{
    uint64_t count = word & LIMIT_COUNT ? word : LIMIT_COUNT;
    *word_out = count + 1;
    return count - LIMIT_COUNT < *(uint64_t *)how;
}

static void a_slot_that_counts_stays_until_the_last_has_left(void **state)
{
    LimitTable *table = make(8);
    uint64_t most = 2;
    int64_t now = SECOND;
    LimitSlot *slot = limit_table_change(table, LIMIT_PART_PROVED, key_of(1), now, enter, &most);
    limit_table_change(table, LIMIT_PART_PROVED, key_of(1), now, enter, &most);
    assert_int_equal(slot->word, LIMIT_COUNT + 2);
    limit_table_change(table, LIMIT_PART_PROVED, key_of(1), now, enter, &most);
    assert_int_equal(slot->word, LIMIT_COUNT + 2);
    limit_slot_leave(slot);
    Rate rate = rate_of(1, 3600 * SECOND, 1);
    Take how = {.rate = &rate, .now = 1000 * SECOND};
    fill(table, LIMIT_PART_PROVED, 100, &how);
    assert_ptr_equal(limit_table_find(table, LIMIT_PART_PROVED, key_of(1)), slot);
    assert_int_equal(slot->word, LIMIT_COUNT + 1);
    limit_slot_leave(slot);
    fill(table, LIMIT_PART_PROVED, 200, &how);
    assert_null(limit_table_find(table, LIMIT_PART_PROVED, key_of(1)));
    limit_table_free(table);
}

/* ---- Notes, and all of it -------------------------------------------------------------------- */

static void a_note_goes_with_its_key(void **state)
{
    LimitTable *table = make(1);
    Rate rate = rate_of(1, SECOND, 1);
    Take how = {.rate = &rate, .now = SECOND};
    assert_int_equal(fill(table, LIMIT_PART_PROVED, 0, &how), 8);
    LimitSlot *slot = limit_table_find(table, LIMIT_PART_PROVED, key_of(0));
    limit_table_set_note(table, slot, 7);
    assert_int_equal(limit_table_note(table, slot), 7);
    how.now = 10 * SECOND;
    assert_int_equal(fill(table, LIMIT_PART_PROVED, 1000, &how), 8);
    assert_int_equal(limit_table_note(table, slot), 0);
    limit_table_free(table);
}

typedef struct Seen {
    LimitTable *into;
    uint32_t n;
    int64_t now;
} Seen;

static void carry(void *owner, LimitPart part, uint64_t key, uint64_t word)
{
    Seen *seen = owner;
    seen->n++;
    assert_true(limit_table_put(seen->into, part, key, word, seen->now));
}

static void another_table_takes_over_what_is_missing(void **state)
{
    LimitTable *table = make(100), *next = make(100);
    Rate rate = rate_of(1, SECOND, 3);
    Take how = {.rate = &rate, .now = SECOND};
    call(table, LIMIT_PART_PROVED, key_of(1), &how);
    how.now = 5 * SECOND; /* by now it is full */
    for (int i = 0; i < 3; i++)
        call(table, LIMIT_PART_ADDRESSES, key_of(2), &how);
    Seen seen = {next, 0, how.now};
    limit_table_each(table, how.now, carry, &seen);
    assert_int_equal(seen.n, 1);
    call(next, LIMIT_PART_ADDRESSES, key_of(2), &how);
    assert_false(how.admitted);
    limit_table_free(table);
    limit_table_free(next);
}

/* ---- Threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, KEYS = 500, ROUNDS = 40 };

typedef struct Worker {
    LimitTable *table;
    const Rate *rate;
    uint64_t admitted;
    uint32_t number;
    uint32_t without_room;
} Worker;

static void *work(void *argument)
{
    Worker *worker = argument;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < KEYS; i++) {
            Take how = {.rate = worker->rate, .now = SECOND};
            uint64_t key = key_of((i + worker->number * KEYS / THREADS) % KEYS);
            worker->without_room += !call(worker->table, LIMIT_PART_PROVED, key, &how);
            worker->admitted += how.admitted;
        }
    }
    return NULL;
}

/* What they were admitted together. There is room for all of them. */
static uint64_t run_threads(LimitTable *table, const Rate *rate, void *(*run)(void *))
{
    pthread_t threads[THREADS];
    Worker workers[THREADS];
    uint64_t admitted = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i] = (Worker){.table = table, .rate = rate, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, run, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        admitted += workers[i].admitted;
        assert_int_equal(workers[i].without_room, 0);
    }
    return admitted;
}

static void threads_together_take_what_is_there_and_no_more(void **state)
{
    LimitTable *table = make(KEYS);
    Rate rate = rate_of(1, SECOND, 50); /* of 160 calls */
    uint64_t admitted = run_threads(table, &rate, work);
    assert_in_range(admitted, KEYS * 50,
                    KEYS * 50 + KEYS / 50); /* two may bring a new key at once */
    limit_table_free(table);
}

/* Each key is used up, is full again, and gives its slot to another one. */
static void *replace(void *argument)
{
    Worker *worker = argument;
    for (uint32_t i = 0; i < 20000; i++) {
        Take how = {.rate = worker->rate, .now = SECOND + i * 100 * MICROSECOND};
        if (call(worker->table, LIMIT_PART_PROVED, key_of(i / 4), &how))
            worker->admitted += how.admitted;
    }
    return NULL;
}

static void threads_replace_slots_without_losing_what_was_taken(void **state)
{
    LimitTable *table = make(8);
    Rate rate = rate_of(1000, SECOND, 4);
    uint64_t admitted = run_threads(table, &rate, replace);
    assert_in_range(admitted, 1, 20000 * THREADS);
    limit_table_free(table);
}

static bool leave_idle(void *how, uint64_t word, uint64_t *word_out)
{
    return false;
}

/* All slots stay free, so that the one that a key was just given is taken by the next key. */
static void *bring_new_keys(void *argument)
{
    Worker *worker = argument;
    for (uint32_t i = 0; i < 500000; i++) {
        uint64_t key = key_of((uint64_t)i * THREADS + worker->number);
        worker->without_room +=
            !limit_table_change(worker->table, LIMIT_PART_PROVED, key, SECOND, leave_idle, NULL);
    }
    return NULL;
}

static void threads_that_bring_new_keys_find_room_as_long_as_there_is_some(void **state)
{
    LimitTable *table = make(1);
    run_threads(table, NULL, bring_new_keys);
    limit_table_free(table);
}

/* ---- 100,000 clients at their limit ---------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    uint32_t p = *(const uint32_t *)a, q = *(const uint32_t *)b;
    return p < q ? -1 : p > q;
}

/* Each of them calls twice as often as it may, for two seconds of simulated time. */
static void a_hundred_thousand_clients_get_what_they_may_within_a_percent(void **state)
{
    /* The last call comes 50 ms before the end. */
    enum { CLIENTS = 100000, MAY = 10, SECONDS = 2, CALLS = 2 * MAY * SECONDS, RIGHT = 29 };
    LimitTable *table = limit_table_new((uint64_t[LIMIT_PARTS]){16, CLIENTS, 16});
    uint32_t *admitted = calloc(CLIENTS, sizeof *admitted);
    Rate rate = rate_of(MAY, SECOND, MAY);
    Random random;
    random_seed_fixed(&random, 18);
    assert_non_null(admitted);
    for (int64_t n = 0; n < (int64_t)CALLS * CLIENTS; n++) {
        uint64_t client = (uint64_t)n % CLIENTS;
        int64_t jitter = (int64_t)(random_next(&random) % 1000);
        Take how = {.rate = &rate,
                    .now = SECOND + n / CLIENTS * (SECOND / (2 * MAY)) + (int64_t)client * 10 +
                           jitter};
        assert_non_null(call(table, LIMIT_PART_PROVED, key_of(client), &how));
        admitted[client] += how.admitted;
    }
    uint64_t sum = 0;
    for (uint32_t i = 0; i < CLIENTS; i++)
        sum += admitted[i];
    qsort(admitted, CLIENTS, sizeof *admitted, ascending);
    uint64_t right = (uint64_t)CLIENTS * RIGHT;
    assert_in_range(sum, right - right / 100, right + right / 100);
    assert_int_equal(admitted[0], RIGHT);
    assert_int_equal(admitted[CLIENTS - 1], RIGHT);
    free(admitted);
    limit_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_finds_its_bucket_again),
        cmocka_unit_test(the_same_key_in_another_part_is_another_bucket),
        cmocka_unit_test(invented_keys_take_no_bucket_away),
        cmocka_unit_test(a_bucket_that_is_full_again_gives_its_slot),
        cmocka_unit_test(a_million_clients_have_a_bucket_each_in_fixed_memory),
        cmocka_unit_test(a_slot_that_counts_stays_until_the_last_has_left),
        cmocka_unit_test(a_note_goes_with_its_key),
        cmocka_unit_test(another_table_takes_over_what_is_missing),
        cmocka_unit_test(threads_together_take_what_is_there_and_no_more),
        cmocka_unit_test(threads_replace_slots_without_losing_what_was_taken),
        cmocka_unit_test(threads_that_bring_new_keys_find_room_as_long_as_there_is_some),
        cmocka_unit_test(a_hundred_thousand_clients_get_what_they_may_within_a_percent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
