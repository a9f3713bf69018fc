#include "tests/unit/check.h"

#include "gateway/thread/chore.h"
#include "gateway/thread/thread.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

/* As of a process that may have so many more threads. */
static int n_free = INT32_MAX;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument)
{
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    *(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
    return n_free-- > 0 ? create(thread, attributes, start, argument) : EAGAIN;
}

/* An chore that runs until `may_end`. */
static uv_loop_t loop;
static sem_t began, may_end;
static pthread_t ran_on;
static int n_done, n_refused;
static atomic_int n_left;

static void run(void *owner)
{
    assert_ptr_equal(owner, &loop);
    ran_on = pthread_self();
    sem_post(&began);
    sem_wait(&may_end);
}

static void on_done(void *owner)
{
    assert_ptr_equal(owner, &loop);
    n_done++;
}

static void on_refused(void *owner)
{
    assert_ptr_equal(owner, &loop);
    n_refused++;
}

static void on_left(void *owner)
{
    assert_ptr_equal(owner, &loop);
    atomic_fetch_add(&n_left, 1);
}

static Chore *start(void)
{
    return chore_start(&loop, &(ChoreWork){.run = run,
                                           .on_done = on_done,
                                           .on_refused = on_refused,
                                           .on_left = on_left,
                                           .owner = &loop});
}

static int set_up(void **state)
{
    n_done = n_refused = 0;
    n_free = INT32_MAX;
    atomic_store(&n_left, 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    sem_init(&began, 0, 0);
    sem_init(&may_end, 0, 0);
    return 0;
}

static int tear_down(void **state)
{
    assert_int_equal(uv_loop_close(&loop), 0);
    sem_destroy(&began);
    sem_destroy(&may_end);
    return 0;
}

static void the_loop_is_told_when_it_is_done(void **state)
{
    start();
    sem_wait(&began);
    assert_false(pthread_equal(ran_on, pthread_self()));
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(n_done, 0);
    sem_post(&may_end);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(n_done, 1);
    assert_int_equal(atomic_load(&n_left), 0);
    assert_int_equal(threads_left(), 0);
}

static void the_loop_can_end_before_one_that_is_left_behind(void **state)
{
    chore_leave(start());
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(threads_left(), 1);
    assert_int_equal(atomic_load(&n_left), 0);
    sem_post(&may_end);
    while (threads_left())
        sched_yield();
    assert_int_equal(atomic_load(&n_left), 1); /* its owner was freed there */
    assert_int_equal(n_done, 0);
    sem_wait(&began);
}

/* A thousand times, so that the thread has often ended, without the loop having been told. */
static void one_that_is_left_while_it_ends_is_freed_once(void **state)
{
    for (int i = 1; i <= 1000; i++) {
        sem_post(&may_end);
        Chore *chore = start();
        sem_wait(&began);
        chore_leave(chore);
        uv_run(&loop, UV_RUN_DEFAULT);
        while (threads_left())
            sched_yield();
        assert_int_equal(atomic_load(&n_left), i);
    }
    assert_int_equal(n_done, 0);
}

static void without_a_thread_the_loop_is_told_later(void **state)
{
    n_free = 0;
    start();
    assert_int_equal(n_refused, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(n_refused, 1);
    assert_int_equal(n_done, 0);
    assert_int_equal(atomic_load(&n_left), 0);
}

static void one_without_a_thread_can_be_left(void **state)
{
    n_free = 0;
    chore_leave(start());
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(n_refused, 0);
    assert_int_equal(atomic_load(&n_left), 1);
    assert_int_equal(threads_left(), 0);
}

static void how_many_threads_there_can_be_is_tried(void **state)
{
    assert_int_equal(threads_try(20), 20);
    n_free = 7;
    assert_int_equal(threads_try(20), 7);
    n_free = 0;
    assert_int_equal(threads_try(20), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_loop_is_told_when_it_is_done),
        TEST(the_loop_can_end_before_one_that_is_left_behind),
        TEST(without_a_thread_the_loop_is_told_later),
        TEST(one_without_a_thread_can_be_left),
        TEST(how_many_threads_there_can_be_is_tried),
        TEST(one_that_is_left_while_it_ends_is_freed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
