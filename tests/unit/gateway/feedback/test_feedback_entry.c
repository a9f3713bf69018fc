#include "gateway/feedback/feedback_entry.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#include <string.h>

#define NOW (INT64_C(1796119200) * SECOND) /* 2026-12-01T10:00:00Z */

static const FeedbackRules rules = {.size = 16, .wall = NOW};

static void an_entry_has_what_was_said_by_whom_and_when(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    FeedbackEntry entry;
    assert_ok(arena,
              feedback_entry_read(
                  arena,
                  bytes_of("{\"words\":\"it is slow\",\"client\":\"ada\",\"source\":\"forum\","
                           "\"request\":\"r1\",\"at\":\"2026-12-01T09:00:00Z\",\"id\":\"7\"}"),
                  &rules, &entry));
    assert_bytes(entry.words, "it is slow");
    assert_bytes(entry.client, "ada");
    assert_bytes(entry.source, "forum");
    assert_bytes(entry.request, "r1");
    assert_true(entry.at == NOW - 3600 * SECOND);
    assert_int_equal(strspn(entry.id, "0123456789abcdef"), 16);
    arena_free(arena);
}

static void what_is_no_entry_is_refused(void **state)
{
    static const struct {
        const char *json;
        const Fault *fault;
    } rows[] = {
        {"", &FAULT_BAD_JSON},
        {"nonsense", &FAULT_BAD_JSON},
        {"[]", &FAULT_BAD_VALUE},
        {"{}", &FAULT_BAD_VALUE},
        {"{\"words\":\"\",\"client\":\"ada\"}", &FAULT_BAD_VALUE},
        {"{\"words\":\"a\"}", &FAULT_BAD_VALUE},
        {"{\"words\":\"a\",\"client\":\"\"}", &FAULT_BAD_VALUE},
        {"{\"words\":1,\"client\":\"ada\"}", &FAULT_BAD_VALUE},
        {"{\"words\":\"a\",\"client\":\"ada\",\"mood\":\"bad\"}", &FAULT_BAD_VALUE},
        {"{\"words\":\"a\",\"client\":\"ada\",\"at\":\"yesterday\"}", &FAULT_BAD_VALUE},
        {"{\"words\":\"a\",\"client\":\"ada\",\"at\":\"2026-12-03T09:00:00Z\"}", &FAULT_BAD_VALUE},
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    FeedbackEntry entry;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Result r = feedback_entry_read(arena, bytes_of(rows[i].json), &rules, &entry);
        assert_true(failed(r));
        assert_string_equal(r.error->fault->name, rows[i].fault->name);
    }
    arena_free(arena);
}

static FeedbackEntry entry_of(Arena *arena, const char *json)
{
    FeedbackEntry entry;
    assert_ok(arena, feedback_entry_read(arena, bytes_of(json), &rules, &entry));
    return entry;
}

static void names_are_bounded_and_words_are_cut(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    char name[FEEDBACK_NAME_SIZE + 2];
    FeedbackEntry entry;
    memset(name, 'a', sizeof name - 1);
    name[FEEDBACK_NAME_SIZE + 1] = '\0';
    assert_fault(feedback_entry_read(
                     arena,
                     bytes_of(arena_printf(arena, "{\"words\":\"a\",\"client\":\"%s\"}", name)),
                     &rules, &entry),
                 FAULT_BAD_VALUE);
    name[FEEDBACK_NAME_SIZE] = '\0';
    entry = entry_of(arena, arena_printf(arena, "{\"words\":\"a\",\"client\":\"%s\"}", name));
    assert_int_equal(entry.client.size, FEEDBACK_NAME_SIZE);
    entry = entry_of(arena, "{\"words\":\"1234567890123456\",\"client\":\"ada\"}");
    assert_int_equal(entry.words.size, 16);
    entry = entry_of(arena, "{\"words\":\"123456789012345\\u00fc\",\"client\":\"ada\"}");
    assert_bytes(entry.words, "123456789012345"); /* no half character */
    arena_free(arena);
}

