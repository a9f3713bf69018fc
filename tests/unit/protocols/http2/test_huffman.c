#include "tests/unit/check.h"

#include "protocols/http2/huffman.h"

static void expect_decoded(const char *encoded, size_t size, const char *text)
{
    uint8_t out[64];
    size_t n;
    assert_true(huffman_decode(bytes(encoded, size), out, &n));
    assert_int_equal(n, strlen(text));
    assert_memory_equal(out, text, n);
}

/* RFC 7541 appendix C.4 and C.6. */
static void the_examples_of_the_standard_are_read_and_written(void **state)
{
    static const struct {
        const char *text, *encoded;
        size_t size;
    } rows[] = {
        {"www.example.com", "\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", 12},
        {"no-cache", "\xa8\xeb\x10\x64\x9c\xbf", 6},
        {"custom-key", "\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f", 8},
        {"custom-value", "\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf", 9},
        {"private", "\xae\xc3\x77\x1a\x4b", 5},
        {"", "", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t out[64];
        expect_decoded(rows[i].encoded, rows[i].size, rows[i].text);
        assert_int_equal(huffman_size(bytes_of(rows[i].text)), rows[i].size);
        uint8_t *end = huffman_encode(out, bytes_of(rows[i].text));
        assert_int_equal(end - out, rows[i].size);
        assert_memory_equal(out, rows[i].encoded, rows[i].size);
    }
}

static void every_byte_comes_back(void **state)
{
    for (size_t size = 0; size < 40; size++) {
        for (unsigned first = 0; first < 256; first++) {
            uint8_t text[40], encoded[200], decoded[400];
            size_t n;
            for (size_t i = 0; i < size; i++)
                text[i] = (uint8_t)(first + i * 37);
            uint8_t *end = huffman_encode(encoded, bytes(text, size));
            assert_int_equal(end - encoded, huffman_size(bytes(text, size)));
            assert_true(huffman_decode(bytes(encoded, (size_t)(end - encoded)), decoded, &n));
            assert_int_equal(n, size);
            assert_memory_equal(decoded, text, size);
        }
    }
}

/* RFC 7541 section 5.2. */
static void a_wrong_padding_is_refused(void **state)
{
    static const struct {
        const char *encoded;
        size_t size;
        bool good;
    } rows[] = {
        {"\x07", 1, true},  /* "0" and three ones */
        {"\x06", 1, false}, /* not the beginning of the code of the end */
        {"\x00", 1, false},
        {"\x07\xff", 2, false}, /* more than seven bits */
        {"\xff", 1, false},
        {"\xff\xff\xff\xff", 4, false}, /* the end itself */
        {"\xff\xff\xff\xfb", 4, true},  /* one of the longest codes */
        {"\xff\xff\xff", 3, false},     /* part of a long code */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t out[64];
        size_t n;
        if (huffman_decode(bytes(rows[i].encoded, rows[i].size), out, &n) != rows[i].good)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_standard_are_read_and_written),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(a_wrong_padding_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
