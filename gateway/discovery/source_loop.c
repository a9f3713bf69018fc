#include "gateway/discovery/source_loop.h"

#include "base/arena.h"
#include "gateway/loop/config_use.h"
#include "gateway/memory/memory_wait.h"
#include "gateway/thread/thread.h"
#include "gateway/upstream/upstream.h"

#include <stdlib.h>

struct SourceLoop {
    Loop loop;
    Resolver *resolver;
    pthread_t thread;
};

static void *run_thread(void *argument)
{
    SourceLoop *sources = argument;
    pthread_setname_np(pthread_self(), "discovery");
    loop_run(&sources->loop);
    return NULL;
}

/* The owner's, which runs from the first such call on, with this config. */
static SourceLoop *loop_of(SourceOwner *owner, Config *config)
{
    if (owner->sources)
        return owner->sources;
    SourceLoop *sources = calloc(1, sizeof *sources);
    CHECK(sources);
    Loop *loop = &sources->loop;
    loop_init(loop, 0);
    loop->config = config_ref(config);
    loop->upstreams = upstreams_new(loop);
    sources->resolver = resolver_new(loop);
    CHECK(thread_make(&sources->thread, run_thread, sources) == 0);
    owner->sources = sources;
    return sources;
}

Resolver *source_loop_resolver(Loop *loop)
{
    SourceLoop *sources = (SourceLoop *)loop;
    resolver_use(sources->resolver, &loop->config->dns);
    return sources->resolver;
}

static void run_use(Loop *loop, void *argument)
{
    Config *old = loop->config;
    loop->config = argument;
    config_uses_trim(loop);
    config_unref(old);
}

void source_loop_use(SourceLoop *sources, Config *config)
{
    loop_post(&sources->loop, run_use, config_ref(config));
}

void source_loop_post(SourceLoop *sources, void (*run)(Loop *loop, void *argument), void *argument)
{
    loop_post(&sources->loop, run, argument);
}

void source_loop_tell(SourceOwner *owner, const SourceUse *use, void (*run)(Loop *loop, void *use))
{
    SourceUse *told = calloc(1, sizeof *told);
    CHECK(told);
    *told = *use;
    config_ref(told->config);
    source_loop_post(loop_of(owner, use->config), run, told);
}

static void run_end(Loop *loop, void *argument)
{
    (void)argument;
    loop_stop(loop);
}

void source_loop_end(SourceLoop *sources)
{
    Loop *loop = &sources->loop;
    loop_post(loop, run_end, NULL);
    CHECK(pthread_join(sources->thread, NULL) == 0);
    upstreams_close(loop->upstreams,
                    FAIL(loop_scratch(loop), FAULT_SHUTTING_DOWN, "the gateway stops"));
    resolver_free(sources->resolver);
    loop_deinit(loop);
    upstreams_free(loop->upstreams);
    memory_waits_free(loop);
    config_uses_trim(loop);
    config_unref(loop->config);
    free(sources);
}
