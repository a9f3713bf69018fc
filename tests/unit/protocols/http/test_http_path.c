#include "protocols/http/http_path.h"

#include "base/random.h"
#include "protocols/http/http_rules.h"
#include "tests/unit/check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

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

static Bytes normal(const char *path)
{
    Bytes found;
    assert_ok(arena, http_path_normalize(bytes_of(path), arena, &found));
    return found;
}

static Bytes loose(const char *path)
{
    Bytes found;
    assert_ok(arena, http_path_read_loosely(normal(path), arena, &found));
    return found;
}

static void check_normal_forms(const char *const (*rows)[2])
{
    for (; rows[0][0]; rows++)
        assert_bytes(normal(rows[0][0]), rows[0][1]);
}

static void dot_segments_are_taken_out(void **state)
{
    check_normal_forms(
        (const char *const[][2]){{"/a/b/c/./../../g", "/a/g"}, /* RFC 3986 section 5.2.4 */
                                 {"/a/../b", "/b"},
                                 {"/a/./b", "/a/b"},
                                 {"/a/..", "/"},
                                 {"/a/.", "/a/"},
                                 {"/a/b/..", "/a/"},
                                 {"/..", "/"},
                                 {"/.", "/"},
                                 {"/../../a", "/a"},
                                 {"/./a", "/a"},
                                 {"/a/../", "/"},
                                 {"/a//../b", "/a/b"},
                                 {"//..", "/"},
                                 {"//../a", "/a"},
                                 {NULL, NULL}});
}

static void what_only_begins_with_dots_stays(void **state)
{
    check_normal_forms((const char *const[][2]){{"/", "/"},
                                                {"*", "*"},
                                                {"//", "//"},
                                                {"/a//b/", "/a//b/"},
                                                {"/.a/..b/...", "/.a/..b/..."},
                                                {"/.well-known/x", "/.well-known/x"},
                                                {"/a./b..", "/a./b.."},
                                                {NULL, NULL}});
}

static void escapes_have_one_spelling(void **state)
{
    check_normal_forms(
        (const char *const[][2]){{"/%7Ea/%41%2d%5f%2E%30", "/~a/A-_.0"},
                                 {"/a%2fb%c3%bc%3a", "/a%2Fb%C3%BC%3A"},
                                 {"/%25%32%65", "/%252e"}, /* decoded once, and no more */
                                 {"/a%20b;c,d=e:@!$&'()*+", "/a%20b;c,d=e:@!$&'()*+"},
                                 {NULL, NULL}});
}

static void escaped_dots_are_dots(void **state)
{
    check_normal_forms((const char *const[][2]){{"/a/%2e%2e/b", "/b"},
                                                {"/a/.%2E/b", "/b"},
                                                {"/a/%2e/b", "/a/b"},
                                                {"/a/b/%2E.", "/a/"},
                                                {"/%2e%2e", "/"},
                                                {NULL, NULL}});
}

static void a_percent_sign_without_two_digits_is_refused(void **state)
{
    static const char *const bad[] = {"/%",   "/a%",  "/%2",    "/%2/a",
                                      "/%g0", "/%0g", "/%%32e", "/%-1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Bytes found;
        assert_fault(http_path_normalize(bytes_of(bad[i]), arena, &found), FAULT_BAD_REQUEST);
    }
}

