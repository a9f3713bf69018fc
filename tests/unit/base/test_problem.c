#include "tests/unit/check.h"

#include "base/problem.h"

static void problems_are_told_in_the_order_of_the_text(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    problem_add(&problems, "b.yaml", 3, 1, "x", NULL, "is wrong");
    problem_add(&problems, "a.yaml", 12, 5, "", "did you mean routes", "unknown key %s", "ruotes");
    problem_add(&problems, "a.yaml", 2, 7, "listen[0]", NULL, "no address");

    Buffer out = buffer_in(arena);
    problems_print(&problems, &out);
    assert_bytes(buffer_bytes(&out), "a.yaml:2:7: listen[0]: no address\n"
                                     "a.yaml:12:5: unknown key ruotes (did you mean routes)\n"
                                     "b.yaml:3:1: x: is wrong\n");
    arena_free(arena);
}

static void of_equal_problems_one_is_told(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    problem_add(&problems, "a.yaml", 3, 1, "x", NULL, "is wrong");
    problem_add(&problems, "a.yaml", 3, 1, "x", NULL, "is wrong");
    problem_add(&problems, "a.yaml", 3, 1, "x", NULL, "is quite wrong");
    problem_add(&problems, "a.yaml", 3, 1, "y", NULL, "is wrong");
    problem_add(&problems, "a.yaml", 3, 2, "x", NULL, "is wrong");
    problem_add(&problems, "a.yaml", 3, 1, "x", NULL, "is wrong");
    problem_add(&problems, "b.yaml", 3, 1, "x", NULL, "is wrong");
    problems_forget_equal(&problems, 1);
    assert_int_equal(problems.n, 6); /* the first one is not looked at */
    problems_forget_equal(&problems, 0);
    Buffer out = buffer_in(arena);
    problems_print(&problems, &out);
    assert_bytes(buffer_bytes(&out),
                 "a.yaml:3:1: x: is wrong\na.yaml:3:1: x: is quite wrong\n"
                 "a.yaml:3:1: y: is wrong\na.yaml:3:2: x: is wrong\nb.yaml:3:1: x: is wrong\n");
    arena_free(arena);
}

static void the_nearest_word_is_one_that_can_be_meant(void **state)
{
    const char *words[] = {"listen", "services", "routes", "admin"};
    assert_string_equal(nearest_word(bytes_of("ruotes"), words, 4), "routes");
    assert_string_equal(nearest_word(bytes_of("service"), words, 4), "services");
    assert_null(nearest_word(bytes_of("zebra"), words, 4));
    const char *more[] = {"time", "certificate", "key", "keys", ""};
    assert_string_equal(nearest_word(bytes_of("tiem"), more, 5), "time");
    assert_null(nearest_word(bytes_of("file"), more, 5)); /* two slips, one in the first letter */
    assert_string_equal(nearest_word(bytes_of("lime"), more, 5), "time");
    assert_string_equal(nearest_word(bytes_of("cert"), more, 5), "certificate");
    assert_null(nearest_word(bytes_of("ce"), more, 5));
    assert_string_equal(nearest_word(bytes_of("ke"), more, 5), "key");
    assert_null(nearest_word(bytes_of("a"), more, 5)); /* an empty word is never meant */
    const char *two[] = {"identity", "identities_file"};
    assert_null(nearest_word(bytes_of("ident"), two, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problems_are_told_in_the_order_of_the_text),
        cmocka_unit_test(of_equal_problems_one_is_told),
        cmocka_unit_test(the_nearest_word_is_one_that_can_be_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
