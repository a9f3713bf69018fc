#include "tests/unit/check.h"

#include "gateway/token/api_keys.h"

static Arena *arena;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static void a_new_key_has_a_public_id_and_a_hash(void **state)
{
    char one[API_KEY_SIZE + 1], other[API_KEY_SIZE + 1];
    uint8_t hash[API_KEY_HASH_SIZE], again[API_KEY_HASH_SIZE];
    api_key_make(one, hash);
    api_key_make(other, again);
    assert_int_equal(strlen(one), API_KEY_SIZE);
    assert_int_equal(strncmp(one, "key_", 4), 0);
    assert_int_equal(one[API_KEY_ID_SIZE], '_');
    assert_string_not_equal(one, other);
    api_key_hash(bytes_of(one), again);
    assert_memory_equal(hash, again, API_KEY_HASH_SIZE);
}

static void each_of_many_is_found_by_its_text_alone(void **state)
{
    enum { N = 1000 };
    static char texts[N][API_KEY_SIZE + 1];
    ApiKey *list = arena_array(arena, ApiKey, N);
    ApiKeys *keys;
    uint32_t twin;
    for (int i = 0; i < N; i++)
        api_key_make(texts[i], list[i].hash);
    assert_ok(arena, api_keys_new(arena, list, N, &keys, &twin));
    for (int i = 0; i < N; i++) {
        assert_ptr_equal(api_keys_find(keys, bytes_of(texts[i])), &list[i]);
        texts[i][API_KEY_SIZE - 1] ^= 1;
        assert_null(api_keys_find(keys, bytes_of(texts[i])));
    }
    assert_null(api_keys_find(keys, BYTES_NONE));
}

static void none_of_no_keys_is_found(void **state)
{
    ApiKeys *keys;
    uint32_t twin;
    assert_ok(arena, api_keys_new(arena, NULL, 0, &keys, &twin));
    assert_null(api_keys_find(keys, bytes_of("key")));
}

static void a_text_has_a_bound(void **state)
{
    char text[API_KEY_BYTES_MOST + 2];
    memset(text, 'k', sizeof text);
    for (size_t more = 0; more <= 1; more++) {
        ApiKey key = {0};
        ApiKeys *keys;
        uint32_t twin;
        Bytes whole = bytes(text, API_KEY_BYTES_MOST + more);
        api_key_hash(whole, key.hash);
        assert_ok(arena, api_keys_new(arena, &key, 1, &keys, &twin));
        assert_int_equal(api_keys_find(keys, whole) != NULL, !more);
    }
}

static void twins_are_refused(void **state)
{
    ApiKey list[3] = {{.hash = {1}}, {.hash = {2}}, {.hash = {1}}};
    ApiKeys *keys;
    uint32_t twin;
    assert_fault(api_keys_new(arena, list, 3, &keys, &twin), FAULT_BAD_VALUE);
    assert_int_equal(twin, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_key_has_a_public_id_and_a_hash),
        cmocka_unit_test(each_of_many_is_found_by_its_text_alone),
        cmocka_unit_test(none_of_no_keys_is_found),
        cmocka_unit_test(a_text_has_a_bound),
        cmocka_unit_test(twins_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