static void a_loose_reading_decodes_all_and_has_no_needless_parts(void **state)
{
    static const char *const rows[][2] = {
        {"/a/b", "/a/b"},
        {"/a%2Fb", "/a/b"},
        {"/a%5Cb", "/a/b"},
        {"/a%252fb", "/a/b"},
        {"/%25%32%66a", "/a"},
        {"//a///b//", "/a/b/"},
        {"/a;v=1/b;w", "/a/b"},
        {"/a/;v", "/a/"},
        {"/", "/"},
        {"//", "/"},
        {"/%2F", "/"},
        {"/a%c0%afb", "/a/b"},
        {"/a%e0%80%afb", "/a/b"},
        {"/a%f0%80%80%afb", "/a/b"},
        {"/a%c1%9cb", "/a/b"},
        {"/100%25", "/100%"},
        {"/%25zz", "/%zz"},
        {"/caf%C3%A9", "/caf\xc3\xa9"},
        {"/.a/..b", "/.a/..b"},
        {"/%c0a", "/\xc0"
                  "a"},
        {"/a%20", "/a "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_bytes(loose(rows[i][0]), rows[i][1]);
}

static void a_path_with_dot_segments_for_some_server_is_refused(void **state)
{
    static const char *const bad[] = {
        "/a/..%2fb",
        "/a/..%5cb",
        "/a%2f..%2fb",
        "/a%5c..",
        "/a%2f%2e%2e",
        "/a/%252e%252e/b",
        "/a/.%252e",
        "/a/%25252e%25252e/b",
        "/a/%25%32%65%25%32%65/b",
        "/a/%252e",
        "/a/..;/b",
        "/a/..;v=1",
        "/a/.;/b",
        "/a/..%3b/b",
        "/a/%c0%ae%c0%ae/b",
        "/a/.%e0%80%ae/b",
        "/a/..%c0%afb",
        "/a/..%252fb",
        "/a/..%20/b",
        "/a/%20./b",
        "/a/..%2520",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Bytes found;
        assert_fault(http_path_read_loosely(normal(bad[i]), arena, &found), FAULT_BAD_REQUEST);
    }
}

static void control_characters_and_backslashes_are_refused(void **state)
{
    static const char *const bad[] = {"/a%00",   "/%0d%0aX:", "/a%09", "/a%1f",  "/a%7F", "/..%00",
                                      "/a%2500", "/a%c0%80",  "/a\\b", "/..\\a", "/a/\\"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Bytes found;
        assert_fault(http_path_read_loosely(normal(bad[i]), arena, &found), FAULT_BAD_REQUEST);
    }
    assert_bytes(loose("/a%80"), "/a\x80"); /* both sides of them */
    assert_bytes(loose("/a%20b%7e"), "/a b~");
}

static void an_arena_at_its_limit_is_told(void **state)
{
    static char path[1 << 20] = "/%41";
    memset(path + 4, 'a', sizeof path - 5);
    Arena *small = arena_new(64 << 10);
    Bytes found;
    assert_fault(http_path_normalize(bytes_of(path), small, &found), FAULT_OUT_OF_MEMORY);
    assert_fault(http_path_read_loosely(bytes_of(path), small, &found), FAULT_OUT_OF_MEMORY);
    arena_free(small);
}

/* ---- Beside a slow obvious reader ------------------------------------------------------------ */

enum { SLOW_SIZE = 256 };

/* Of "%4a" at text: the byte; else -1. */
static int slow_escape(const char *text)
{
    char digits[3] = {0};
    if (text[0] != '%' || !isxdigit((unsigned char)text[1]) || !isxdigit((unsigned char)text[2]))
        return -1;
    memcpy(digits, text + 1, 2);
    return (int)strtol(digits, NULL, 16);
}

static void replace(char *text, size_t at, size_t size, const char *by)
{
    char tail[SLOW_SIZE];
    strcpy(tail, text + at + size);
    strcpy(text + at, by);
    strcat(text, tail);
}

/* RFC 3986 section 5.2.4 word for word, after section 6.2.2. False: malformed. */
static bool slow_normal(const char *path, char *out)
{
    char in[SLOW_SIZE];
    strcpy(in, path);
    for (size_t i = 0; in[i]; i++) {
        int byte = slow_escape(in + i);
        if (in[i] == '%' && byte < 0)
            return false;
        char by[12] = {(char)byte, 0};
        if (in[i] == '%' && !isalnum(byte) && !(byte && strchr("-._~", byte)))
            snprintf(by, sizeof by, "%%%02X", (unsigned)byte);
        if (in[i] == '%') {
            replace(in, i, 3, by);
            i += strlen(by) - 1;
        }
    }
    out[0] = '\0';
    while (in[0]) {
        char *last = strrchr(out, '/');
        if (strncmp(in, "/./", 3) == 0) {
            replace(in, 0, 3, "/");
        } else if (strcmp(in, "/.") == 0) {
            strcpy(in, "/");
        } else if (strncmp(in, "/../", 4) == 0 || strcmp(in, "/..") == 0) {
            replace(in, 0, in[3] ? 4 : 3, "/");
            if (last)
                *last = '\0';
        } else {
            size_t size = 1 + strcspn(in + 1, "/");
            strncat(out, in, size);
            replace(in, 0, size, "");
        }
    }
    return true;
}

/* Replaces until nothing is left to replace. False: refused. */
static bool slow_loose(const char *path, char *out)
{
    strcpy(out, path);
    if (strchr(out, '\\'))
        return false;
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; out[i] && !changed; i++) {
            int byte = slow_escape(out + i);
            bool overlong = out[i] == '\xc0' && (out[i + 1] & 0xc0) == 0x80;
            if (overlong)
                byte = out[i + 1] & 0x3f;
            if (byte == 0)
                return false;
            changed = byte > 0;
            if (changed)
                replace(out, i, overlong ? 2 : 3, (char[]){(char)byte, 0});
        }
    }
    for (size_t i = 0; out[i]; i++) {
        if (iscntrl((unsigned char)out[i]) && (unsigned char)out[i] < 0x80)
            return false;
        if (out[i] == '\\')
            out[i] = '/';
    }
    for (char *mark; (mark = strpbrk(out, ";?#"));)
        replace(out, (size_t)(mark - out), strcspn(mark, "/"), "");
    for (char *slashes; (slashes = strstr(out, "//"));)
        replace(out, (size_t)(slashes - out), 2, "/");
    char dots[SLOW_SIZE + 2];
    snprintf(dots, sizeof dots, "%s/", out);
    for (char *blank; (blank = strchr(dots, ' '));)
        replace(dots, (size_t)(blank - dots), 1, "");
    return !strstr(dots, "/./") && !strstr(dots, "/../");
}