static void a_request_is_found_among_words(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    FeedbackEntry entry = entry_of(
        arena, "{\"words\":\"see (0123456789abcdef0123456789abcdef), please\",\"client\":\"ada\"}");
    assert_bytes(entry.request, "0123456789abcdef0123456789abcdef");
    entry = entry_of(arena, "{\"words\":\"0123456789abcdef0123456789abcdef0\",\"client\":\"ada\"}");
    assert_int_equal(entry.request.size, 0); /* a digit too many */
    entry = entry_of(arena, "{\"words\":\"0123456789abcdef0123456789abcde\",\"client\":\"ada\"}");
    assert_int_equal(entry.request.size, 0); /* one too few */
    entry = entry_of(arena, "{\"words\":\"0123456789abcdef0123456789abcdef\"}");
    assert_int_equal(entry.request.size, 32); /* which is enough, without a client */
    arena_free(arena);
}

static void the_same_message_has_the_same_id(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    FeedbackEntry one = entry_of(arena, "{\"words\":\"a\",\"client\":\"ada\",\"id\":\"<1@x>\"}");
    FeedbackEntry again = entry_of(arena, "{\"id\":\"<1@x>\",\"words\":\"b\",\"client\":\"bob\"}");
    FeedbackEntry other = entry_of(arena, "{\"words\":\"a\",\"client\":\"ada\",\"id\":\"<2@x>\"}");
    FeedbackEntry none = entry_of(arena, "{\"words\":\"a\",\"client\":\"ada\"}");
    FeedbackEntry moved = entry_of(arena, "{\"words\":\"aa\",\"client\":\"da\"}");
    assert_string_equal(one.id, again.id);
    assert_string_not_equal(one.id, other.id);
    assert_string_not_equal(one.id, none.id);
    assert_string_not_equal(none.id, moved.id);
    assert_string_equal(none.id, entry_of(arena, "{\"client\":\"ada\",\"words\":\"a\"}").id);
    arena_free(arena);
}

static void lines_are_entries_and_a_mistake_names_its_line(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    FeedbackEntry *entries;
    uint32_t n;
    Bytes lines =
        bytes_of("\n{\"words\":\"a\",\"client\":\"ada\"}\r\n\n{\"words\":\"b\",\"client\":"
                 "\"bob\"}");
    assert_ok(arena, feedback_entries_read(arena, lines, &rules, &entries, &n));
    assert_int_equal(n, 2);
    assert_bytes(entries[1].client, "bob");
    Result r = feedback_entries_read(arena, bytes_of("{\"words\":\"a\",\"client\":\"ada\"}\n\n{}"),
                                     &rules, &entries, &n);
    assert_fault(r, FAULT_BAD_VALUE);
    assert_non_null(strstr(error_text(arena, r), "line 3"));
    assert_fault(feedback_entries_read(arena, bytes_of("\n\n"), &rules, &entries, &n),
                 FAULT_BAD_VALUE);
    Buffer many = buffer_in(arena);
    for (int i = 0; i < FEEDBACK_LINES_MOST; i++)
        buffer_add_text(&many, "{\"words\":\"a\",\"client\":\"ada\"}\n");
    assert_ok(arena, feedback_entries_read(arena, buffer_bytes(&many), &rules, &entries, &n));
    assert_int_equal(n, FEEDBACK_LINES_MOST);
    buffer_add_text(&many, "{\"words\":\"a\",\"client\":\"ada\"}");
    assert_fault(feedback_entries_read(arena, buffer_bytes(&many), &rules, &entries, &n),
                 FAULT_BAD_VALUE);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_has_what_was_said_by_whom_and_when),
        cmocka_unit_test(what_is_no_entry_is_refused),
        cmocka_unit_test(names_are_bounded_and_words_are_cut),
        cmocka_unit_test(a_request_is_found_among_words),
        cmocka_unit_test(the_same_message_has_the_same_id),
        cmocka_unit_test(lines_are_entries_and_a_mistake_names_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
