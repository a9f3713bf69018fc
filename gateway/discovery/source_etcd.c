/* Lists in etcd v3: each key with the prefix is an instance. */
#include "gateway/discovery/etcd_session.h"
#include "gateway/discovery/inbox.h"
#include "gateway/discovery/source.h"
#include "gateway/discovery/source_loop.h"

#include "base/arena.h"

#include <stdlib.h>

/* Changes are read together if they come faster than this, or, where a reading takes long, faster
   than ten times as long. */
#define READ_EVERY (50 * MILLISECOND)
#define READ_EVERY_MOST (1 * SECOND)
enum { READ_PART = 10 };

static int64_t pause_after(int64_t reading)
{
    int64_t pause = READ_PART * reading;
    return pause < READ_EVERY ? READ_EVERY : pause < READ_EVERY_MOST ? pause : READ_EVERY_MOST;
}

/* Belongs to the loop of sources once it was started. */
typedef struct EtcdListed {
    Source source;
    SourceOwner *owner;
    uint64_t number;
    Loop *loop;
    Config *config; /* a reference; NULL: not used yet */
    Service *service;
    EtcdSession *session;
    const EtcdKeys *keys; /* of the session, to be read */
    Timer timer;          /* when they are read */
    int64_t read_from;    /* not before */
} EtcdListed;

static ListDocument *make_documents(const EtcdListed *source, Arena *arena)
{
    const EtcdKeys *keys = source->keys;
    const char *base = arena_string(arena, source->service->discovery->base);
    ListDocument *documents = arena_array(arena, ListDocument, keys->n);
    for (uint32_t i = 0; i < keys->n; i++)
        documents[i] = (ListDocument){
            .name = arena_printf(arena, "etcd %.*s", BYTES_ARGS(etcd_keys_key(keys, i))),
            .base = base,
            .text = etcd_keys_value(keys, i),
            .is_entry = true};
    return documents;
}

static void on_timer(Timer *timer)
{
    EtcdListed *source = (EtcdListed *)((char *)timer - offsetof(EtcdListed, timer));
    if (!etcd_session_is_whole(source->session)) {
        timer_start(&source->loop->timers, timer, source->loop->now + READ_EVERY);
        return;
    }
    int64_t began = clock_now();
    Reading *reading = reading_new(source->number, source->config, source->service);
    reading_take(reading, make_documents(source, reading->arena), source->keys->n);
    inbox_put(source->owner->inbox, reading);
    int64_t now = clock_now();
    source->read_from = now + pause_after(now - began);
    source->keys = NULL;
}

static void on_keys(void *owner, const EtcdKeys *keys, bool same)
{
    EtcdListed *source = owner;
    if (!same) {
        source->keys = keys;
        timer_start(&source->loop->timers, &source->timer, source->read_from);
        return;
    }
    Reading *reading = reading_new(source->number, source->config, source->service);
    reading->same = true;
    inbox_put(source->owner->inbox, reading);
}

static void on_failure(void *owner, Result why)
{
    EtcdListed *source = owner;
    Reading *reading = reading_new(source->number, source->config, source->service);
    reading_fail(reading, why);
    inbox_put(source->owner->inbox, reading);
}

static const EtcdSessionEvents events = {on_keys, on_failure};

/* ---- The source ------------------------------------------------------------------------------ */

static void run_use(Loop *loop, void *argument)
{
    SourceUse *use = argument;
    EtcdListed *source = (EtcdListed *)use->source;
    Config *old = source->config;
    source->loop = loop;
    source->config = use->config;
    source->service = use->service;
    if (!source->session)
        source->session = etcd_session_new(loop, &events, source);
    etcd_session_use(source->session, source->service->discovery);
    if (old)
        config_unref(old);
    free(use);
}

static void run_stop(Loop *loop, void *argument)
{
    EtcdListed *source = argument;
    timer_stop(&loop->timers, &source->timer);
    etcd_session_free(source->session);
    config_unref(source->config);
    free(source);
}

static Source *start(SourceOwner *owner, uint64_t number)
{
    EtcdListed *source = calloc(1, sizeof *source);
    CHECK(source);
    source->source.kind = &source_etcd;
    source->owner = owner;
    source->number = number;
    source->timer.fire = on_timer;
    return &source->source;
}

static void use(Source *base, Config *config, Service *service)
{
    EtcdListed *source = (EtcdListed *)base;
    source_loop_tell(source->owner, &(SourceUse){base, config, service}, run_use);
}

static void stop(Source *base)
{
    EtcdListed *source = (EtcdListed *)base;
    source_loop_post(source->owner->sources, run_stop, source);
}

const SourceKind source_etcd = {start, use, stop};
