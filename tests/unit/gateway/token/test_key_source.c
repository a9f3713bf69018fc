#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/token/key_source.h"

static const KeyPlace place = {.file = "keys.yaml", .api_keys = true, .every = SECOND};

/* Of one key, "a". */
static SourceKeys set_of(const char *client)
{
    uint32_t twin;
    ApiKeys *table;
    SourceKeys set = {.arena = arena_new(ARENA_UNLIMITED)};
    ApiKey *key = arena_make(set.arena, ApiKey);
    key->client = bytes_of(client);
    api_key_hash(bytes_of("a"), key->hash);
    assert_ok(set.arena, api_keys_new(set.arena, key, 1, &table, &twin));
    set.api_keys = table;
    return set;
}

static void offer(KeySource *source, const char *client)
{
    SourceKeys set = set_of(client);
    key_source_offer(source, &set);
}

static Bytes client_of(const SourceKeys *set)
{
    return api_keys_find(set->api_keys, bytes_of("a"))->client;
}

static void a_place_is_one_source_as_long_as_somebody_has_it(void **state)
{
    KeyPlace other = place;
    other.every = 2 * SECOND;
    KeySource *one = key_source_use(&place), *again = key_source_use(&place),
              *different = key_source_use(&other);
    assert_ptr_equal(one, again);
    assert_ptr_not_equal(one, different);
    offer(one, "ada");
    key_source_drop(again);
    again = key_source_use(&place);
    assert_true(key_source_has(again)); /* a new config goes on with the keys */
    key_source_drop(one);
    key_source_drop(again);
    again = key_source_use(&place);
    assert_false(key_source_has(again));
    key_source_drop(again);
    key_source_drop(different);
    key_source_drop(NULL);
    assert_null(key_sources_next(NULL));
}

static void nothing_is_there_before_the_first_offer(void **state)
{
    const SourceKeys *set;
    KeySource *source = key_source_use(&place);
    assert_null(key_source_take(source, &set));
    assert_null(set->api_keys);
    assert_null(set->tokens);
    key_source_return(NULL);
    key_source_drop(source);
}

static void a_set_that_is_held_outlives_the_next_one_and_its_source(void **state)
{
    const SourceKeys *before, *after;
    KeySource *source = key_source_use(&place);
    offer(source, "ada");
    KeyHold *old = key_source_take(source, &before);
    uint64_t changes = key_sources_changes();
    offer(source, "bob");
    assert_int_equal(key_sources_changes(), changes + 1);
    KeyHold *new = key_source_take(source, &after);
    assert_bytes(client_of(before), "ada");
    assert_bytes(client_of(after), "bob");
    key_source_return(old);
    key_source_drop(source);
    assert_bytes(client_of(after), "bob");
    key_source_return(new);
}

static void all_sources_are_visited_each_with_a_count(void **state)
{
    KeyPlace other = {.file = "b"};
    KeySource *one = key_source_use(&place), *two = key_source_use(&other);
    int n = 0;
    for (KeySource *at = NULL; (at = key_sources_next(at)); n++)
        assert_true(at == one || at == two);
    assert_int_equal(n, 2);
    key_source_drop(one);
    key_source_drop(two);
}

static void only_a_url_is_asked_again_and_not_within_the_pause(void **state)
{
    KeyPlace url = {.url = "https://a/"};
    KeySource *file = key_source_use(&place), *source = key_source_use(&url);
    int64_t wait;
    assert_false(key_source_want(file, 0, INT64_MAX, &wait));
    assert_false(key_source_is_wanted(file));
    assert_true(key_source_want(source, 0, 0, &wait));
    assert_int_equal(wait, 0);
    assert_true(key_source_is_wanted(source));
    KeySchedule schedule = {0};
    key_schedule_done(&schedule, 100 * SECOND, true, 300 * SECOND, 0);
    key_source_scheduled(source, &schedule);
    assert_false(key_source_is_wanted(source));
    assert_false(key_source_want(source, 101 * SECOND, 90 * SECOND, &wait));
    assert_false(key_source_is_wanted(source)); /* it would be there */
    assert_true(key_source_want(source, 101 * SECOND, 100 * SECOND, &wait));
    assert_int_equal(wait, KEY_FETCH_PAUSE - SECOND);
    assert_true(key_source_is_wanted(source));
    assert_true(key_source_want(source, 100 * SECOND + KEY_FETCH_PAUSE, INT64_MAX, &wait));
    assert_int_equal(wait, 0);
    key_source_drop(file);
    key_source_drop(source);
}

static void keys_of_a_url_are_awaited_until_they_come_or_for_a_time(void **state)
{
    KeyPlace url = {.url = "https://a/"};
    KeySource *file = key_source_use(&place);
    key_sources_await(10 * SECOND);
    assert_false(key_sources_are_awaited(0)); /* a file has its keys, or the config is bad */
    KeySource *source = key_source_use(&url);
    assert_true(key_sources_are_awaited(10 * SECOND - 1));
    assert_false(key_sources_are_awaited(10 * SECOND));
    offer(source, "ada");
    assert_false(key_sources_are_awaited(0));
    key_source_drop(file);
    key_source_drop(source);
}

static void a_place_is_named_without_what_may_be_a_secret(void **state)
{
    static const struct {
        const char *url, *named;
    } rows[] = {
        {"https://a/", "https://a/"},
        {"https://a", "https://a"},
        {"https://ada:secret@a:8443/keys.json?key=secret#x", "https://a:8443/keys.json"},
        {"https://a@b@c/d@e", "https://c/d@e"},
        {"https://a?u@b", "https://a"},
        {"http://localhost:80/x", "http://localhost:80/x"},
        {NULL, "kept.json"},
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(
            key_place_name(arena, &(KeyPlace){.url = rows[i].url, .file = "kept.json"}),
            rows[i].named);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_one_source_as_long_as_somebody_has_it),
        cmocka_unit_test(nothing_is_there_before_the_first_offer),
        cmocka_unit_test(a_set_that_is_held_outlives_the_next_one_and_its_source),
        cmocka_unit_test(all_sources_are_visited_each_with_a_count),
        cmocka_unit_test(only_a_url_is_asked_again_and_not_within_the_pause),
        cmocka_unit_test(keys_of_a_url_are_awaited_until_they_come_or_for_a_time),
        cmocka_unit_test(a_place_is_named_without_what_may_be_a_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
