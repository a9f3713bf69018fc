#include "gateway/admin/password_desk.h"

#include "base/clock.h"
#include "tests/unit/check.h"

/* A request, and what it was told. */
typedef struct Told {
    PasswordAsker asker; /* first */
    unsigned turns, verdicts, closed;
    PasswordVerdict verdict;
} Told;

static uv_loop_t loop;
static PasswordDesk *desk;
static PasswordHash hash;
static const PasswordMark mark = {{1}};

static void on_turn(PasswordAsker *asker)
{
    ((Told *)asker)->turns++;
}

static void on_verdict(PasswordAsker *asker, PasswordVerdict verdict)
{
    ((Told *)asker)->verdicts++;
    ((Told *)asker)->verdict = verdict;
}

static void on_closed(PasswordAsker *asker)
{
    ((Told *)asker)->closed++;
}

static Told told_new(void)
{
    return (Told){.asker = {.on_turn = on_turn, .on_verdict = on_verdict, .on_closed = on_closed}};
}

static int set_up(void **state)
{
    static const char text[] = "$argon2id$v=19$m=7168,t=5,p=4$c29tZXNhbHQ$"
                               "DC59ObJs/xXn+IKVyZZ2+PlWsuEhZ3A8qjELh3hNa2c";
    Arena *arena = arena_new(ARENA_UNLIMITED);
    assert_int_equal(uv_loop_init(&loop), 0);
    desk = password_desk_new(&loop);
    assert_ok(arena, password_hash_read(arena, bytes_of(text), &hash));
    arena_free(arena);
    return 0;
}

static void run(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
}

static int tear_down(void **state)
{
    password_desk_close(desk);
    run();
    password_desk_free(desk);
    return uv_loop_close(&loop);
}

static void check(Told *told, const char *password, bool known)
{
    password_desk_check(desk, &hash, bytes_of(password), known, &mark, &told->asker);
    assert_false(password_desk_is_free(desk));
}

static bool is_remembered(void)
{
    return password_cache_has(password_desk_cache(desk), &mark, SECOND * 60, clock_now());
}

static void a_right_login_is_told_and_remembered(void **state)
{
    Told told = told_new();
    check(&told, "password", true);
    run();
    assert_int_equal(told.verdicts, 1);
    assert_int_equal(told.verdict, PASSWORD_RIGHT);
    assert_true(password_desk_is_free(desk));
    assert_true(is_remembered());
}

static void of_a_user_who_is_not_there_no_password_is_right(void **state)
{
    Told told = told_new();
    check(&told, "password", false);
    run();
    assert_int_equal(told.verdict, PASSWORD_WRONG);
    assert_int_equal(told.verdicts, 1);
    assert_false(is_remembered());
}

static void those_behind_get_their_turn_in_their_order_when_it_is_free(void **state)
{
    Told first = told_new(), second = told_new(), third = told_new();
    check(&first, "wrong", true);
    assert_true(password_desk_wait(desk, &second.asker));
    assert_true(password_desk_wait(desk, &third.asker));
    password_desk_take_back(&second.asker);
    run();
    assert_int_equal(first.verdicts, 1);
    assert_int_equal(second.turns, 0);
    assert_int_equal(third.turns, 1);
}

static void not_more_than_so_many_wait(void **state)
{
    Told first = told_new(), waiting[PASSWORD_WAITING_MOST + 1];
    check(&first, "wrong", true);
    for (int i = 0; i <= PASSWORD_WAITING_MOST; i++) {
        waiting[i] = told_new();
        assert_int_equal(password_desk_wait(desk, &waiting[i].asker), i < PASSWORD_WAITING_MOST);
    }
    password_desk_take_back(&waiting[3].asker);
    assert_true(password_desk_wait(desk, &waiting[PASSWORD_WAITING_MOST].asker));
    run();
    for (int i = 0; i <= PASSWORD_WAITING_MOST; i++)
        assert_int_equal(waiting[i].turns, i != 3);
}

static void who_leaves_is_not_told_and_the_login_is_remembered_all_the_same(void **state)
{
    Told told = told_new();
    check(&told, "password", true);
    password_desk_take_back(&told.asker);
    password_desk_take_back(&told.asker); /* twice does no harm */
    run();
    assert_int_equal(told.verdicts + told.turns + told.closed, 0);
    assert_true(is_remembered());
}

static void a_desk_that_closes_tells_all_and_finishes_its_check(void **state)
{
    Told first = told_new(), second = told_new();
    check(&first, "password", true);
    assert_true(password_desk_wait(desk, &second.asker));
    password_desk_close(desk);
    assert_int_equal(first.closed, 1);
    assert_int_equal(second.closed, 1);
    run();
    assert_int_equal(first.verdicts + second.turns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_right_login_is_told_and_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_a_user_who_is_not_there_no_password_is_right, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(those_behind_get_their_turn_in_their_order_when_it_is_free,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_more_than_so_many_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            who_leaves_is_not_told_and_the_login_is_remembered_all_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_desk_that_closes_tells_all_and_finishes_its_check, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