/* Short, and of what matters to some reader. Blanks only where both readers mean the same by
   them. */
static void random_path(Random *random, char *out)
{
    static const char *const parts[] = {
        "/",   "/",   "/",   ".",   ".", "..",  "a",   "b",   "%",   "2",   "5",  "e",  "f",  "%2e",
        "%2F", "%5c", "%25", "%41", ";", "%3B", "%00", "%c0", "%ae", "%AF", "\\", "//", "%7f"};
    strcpy(out, "/");
    for (uint64_t n = random_below(random, 12); n; n--)
        strcat(out, parts[random_below(random, sizeof parts / sizeof *parts)]);
}

static void check_beside_slow(const char *path)
{
    char wanted[SLOW_SIZE], wanted_loose[SLOW_SIZE];
    Bytes found, again, read;
    Result r = http_path_normalize(bytes_of(path), arena, &found);
    assert_int_equal(!failed(r), slow_normal(path, wanted));
    if (failed(r))
        return;
    assert_bytes(found, wanted);
    assert_ok(arena, http_path_normalize(found, arena, &again));
    assert_bytes(again, wanted); /* it is its own normal form */
    r = http_path_read_loosely(found, arena, &read);
    bool taken = slow_loose(wanted, wanted_loose);
    if (failed(r) == taken)
        fail_msg("%s is %s", path, taken ? "refused" : "taken");
    if (taken)
        assert_bytes(read, wanted_loose);
}

static void random_paths_are_read_as_a_slow_reader_does(void **state)
{
    Random random;
    random_seed_fixed(&random, 16);
    for (int i = 0; i < 200000; i++) {
        char path[SLOW_SIZE];
        random_path(&random, path);
        assert_true(http_is_path(bytes_of(path)));
        check_beside_slow(path);
        if (i % 1000 == 0) {
            arena_free(arena);
            arena = arena_new(ARENA_UNLIMITED);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(dot_segments_are_taken_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_only_begins_with_dots_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(escapes_have_one_spelling, set_up, tear_down),
        cmocka_unit_test_setup_teardown(escaped_dots_are_dots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_percent_sign_without_two_digits_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_loose_reading_decodes_all_and_has_no_needless_parts,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_path_with_dot_segments_for_some_server_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(control_characters_and_backslashes_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_arena_at_its_limit_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_paths_are_read_as_a_slow_reader_does, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
