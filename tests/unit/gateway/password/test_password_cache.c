#include "gateway/password/password_cache.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#define MINUTE (60 * SECOND)

static Arena *arena;
static PasswordCache *cache;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    cache = password_cache_new();
    return 0;
}

static int tear_down(void **state)
{
    password_cache_free(cache);
    arena_free(arena);
    return 0;
}

static PasswordMark mark_of(const char *user, const char *password, uint8_t salt)
{
    PasswordHash hash = {.salt_size = 8, .salt = {salt}, .hash_size = 16};
    PasswordLogin login = {bytes_of(user), bytes_of(password)};
    return password_cache_mark(cache, &login, &hash);
}

static bool has(const PasswordMark *mark, int64_t now)
{
    return password_cache_has(cache, mark, MINUTE, now);
}

static void a_login_is_known_for_a_while_after_it_was_right(void **state)
{
    PasswordMark mark = mark_of("ada", "secret", 1);
    assert_false(has(&mark, SECOND));
    password_cache_add(cache, &mark, SECOND);
    assert_true(has(&mark, SECOND));
    assert_true(has(&mark, SECOND + MINUTE - 1));
    assert_false(has(&mark, SECOND + MINUTE));
    password_cache_add(cache, &mark, 2 * MINUTE);
    assert_true(has(&mark, 2 * MINUTE + SECOND));
    assert_false(password_cache_has(cache, &mark, 0, 2 * MINUTE)); /* nothing is kept */
}

static void another_user_password_or_hash_is_another_login(void **state)
{
    PasswordMark mark = mark_of("ada", "secret", 1),
                 others[] = {
                     mark_of("ad", "asecret", 1), mark_of("adas", "ecret", 1),
                     mark_of("bob", "secret", 1), mark_of("ada", "secrets", 1),
                     mark_of("ada", "", 1),       mark_of("ada", "secret", 2),
                 };
    password_cache_add(cache, &mark, 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(has(&others[i], 0));
    PasswordMark again = mark_of("ada", "secret", 1);
    assert_true(has(&again, 0));
}

static void marks_of_another_process_are_others(void **state)
{
    PasswordMark mark = mark_of("ada", "secret", 1);
    PasswordCache *first = cache;
    cache = password_cache_new();
    PasswordMark other = mark_of("ada", "secret", 1);
    assert_memory_not_equal(&mark, &other, sizeof mark);
    password_cache_free(first);
}

static void the_oldest_login_makes_room(void **state)
{
    PasswordMark marks[PASSWORD_CACHE_MOST + 1];
    for (int i = 0; i <= PASSWORD_CACHE_MOST; i++)
        marks[i] = mark_of(arena_printf(arena, "user%d", i), "secret", 1);
    for (int i = 0; i < PASSWORD_CACHE_MOST; i++)
        password_cache_add(cache, &marks[i], i);
    password_cache_add(cache, &marks[0], PASSWORD_CACHE_MOST); /* again: it takes no second place */
    for (int i = 0; i < PASSWORD_CACHE_MOST; i++)
        assert_true(has(&marks[i], PASSWORD_CACHE_MOST));
    password_cache_add(cache, &marks[PASSWORD_CACHE_MOST], PASSWORD_CACHE_MOST);
    for (int i = 0; i <= PASSWORD_CACHE_MOST; i++)
        assert_int_equal(has(&marks[i], PASSWORD_CACHE_MOST), i != 1);
}

static void basic_credentials_are_read(void **state)
{
    static const struct {
        const char *text, *user, *password; /* user NULL: malformed */
        bool basic;
    } cases[] = {
        {"Basic YWRhOnNlY3JldA==", "ada", "secret", true},
        {"basic YWRhOnNlY3JldA", "ada", "secret", true},
        {"BASIC   YWRhOnM6ZWNyZXQ= ", "ada", "s:ecret", true}, /* the first colon parts them */
        {"Basic YWRhOg==", "ada", "", true},
        {"Basic YWRh", NULL, NULL, true},
        {"Basic OnNlY3JldA==", NULL, NULL, true},
        {"Basic ???", NULL, NULL, true},
        {"Basic ", NULL, NULL, true},
        {"Basic", NULL, NULL, false},
        {"Bearer YWRhOnNlY3JldA==", NULL, NULL, false},
        {"", NULL, NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        PasswordLogin login;
        bool basic;
        bool good = password_login_read(arena, bytes_of(cases[i].text), &login, &basic);
        assert_int_equal(basic, cases[i].basic);
        assert_int_equal(good, cases[i].user != NULL);
        if (good) {
            assert_bytes(login.user, cases[i].user);
            assert_bytes(login.password, cases[i].password);
        }
    }
}

static void an_unknown_user_is_taken_for_the_same_one_each_time(void **state)
{
    unsigned seen[4] = {0};
    for (int i = 0; i < 200; i++) {
        Bytes user = bytes_of(arena_printf(arena, "user%d", i));
        uint32_t at = password_cache_stand_in(cache, user, 4);
        assert_true(at < 4);
        assert_int_equal(password_cache_stand_in(cache, user, 4), at);
        seen[at]++;
    }
    for (int i = 0; i < 4; i++) /* the chance that one is missing is 4 in 10^25 */
        assert_true(seen[i] > 0);
    assert_int_equal(password_cache_stand_in(cache, bytes_of("ada"), 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_login_is_known_for_a_while_after_it_was_right, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_user_password_or_hash_is_another_login, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(marks_of_another_process_are_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_oldest_login_makes_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(basic_credentials_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_user_is_taken_for_the_same_one_each_time, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
