#include "tests/unit/check.h"

#include "gateway/ledger/failure_text.h"
#include "tests/unit/gateway/ledger/failure_fixture.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct Bench {
    Arena *arena;
    FailureTable table;
    FailureRow *row, *read;
} Bench;

static int setup(void **state)
{
    Bench *b = calloc(1, sizeof *b);
    b->arena = arena_new(ARENA_UNLIMITED);
    b->table.limit = 10;
    b->row = fixture_failures(&b->table, "connecting to *", 7);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    Bench *b = *state;
    if (b->read)
        failure_row_free(b->read);
    failure_table_clear(&b->table);
    arena_free(b->arena);
    free(b);
    return 0;
}

static Bytes text_of(Bench *b, const char *const *redact)
{
    Buffer out = buffer_in(b->arena);
    failure_text_write(b->row, &b->row->method, redact, &out);
    return buffer_bytes(&out);
}

/* With its checksum. */
static Bytes text_with(Bench *b, const char *json)
{
    Buffer out = buffer_in(b->arena);
    buffer_printf(&out, "%016llx %s", (unsigned long long)bytes_hash(bytes_of(json)), json);
    return buffer_bytes(&out);
}

static const char *json_of(Bench *b)
{
    return arena_text(b->arena, text_of(b, NULL)) + 17;
}

static void a_row_comes_back_as_it_was(void **state)
{
    Bench *b = *state;
    assert_ok(b->arena, failure_text_read(b->arena, text_of(b, NULL), &b->read));
    const FailureRow *read = b->read, *row = b->row;
    assert_int_equal(read->fingerprint, row->fingerprint);
    assert_int_equal(failure_fingerprint(&read->key), row->fingerprint);
    assert_int_equal(read->impact, IMPACT_HIGH);
    assert_int_equal(read->count, 7);
    assert_int_equal(read->degraded, 2);
    assert_int_equal(read->retried, 2);
    assert_int_equal(read->first, NOON);
    assert_int_equal(read->last, NOON + 6 * SECOND);
    assert_memory_equal(&read->minute, &row->minute, sizeof row->minute);
    assert_memory_equal(&read->hour, &row->hour, sizeof row->hour);
    assert_memory_equal(&read->day, &row->day, sizeof row->day);
    assert_memory_equal(&read->clients, &row->clients, sizeof row->clients);
    assert_memory_equal(&read->recent_clients, &row->recent_clients, sizeof row->recent_clients);
    assert_memory_equal(&read->instances, &row->instances, sizeof row->instances);
    assert_int_equal(read->n_samples, 5);
    assert_string_equal(read->samples[4].id, "id-\"1\"");
    assert_int_equal(read->samples[4].at, row->samples[4].at);
    assert_string_equal(read->samples[4].record, "{\"client\":\"ada\",\"n\":[1,{}]}");
    assert_int_equal(read->series, 0);
}

static void a_row_of_attempts_comes_back_as_one(void **state)
{
    Bench *b = *state;
    FailureKey key = b->row->key;
    key.attempt = true;
    FailureRow *row = failure_row_new(&key, failure_fingerprint(&key));
    row->count = row->retried = 1;
    Buffer out = buffer_in(b->arena);
    failure_text_write(row, &row->method, NULL, &out);
    assert_ok(b->arena, failure_text_read(b->arena, buffer_bytes(&out), &b->read));
    assert_true(b->read->key.attempt);
    assert_int_equal(b->read->fingerprint, row->fingerprint);
    failure_row_free(row);
}

static void its_history_comes_back_with_a_row(void **state)
{
    Bench *b = *state;
    b->row->pause = 3 * WINDOW_HOUR;
    b->row->resumed = NOON;
    b->row->mute =
        (FailureMute){.acknowledged = NOON, .rate = 4, .instances = 9, .change = FAILURE_CAME_BACK};
    b->row->method = (FailureMethod){.process = NOON - 1, .seen = NOON, .clients = 3};
    window_add(&b->row->method.hour, WINDOW_HOUR, NOON, 70);
    assert_ok(b->arena, failure_text_read(b->arena, text_of(b, NULL), &b->read));
    assert_int_equal(b->read->pause, 3 * WINDOW_HOUR);
    assert_int_equal(b->read->resumed, NOON);
    assert_memory_equal(&b->read->mute, &b->row->mute, sizeof b->row->mute);
    assert_memory_equal(&b->read->method, &b->row->method, sizeof b->row->method);
}

