#include "gateway/limits/limit_fleet.h"

#include "base/arena.h"
#include "gateway/limits/limit_shares.h"
#include "gateway/limits/rate_limits_internal.h"

#include <stdlib.h>

#define LEASE (10 * SECOND)  /* without a word of the store */
#define ASKING (10 * SECOND) /* since the last refusal: so long a client counts as limited */

enum { TRACKED_MOST = 500, ROWS_MOST = 20000 };

/* A bucket of which this gateway says what it needs. */
typedef struct Tracked {
    LimitPart part;
    uint64_t key;
    bool asks;           /* it is limited here; else at another gateway */
    bool told;           /* the store has a row of ours */
    int64_t asked_at;    /* monotonic: by anybody */
    uint64_t word;       /* of the bucket, at the last beat */
    uint64_t refused;    /* likewise */
    uint64_t need;       /* of RATE_WHOLE */
    uint32_t share;      /* that is used; 0: an equal one */
    uint32_t share_next; /* that was computed last */
} Tracked;

struct LimitFleet {
    uv_timer_t beat;
    StorePort *port;
    Fleet *fleet;
    RateLimits *limits;
    char *node;
    Tracked tracked[TRACKED_MOST];
    uint32_t n;
    int64_t beaten_at, heard_at; /* monotonic */
    bool ready;                  /* the store has answered, or failed */
    bool settled;                /* loops run */
    bool agreed;                 /* the seed is the store's */
    bool waiting, rests;
};

/* ---- What is needed here --------------------------------------------------------------------- */

static Tracked *find(LimitFleet *fleet, LimitPart part, uint64_t key)
{
    for (uint32_t i = 0; i < fleet->n; i++)
        if (fleet->tracked[i].key == key && fleet->tracked[i].part == part)
            return &fleet->tracked[i];
    return NULL;
}

/* NULL: there are too many. */
static Tracked *track(LimitFleet *fleet, LimitPart part, uint64_t key, int64_t now)
{
    Tracked *tracked = find(fleet, part, key);
    if (!tracked && fleet->n < TRACKED_MOST) {
        tracked = &fleet->tracked[fleet->n++];
        *tracked = (Tracked){.part = part, .key = key};
    }
    if (tracked)
        tracked->asked_at = now;
    return tracked;
}

typedef struct Looking {
    LimitFleet *fleet;
    int64_t now, wall, since;
} Looking;

static double rate_of_limit(RateLimits *limits, const char *name)
{
    double rate = 0;
    for (const LimitTally *tally = limits->tallies; tally && rate == 0; tally = tally->next)
        rate = strcmp(tally->name, name) == 0 ? tally->per_second : 0;
    return rate;
}

static void see_limited(void *owner, const LimitHotRow *row)
{
    const Looking *looking = owner;
    double rate = rate_of_limit(looking->fleet->limits, row->limit);
    if (rate <= 0 || row->last + ASKING < looking->wall)
        return;
    Tracked *tracked = track(looking->fleet, row->part, row->key, looking->now);
    if (!tracked)
        return;
    uint64_t refused = row->refused > tracked->refused ? row->refused - tracked->refused : 0;
    double seconds = (double)looking->since / (double)SECOND;
    tracked->asks = true;
    tracked->refused = row->refused;
    tracked->need = (uint64_t)((double)refused / (rate * seconds) * RATE_WHOLE);
    tracked->need =
        tracked->need < (uint64_t)RATE_WHOLE * 100 ? tracked->need : (uint64_t)RATE_WHOLE * 100;
}

/* The bucket has moved by what was taken: a whole interval is all of this gateway's part. A fourth
   more, so that it may grow. */
static void add_used(LimitFleet *fleet, Tracked *tracked, uint32_t equal, int64_t now,
                     int64_t since)
{
    LimitSlot *slot = limit_table_find(fleet->limits->table, tracked->part, tracked->key);
    uint64_t word = slot ? atomic_load(&slot->word) : 0,
             start = (uint64_t)(now - since) * RATE_TICKS;
    uint64_t from = tracked->word > start ? tracked->word : start;
    double part = word > from ? (double)(word - from) / (double)((uint64_t)since * RATE_TICKS) : 0;
    uint32_t share = tracked->share ? tracked->share : equal;
    part = part < 1 ? part : 1;
    tracked->need += (uint64_t)(part * share * 5 / 4);
    tracked->word = word;
}

