#include "gateway/shadow/shadow_book.h"

#include "base/clock.h"
#include "gateway/shadow/shadow_report.h"
#include "tests/unit/check.h"

static const ShadowSubject get = {"orders", "Orders/Get", "v1", "v3"};
static ShadowBook *book;
static Arena *arena;

static int set_up(void **state)
{
    book = shadow_book_new();
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    shadow_book_free(book);
    arena_free(arena);
    return 0;
}

static void differs(const char *path, const char *shape, const char *real, const char *shadow)
{
    ShadowDifference difference = {path, shape, 1, bytes_of(real), bytes_of(shadow)};
    shadow_book_add(book, &get,
                    &(ShadowResult){.outcome = SHADOW_DIFFERENT,
                                    .request_id = bytes_of("id"),
                                    .at = SECOND,
                                    .differences = &difference,
                                    .n = 1});
}

static void ends(ShadowOutcome outcome, const char *reason)
{
    shadow_book_add(book, &get,
                    &(ShadowResult){.outcome = outcome, .reason = reason, .at = SECOND});
}

static Bytes page(const char *service)
{
    Buffer out = buffer_in(arena);
    shadow_book_write(book, bytes_of(service), &out);
    return buffer_bytes(&out);
}

static Bytes report(uint64_t limit)
{
    Buffer out = buffer_in(arena);
    assert_true(shadow_report_write(&out, page(""), limit));
    return buffer_bytes(&out);
}

static void an_empty_book_says_so(void **state)
{
    assert_bytes(report(20), "no copy of a call has ended yet\n");
}

static void ends_are_counted_by_how_they_compare(void **state)
{
    ends(SHADOW_EQUAL, NULL);
    ends(SHADOW_EQUAL, NULL);
    ends(SHADOW_FAILED, "UPSTREAM_DOWN");
    ends(SHADOW_UNLIKE, "CANNOT_CONVERT");
    assert_bytes(report(20),
                 "orders Orders/Get of v1, copied to v3\n"
                 "  compared 2 equal 2 different 0 unlike 1 failed 1; not compared at last for: "
                 "CANNOT_CONVERT\n");
}

static void differences_of_one_path_and_shape_are_one_group_with_the_newest_sample(void **state)
{
    differs("total", "value", "1", "2");
    differs("total", "missing", "1", "");
    differs("total", "value", "3", "4");
    differs("", "status", "OK", "NOT_FOUND");
    assert_bytes(report(20), "orders Orders/Get of v1, copied to v3\n"
                             "  compared 4 equal 0 different 4 unlike 0 failed 0\n"
                             "         2  total: value\n"
                             "      real 3, copy 4; request id\n"
                             "         1  status\n"
                             "      real OK, copy NOT_FOUND; request id\n"
                             "         1  total: missing\n"
                             "      real 1, copy absent; request id\n");
}

static void a_report_has_a_limit(void **state)
{
    differs("a", "value", "1", "2");
    differs("b", "value", "1", "2");
    assert_true(bytes_end_with(report(1), "  1 more: --limit\n"));
    assert_false(bytes_end_with(report(2), "more: --limit\n"));
}

static void only_one_service_may_be_wanted(void **state)
{
    Bytes none = page("stock");
    ends(SHADOW_EQUAL, NULL);
    assert_true(bytes_equal(page("stock"), none));
    assert_true(page("orders").size > none.size);
}

static void what_was_not_copied_is_told_by_why(void **state)
{
    shadow_book_skip(book, SHADOW_SKIP_RATE);
    shadow_book_skip(book, SHADOW_SKIP_SAME);
    shadow_book_skip(book, SHADOW_SKIP_SAME);
    assert_bytes(report(20), "no copy of a call has ended yet\n"
                             "\ndrawn and not copied, for: per_second 1, same 2\n");
}

static void groups_beyond_the_limit_are_counted_together(void **state)
{
    for (int i = 0; i < SHADOW_GROUPS_MOST + 2; i++)
        differs(arena_printf(arena, "field_%d", i), "value", "1", "2");
    differs("field_0", "value", "1", "2");
    assert_true(bytes_end_with(report(1), "       2  others, for which there was no room\n"));
}

static void long_texts_are_cut(void **state)
{
    char *path = arena_alloc(arena, 1000);
    memset(path, 'x', 999);
    path[999] = '\0';
    differs(path, "value", path, path);
    differs(path, "value", path, path);
    assert_true(page("").size < 1500);
}

static void metrics_add_up_the_groups_of_one_shape(void **state)
{
    Buffer out = buffer_in(arena);
    Exposition e = {.out = &out};
    differs("a", "value", "1", "2");
    differs("b", "value", "1", "2");
    differs("c", "order", "", "");
    shadow_book_begin(book);
    shadow_book_metrics(&e, book);
    buffer_add_byte(&out, '\0');
    const char *text = (const char *)out.data;
    assert_non_null(strstr(text, "passerelle_shadow_running 1\n"));
    assert_non_null(strstr(text, "outcome=\"different\"} 3\n"));
    assert_non_null(strstr(text, "shape=\"value\"} 2\n"));
    assert_non_null(strstr(text, "shape=\"order\"} 1\n"));
    shadow_book_end(book);
}

static void what_is_no_page_is_refused(void **state)
{
    Buffer out = buffer_in(arena);
    assert_false(shadow_report_write(&out, bytes_of("nothing"), 20));
    assert_false(shadow_report_write(&out, bytes_of("{}"), 20));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_book_says_so),
        TEST(ends_are_counted_by_how_they_compare),
        TEST(differences_of_one_path_and_shape_are_one_group_with_the_newest_sample),
        TEST(a_report_has_a_limit),
        TEST(only_one_service_may_be_wanted),
        TEST(what_was_not_copied_is_told_by_why),
        TEST(groups_beyond_the_limit_are_counted_together),
        TEST(long_texts_are_cut),
        TEST(metrics_add_up_the_groups_of_one_shape),
        TEST(what_is_no_page_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
