#include "gateway/token/key_source.h"

#include "base/arena.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct KeyHold {
    SourceKeys set;
    uint32_t counts;
};

struct KeySource {
    KeySource *next;
    Arena *arena; /* of the place */
    KeyPlace place;
    KeyHold *now; /* NULL: nothing yet */
    bool wanted;
    KeyWatch watch;
    uint32_t counts;
};

/* Held for a few pointers only. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static KeySource *sources;
static atomic_ullong changes;
static atomic_llong awaited_until;

/* ---- Sets, under the mutex ------------------------------------------------------------------- */

/* NULL: others hold it. Else it is to be freed, without the mutex. */
static KeyHold *uncount(KeyHold *hold)
{
    return hold && --hold->counts == 0 ? hold : NULL;
}

static void free_hold(KeyHold *hold)
{
    if (!hold)
        return;
    token_keys_drop(hold->set.tokens);
    if (hold->set.arena)
        arena_free(hold->set.arena);
    free(hold);
}

/* ---- Sources --------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same(const KeyPlace *a, const KeyPlace *b)
{
    return same_text(a->file, b->file) && same_text(a->url, b->url) && bytes_equal(a->ca, b->ca) &&
           a->api_keys == b->api_keys && a->secrets == b->secrets && a->every == b->every &&
           a->timeout == b->timeout;
}

const char *key_place_name(Arena *arena, const KeyPlace *place)
{
    Bytes rest = bytes_of(place->url ? place->url : ""), scheme, host;
    if (!place->url)
        return place->file;
    size_t query = strcspn(place->url, "?#");
    rest = bytes_slice(rest, 0, query);
    size_t begin = bytes_find(rest, ':') + strlen("://");
    scheme = bytes_slice(rest, 0, begin);
    rest = bytes_slice(rest, begin, rest.size);
    host = bytes_slice(rest, 0, bytes_find(rest, '/'));
    size_t user = host.size;
    while (user && host.data[user - 1] != '@')
        user--;
    rest = bytes_slice(rest, user, rest.size);
    return arena_printf(arena, "%.*s%.*s", BYTES_ARGS(scheme), BYTES_ARGS(rest));
}

static KeySource *make(const KeyPlace *place)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    KeySource *source = arena_make(arena, KeySource);
    *source = (KeySource){.next = sources, .arena = arena, .place = *place};
    source->place.file = place->file ? arena_string(arena, place->file) : NULL;
    source->place.url = place->url ? arena_string(arena, place->url) : NULL;
    source->place.ca = bytes_copy(arena, place->ca);
    return sources = source;
}

KeySource *key_source_use(const KeyPlace *place)
{
    pthread_mutex_lock(&mutex);
    KeySource *source = sources;
    while (source && !is_same(&source->place, place))
        source = source->next;
    if (!source)
        source = make(place);
    source->counts++;
    pthread_mutex_unlock(&mutex);
    return source;
}

KeySource *key_source_keep(KeySource *source)
{
    pthread_mutex_lock(&mutex);
    source->counts++;
    pthread_mutex_unlock(&mutex);
    return source;
}

static void unlink_source(const KeySource *source)
{
    KeySource **at = &sources;
    while (*at != source)
        at = &(*at)->next;
    *at = source->next;
}

void key_source_drop(KeySource *source)
{
    if (!source)
        return;
    pthread_mutex_lock(&mutex);
    bool last = --source->counts == 0;
    if (last)
        unlink_source(source);
    KeyHold *old = last ? uncount(source->now) : NULL;
    pthread_mutex_unlock(&mutex);
    free_hold(old);
    if (last)
        arena_free(source->arena);
}

const KeyPlace *key_source_place(const KeySource *source)
{
    return &source->place;
}

KeySource *key_sources_next(KeySource *before)
{
    pthread_mutex_lock(&mutex);
    KeySource *next = before ? before->next : sources;
    if (next)
        next->counts++;
    pthread_mutex_unlock(&mutex);
    key_source_drop(before);
    return next;
}

/* ---- What they have -------------------------------------------------------------------------- */

void key_source_offer(KeySource *source, const SourceKeys *set)
{
    KeyHold *hold = calloc(1, sizeof *hold);
    CHECK(hold);
    *hold = (KeyHold){*set, 1};
    pthread_mutex_lock(&mutex);
    KeyHold *old = uncount(source->now);
    source->now = hold;
    pthread_mutex_unlock(&mutex);
    atomic_fetch_add_explicit(&changes, 1, memory_order_release);
    free_hold(old);
}

bool key_source_has(KeySource *source)
{
    pthread_mutex_lock(&mutex);
    bool has = source->now != NULL;
    pthread_mutex_unlock(&mutex);
    return has;
}

KeyHold *key_source_take(KeySource *source, const SourceKeys **set_out)
{
    static const SourceKeys none;
    pthread_mutex_lock(&mutex);
    KeyHold *hold = source->now;
    if (hold)
        hold->counts++;
    pthread_mutex_unlock(&mutex);
    *set_out = hold ? &hold->set : &none;
    return hold;
}

void key_source_return(KeyHold *hold)
{
    pthread_mutex_lock(&mutex);
    KeyHold *last = uncount(hold);
    pthread_mutex_unlock(&mutex);
    free_hold(last);
}

bool key_source_want(KeySource *source, int64_t now, int64_t issued, int64_t *wait_out)
{
    if (!source->place.url)
        return false;
    pthread_mutex_lock(&mutex);
    bool hope = key_schedule_may_be_new(&source->watch.schedule, issued);
    source->wanted |= hope;
    *wait_out = key_schedule_wait(&source->watch.schedule, now);
    pthread_mutex_unlock(&mutex);
    return hope;
}

bool key_source_is_wanted(KeySource *source)
{
    pthread_mutex_lock(&mutex);
    bool wanted = source->wanted;
    pthread_mutex_unlock(&mutex);
    return wanted;
}

KeyWatch *key_source_watch(KeySource *source)
{
    return &source->watch;
}

void key_source_scheduled(KeySource *source, const KeySchedule *schedule)
{
    pthread_mutex_lock(&mutex);
    source->watch.schedule = *schedule;
    source->wanted = false;
    pthread_mutex_unlock(&mutex);
}

void key_sources_await(int64_t until)
{
    atomic_store(&awaited_until, until);
}

bool key_sources_are_awaited(int64_t now)
{
    bool lacks = false;
    if (now >= atomic_load(&awaited_until))
        return false;
    pthread_mutex_lock(&mutex);
    for (const KeySource *source = sources; source && !lacks; source = source->next)
        lacks = source->place.url && !source->now;
    pthread_mutex_unlock(&mutex);
    return lacks;
}

uint64_t key_sources_changes(void)
{
    return atomic_load_explicit(&changes, memory_order_acquire);
}
