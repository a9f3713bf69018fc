/* Jobs on real threads. A gate holds those that are to be found running. */
#include "tests/unit/check.h"

#include "gateway/loop/work_pool.h"
#include "gateway/thread/thread.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4, MANY = 200 };

typedef struct Task {
    WorkJob job;
    char name;
} Task;

static Loop loop;
static WorkPool *pool;
static uv_sem_t gate, begun;
static atomic_uint n_begun;
static char ran[MANY + 1];  /* by one thread, in its order */
static char done[MANY + 1]; /* on the loop; lower case: without having run */
static unsigned n_done, n_wanted, n_tasks;
static Task tasks[MANY];

static void note(WorkJob *job)
{
    ran[atomic_fetch_add(&n_begun, 1)] = ((Task *)job)->name;
}

static void wait_at_gate(WorkJob *job)
{
    note(job);
    uv_sem_post(&begun);
    uv_sem_wait(&gate);
}

static void on_done(WorkJob *job, bool has_run)
{
    Task *task = (Task *)job;
    done[n_done++] = (char)(has_run ? task->name : task->name | 32);
    memset(task, 0xee, sizeof(*task)); /* nobody may look at it any more */
    if (n_done == n_wanted)
        loop_stop(&loop);
}

static IpAddress address(char client)
{
    char text[IP_TEXT_SIZE];
    IpAddress ip;
    snprintf(text, sizeof(text), "10.0.0.%d", client);
    assert_true(ip_read(bytes_of(text), &ip));
    return ip;
}

static Task *add_of(char client, char name, void (*run)(WorkJob *job))
{
    Task *task = &tasks[n_tasks++];
    *task = (Task){.job = {.run = run, .on_done = on_done, .loop = &loop}, .name = name};
    if (client)
        task->job.client = address(client);
    work_pool_add(pool, &task->job);
    return task;
}

static Task *add(char name)
{
    return add_of(0, name, note);
}

/* The only thread of the pool is busy until the gate opens. */
static Task *add_busy(char name)
{
    Task *task = add_of(0, name, wait_at_gate);
    uv_sem_wait(&begun);
    return task;
}

static void run_until(unsigned n)
{
    n_wanted = n;
    if (n_done < n)
        loop_run(&loop);
    assert_int_equal(n_done, n);
}

static int set_up_threads(uint32_t n_threads)
{
    loop_init(&loop, 0);
    assert_int_equal(uv_sem_init(&gate, 0), 0);
    assert_int_equal(uv_sem_init(&begun, 0), 0);
    atomic_store(&n_begun, 0);
    n_done = n_wanted = n_tasks = 0;
    memset(ran, 0, sizeof(ran));
    memset(done, 0, sizeof(done));
    pool = work_pool_new(n_threads, MOST);
    return 0;
}

static int set_up(void **state)
{
    return set_up_threads(1);
}

static int set_up_many(void **state)
{
    return set_up_threads(4);
}

static int tear_down(void **state)
{
    assert_true(work_pool_leave(pool, &loop));
    loop_deinit(&loop);
    work_pool_free(pool);
    uv_sem_destroy(&gate);
    uv_sem_destroy(&begun);
    return 0;
}

/* ---- Order ----------------------------------------------------------------------------------- */

static void a_job_runs_on_a_thread_of_the_pool_and_is_done_on_its_loop(void **state)
{
    add('A');
    assert_int_equal(n_done, 0);
    run_until(1);
    assert_string_equal(ran, "A");
    assert_string_equal(done, "A");
}

static void the_jobs_of_one_client_keep_their_order(void **state)
{
    add_busy('A');
    add('B');
    add('C');
    add('D');
    uv_sem_post(&gate);
    run_until(4);
    assert_string_equal(ran, "ABCD");
    assert_string_equal(done, "ABCD");
}

static void clients_take_turns(void **state)
{
    add_busy('A');
    add_of(1, 'B', note);
    add_of(1, 'C', note);
    add_of(1, 'D', note);
    add_of(2, 'X', note);
    uv_sem_post(&gate);
    run_until(5);
    assert_string_equal(ran, "ABXCD");
}

