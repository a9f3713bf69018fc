#include "gateway/process/reload.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/file/file.h"
#include "gateway/reflect/reflection_client.h"
#include "gateway/reflect/schema_cache.h"
#include "gateway/service/config_load.h"
#include "gateway/thread/chore.h"
#include "gateway/thread/thread.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* That a config may need for the first time: webhooks of jobs, discovery, a collector's signals. */
enum { THREADS_OF_RELOAD = 6 };

struct Reload {
    const char *path;
    Config *running; /* a reference */
    uint32_t n_workers;
    int64_t began;
    void (*on_read)(void *owner);
    void *owner;
    Chore *chore; /* NULL: the config was read */
    FileNote note;

    Arena *arena; /* of the following members, except `config` */
    Config *config;
    BoundSocket *sockets;
    Result result;
    Bytes mistakes; /* one per line */
    atomic_bool cancelled;
    atomic_uint n_left; /* workers that have not called reload_taken */
};

static void print_problems(Reload *reload, const Problems *problems)
{
    Buffer text = buffer_in(reload->arena);
    problems_print(problems, &text);
    reload->mistakes = buffer_bytes(&text);
    fwrite(text.data, 1, text.size, stderr);
    fflush(stderr);
}

/* Errors in the config's arena are copied, because it is freed if there is no config. */
static Result load(Reload *reload)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(reload->arena);
    SchemaAsk ask = reflection_ask(&reload->cancelled);
    Result r = config_load(reload->path, &ask, arena, &problems, &reload->config);
    if (atomic_load(&reload->cancelled) && !reload->config) {
        r = FAIL(reload->arena, FAULT_SHUTTING_DOWN, "the gateway stops");
    } else if (problems.n) {
        print_problems(reload, &problems);
        r = FAIL(reload->arena, FAULT_BAD_CONFIG, "%zu %s in %s", problems.n,
                 problems.n == 1 ? "mistake" : "mistakes", reload->path);
    } else if (failed(r)) {
        r = error_copy(reload->arena, r);
    }
    if (reload->config)
        config_forget_lists(reload->config);
    else
        arena_free(arena);
    return r;
}

static void read_config(void *owner)
{
    Reload *reload = owner;
    file_note_use(&reload->note);
    reload->result = strcmp(reload->path, "-") == 0
                         ? FAIL(reload->arena, FAULT_BAD_CONFIG,
                                "- can be read once only, and was: a gateway that is to be "
                                "reloaded needs a file")
                         : load(reload);
    if (failed(reload->result) || atomic_load(&reload->cancelled))
        return;
    reload->result = bind_listeners(reload->arena, reload->config, reload->running,
                                    reload->n_workers, &reload->sockets);
    if (!failed(reload->result) && threads_try(THREADS_OF_RELOAD) < THREADS_OF_RELOAD)
        reload->result = FAIL(reload->arena, FAULT_SYSTEM, "using the config: " THREAD_NONE);
    if (!failed(reload->result))
        schema_caches_keep(reload->config);
}

static void on_chore_done(void *owner)
{
    Reload *reload = owner;
    reload->chore = NULL;
    reload->on_read(reload->owner);
}

static void on_refused(void *owner)
{
    Reload *reload = owner;
    reload->result = FAIL(reload->arena, FAULT_SYSTEM, "reading the config: " THREAD_NONE);
    on_chore_done(reload);
}

Reload *reload_start(const char *path, Config *running, uint32_t n_workers, uv_loop_t *loop,
                     void (*on_read)(void *owner), void *owner)
{
    Reload *reload = calloc(1, sizeof(*reload));
    CHECK(reload);
    reload->path = path;
    reload->running = config_ref(running);
    reload->n_workers = n_workers;
    reload->began = clock_now();
    reload->on_read = on_read;
    reload->owner = owner;
    reload->arena = arena_new(ARENA_UNLIMITED);
    atomic_init(&reload->n_left, n_workers);
    file_note_init(&reload->note);
    reload->chore = chore_start(loop, &(ChoreWork){.run = read_config,
                                                   .on_done = on_chore_done,
                                                   .on_refused = on_refused,
                                                   .owner = reload});
    return reload;
}

int64_t reload_time(const Reload *reload)
{
    return clock_now() - reload->began;
}

const char *reload_doing(Reload *reload, Arena *arena)
{
    const char *file = file_note_read(&reload->note, arena);
    return file ? arena_printf(arena, "reading %s", file) : "waiting for schemas of instances";
}

void reload_cancel(Reload *reload)
{
    atomic_store(&reload->cancelled, true);
}

void reload_leave(Reload *reload)
{
    chore_leave(reload->chore);
}

Result reload_finish(Reload *reload, Arena *arena, Config **config_out)
{
    config_unref(reload->running);
    if (failed(reload->result)) {
        if (reload->config)
            config_unref(reload->config);
        return error_copy(arena, reload->result);
    }
    *config_out = reload->config;
    return OK;
}

Bytes reload_mistakes(const Reload *reload)
{
    return reload->mistakes;
}

BoundSocket *reload_sockets(const Reload *reload)
{
    return reload->sockets;
}

static void reload_free(Reload *reload)
{
    bind_close(reload->sockets, reload->n_workers);
    arena_free(reload->arena);
    file_note_deinit(&reload->note);
    free(reload);
}

void reload_taken(void *argument)
{
    Reload *reload = argument;
    if (atomic_fetch_sub_explicit(&reload->n_left, 1, memory_order_acq_rel) == 1)
        reload_free(reload);
}

void reload_drop(Reload *reload)
{
    reload_free(reload);
}
