#include "tests/unit/check.h"

#include "base/random.h"
#include "gateway/discovery/etcd_keys.h"

#include <stdio.h>

static EtcdKeys keys;

static int set_up(void **state)
{
    keys = (EtcdKeys){.n = 0};
    return 0;
}

static int tear_down(void **state)
{
    etcd_keys_clear(&keys);
    assert_int_equal(keys.n, 0);
    assert_int_equal(keys.size, 0);
    return 0;
}

static bool put(const char *key, const char *value)
{
    return etcd_keys_put(&keys, bytes_of(key), bytes_of(value));
}

static void assert_keys(const char *expected)
{
    char text[200] = "";
    for (uint32_t i = 0; i < keys.n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s=%.*s", i ? " " : "",
                 BYTES_ARGS(etcd_keys_key(&keys, i)), BYTES_ARGS(etcd_keys_value(&keys, i)));
    assert_string_equal(text, expected);
}

static void keys_are_in_their_order_however_they_come(void **state)
{
    assert_true(put("b", "2"));
    assert_true(put("c", "3"));
    assert_true(put("a", "1"));
    assert_true(put("bb", ""));
    assert_keys("a=1 b=2 bb= c=3");
    assert_int_equal(keys.size, 8);
}

static void the_same_value_changes_nothing(void **state)
{
    assert_true(put("a", "1"));
    assert_false(put("a", "1"));
    assert_true(put("a", "22"));
    assert_keys("a=22");
    assert_int_equal(keys.size, 3);
}

static void a_key_that_is_removed_is_gone_once(void **state)
{
    put("a", "1");
    put("b", "2");
    assert_false(etcd_keys_remove(&keys, bytes_of("ab")));
    assert_true(etcd_keys_remove(&keys, bytes_of("a")));
    assert_false(etcd_keys_remove(&keys, bytes_of("a")));
    assert_keys("b=2");
    assert_int_equal(keys.size, 2);
}

/* Against an array with a place for each key. */
static void many_changes_at_random_are_those_of_a_plain_array(void **state)
{
    enum { KEYS = 200 };
    int values[KEYS] = {0};
    uint32_t n = 0;
    Random random;
    random_seed_fixed(&random, 5);
    for (int i = 0; i < 20000; i++) {
        uint64_t k = random_below(&random, KEYS);
        int value = (int)random_below(&random, 3);
        char key[16], text[16];
        snprintf(key, sizeof key, "k%03d", (int)k);
        snprintf(text, sizeof text, "%d", value);
        bool changed = value ? etcd_keys_put(&keys, bytes_of(key), bytes_of(text))
                             : etcd_keys_remove(&keys, bytes_of(key));
        assert_true(changed == (values[k] != value));
        n += (uint32_t)(value != 0) - (uint32_t)(values[k] != 0);
        values[k] = value;
        assert_int_equal(keys.n, n);
    }
    uint32_t at = 0;
    for (int k = 0; k < KEYS; k++) {
        char key[16];
        snprintf(key, sizeof key, "k%03d", k);
        if (values[k])
            assert_bytes(etcd_keys_key(&keys, at++), key);
    }
    assert_int_equal(at, n);
    assert_int_equal(keys.size, 5 * n);
}

static void there_is_a_bound(void **state)
{
    EtcdKeys at = {.n = ETCD_KEYS_MOST, .size = ETCD_BYTES_MOST};
    assert_false(etcd_keys_too_many(&at));
    at.n++;
    assert_true(etcd_keys_too_many(&at));
    at = (EtcdKeys){.size = ETCD_BYTES_MOST + 1};
    assert_true(etcd_keys_too_many(&at));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(keys_are_in_their_order_however_they_come),
        TEST(the_same_value_changes_nothing),
        TEST(a_key_that_is_removed_is_gone_once),
        TEST(many_changes_at_random_are_those_of_a_plain_array),
        TEST(there_is_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
