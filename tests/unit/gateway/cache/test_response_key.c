#include "tests/unit/check.h"

#include "gateway/cache/response_key.h"

static const KeySeed seed = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

static ResponseKey key_of(const char *const *parts)
{
    KeyHash hash;
    key_begin(&hash, &seed);
    for (; *parts; parts++)
        key_add(&hash, 0, bytes_of(*parts));
    return key_end(&hash);
}

/* By the reference in C with 1 and 3 rounds, which were seen to give the published values for 2 and
   4. A part is hashed behind its size, and with zeros up to a whole word. */
static void keys_are_siphash_1_3_with_128_bits(void **state)
{
    static const struct {
        const char *parts[4];
        ResponseKey key;
    } rows[] = {
        {{NULL}, {0xbea58827b2bc7ee7u, 0x013030dd6adb62fdu}},
        {{""}, {0xe2b3f81d9780e3dfu, 0x25fbf3e33e8ff111u}},
        {{"seven.."}, {0x396956d6aa55df9cu, 0xe13aac7aa5d3dd70u}},
        {{"eightsix", "thirteen byte"}, {0x318362494d214740u, 0x1887362fbdd5d5ccu}},
        {{"a", "b", "twenty bytes of text"}, {0x58737d0a643c6014u, 0xfc5879206de50f7fu}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ResponseKey key = key_of(rows[i].parts);
        assert_int_equal(key.low, rows[i].key.low);
        assert_int_equal(key.high, rows[i].key.high);
    }
}

static void parts_that_are_cut_elsewhere_have_another_key(void **state)
{
    ResponseKey one = key_of((const char *const[]){"ab", "c", NULL});
    ResponseKey other = key_of((const char *const[]){"a", "bc", NULL});
    assert_true(one.low != other.low && one.high != other.high);
}

static void parts_with_other_tags_have_another_key(void **state)
{
    KeyHash hash;
    ResponseKey keys[2];
    for (uint64_t tag = 0; tag < 2; tag++) {
        key_begin(&hash, &seed);
        key_add(&hash, tag, bytes_of("same"));
        keys[tag] = key_end(&hash);
    }
    assert_true(keys[0].low != keys[1].low && keys[0].high != keys[1].high);
}

static void each_process_has_its_own_seed(void **state)
{
    KeySeed one = key_seed_new(), other = key_seed_new();
    assert_true(one.low != other.low && one.high != other.high);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_siphash_1_3_with_128_bits),
        cmocka_unit_test(parts_that_are_cut_elsewhere_have_another_key),
        cmocka_unit_test(parts_with_other_tags_have_another_key),
        cmocka_unit_test(each_process_has_its_own_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
