#include "tests/unit/check.h"

#include "gateway/page/asset.h"

static void the_root_is_the_page_itself(void **state)
{
    const Asset *page = asset_find(bytes_of("/"));
    assert_non_null(page);
    assert_string_equal(page->path, "/page/index.html");
    assert_string_equal(page->media_type, "text/html; charset=utf-8");
    assert_true(bytes_start_with(page->content, "<!doctype html>"));
}

static void each_file_is_found_by_its_path_and_nothing_else_is(void **state)
{
    assert_true(n_assets > 0);
    for (size_t i = 0; i < n_assets; i++)
        assert_ptr_equal(asset_find(bytes_of(assets[i].path)), &assets[i]);
    static const char *const others[] = {"",
                                         "/page",
                                         "/page/",
                                         "/page/index.htm",
                                         "/page/index.html/",
                                         "//page",
                                         "/page/INDEX.HTML",
                                         "/page/../index.html",
                                         "/zzz"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_null(asset_find(bytes_of(others[i])));
    assert_null(asset_find(bytes("/page/index.html\0", 17)));
}

/* What a page may weigh, not compressed. */
static void the_page_is_small(void **state)
{
    size_t size = 0;
    for (size_t i = 0; i < n_assets; i++) {
        assert_true(assets[i].gzip.size < assets[i].content.size);
        if (!bytes_end_with(bytes_of(assets[i].path), ".LICENSE"))
            size += assets[i].content.size;
    }
    assert_true(size < 150 * 1024);
}

static void a_content_is_known_by_its_tag(void **state)
{
    const Asset asset = {.tag = "W/\"0123\""};
    static const struct {
        const char *said;
        bool known;
    } cases[] = {
        {"", false},
        {"\"0123\"", true},
        {"W/\"0123\"", true},
        {"*", true},
        {"\"a\" ,W/\"0123\"", true},
        {"\"0123\", \"a\"", true},
        {"\"012\"", false},
        {"\"01234\"", false},
        {"0123", false},
        {"w/\"0123\"", false},
        {",,", false},
        {"W/", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(asset_is_known(&asset, bytes_of(cases[i].said)), cases[i].known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_root_is_the_page_itself),
        cmocka_unit_test(each_file_is_found_by_its_path_and_nothing_else_is),
        cmocka_unit_test(the_page_is_small),
        cmocka_unit_test(a_content_is_known_by_its_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
