/* Documents on a real work pool, whose only thread waits at a gate. */
#include "gateway/catalog/documents.h"

#include "gateway/loop/work_pool.h"
#include "tests/unit/check.h"
#include "tests/unit/gateway/service/loaded.h"

#include <sched.h>

typedef struct Reader {
    Loop *loop;
    DocumentWait *wait;
    Document *document;
    unsigned n_told;
} Reader;

static Loaded loaded;
static Loop loops[2];
static WorkPool *pool;
static uv_sem_t gate, begun;
static WorkJob busy, other;

static void wait_at_gate(WorkJob *job)
{
    uv_sem_post(&begun);
    uv_sem_wait(&gate);
}

static void do_nothing(WorkJob *job)
{
}

static void forget(WorkJob *job, bool has_run)
{
}

static int set_up(void **state)
{
    loaded = load_text(arena_new(ARENA_UNLIMITED), GOOD "catalog: {}\n");
    assert_non_null(loaded.config);
    catalog_adopt(loaded.config);
    assert_int_equal(uv_sem_init(&gate, 0) | uv_sem_init(&begun, 0), 0);
    pool = work_pool_new(1, 1);
    for (uint32_t i = 0; i < 2; i++) {
        loop_init(&loops[i], i);
        loops[i].pool = pool;
    }
    busy = (WorkJob){.run = wait_at_gate, .on_done = forget, .loop = &loops[0]};
    other = (WorkJob){.run = do_nothing, .on_done = forget, .loop = &loops[0]};
    work_pool_add(pool, &busy);
    uv_sem_wait(&begun);
    return 0;
}

/* The config goes first: what is being made keeps it, and readers keep their documents. */
static int tear_down(void **state)
{
    unload(&loaded);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(work_pool_leave(pool, &loops[i]));
        loop_deinit(&loops[i]);
    }
    work_pool_free(pool);
    uv_sem_destroy(&gate);
    uv_sem_destroy(&begun);
    return 0;
}

static void on_made(void *owner, Document *document)
{
    Reader *reader = owner;
    reader->n_told++;
    reader->wait = NULL;
    reader->document = document;
    loop_stop(reader->loop);
}

static Reader ask(Reader *at, Loop *loop, uint32_t version)
{
    const CatalogView view = {loaded.config, &identity_anonymous, 0};
    *at = (Reader){.loop = loop};
    const DocumentAsk asks = {
        .loop = loop, .config = loaded.config, .owner = at, .on_made = on_made};
    at->document =
        document_ask(&asks, &view, &loaded.config->services[0].versions[version], &at->wait);
    assert_true(!at->document == (at->wait != NULL));
    return *at;
}

static void run_until_told(const Reader *reader)
{
    while (!reader->n_told)
        loop_run(reader->loop);
    assert_int_equal(reader->n_told, 1);
}

static void all_who_ask_while_it_is_made_get_the_same(void **state)
{
    Reader readers[4], later;
    for (uint32_t i = 0; i < 4; i++)
        assert_null(ask(&readers[i], &loops[i % 2], 0).document);
    uv_sem_post(&gate);
    for (uint32_t i = 0; i < 4; i++) {
        run_until_told(&readers[i]);
        assert_ptr_equal(readers[i].document, readers[0].document);
    }
    assert_true(bytes_start_with(readers[0].document->json, "{\"openapi\":\"3.1.0\""));
    assert_ptr_equal(ask(&later, &loops[1], 0).document, readers[0].document);
    for (uint32_t i = 0; i < 4; i++)
        document_free(readers[i].document);
    assert_int_equal(later.document->tag[0], '"');
    document_free(later.document);
}

static void who_has_left_is_not_told(void **state)
{
    Reader first, second, far;
    ask(&first, &loops[0], 0);
    ask(&second, &loops[0], 0);
    ask(&far, &loops[1], 0);
    document_leave(first.wait);
    uv_sem_post(&gate);
    run_until_told(&second);
    document_leave(far.wait); /* which was told, and does not know it yet */
    loop_stop(&loops[1]);
    loop_run(&loops[1]);
    assert_int_equal(first.n_told + far.n_told, 0);
    document_free(second.document);
}

static void one_that_nobody_waits_for_any_more_is_not_begun(void **state)
{
    Reader first, second;
    ask(&first, &loops[0], 0);
    document_leave(first.wait);
    assert_int_equal(work_pool_figures(pool).n_waiting, 0);
    ask(&second, &loops[0], 0); /* nothing of that is kept */
    uv_sem_post(&gate);
    run_until_told(&second);
    assert_int_equal(work_pool_figures(pool).n_run, 2);
    document_free(second.document);
}

static void the_last_one_who_leaves_may_be_on_another_loop(void **state)
{
    Reader first, far;
    ask(&first, &loops[0], 0);
    ask(&far, &loops[1], 0);
    document_leave(first.wait);
    assert_int_equal(work_pool_figures(pool).n_waiting, 1);
    document_leave(far.wait);
    assert_int_equal(work_pool_figures(pool).n_waiting, 0);
    uv_sem_post(&gate);
}

static void stop(Loop *loop, void *argument)
{
    loop_stop(loop);
}

static void one_that_was_begun_is_kept_for_who_asks_next(void **state)
{
    Reader first, second;
    ask(&first, &loops[0], 0);
    uv_sem_post(&gate);
    while (work_pool_figures(pool).n_waiting)
        sched_yield();
    document_leave(first.wait);
    assert_true(work_pool_leave(pool, &loops[0]));
    loop_post(&loops[0], stop, NULL);
    loop_run(&loops[0]);
    assert_non_null(ask(&second, &loops[0], 0).document);
    document_free(second.document);
}

static void at_the_end_of_the_pool_none_is_made(void **state)
{
    Reader reader;
    ask(&reader, &loops[0], 0);
    uv_sem_post(&gate);
    assert_true(work_pool_end(pool, clock_now() + 60 * SECOND));
    run_until_told(&reader);
    document_free(reader.document); /* it may have been begun */
    assert_null(ask(&reader, &loops[0], 1).document);
    run_until_told(&reader);
    assert_null(reader.document);
}

static void there_may_be_too_much_to_do(void **state)
{
    Reader reader, again;
    work_pool_add(pool, &other);
    assert_null(ask(&reader, &loops[0], 0).document);
    run_until_told(&reader);
    assert_null(reader.document);
    uv_sem_post(&gate);
    assert_true(work_pool_leave(pool, &loops[0]));
    ask(&again, &loops[0], 0); /* nothing of that is kept */
    run_until_told(&again);
    assert_non_null(again.document);
    document_free(again.document);
}

static void what_is_being_made_at_the_end_keeps_its_config(void **state)
{
    Reader reader;
    ask(&reader, &loops[0], 0);
    uv_sem_post(&gate);
    while (work_pool_figures(pool).n_waiting)
        sched_yield();
    document_leave(reader.wait);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(all_who_ask_while_it_is_made_get_the_same),
        TEST(who_has_left_is_not_told),
        TEST(one_that_nobody_waits_for_any_more_is_not_begun),
        TEST(the_last_one_who_leaves_may_be_on_another_loop),
        TEST(one_that_was_begun_is_kept_for_who_asks_next),
        TEST(there_may_be_too_much_to_do),
        TEST(what_is_being_made_at_the_end_keeps_its_config),
        TEST(at_the_end_of_the_pool_none_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