static void look(LimitFleet *fleet, int64_t now, int64_t wall)
{
    int64_t since = now - fleet->beaten_at;
    Looking looking = {fleet, now, wall, since};
    uint32_t equal = limit_share_equal(fleet_n_alive(fleet->fleet));
    for (uint32_t i = 0; i < fleet->n; i++) {
        fleet->tracked[i].asks = false;
        fleet->tracked[i].need = 0;
    }
    pthread_mutex_lock(&fleet->limits->lock);
    limit_hot_each(fleet->limits->hot, wall, see_limited, &looking);
    pthread_mutex_unlock(&fleet->limits->lock);
    for (uint32_t i = 0; i < fleet->n; i++)
        add_used(fleet, &fleet->tracked[i], equal, now, since);
}

/* ---- Shares ---------------------------------------------------------------------------------- */

static void forget_old(LimitFleet *fleet, int64_t now)
{
    for (uint32_t i = fleet->n; i-- > 0;)
        if (fleet->tracked[i].asked_at + ASKING < now)
            fleet->tracked[i] = fleet->tracked[--fleet->n];
}

static void use_shares(LimitFleet *fleet)
{
    LimitShare shares[TRACKED_MOST];
    uint32_t n = 0;
    for (uint32_t i = 0; i < fleet->n; i++)
        if (fleet->tracked[i].share)
            shares[n++] = (LimitShare){fleet->tracked[i].key, fleet->tracked[i].share};
    limit_share_map_set(fleet->limits->shares, shares, n);
    rate_limits_share(fleet->limits, limit_share_equal(fleet_n_alive(fleet->fleet)));
}

/* What was lost: all go back to an equal part. */
static void forget_shares(LimitFleet *fleet)
{
    for (uint32_t i = 0; i < fleet->n; i++)
        fleet->tracked[i].share = fleet->tracked[i].share_next = 0;
    use_shares(fleet);
}

/* Rows are in the order of their keys: part, key, node, need, asks. */
static bool is_of(const StoreRow *row, const Tracked *tracked)
{
    return row->values[0].integer == (int64_t)tracked->part &&
           row->values[1].integer == (int64_t)tracked->key;
}

static void divide(LimitFleet *fleet, Tracked *tracked, const StoreStatement *read)
{
    uint64_t needs[SHARE_NEEDS_MOST] = {tracked->need};
    uint32_t n = 1, alive = fleet_n_alive(fleet->fleet);
    bool asked = tracked->asks;
    for (const StoreRow *row = read->rows; row && n < SHARE_NEEDS_MOST; row = row->next) {
        if (!is_of(row, tracked) || bytes_are(row->values[2].bytes, fleet->node))
            continue;
        needs[n++] = (uint64_t)row->values[3].integer;
        asked |= row->values[4].integer != 0;
    }
    uint32_t equal = limit_share_equal(alive);
    uint32_t share = asked && n <= alive ? limit_share_of(needs, n, 0, alive) : equal;
    uint32_t before = tracked->share_next ? tracked->share_next : equal;
    tracked->share = share < before ? share : before;
    tracked->share_next = share;
}

static void take_rows(LimitFleet *fleet, const StoreStatement *read, int64_t now)
{
    /* Those that have no row of ours yet: the others leave us an equal part. */
    for (uint32_t i = 0; i < fleet->n; i++)
        if (fleet->tracked[i].told)
            divide(fleet, &fleet->tracked[i], read);
    for (const StoreRow *row = read->rows; row; row = row->next)
        if (row->values[4].integer && row->values[0].integer >= 0 &&
            row->values[0].integer < LIMIT_PARTS && !bytes_are(row->values[2].bytes, fleet->node))
            track(fleet, (LimitPart)row->values[0].integer, (uint64_t)row->values[1].integer, now);
    use_shares(fleet);
}

/* ---- Beats ----------------------------------------------------------------------------------- */

static const char write_need[] =
    "INSERT INTO limit_needs (part, key, node, need, asks, at) VALUES ($1, $2, $3, $4, $5, $6)"
    " ON CONFLICT (part, key, node) DO UPDATE SET need = excluded.need, asks = excluded.asks,"
    " at = excluded.at";

static const char forget_needs[] = "DELETE FROM limit_needs WHERE at < $1";

static const char read_needs[] =
    "SELECT part, key, node, need, asks FROM limit_needs WHERE at >= $1 LIMIT $2";

static void on_beaten(void *owner, Result result, StoreTask *task)
{
    LimitFleet *fleet = owner;
    int64_t now = clock_now();
    fleet->waiting = false;
    if (failed(result))
        return;
    fleet->heard_at = now;
    take_rows(fleet, task->last, now);
}