static void what_is_redacted_is_not_kept(void **state)
{
    Bench *b = *state;
    const char *const names[] = {"client", NULL};
    Bytes text = text_of(b, names);
    assert_null(memmem(text.data, text.size, "ada", 3));
    assert_ok(b->arena, failure_text_read(b->arena, text, &b->read));
    assert_string_equal(b->read->samples[0].record, "{\"client\":\"redacted\",\"n\":[1,{}]}");
}

/* Wherever it is cut, and whichever byte is another one. */
static void a_damaged_text_is_refused(void **state)
{
    Bench *b = *state;
    Bytes text = text_of(b, NULL);
    for (size_t size = 0; size < text.size; size += size < 40 ? 1 : 101)
        assert_fault(failure_text_read(b->arena, bytes(text.data, size), &b->read),
                     FAULT_BAD_VALUE);
    Bytes copy = bytes_copy(b->arena, text);
    for (size_t i = 0; i < text.size; i += i < 40 ? 1 : 101) {
        ((uint8_t *)copy.data)[i] ^= 1;
        assert_fault(failure_text_read(b->arena, copy, &b->read), FAULT_BAD_VALUE);
        ((uint8_t *)copy.data)[i] ^= 1;
    }
    assert_ok(b->arena, failure_text_read(b->arena, copy, &b->read));
}

static void refuse(Bench *b, const char *member, const char *instead)
{
    const char *json = json_of(b);
    const char *at = strstr(json, member);
    assert_non_null(at);
    const char *changed =
        arena_printf(b->arena, "%.*s%s%s", (int)(at - json), json, instead, at + strlen(member));
    assert_fault(failure_text_read(b->arena, text_with(b, changed), &b->read), FAULT_BAD_VALUE);
}

static void what_cannot_be_right_is_refused(void **state)
{
    Bench *b = *state;
    assert_ok(b->arena, failure_text_read(b->arena, text_with(b, json_of(b)), &b->read));
    failure_row_free(b->read);
    refuse(b, "\"UPSTREAM_DOWN\"", "\"UPSTREAM_NEVER\"");
    refuse(b, "\"side\":2", "\"side\":3");
    refuse(b, "\"code\":14", "\"code\":17");
    refuse(b, "\"impact\":1", "\"impact\":3");
    refuse(b, "\"count\":7", "\"count\":3");
    refuse(b, "\"count\":7", "\"count\":-7");
    refuse(b, "\"count\":7", "\"count\":9223372036854775808");
    refuse(b, "\"count\":7", "\"counts\":7");
    refuse(b, "\"route\":\"orders\"", "\"route\":null");
    refuse(b, "\"clients\":\"", "\"clients\":\"AAAA");
    refuse(b, "\"clients\":\"", "\"clients\":\"\",\"_\":\"");
    refuse(b, "\"minute\":[", "\"minute\":[1,");
    refuse(b, "\"hour\":[", "\"hour\":[],\"_\":[");
    refuse(b, "\"samples\":[{", "\"samples\":[7,{");
    refuse(b, "\"count\":7", "\"count\":7,\"pause\":[1]");
    refuse(b, "\"count\":7", "\"count\":7,\"pause\":7");
    refuse(b, "\"count\":7", "\"count\":7,\"mute\":[1,1,10,0]");
    refuse(b, "\"count\":7", "\"count\":7,\"mute\":[1,1,9,4]");
    refuse(b, "\"count\":7", "\"count\":7,\"mute\":[0,1,9,3]");
    refuse(b, "\"count\":7", "\"count\":7,\"calls\":[1,2,3]");
    refuse(b, "\"count\":7", "\"count\":7,\"calls\":[1,2,-3],\"calls_hour\":[]");
    refuse(b, "\"samples\":[{\"id\"", "\"samples\":[{\"ids\"");
    assert_fault(failure_text_read(b->arena, text_with(b, "[]"), &b->read), FAULT_BAD_VALUE);
    assert_fault(failure_text_read(b->arena, text_with(b, "{"), &b->read), FAULT_BAD_JSON);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(its_history_comes_back_with_a_row),   TEST(a_row_comes_back_as_it_was),
        TEST(a_row_of_attempts_comes_back_as_one), TEST(what_is_redacted_is_not_kept),
        TEST(a_damaged_text_is_refused),           TEST(what_cannot_be_right_is_refused),
    };
    return cmocka_run_group_tests_name("failure_text", tests, NULL, NULL);
}
