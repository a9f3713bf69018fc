#include "tests/unit/check.h"

#include "gateway/loop/loop_internal.h"

#include <string.h>

static Loop loop;
static char trace[64];
static size_t n_trace;

static void trace_add(char letter)
{
    if (n_trace < sizeof(trace) - 1)
        trace[n_trace++] = letter;
}

static int fresh_loop(void **state)
{
    memset(trace, 0, sizeof(trace));
    n_trace = 0;
    loop_init(&loop, 0);
    return 0;
}

static int used_loop(void **state)
{
    loop_deinit(&loop);
    return 0;
}

static LoopWork work_a, work_b;

static void run_a(LoopWork *work)
{
    trace_add('a');
}

static void run_b(LoopWork *work)
{
    trace_add('b');
    loop_stop(&loop);
}

static void defer_both(Loop *on, void *argument)
{
    work_a = (LoopWork){.run = run_a};
    work_b = (LoopWork){.run = run_b};
    loop_defer(on, &work_a);
    loop_defer(on, &work_b);
    loop_defer(on, &work_a);
    trace_add('p');
}

static bool date_is_now(void)
{
    char before[DATE_HTTP_SIZE], now[DATE_HTTP_SIZE];
    date_write_http(clock_wall() / SECOND - 1, before); /* a second may just have begun */
    date_write_http(clock_wall() / SECOND, now);
    return memcmp(loop.date, now, DATE_HTTP_SIZE) == 0 ||
           memcmp(loop.date, before, DATE_HTTP_SIZE) == 0;
}

static void stop(Loop *on, void *argument)
{
    loop_stop(on);
}

static void the_date_is_written_anew_with_each_second(void **state)
{
    assert_true(date_is_now());
    assert_in_range(loop.private->date_until - loop.now, 1, SECOND);
    memset(loop.date, 'x', DATE_HTTP_SIZE);
    loop.private->date_until = loop.now + 100 * SECOND;
    loop_post(&loop, stop, NULL);
    loop_run(&loop);
    assert_false(date_is_now());
    loop.private->date_until = loop.now; /* the next turn is in another second */
    loop_post(&loop, stop, NULL);
    loop_run(&loop);
    assert_true(date_is_now());
    assert_in_range(loop.private->date_until - loop.now, 1, SECOND);
}

static void deferred_work_runs_once_and_in_order_after_the_events(void **state)
{
    loop_post(&loop, defer_both, NULL);
    loop_run(&loop);
    assert_string_equal(trace, "pab");
}

static void take_one_back(Loop *on, void *argument)
{
    defer_both(on, argument);
    loop_undefer(on, &work_a);
    loop_undefer(on, &work_a);
}

static void deferred_work_can_be_taken_back(void **state)
{
    loop_post(&loop, take_one_back, NULL);
    loop_run(&loop);
    assert_string_equal(trace, "pb");
}

static void defer_again(LoopWork *work)
{
    trace_add('.');
    if (n_trace < 20)
        loop_defer(&loop, work);
    else
        loop_stop(&loop);
}

static void start_endless(Loop *on, void *argument)
{
    work_a = (LoopWork){.run = defer_again};
    loop_defer(on, &work_a);
}

static void work_that_defers_itself_goes_on_without_a_wait(void **state)
{
    loop_post(&loop, start_endless, NULL);
    int64_t began = clock_now();
    loop_run(&loop);
    assert_int_equal(n_trace, 20);
    assert_true(clock_now() - began < 5 * SECOND);
}

static Timer timer;
static int64_t started;

static void timer_fired(Timer *fired)
{
    assert_true(loop.now >= fired->when);
    trace_add('t');
    loop_stop(&loop);
}

static void start_timer(Loop *on, void *argument)
{
    timer.fire = timer_fired;
    started = on->now;
    timer_start(&on->timers, &timer, on->now + 30 * MILLISECOND);
}

static void a_timer_wakes_the_loop_and_not_before_its_time(void **state)
{
    loop_post(&loop, start_timer, NULL);
    loop_run(&loop);
    assert_string_equal(trace, "t");
    assert_true(clock_now() - started >= 30 * MILLISECOND);
}

static int n_posted;

static void count_post(Loop *on, void *argument)
{
    if (++n_posted == 3000)
        loop_stop(on);
}

static void post_a_thousand(void *argument)
{
    for (uintptr_t i = 0; i < 1000; i++)
        loop_post(argument, count_post, NULL);
}

static void posts_of_many_threads_all_arrive(void **state)
{
    uv_thread_t threads[3];
    n_posted = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(uv_thread_create(&threads[i], post_a_thousand, &loop), 0);
    loop_run(&loop);
    for (int i = 0; i < 3; i++)
        uv_thread_join(&threads[i]);
    assert_int_equal(n_posted, 3000);
}

static void note_post(Loop *on, void *argument)
{
    trace_add('x');
}

static void what_was_posted_is_run_even_when_the_loop_ends(void **state)
{
    Loop other;
    loop_init(&other, 1);
    loop_post(&other, note_post, NULL);
    loop_deinit(&other);
    assert_string_equal(trace, "x");
}

#define loop_test(f) cmocka_unit_test_setup_teardown(f, fresh_loop, used_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        loop_test(the_date_is_written_anew_with_each_second),
        loop_test(deferred_work_runs_once_and_in_order_after_the_events),
        loop_test(deferred_work_can_be_taken_back),
        loop_test(work_that_defers_itself_goes_on_without_a_wait),
        loop_test(a_timer_wakes_the_loop_and_not_before_its_time),
        loop_test(posts_of_many_threads_all_arrive),
        loop_test(what_was_posted_is_run_even_when_the_loop_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
