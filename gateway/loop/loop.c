#include "gateway/loop/loop.h"

#include "base/arena.h"
#include "base/memory/budget.h"
#include "gateway/loop/loop_internal.h"

#include <stdlib.h>

enum {
    WORK_PASSES = 4, /* passes over deferred work that deferred work queued, before the sockets are
                        polled again */
    WATCHED = 64,    /* turns after one that may have been long */
    MAX_WAKE = 3600, /* seconds: the wheel runs at least this often, so that times do not
                        overflow */
};

#define LOOK_EVERY (100 * MILLISECOND) /* one turn at least is measured, if there are any */

static void set_date(Loop *loop)
{
    int64_t wall = clock_wall();
    date_write_http(wall / SECOND, loop->date);
    loop->private->date_until = loop->now + SECOND - wall % SECOND;
}

void loop_enter(Loop *loop)
{
    LoopPrivate *p = loop->private;
    if (!p->now_is_old)
        return;
    p->now_is_old = false;
    loop->now = clock_now();
    if (loop->now >= p->date_until)
        set_date(loop);
}

void loop_defer(Loop *loop, LoopWork *work)
{
    LoopPrivate *p = loop->private;
    if (loop_deferred(work))
        return;
    work->next = &p->no_work;
    *p->work_end = work;
    p->work_end = &work->next;
}

void loop_undefer(Loop *loop, LoopWork *work)
{
    LoopPrivate *p = loop->private;
    if (!loop_deferred(work))
        return;
    LoopWork **at = &p->work;
    while (*at != work)
        at = &(*at)->next;
    *at = work->next;
    if (*at == &p->no_work)
        p->work_end = at;
    work->next = NULL;
}

static bool has_work(const LoopPrivate *p)
{
    return p->work != &p->no_work;
}

static LoopWork *work_pop(LoopPrivate *p)
{
    LoopWork *work = p->work;
    p->work = work->next;
    if (!has_work(p))
        p->work_end = &p->work;
    work->next = NULL;
    return work;
}

/* Marks the end of a pass: work queued during a pass belongs to the next one. */
static void end_of_pass(LoopWork *work)
{
    (void)work;
}

void loop_run_work(Loop *loop)
{
    LoopPrivate *p = loop->private;
    for (int pass = 0; pass < WORK_PASSES && has_work(p); pass++) {
        LoopWork end = {.run = end_of_pass};
        loop_defer(loop, &end);
        while (loop_deferred(&end)) {
            LoopWork *work = work_pop(p);
            work->run(work); /* may free itself */
        }
    }
}

static void do_not_wait(uv_idle_t *idle)
{
    (void)idle; /* while an idle handle is active, libuv does not wait */
}

/* Ends the wait. Timers fire in after_wait, after all input was read: if the process was suspended,
   peers whose bytes arrived in time do not time out. */
static void on_wake(uv_timer_t *timer)
{
    Loop *loop = timer->data;
    loop->private->wake_at = INT64_MAX;
}

/* The timer is restarted only if it would fire too late: a deadline that is moved to a later time,
   as those of busy connections are, costs nothing. */
static void set_wake(Loop *loop)
{
    LoopPrivate *p = loop->private;
    int64_t wait = timer_wheel_wait(&loop->timers, loop->now);
    if (wait < 0)
        return;
    if (wait > MAX_WAKE * SECOND)
        wait = MAX_WAKE * SECOND;
    if (loop->now + wait >= p->wake_at)
        return;
    p->wake_at = loop->now + wait;
    uv_update_time(&loop->uv); /* else libuv would use its older, cached time */
    uv_timer_start(&p->wake, on_wake, (uint64_t)((wait + MILLISECOND - 1) / MILLISECOND), 0);
}

static void after_wait(uv_check_t *check)
{
    Loop *loop = check->data;
    loop_enter(loop);
    if (loop_is_crowded(loop)) {
        loop_run_work(loop); /* what is urgent goes out before others are read */
        read_order_run(&loop->order, loop->now);
    }
    timer_wheel_run(&loop->timers, loop->now);
    loop_run_work(loop);
}

/* For how long of the turn the thread did not run. After turns that were not measured it has run
   for longer than this one. */
static int64_t find_stood(LoopPrivate *p, int64_t busy)
{
    int64_t before = p->ran;
    p->ran = clock_thread();
    int64_t stood = busy - (p->ran - before);
    return stood > 0 ? stood : 0;
}

/* The clock is read only when a turn may have been long: reading it in each would be a part of the
   cost of a call. */
static void measure_turn(Loop *loop)
{
    LoopPrivate *p = loop->private;
    int64_t apart = loop->now - p->turn_began;
    p->turn_began = loop->now;
    if (p->n_watched == 0 && loop->now >= p->look_at)
        p->n_watched = 1;
    if (apart >= loop->watch_from || loop_is_crowded(loop) || memory_is_short())
        p->n_watched = WATCHED;
    if (p->n_watched == 0)
        return;
    p->n_watched--;
    int64_t ended = clock_now();
    LoopTurn turn = {.ended = ended,
                     .slept = loop->now - p->turn_ended,
                     .busy = ended - loop->now,
                     .stood = find_stood(p, ended - loop->now),
                     .waited = loop_is_crowded(loop) ? read_order_waited(&loop->order, ended) : 0};
    loop->on_turn(loop, &turn);
    p->turn_ended = ended;
    p->look_at = ended + LOOK_EVERY;
}