static void add_need(LimitFleet *fleet, StoreTask *task, Tracked *tracked, int64_t wall)
{
    StoreStatement *s = store_task_add(task, write_need);
    store_bind_integer(s, tracked->part);
    store_bind_integer(s, (int64_t)tracked->key);
    store_bind_text(task, s, bytes_of(fleet->node));
    store_bind_integer(s, (int64_t)tracked->need);
    store_bind_integer(s, tracked->asks);
    store_bind_integer(s, wall);
    tracked->told = true;
}

static void beat(LimitFleet *fleet)
{
    int64_t now = clock_now(), wall = clock_wall();
    look(fleet, now, wall);
    forget_old(fleet, now);
    fleet->beaten_at = now;
    if (fleet->heard_at + LEASE < now)
        forget_shares(fleet);
    if (fleet->waiting)
        return;
    StoreTask *task = store_task_new(STORE_SOON);
    for (uint32_t i = 0; i < fleet->n; i++)
        add_need(fleet, task, &fleet->tracked[i], wall);
    StoreStatement *s = store_task_add(task, forget_needs);
    store_bind_integer(s, wall - LEASE);
    s = store_task_add(task, read_needs);
    store_bind_integer(s, wall - LEASE);
    store_bind_integer(s, ROWS_MOST);
    fleet->waiting = true;
    store_submit(fleet->port, task, on_beaten, fleet);
}

/* Alone, or without limits, there is nothing to divide; the table may still be empty. */
static void on_beat(uv_timer_t *timer)
{
    LimitFleet *fleet = timer->data;
    if (fleet->rests || !atomic_load(&fleet->limits->table))
        return;
    if (fleet->agreed && fleet_n_alive(fleet->fleet) > 1)
        beat(fleet);
    else
        use_shares(fleet);
}

/* ---- The seed -------------------------------------------------------------------------------- */

static const char write_seed[] =
    "INSERT INTO limit_seeds (id, low, high, at) VALUES (1, $1, $2, $3)"
    " ON CONFLICT (id) DO NOTHING";
static const char read_seed[] = "SELECT low, high FROM limit_seeds WHERE id = 1";

/* The first gateway of the store has chosen it. It is too late once something was counted. */
static void on_seed(void *owner, Result result, StoreTask *task)
{
    LimitFleet *fleet = owner;
    const StoreRow *row = failed(result) ? NULL : task->last->rows;
    bool late = fleet->settled && atomic_load(&fleet->limits->table);
    fleet->ready = true;
    fleet->agreed = row && !late;
    if (fleet->agreed)
        rate_limits_agree(fleet->limits, (KeySeed){(uint64_t)row->values[0].integer,
                                                   (uint64_t)row->values[1].integer});
}

static void ask_seed(LimitFleet *fleet)
{
    KeySeed seed = key_seed_new();
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(task, write_seed);
    store_bind_integer(s, (int64_t)seed.low);
    store_bind_integer(s, (int64_t)seed.high);
    store_bind_integer(s, clock_wall());
    store_task_add(task, read_seed);
    store_submit(fleet->port, task, on_seed, fleet);
}

LimitFleet *limit_fleet_start(uv_loop_t *loop, StorePort *port, Fleet *gateways, RateLimits *limits,
                              const Config *config)
{
    LimitFleet *fleet = calloc(1, sizeof *fleet);
    CHECK(fleet);
    fleet->port = port;
    fleet->fleet = gateways;
    fleet->limits = limits;
    fleet->node = strdup(config->node);
    fleet->beaten_at = fleet->heard_at = clock_now();
    CHECK(fleet->node);
    fleet->beat.data = fleet;
    uint64_t every = (uint64_t)(config->limit_room.every / MILLISECOND);
    CHECK(uv_timer_init(loop, &fleet->beat) == 0);
    CHECK(uv_timer_start(&fleet->beat, on_beat, every, every) == 0);
    ask_seed(fleet);
    return fleet;
}

bool limit_fleet_is_ready(const LimitFleet *fleet)
{
    return fleet->ready;
}

void limit_fleet_settle(LimitFleet *fleet)
{
    fleet->settled = true;
    use_shares(fleet); /* by now the store has told of the other gateways, or has not answered */
}

void limit_fleet_rest(LimitFleet *fleet, bool rest)
{
    fleet->rests = rest;
}

void limit_fleet_stop(LimitFleet *fleet)
{
    uv_close((uv_handle_t *)&fleet->beat, NULL);
}

void limit_fleet_free(LimitFleet *fleet)
{
    if (!fleet)
        return;
    free(fleet->node);
    free(fleet);
}