static void each_thread_takes_a_job(void **state)
{
    for (int i = 0; i < 4; i++)
        add_of(0, (char)('A' + i), wait_at_gate);
    for (int i = 0; i < 4; i++)
        uv_sem_wait(&begun);
    assert_int_equal(work_pool_figures(pool).n_running, 4);
    for (int i = 0; i < 4; i++)
        uv_sem_post(&gate);
    run_until(4);
}

/* ---- A full queue ---------------------------------------------------------------------------- */

static void the_queue_takes_as_many_as_it_may(void **state)
{
    add_busy('A');
    for (int i = 0; i < MOST; i++)
        add((char)('B' + i));
    assert_int_equal(work_pool_figures(pool).n_waiting, MOST);
    uv_sem_post(&gate);
    run_until(1 + MOST);
    assert_string_equal(done, "ABCDE");
    assert_int_equal(work_pool_figures(pool).n_refused, 0);
}

static void above_that_the_client_with_most_jobs_loses_its_last(void **state)
{
    add_busy('A');
    for (int i = 0; i < MOST; i++)
        add_of(1, (char)('B' + i), note);
    add_of(2, 'X', note);
    assert_int_equal(work_pool_figures(pool).n_waiting, MOST);
    assert_int_equal(n_done, 0); /* never before the call has returned */
    run_until(1);
    assert_string_equal(done, "e");
    uv_sem_post(&gate);
    run_until(2 + MOST);
    assert_string_equal(ran, "ABXCD");
    assert_int_equal(work_pool_figures(pool).n_refused, 1);
}

static void the_job_that_is_added_may_be_the_one_that_is_lost(void **state)
{
    add_busy('A');
    for (int i = 0; i <= MOST; i++)
        add((char)('B' + i));
    uv_sem_post(&gate);
    run_until(2 + MOST);
    assert_string_equal(ran, "ABCDE");
    assert_non_null(strchr(done, 'f'));
}

/* ---- Cancelling ------------------------------------------------------------------------------ */

static void a_job_that_is_cancelled_before_it_runs_is_never_heard_of(void **state)
{
    add_busy('A');
    Task *task = add('B');
    add('C');
    assert_true(work_pool_cancel(pool, &task->job));
    uv_sem_post(&gate);
    run_until(2);
    assert_string_equal(ran, "AC");
    assert_string_equal(done, "AC");
}

static void a_job_that_is_cancelled_while_it_runs_is_done_all_the_same(void **state)
{
    Task *task = add_busy('A');
    assert_false(work_pool_cancel(pool, &task->job));
    uv_sem_post(&gate);
    run_until(1);
    assert_string_equal(done, "A");
}

static void so_is_one_that_is_cancelled_after_it_ran(void **state)
{
    Task *task = add('A');
    assert_true(work_pool_leave(pool, &loop));
    assert_false(work_pool_cancel(pool, &task->job));
    run_until(1);
    assert_string_equal(done, "A");
}

/* ---- The end --------------------------------------------------------------------------------- */

static void open_gate(void *unused)
{
    uv_sem_post(&gate);
}

static void a_loop_leaves_when_its_last_job_is_back(void **state)
{
    uv_thread_t opener;
    add_busy('A');
    add('B');
    assert_int_equal(uv_thread_create(&opener, open_gate, NULL), 0);
    assert_true(work_pool_leave(pool, &loop));
    uv_thread_join(&opener);
    assert_string_equal(ran, "AB");
    assert_int_equal(n_done, 0);
    loop_deinit(&loop);
    assert_string_equal(done, "AB");
    loop_init(&loop, 0);
}

static void a_loop_without_jobs_leaves_at_once(void **state)
{
    Task *task = add_busy('A');
    Loop other;
    loop_init(&other, 1);
    assert_true(work_pool_leave(pool, &other));
    loop_deinit(&other);
    assert_false(work_pool_cancel(pool, &task->job));
    uv_sem_post(&gate);
    run_until(1);
}

/* ---- The end of the process ------------------------------------------------------------------ */

static void open_gate_at_the_end(void *unused)
{
    while (!work_pool_is_ending(pool))
        sched_yield();
    uv_sem_post(&gate);
}

