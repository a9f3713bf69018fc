#include "gateway/process/reload.h"

#include "base/arena.h"
#include "gateway/loop/signals.h"
#include "gateway/reflect/reflection_client.h"

#include <stdio.h>
#include <stdlib.h>

struct Reload {
    const char *path;
    Config *running; /* a reference */
    uint32_t n_workers;
    void (*on_read)(void *owner);
    void *owner;

    pthread_t thread;
    Arena *arena; /* of the following members, except `config` */
    Config *config;
    BoundSocket *sockets;
    Result result;
    Bytes mistakes; /* one per line */
    atomic_bool read, cancelled;
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

static void *read_config(void *argument)
{
    Reload *reload = argument;
    reload->result = load(reload);
    if (!failed(reload->result))
        reload->result = bind_listeners(reload->arena, reload->config, reload->running,
                                        reload->n_workers, &reload->sockets);
    atomic_store(&reload->read, true);
    reload->on_read(reload->owner);
    return NULL;
}

Reload *reload_start(const char *path, Config *running, uint32_t n_workers,
                     void (*on_read)(void *owner), void *owner)
{
    Reload *reload = calloc(1, sizeof(*reload));
    CHECK(reload);
    reload->path = path;
    reload->running = config_ref(running);
    reload->n_workers = n_workers;
    reload->on_read = on_read;
    reload->owner = owner;
    reload->arena = arena_new(ARENA_UNLIMITED);
    atomic_init(&reload->n_left, n_workers);
    CHECK(signals_make_thread(&reload->thread, read_config, reload) == 0);
    return reload;
}

bool reload_is_read(const Reload *reload)
{
    return atomic_load(&reload->read);
}

void reload_cancel(Reload *reload)
{
    atomic_store(&reload->cancelled, true);
}

Result reload_finish(Reload *reload, Arena *arena, Config **config_out)
{
    CHECK(pthread_join(reload->thread, NULL) == 0);
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
