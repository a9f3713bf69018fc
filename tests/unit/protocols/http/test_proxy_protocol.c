#include "tests/unit/check.h"

#include "protocols/http/proxy_protocol.h"

#include <stdio.h>

enum { WHOLE = 0 };

/* Reads `header` and "GET" behind it, in pieces of `step` bytes or whole; with PROXY_DONE just
   "GET" must be left. */
static ProxyOutcome read_in_steps(Bytes header, size_t step, ProxySource *source)
{
    uint8_t text[2048];
    ProxyReader reader = {.n = 0};
    memcpy(text, header.data, header.size);
    memcpy(text + header.size, "GET", 3);
    Bytes all = bytes(text, header.size + 3);
    for (size_t at = 0; at < all.size;) {
        Bytes piece = bytes_slice(all, at, step ? step : SIZE_MAX);
        size_t size = piece.size;
        ProxyOutcome outcome = proxy_reader_read(&reader, &piece, source);
        at += size - piece.size;
        if (outcome == PROXY_DONE)
            assert_int_equal(at, header.size);
        else
            assert_true(outcome == PROXY_BAD || piece.size == 0);
        if (outcome != PROXY_MORE)
            return outcome;
    }
    return PROXY_MORE;
}

/* The outcome is the same at every way to cut the header. */
static ProxyOutcome read_header(Bytes header, ProxySource *source)
{
    ProxyOutcome whole = read_in_steps(header, WHOLE, source);
    for (size_t step = 1; step <= 20; step++) {
        ProxySource again;
        assert_int_equal(read_in_steps(header, step, &again), whole);
        assert_int_equal(again.port, source->port);
        assert_memory_equal(again.ip.bytes, source->ip.bytes, 16);
    }
    return whole;
}

static void assert_source(Bytes header, const char *ip, uint16_t port)
{
    ProxySource source;
    char text[IP_TEXT_SIZE] = "";
    assert_int_equal(read_header(header, &source), PROXY_DONE);
    if (source.ip.known)
        ip_write(&source.ip, text);
    assert_string_equal(text, ip);
    assert_int_equal(source.port, port);
}