static void at_the_end_what_waits_is_given_back_without_having_run(void **state)
{
    uv_thread_t opener;
    add_busy('A');
    add('B');
    add('C');
    assert_int_equal(uv_thread_create(&opener, open_gate_at_the_end, NULL), 0);
    assert_true(work_pool_end(pool, clock_now() + 60 * SECOND));
    uv_thread_join(&opener);
    assert_true(work_pool_leave(pool, &loop));
    run_until(3);
    assert_string_equal(ran, "A");
    assert_int_equal(strcspn(done, "A") + strcspn(done, "b") + strcspn(done, "c"), 3);
}

static void run_until_the_end(WorkJob *job)
{
    note(job);
    uv_sem_post(&begun);
    while (!work_pool_is_ending(pool))
        sched_yield();
}

static void a_job_may_look_whether_the_end_has_come(void **state)
{
    add_of(0, 'A', run_until_the_end);
    uv_sem_wait(&begun);
    assert_false(work_pool_is_ending(pool));
    assert_true(work_pool_end(pool, clock_now() + 60 * SECOND));
    run_until(1);
    assert_string_equal(done, "A");
}

static void after_the_end_nothing_runs(void **state)
{
    assert_true(work_pool_end(pool, clock_now() + 60 * SECOND));
    add('A');
    assert_int_equal(n_done, 0);
    run_until(1);
    assert_string_equal(done, "a");
    assert_string_equal(ran, "");
}

/* Its loop and the pool stay: it may still use them. */
static void a_job_that_does_not_end_is_left_behind(void **state)
{
    set_up_threads(2);
    add_busy('A');
    Loop other;
    loop_init(&other, 1);
    assert_false(work_pool_end(pool, clock_now() + 10 * MILLISECOND));
    assert_true(work_pool_leave(pool, &other));
    loop_deinit(&other);
    assert_false(work_pool_leave(pool, &loop));
    work_pool_free(pool);
    assert_int_equal(threads_left(), 1);
    uv_sem_post(&gate);
    run_until(1);
    assert_string_equal(done, "A");
}

static void many_jobs_of_many_clients_are_each_done_once(void **state)
{
    unsigned cancelled = 0;
    for (int i = 0; i < MANY; i++) {
        Task *task = add_of((char)(i % 7 + 1), 'A', note);
        if (i % 5 == 0 && work_pool_cancel(pool, &task->job))
            cancelled++;
    }
    run_until(MANY - cancelled);
    WorkPoolFigures figures = work_pool_figures(pool);
    assert_int_equal(figures.n_run + figures.n_refused, MANY - cancelled);
    assert_int_equal(figures.n_run, atomic_load(&n_begun));
    assert_true(figures.time_run > 0 && figures.time_waited > 0);
    assert_int_equal(figures.n_running + figures.n_waiting, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_OF_MANY(name) cmocka_unit_test_setup_teardown(name, set_up_many, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_runs_on_a_thread_of_the_pool_and_is_done_on_its_loop),
        TEST(the_jobs_of_one_client_keep_their_order),
        TEST(clients_take_turns),
        TEST_OF_MANY(each_thread_takes_a_job),
        TEST(the_queue_takes_as_many_as_it_may),
        TEST(above_that_the_client_with_most_jobs_loses_its_last),
        TEST(the_job_that_is_added_may_be_the_one_that_is_lost),
        TEST(a_job_that_is_cancelled_before_it_runs_is_never_heard_of),
        TEST(a_job_that_is_cancelled_while_it_runs_is_done_all_the_same),
        TEST(so_is_one_that_is_cancelled_after_it_ran),
        TEST(a_loop_leaves_when_its_last_job_is_back),
        TEST(a_loop_without_jobs_leaves_at_once),
        TEST(at_the_end_what_waits_is_given_back_without_having_run),
        TEST(a_job_may_look_whether_the_end_has_come),
        TEST(after_the_end_nothing_runs),
        TEST_OF_MANY(many_jobs_of_many_clients_are_each_done_once),
        cmocka_unit_test(a_job_that_does_not_end_is_left_behind), /* last: its thread is there */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
