#include "gateway/job_watch/job_watch.h"

#include "tests/unit/check.h"

#include <pthread.h>

#define ONE "01JD0000000000000000000001"
#define TWO "01JD0000000000000000000002"

static Loop loop;
static JobNews *news;
static JobWatches *watches;

typedef struct Looker {
    JobWatch watch; /* first */
    unsigned looked;
    JobWatch *stops; /* NULL: none */
} Looker;

static void look(JobWatch *watch)
{
    Looker *looker = (Looker *)watch;
    looker->looked++;
    if (looker->stops)
        job_watch_stop(looker->stops);
}

static int begin(void **state)
{
    loop_init(&loop, 0);
    news = job_news_new();
    watches = job_watches_new(news, &loop, (JobWatchLimits){.most = 3, .per_client = 2});
    return 0;
}

static int end(void **state)
{
    job_watches_free(watches);
    loop_deinit(&loop);
    job_news_free(news);
    return 0;
}

static JobWatchStart start_as(Looker *looker, const char *id, const char *client)
{
    looker->watch.look = look;
    return job_watch_start(watches, &looker->watch, bytes_of(id), bytes_of(client));
}

/* Each by a client of its own. */
static bool start(Looker *looker, const char *id)
{
    static unsigned n;
    char client[16];
    snprintf(client, sizeof client, "client-%u", n++);
    return start_as(looker, id, client) == JOB_WATCH_RUNS;
}

static void stop_loop(Loop *on, void *argument)
{
    loop_stop(on);
}

/* What was posted arrives; then the timers of a turn fire. */
static void turn(void)
{
    loop_post(&loop, stop_loop, NULL);
    loop_run(&loop);
    timer_wheel_run(&loop.timers, loop.now);
}

static void pass(int64_t time)
{
    loop.now += time;
    timer_wheel_run(&loop.timers, loop.now);
}

static void a_watch_hears_of_its_job_and_of_no_other(void **state)
{
    Looker one = {.looked = 0}, also = {.looked = 0}, two = {.looked = 0};
    assert_true(start(&one, ONE));
    assert_true(start(&also, ONE));
    assert_true(start(&two, TWO));
    job_news_tell(news, bytes_of(ONE));
    turn();
    assert_int_equal(one.looked, 1);
    assert_int_equal(also.looked, 1);
    assert_int_equal(two.looked, 0);
    job_watch_stop(&one.watch);
    job_watch_stop(&also.watch);
    job_news_tell(news, bytes_of(ONE));
    turn();
    assert_int_equal(one.looked, 1);
    job_watch_stop(&two.watch);
}

static void nobody_hears_before_the_caller_has_returned(void **state)
{
    Looker one = {.looked = 0};
    assert_true(start(&one, ONE));
    job_news_tell(news, bytes_of(ONE));
    assert_int_equal(one.looked, 0);
    turn();
    assert_int_equal(one.looked, 1);
    job_watch_stop(&one.watch);
}

static void without_news_it_looks_by_itself(void **state)
{
    Looker one = {.looked = 0};
    assert_true(start(&one, ONE));
    pass(JOB_WATCH_TIME - 2 * MILLISECOND);
    assert_int_equal(one.looked, 0);
    pass(4 * MILLISECOND);
    assert_int_equal(one.looked, 1);
    pass(JOB_WATCH_TIME + 2 * MILLISECOND);
    assert_int_equal(one.looked, 2);
    job_watch_stop(&one.watch);
    pass(2 * JOB_WATCH_TIME);
    assert_int_equal(one.looked, 2);
}

static void there_are_no_more_than_may_be(void **state)
{
    Looker lookers[4] = {{.looked = 0}};
    for (int i = 0; i < 3; i++)
        assert_true(start(&lookers[i], i ? ONE : TWO));
    assert_false(start(&lookers[3], ONE));
    job_watch_stop(&lookers[3].watch);
    job_watch_stop(&lookers[1].watch);
    assert_true(start(&lookers[3], ONE));
    job_watch_stop(&lookers[0].watch);
    job_watch_stop(&lookers[2].watch);
    job_watch_stop(&lookers[3].watch);
    job_watch_stop(&lookers[3].watch);
}