static void before_wait(uv_prepare_t *prepare)
{
    Loop *loop = prepare->data;
    LoopPrivate *p = loop->private;
    loop_enter(loop);
    loop_run_work(loop);
    if (has_work(p) || (loop_is_crowded(loop) && read_order_has_left(&loop->order)))
        uv_idle_start(&p->no_wait, do_not_wait);
    else
        uv_idle_stop(&p->no_wait);
    set_wake(loop);
    if (loop->on_turn)
        measure_turn(loop);
    if (loop->scratch_used) {
        arena_reset(loop->scratch);
        loop->scratch_used = false;
    }
    p->now_is_old = true;
}

static LoopPost *posts_take(LoopPrivate *p)
{
    uv_mutex_lock(&p->lock);
    LoopPost *posts = p->posts;
    p->posts = NULL;
    p->posts_end = &p->posts;
    uv_mutex_unlock(&p->lock);
    return posts;
}

static void on_posted(uv_async_t *async)
{
    Loop *loop = async->data;
    loop_enter(loop);
    LoopPost *post = posts_take(loop->private);
    while (post) {
        LoopPost *next = post->next;
        post->run(loop, post->argument);
        free(post);
        post = next;
    }
}

void loop_post(Loop *loop, void (*run)(Loop *loop, void *argument), void *argument)
{
    LoopPrivate *p = loop->private;
    LoopPost *post = malloc(sizeof(*post));
    CHECK(post);
    *post = (LoopPost){.run = run, .argument = argument};
    uv_mutex_lock(&p->lock);
    *p->posts_end = post;
    p->posts_end = &post->next;
    uv_mutex_unlock(&p->lock);
    CHECK(uv_async_send(&p->posted) == 0);
}

Result loop_open(Loop *loop, uint32_t index, Arena *arena)
{
    *loop = (Loop){.index = index, .now = clock_now()};
    int error = uv_loop_init(&loop->uv);
    if (error)
        return FAIL(arena, FAULT_SYSTEM, "creating an event loop: %s", uv_strerror(error));
    LoopPrivate *p = calloc(1, sizeof(*p));
    CHECK(p);
    loop->private = p;
    loop->uv.data = loop;
    set_date(loop);
    random_seed(&loop->random);
    loop->seed = random_next(&loop->random);
    timer_wheel_init(&loop->timers, loop->now);

    CHECK(uv_mutex_init(&p->lock) == 0);
    p->posts_end = &p->posts;
    p->work = &p->no_work;
    p->work_end = &p->work;
    p->wake_at = INT64_MAX;
    p->turn_began = p->turn_ended = loop->now;
    loop->scratch = arena_new(ARENA_UNLIMITED);
    p->read_buffer = malloc(LOOP_READ_SIZE);
    p->plain_buffer = malloc(LOOP_PLAIN_SIZE);
    p->cipher_buffer = malloc(LOOP_CIPHER_SIZE);
    p->record_buffer = malloc(LOOP_RECORD_SIZE);
    CHECK(p->read_buffer && p->plain_buffer && p->cipher_buffer && p->record_buffer);

    /* None of these needs a descriptor. */
    CHECK(uv_async_init(&loop->uv, &p->posted, on_posted) == 0);
    CHECK(uv_prepare_init(&loop->uv, &p->before_wait) == 0);
    CHECK(uv_check_init(&loop->uv, &p->after_wait) == 0);
    CHECK(uv_idle_init(&loop->uv, &p->no_wait) == 0);
    CHECK(uv_timer_init(&loop->uv, &p->wake) == 0);
    p->posted.data = p->before_wait.data = p->after_wait.data = p->wake.data = loop;
    CHECK(uv_prepare_start(&p->before_wait, before_wait) == 0);
    CHECK(uv_check_start(&p->after_wait, after_wait) == 0);
    return OK;
}

void loop_init(Loop *loop, uint32_t index)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result r = loop_open(loop, index, arena);
    CHECK(!failed(r));
    arena_free(arena);
}

void loop_run(Loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(Loop *loop)
{
    uv_stop(&loop->uv);
}

void loop_deinit(Loop *loop)
{
    LoopPrivate *p = loop->private;
    uv_handle_t *own[] = {(uv_handle_t *)&p->posted, (uv_handle_t *)&p->before_wait,
                          (uv_handle_t *)&p->after_wait, (uv_handle_t *)&p->no_wait,
                          (uv_handle_t *)&p->wake};
    enum { OWN = sizeof(own) / sizeof(own[0]) };

    on_posted(&p->posted);
    for (int i = 0; i < OWN; i++)
        uv_unref(own[i]);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0) /* handles that are closing */
        continue;
    for (int i = 0; i < OWN; i++)
        uv_close(own[i], NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop->uv) == 0);

    uv_mutex_destroy(&p->lock);
    arena_free(loop->scratch);
    read_order_deinit(&loop->order);
    free(p->read_buffer);
    free(p->plain_buffer);
    free(p->cipher_buffer);
    free(p->record_buffer);
    free(p);
    loop->private = NULL;
}