static void a_line_tells_the_source(void **state)
{
    assert_source(bytes_of("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"), "192.0.2.1", 56324);
    assert_source(bytes_of("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"), "2001:db8::1", 1);
    assert_source(bytes_of("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0", 0);
    assert_source(bytes_of("PROXY UNKNOWN\r\n"), "", 0);
    assert_source(bytes_of("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), "", 0);
}

static void a_malformed_line_is_refused(void **state)
{
    static const char *const lines[] = {
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 1\r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 056 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.1 1 443\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 1 443\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.1 1 443\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.1 1 443\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY \r\n",
        "PROXY\r\n",
        "proxy TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
        "GET / HTTP/1.1\r\n",
        "PRI * HTTP/2.0\r\n",
    };
    ProxySource source;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(read_header(bytes_of(lines[i]), &source), PROXY_BAD);
}

static void a_line_has_107_bytes_at_most(void **state)
{
    char line[128];
    ProxySource source;
    snprintf(line, sizeof line, "PROXY UNKNOWN %.*s\r\n", 91,
             "....................................................."
             "......................................");
    assert_int_equal(strlen(line), 107);
    assert_int_equal(read_header(bytes_of(line), &source), PROXY_DONE);
    snprintf(line, sizeof line, "PROXY UNKNOWN %.*s.\r\n", 91,
             "...................................................."
             ".......................................");
    assert_int_equal(strlen(line), 108);
    assert_int_equal(read_header(bytes_of(line), &source), PROXY_BAD);
}

/* ---- Version 2 ------------------------------------------------------------------------------- */

/* A header of version 2: `length` is what it says of what follows, `size` what does follow. */
static Bytes binary(uint8_t *out, uint8_t command, uint8_t family, uint16_t length,
                    const void *follows, size_t size)
{
    memcpy(out, "\r\n\r\n\0\r\nQUIT\n", 12);
    out[12] = command;
    out[13] = family;
    out[14] = (uint8_t)(length >> 8);
    out[15] = (uint8_t)length;
    memcpy(out + 16, follows, size);
    return bytes(out, 16 + size);
}

static const uint8_t inet[12] = {192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb};
static const uint8_t inet6[36] = {
    0x20, 0x01, 0x0d, 0xb8, [15] = 1, [31] = 2, [32] = 0xdc, 0x04, 0x01, 0xbb};

static void a_binary_header_tells_the_source(void **state)
{
    uint8_t out[2048], unix_names[216] = "/run/a", follows[1000] = {0};
    assert_source(binary(out, 0x21, 0x11, 12, inet, 12), "192.0.2.1", 56324);
    assert_source(binary(out, 0x21, 0x21, 36, inet6, 36), "2001:db8::1", 56324);
    assert_source(binary(out, 0x21, 0x31, 216, unix_names, 216), "", 0);
    assert_source(binary(out, 0x21, 0x00, 0, "", 0), "", 0);
    /* LOCAL: whoever passes connections on asks for itself, and what it says besides is not looked
       at. */
    assert_source(binary(out, 0x20, 0x11, 12, inet, 12), "", 0);
    assert_source(binary(out, 0x20, 0x00, 0, "", 0), "", 0);
    /* What else it says behind the addresses is passed over. */
    memcpy(follows, inet, sizeof inet);
    assert_source(binary(out, 0x21, 0x11, sizeof follows, follows, sizeof follows), "192.0.2.1",
                  56324);
}

static void only_a_local_header_is_of_the_senders_own_connection(void **state)
{
    uint8_t out[64];
    ProxySource source;
    read_header(binary(out, 0x20, 0x00, 0, "", 0), &source);
    assert_true(source.local);
    read_header(binary(out, 0x21, 0x00, 0, "", 0), &source);
    assert_false(source.local || source.ip.known);
    read_header(bytes_of("PROXY UNKNOWN\r\n"), &source);
    assert_false(source.local || source.ip.known);
}

static void a_malformed_binary_header_is_refused(void **state)
{
    uint8_t out[2048];
    ProxySource source;
    assert_int_equal(read_header(binary(out, 0x22, 0x11, 12, inet, 12), &source), PROXY_BAD);
    assert_int_equal(read_header(binary(out, 0x11, 0x11, 12, inet, 12), &source), PROXY_BAD);
    assert_int_equal(read_header(binary(out, 0x21, 0x41, 12, inet, 12), &source), PROXY_BAD);
    assert_int_equal(read_header(binary(out, 0x21, 0x13, 12, inet, 12), &source), PROXY_BAD);
    assert_int_equal(read_header(binary(out, 0x21, 0x11, 11, inet, 11), &source), PROXY_BAD);
    assert_int_equal(read_header(binary(out, 0x21, 0x21, 35, inet6, 35), &source), PROXY_BAD);
    binary(out, 0x21, 0x11, 12, inet, 12);
    out[4] = 1;
    assert_int_equal(read_header(bytes(out, 28), &source), PROXY_BAD);
}

static void the_longest_binary_header_is_kept_in_little_memory(void **state)
{
    uint8_t out[64], zeros[1000] = {0};
    ProxyReader reader = {.n = 0};
    ProxySource source;
    Bytes input = binary(out, 0x21, 0x11, UINT16_MAX, inet, 12);
    assert_int_equal(proxy_reader_read(&reader, &input, &source), PROXY_MORE);
    for (size_t left = UINT16_MAX - 12; left > 0;) {
        size_t size = left < sizeof zeros ? left : sizeof zeros;
        input = bytes(zeros, size);
        left -= size;
        assert_int_equal(proxy_reader_read(&reader, &input, &source),
                         left ? PROXY_MORE : PROXY_DONE);
    }
    assert_int_equal(source.port, 56324);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_tells_the_source),
        cmocka_unit_test(a_malformed_line_is_refused),
        cmocka_unit_test(a_line_has_107_bytes_at_most),
        cmocka_unit_test(a_binary_header_tells_the_source),
        cmocka_unit_test(only_a_local_header_is_of_the_senders_own_connection),
        cmocka_unit_test(a_malformed_binary_header_is_refused),
        cmocka_unit_test(the_longest_binary_header_is_kept_in_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