static void a_client_has_no_more_than_its_share(void **state)
{
    Looker lookers[4] = {{.looked = 0}};
    assert_int_equal(start_as(&lookers[0], ONE, "ann"), JOB_WATCH_RUNS);
    assert_int_equal(start_as(&lookers[1], TWO, "ann"), JOB_WATCH_RUNS);
    assert_int_equal(start_as(&lookers[2], ONE, "ann"), JOB_WATCH_SHARE);
    assert_int_equal(start_as(&lookers[2], ONE, "bob"), JOB_WATCH_RUNS);
    assert_int_equal(start_as(&lookers[3], ONE, "cid"), JOB_WATCH_TOO_MANY);
    assert_int_equal(start_as(&lookers[3], "short", "cid"), JOB_WATCH_NO_ID);
    job_watch_stop(&lookers[1].watch);
    assert_int_equal(start_as(&lookers[3], TWO, "ann"), JOB_WATCH_RUNS);
    job_watch_stop(&lookers[0].watch);
    job_watch_stop(&lookers[2].watch);
    job_watch_stop(&lookers[3].watch);
}

static void what_is_no_id_is_nobodys(void **state)
{
    Looker one = {.looked = 0};
    assert_false(start(&one, "short"));
    assert_false(start(&one, ONE "x"));
    assert_true(start(&one, ONE));
    job_news_tell(news, bytes_of("short"));
    turn();
    assert_int_equal(one.looked, 0);
    job_watch_stop(&one.watch);
}

static void a_watch_may_end_another_one_of_the_same_job(void **state)
{
    Looker one = {.looked = 0}, two = {.looked = 0};
    one.stops = &two.watch;
    two.stops = &one.watch;
    assert_true(start(&one, ONE));
    assert_true(start(&two, ONE));
    job_news_tell(news, bytes_of(ONE));
    turn();
    assert_int_equal(one.looked + two.looked, 1);
    job_watch_stop(&one.watch);
    job_watch_stop(&two.watch);
}

static void all_look_when_the_loop_drains(void **state)
{
    Looker one = {.looked = 0}, two = {.looked = 0};
    assert_true(start(&one, ONE));
    assert_true(start(&two, TWO));
    job_watches_look(watches);
    pass(2 * MILLISECOND);
    assert_int_equal(one.looked, 1);
    assert_int_equal(two.looked, 1);
    job_watch_stop(&one.watch);
    job_watch_stop(&two.watch);
}

static void *tell_from_elsewhere(void *argument)
{
    for (int i = 0; i < 1000; i++)
        job_news_tell(news, bytes_of(ONE));
    loop_post(&loop, stop_loop, NULL);
    return NULL;
}

static void any_thread_may_tell(void **state)
{
    Looker one = {.looked = 0};
    pthread_t thread;
    assert_true(start(&one, ONE));
    assert_int_equal(pthread_create(&thread, NULL, tell_from_elsewhere, NULL), 0);
    loop_run(&loop);
    pthread_join(thread, NULL);
    timer_wheel_run(&loop.timers, loop.now);
    assert_in_range(one.looked, 1, 1000);
    job_watch_stop(&one.watch);
}

static void news_that_come_after_the_end_are_dropped(void **state)
{
    Looker one = {.looked = 0};
    assert_true(start(&one, ONE));
    job_news_tell(news, bytes_of(ONE));
    job_watch_stop(&one.watch);
    job_watches_free(watches);
    turn();
    assert_int_equal(one.looked, 0);
    watches = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_watch_hears_of_its_job_and_of_no_other),
        TEST(nobody_hears_before_the_caller_has_returned),
        TEST(without_news_it_looks_by_itself),
        TEST(there_are_no_more_than_may_be),
        TEST(a_client_has_no_more_than_its_share),
        TEST(what_is_no_id_is_nobodys),
        TEST(a_watch_may_end_another_one_of_the_same_job),
        TEST(all_look_when_the_loop_drains),
        TEST(any_thread_may_tell),
        TEST(news_that_come_after_the_end_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
