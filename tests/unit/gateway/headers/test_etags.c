#include "gateway/headers/etags.h"

#include "base/arena.h"
#include "tests/unit/check.h"

static Arena *arena;

static int begin(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int end(void **state)
{
    arena_free(arena);
    return 0;
}

static Bytes weakened(const char *etag)
{
    Fields fields = fields_in(arena);
    fields_add(&fields, bytes_of("x-etag"), bytes_of(etag));
    fields_add(&fields, bytes_of("etag"), bytes_of(etag));
    etag_weaken(&fields);
    assert_bytes(fields_get(&fields, "x-etag"), etag);
    return fields_get(&fields, "etag");
}

static void a_strong_tag_becomes_weak_and_marked(void **state)
{
    assert_bytes(weakened("\"7\""), "W/\"passerelle-7\"");
    assert_bytes(weakened("\"\""), "W/\"passerelle-\"");
    assert_bytes(weakened("\"a,b\""), "W/\"passerelle-a,b\"");
}

static void any_other_stays_as_it_is(void **state)
{
    static const char *const others[] = {"W/\"7\"", "7", "\"", "", "\"7", "W/\"passerelle-7\""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_bytes(weakened(others[i]), others[i]);
}

static const struct {
    const char *list, *restored;
} lists[] = {
    {"W/\"passerelle-7\"", "\"7\""},
    {"W/\"passerelle-\"", "\"\""},
    {"W/\"passerelle-7\", W/\"passerelle-8\"", "\"7\", \"8\""},
    {"\"1\",W/\"passerelle-7\" , W/\"2\"", "\"1\",\"7\" , W/\"2\""},
    {"W/\"passerelle-a,W/\", \"b\"", "\"a,W/\", \"b\""},
    {"*", "*"},
    {"", ""},
    {"\"7\"", "\"7\""},
    {"W/\"7\"", "W/\"7\""},
    {"\"passerelle-7\"", "\"passerelle-7\""},
    {"\"W/\"passerelle-7\"", "\"W/\"passerelle-7\""}, /* within a tag, and no list at all */
    {"W/\"passerelle-7", "\"7"},
};

static void an_instance_gets_back_what_it_gave(void **state)
{
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        assert_bytes(etags_restore(bytes_of(lists[i].list), arena), lists[i].restored);
}

static void a_list_is_known_to_have_what_was_made_of_a_tag(void **state)
{
    Bytes list = bytes_of("\"9\", W/\"passerelle-7\", W/\"8\", W/\"passerelle-a,b\"");
    static const struct {
        const char *etag;
        bool has;
    } rows[] = {{"\"7\"", true},    {"\"a,b\"", true}, {"\"8\"", false}, {"\"9\"", false},
                {"W/\"7\"", false}, {"\"\"", false},   {"", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(etags_have_weakened(list, bytes_of(rows[i].etag)), rows[i].has);
}

static void a_list_has_a_tag_weak_or_not(void **state)
{
    static const struct {
        const char *list;
        bool has;
    } rows[] = {{"\"7\"", true},    {"W/\"7\"", true},          {"\"8\",\"7\"", true},
                {"*", true},        {"\"8\" , W/\"7\" ", true}, {"\"77\"", false},
                {"7", false},       {"\"8,7\"", false},         {"", false},
                {"w/\"7\"", false}, {"W/W/\"7\"", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (etags_have(bytes_of(rows[i].list), bytes_of("\"7\"")) != rows[i].has)
            fail_msg("%s", rows[i].list);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_strong_tag_becomes_weak_and_marked),
        TEST(any_other_stays_as_it_is),
        TEST(an_instance_gets_back_what_it_gave),
        TEST(a_list_is_known_to_have_what_was_made_of_a_tag),
        TEST(a_list_has_a_tag_weak_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
