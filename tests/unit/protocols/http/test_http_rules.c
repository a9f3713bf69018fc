#include "tests/unit/check.h"

#include "protocols/http/http_rules.h"

/* The rules once more, byte by byte and without cleverness. */
static bool is_value_slowly(Bytes value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        bool blank = c == ' ' || c == '\t';
        if ((c < 0x20 && c != '\t') || c == 0x7f || (blank && (i == 0 || i == value.size - 1)))
            return false;
    }
    return true;
}

static bool is_name_slowly(Bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            (c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return true;
}

static bool is_path_slowly(Bytes path)
{
    for (size_t i = 0; i < path.size; i++) {
        if (path.data[i] <= 0x20 || path.data[i] >= 0x7f || path.data[i] == '#')
            return false;
    }
    return path.data[0] == '/' || bytes_are(path, "*");
}

/* Each byte at each place of texts of each size, among `usual` ones. */
static void expect_alike(bool (*is)(Bytes), bool (*is_slowly)(Bytes), char usual)
{
    uint8_t text[40];
    for (size_t size = 1; size < sizeof text; size++) {
        for (size_t at = 0; at < size; at++) {
            for (int c = 0; c < 256; c++) {
                memset(text, usual, sizeof text);
                text[at] = (uint8_t)c;
                assert_int_equal(is(bytes(text, size)), is_slowly(bytes(text, size)));
            }
        }
    }
}

static void a_name_a_value_and_a_path_are_judged_alike_wherever_the_byte_stands(void **state)
{
    expect_alike(http_is_field_value, is_value_slowly, 'a');
    expect_alike(http_is_field_name, is_name_slowly, '-');
    expect_alike(http_is_path, is_path_slowly, '/');
}

static void a_field_name_is_a_token_in_lower_case(void **state)
{
    assert_true(http_is_field_name(bytes_of("x-one.two_3~")));
    assert_false(http_is_field_name(bytes_of("")));
    assert_false(http_is_field_name(bytes_of("X")));
    assert_true(http_is_token(bytes_of("X")));
    static const char bad[] = "()<>@,;:\\\"/[]?={} \t\r\n\177\200\377";
    for (size_t i = 0; i < sizeof bad; i++) { /* NUL too */
        assert_false(http_is_token(bytes(&bad[i], 1)));
        assert_false(http_is_field_name(bytes(&bad[i], 1)));
    }
}

static void an_authority_is_a_host_and_perhaps_a_port(void **state)
{
    static const char *const good[] = {
        "a",     "a.b-c",    "a:1",          "a:",    "a:65535",
        "[::1]", "[::1]:80", "127.0.0.1:80", "a%20b", "!$&'()*+,;=._~-"};
    static const char *const bad[] = {"",      ":",       ":80",  "a:65536", "a:x", "a:1:2",
                                      "u@a",   "a/b",     "a?b",  "a#b",     "a b", "[::1",
                                      "::1]x", "[::1]80", "a[b]", "a\x80"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(http_is_authority(bytes_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (http_is_authority(bytes_of(bad[i])))
            fail_msg("%s is taken", bad[i]);
    }
}

static void a_path_is_visible_and_begins_with_a_slash(void **state)
{
    assert_true(http_is_path(bytes_of("/")));
    assert_true(http_is_path(bytes_of("/a%20b?c=d&e")));
    assert_true(http_is_path(bytes_of("*")));
    assert_false(http_is_path(bytes_of("")));
    assert_false(http_is_path(bytes_of("a")));
    assert_false(http_is_path(bytes_of("**")));
    assert_false(http_is_path(bytes_of("/#")));
    assert_false(http_is_path(bytes_of("/ ")));
    assert_false(http_is_path(bytes_of("/\r")));
    assert_false(http_is_path(bytes_of("/\xc3\xa4")));
    assert_false(http_is_path(bytes("/\0", 2)));
}

static void what_frames_or_routes_a_message_does_not_come_in_trailers(void **state)
{
    static const char *const barred[] = {
        "te",
        "host",
        "range",
        "cookie",
        "expect",
        "trailer",
        "upgrade",
        "set-cookie",
        "connection",
        "keep-alive",
        "content-type",
        "max-forwards",
        "authorization",
        "cache-control",
        "content-range",
        "content-length",
        "content-encoding",
        "proxy-connection",
        "transfer-encoding",
        "proxy-authorization",
    };
    for (size_t i = 0; i < sizeof barred / sizeof *barred; i++) {
        assert_true(http_is_barred_from_trailers(bytes_of(barred[i])));
        assert_int_equal(http_is_dropped_from_trailers(bytes_of(barred[i])),
                         strcmp(barred[i], "cache-control") != 0);
    }
    assert_false(http_is_barred_from_trailers(bytes_of("grpc-status")));
    assert_false(http_is_barred_from_trailers(bytes_of("grpc-message")));
    assert_false(http_is_barred_from_trailers(bytes_of("etag")));
    assert_false(http_is_dropped_from_trailers(bytes_of("etag")));
}

static void a_list_has_its_members_and_no_others(void **state)
{
    assert_true(http_list_has(bytes_of("a, Close ,b"), "close"));
    assert_true(http_list_has(bytes_of("close"), "close"));
    assert_false(http_list_has(bytes_of("closed, not-close"), "close"));
    assert_false(http_list_has(bytes_of(""), "close"));
}

static void verbs_that_may_be_said_twice_are_known(void **state)
{
    assert_true(http_is_idempotent(bytes_of("GET")));
    assert_true(http_is_idempotent(bytes_of("DELETE")));
    assert_false(http_is_idempotent(bytes_of("POST")));
    assert_false(http_is_idempotent(bytes_of("PATCH")));
    assert_false(
        http_is_idempotent(bytes_of("get"))); /* a method of its own: RFC 9110 section 9.1 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verbs_that_may_be_said_twice_are_known),
        cmocka_unit_test(a_name_a_value_and_a_path_are_judged_alike_wherever_the_byte_stands),
        cmocka_unit_test(a_field_name_is_a_token_in_lower_case),
        cmocka_unit_test(an_authority_is_a_host_and_perhaps_a_port),
        cmocka_unit_test(a_path_is_visible_and_begins_with_a_slash),
        cmocka_unit_test(what_frames_or_routes_a_message_does_not_come_in_trailers),
        cmocka_unit_test(a_list_has_its_members_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
