#include "gateway/limits/limit_hot.h"

#include "base/result.h"
#include "base/text/json_text.h"
#include "gateway/config/limit_config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define CROWDED_PAUSE MILLISECOND /* between two looks for the least, when all places are taken */

typedef struct Place {
    _Atomic uint64_t key; /* with refused: read without the lock */
    atomic_ullong refused;
    atomic_llong last;
    int64_t since;
    LimitPart part;
    char limit[LIMIT_NAME_MOST + 1];
    uint8_t client[LIMIT_HOT_CLIENT];
    uint8_t client_size;
    bool used;
} Place;

struct LimitHot {
    pthread_mutex_t lock;
    Place places[LIMIT_HOT_MOST];
    uint32_t n; /* places that were ever used */
    int64_t crowded_at;
};

LimitHot *limit_hot_new(void)
{
    LimitHot *hot = calloc(1, sizeof *hot);
    CHECK(hot && pthread_mutex_init(&hot->lock, NULL) == 0);
    return hot;
}

void limit_hot_free(LimitHot *hot)
{
    if (!hot)
        return;
    pthread_mutex_destroy(&hot->lock);
    free(hot);
}

/* ---- Counting -------------------------------------------------------------------------------- */

static bool is_over(const Place *place, int64_t wall)
{
    return atomic_load_explicit(&place->last, memory_order_relaxed) + LIMIT_HOT_SPELL < wall;
}

static void count(Place *place, int64_t wall)
{
    atomic_fetch_add_explicit(&place->refused, 1, memory_order_relaxed);
    atomic_store_explicit(&place->last, wall, memory_order_relaxed);
}

static void begin(Place *place, const LimitRefused *refused)
{
    Bytes client = bytes_cut_text(refused->client, LIMIT_HOT_CLIENT);
    place->part = refused->part;
    place->since = refused->wall;
    place->used = true;
    place->client_size = (uint8_t)client.size;
    if (client.size)
        memcpy(place->client, client.data, client.size);
    snprintf(place->limit, sizeof place->limit, "%s", refused->limit);
    atomic_store_explicit(&place->refused, 0, memory_order_relaxed);
    atomic_store_explicit(&place->key, refused->key, memory_order_release);
    count(place, refused->wall);
}

/* Per second, so that a short spell is not above a long one. */
static double heat(const Place *place, int64_t wall)
{
    double refused = (double)atomic_load_explicit(&place->refused, memory_order_relaxed);
    return refused * (double)SECOND / (double)(wall - place->since + SECOND);
}

/* A place that is free, or whose spell is over. NULL: none. */
static Place *find_free(LimitHot *hot, int64_t wall)
{
    if (hot->n < LIMIT_HOT_MOST)
        return &hot->places[hot->n++];
    for (uint32_t i = 0; i < LIMIT_HOT_MOST; i++)
        if (is_over(&hot->places[i], wall))
            return &hot->places[i];
    return NULL;
}

/* Whoever is refused least gives way, but not to each that comes. */
static Place *find_least(LimitHot *hot, int64_t wall)
{
    if (wall - hot->crowded_at < CROWDED_PAUSE && wall >= hot->crowded_at)
        return NULL;
    hot->crowded_at = wall;
    Place *least = &hot->places[0];
    for (uint32_t i = 1; i < LIMIT_HOT_MOST; i++)
        if (heat(&hot->places[i], wall) < heat(least, wall))
            least = &hot->places[i];
    return heat(least, wall) < 1 ? least : NULL;
}

static Place *find(LimitHot *hot, const LimitRefused *refused)
{
    for (uint32_t i = 0; i < hot->n; i++)
        if (hot->places[i].key == refused->key && hot->places[i].part == refused->part)
            return &hot->places[i];
    return NULL;
}

/* Under the lock. */
static uint16_t enter(LimitHot *hot, const LimitRefused *refused)
{
    Place *place = find(hot, refused);
    if (place && !is_over(place, refused->wall)) {
        count(place, refused->wall);
        return (uint16_t)(place - hot->places + 1);
    }
    if (!place)
        place = find_free(hot, refused->wall);
    if (!place)
        place = find_least(hot, refused->wall);
    if (!place)
        return 0;
    begin(place, refused);
    return (uint16_t)(place - hot->places + 1);
}

uint16_t limit_hot_count(LimitHot *hot, uint16_t note, const LimitRefused *refused)
{
    Place *place = note && note <= LIMIT_HOT_MOST ? &hot->places[note - 1] : NULL;
    if (place && atomic_load_explicit(&place->key, memory_order_acquire) == refused->key &&
        !is_over(place, refused->wall)) {
        count(place, refused->wall);
        return note;
    }
    if (pthread_mutex_trylock(&hot->lock) != 0) /* the next refusal tries again */
        return 0;
    note = enter(hot, refused);
    pthread_mutex_unlock(&hot->lock);
    return note;
}

/* ---- Showing --------------------------------------------------------------------------------- */

static LimitHotRow row_of(const Place *place)
{
    return (LimitHotRow){
        .part = place->part,
        .key = place->key,
        .limit = place->limit,
        .client = bytes(place->client, place->client_size),
        .since = place->since,
        .last = atomic_load_explicit(&place->last, memory_order_relaxed),
        .refused = atomic_load_explicit(&place->refused, memory_order_relaxed),
    };
}

void limit_hot_each(LimitHot *hot, int64_t wall, void (*see)(void *owner, const LimitHotRow *row),
                    void *owner)
{
    pthread_mutex_lock(&hot->lock);
    for (uint32_t i = 0; i < hot->n; i++) {
        LimitHotRow row = row_of(&hot->places[i]);
        if (!is_over(&hot->places[i], wall))
            see(owner, &row);
    }
    pthread_mutex_unlock(&hot->lock);
}

typedef struct Ranked {
    const Place *place;
    double heat;
} Ranked;

static int hottest_first(const void *a, const void *b)
{
    double p = ((const Ranked *)a)->heat, q = ((const Ranked *)b)->heat;
    return p < q ? 1 : p > q ? -1 : 0;
}

static void add_time(Buffer *out, const char *name, int64_t wall)
{
    json_text_add_time(out, name, wall / SECOND,
                       (int32_t)(wall % SECOND / MILLISECOND * MILLISECOND));
}

static void write_row(const LimitHotRow *row, Buffer *out)
{
    json_text_open_item(out);
    json_text_add_member(out, "limit", bytes_of(row->limit));
    if (row->client.size)
        json_text_add_member(out, "client", row->client);
    add_time(out, "since", row->since);
    add_time(out, "last", row->last);
    json_text_add_number(out, "refused", row->refused);
    buffer_add_byte(out, '}');
}

void limit_hot_write(LimitHot *hot, int64_t wall, uint32_t most, Buffer *out)
{
    Ranked *ranked = calloc(LIMIT_HOT_MOST, sizeof *ranked);
    uint32_t n = 0;
    CHECK(ranked);
    pthread_mutex_lock(&hot->lock);
    for (uint32_t i = 0; i < hot->n; i++)
        if (!is_over(&hot->places[i], wall))
            ranked[n++] = (Ranked){&hot->places[i], heat(&hot->places[i], wall)};
    qsort(ranked, n, sizeof *ranked, hottest_first);
    json_text_add_number(out, "n_limited", n);
    json_text_open_list(out, "limited");
    for (uint32_t i = 0; i < n && i < most; i++) {
        LimitHotRow row = row_of(ranked[i].place);
        write_row(&row, out);
    }
    buffer_add_byte(out, ']');
    pthread_mutex_unlock(&hot->lock);
    free(ranked);
}
