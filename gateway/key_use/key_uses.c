#include "gateway/key_use/key_uses.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/key_use/key_uses_page.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/token/key_source.h"
#include "gateway/token/key_use.h"

#include <stdatomic.h>
#include <stdlib.h>

#define DAY (24 * 3600 * SECOND)

enum {
    BATCH = 200, /* rows of one task, so that others do not wait long behind it */
    NODES_MOST = 100000,
    WARNED_MOST = 20, /* keys, with each beat */
    ON_ITS_WAY = -1   /* KeyRow.told_at */
};

struct KeyUses {
    uv_timer_t beat;
    StorePort *port; /* NULL: there is no store */
    char *node;
    int64_t unused; /* nanoseconds after which a key is told */
    KeyRow *rows;   /* in the order of their names */
    uint32_t n;
    uint32_t at;  /* a round writes: the next row of it */
    bool writing; /* until it has read, too */
    atomic_uint n_keys, n_unused;
};

/* ---- The keys of the config ------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const KeyRow *)a)->name, ((const KeyRow *)b)->name);
}

static KeyRow *find(const KeyUses *uses, const KeyRow *like)
{
    return uses->n ? bsearch(like, uses->rows, uses->n, sizeof *like, by_name) : NULL;
}

static KeyRow row_of(const KeyUses *uses, const ApiKey *key, int64_t wall)
{
    KeyRow row = {.since = wall}, *known;
    memcpy(row.hash, key->hash, sizeof row.hash);
    for (int i = 0; i < KEY_NAME_SIZE / 2; i++)
        snprintf(row.name + 2 * i, 3, "%02x", key->hash[i]);
    known = find(uses, &row);
    if (known)
        row = *known;
    if (key->id && strlen(key->id) < sizeof row.id)
        strcpy(row.id, key->id);
    return row;
}

static uint32_t without_twins(KeyRow *rows, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!kept || strcmp(rows[i].name, rows[kept - 1].name) != 0)
            rows[kept++] = rows[i];
    return kept;
}

/* Those of all files now; what is known of them stays known. */
static void look_at_keys(KeyUses *uses, int64_t wall)
{
    KeyRow *rows = NULL;
    uint32_t n = 0, room = 0;
    for (KeySource *source = key_sources_next(NULL); source; source = key_sources_next(source)) {
        const SourceKeys *set;
        KeyHold *hold = key_source_take(source, &set);
        const ApiKey *key;
        for (uint32_t i = 0;
             set->api_keys && n < KEY_USES_MOST && (key = api_keys_at(set->api_keys, i)); i++) {
            room = n < room ? room : 2 * room + 16;
            rows = realloc(rows, room * sizeof *rows);
            CHECK(rows);
            rows[n++] = row_of(uses, key, wall);
        }
        key_source_return(hold);
    }
    if (n)
        qsort(rows, n, sizeof *rows, by_name);
    free(uses->rows);
    uses->rows = rows;
    uses->n = without_twins(rows, n);
}

/* What this process alone has seen; the store may know more. */
static void take_own(KeyUses *uses)
{
    for (uint32_t i = 0; i < uses->n; i++) {
        KeyUsed used = key_used(uses->rows[i].hash);
        if (!uses->port)
            uses->rows[i].calls = used.calls;
        if (used.last > uses->rows[i].last)
            uses->rows[i].last = used.last;
    }
}

/* ---- What nobody uses ------------------------------------------------------------------------ */

static void warn(KeyUses *uses, KeyRow *row, int64_t wall)
{
    row->warned = true;
    telemetry_event("warning", "key_unused", OK,
                    "the API key %s has not been used for %lld days: take it out, if nobody needs "
                    "it",
                    *row->id ? row->id : row->name,
                    (long long)((wall - key_row_idle_since(row)) / DAY));
}

static void judge(KeyUses *uses, int64_t wall)
{
    uint32_t n_unused = 0, n_warned = 0;
    for (uint32_t i = 0; i < uses->n; i++) {
        KeyRow *row = &uses->rows[i];
        bool is_unused = wall - key_row_idle_since(row) >= uses->unused;
        n_unused += is_unused;
        if (!is_unused)
            row->warned = false;
        else if (!row->warned && n_warned++ < WARNED_MOST)
            warn(uses, row, wall);
    }
    atomic_store(&uses->n_keys, uses->n);
    atomic_store(&uses->n_unused, n_unused);
}

/* ---- The store ------------------------------------------------------------------------------- */

static const char add_row[] =
    "INSERT INTO key_uses (key, node, since, last, calls, seen) VALUES ($1, $2, $3, $4, $5, $6)"
    " ON CONFLICT (key, node) DO UPDATE SET calls = key_uses.calls + excluded.calls,"
    " last = CASE WHEN key_uses.last > excluded.last THEN key_uses.last ELSE excluded.last END,"
    " seen = excluded.seen";

static const char read_rows[] =
    "SELECT key, min(since), max(last), sum(calls) FROM key_uses GROUP BY key LIMIT $1";

static void write_on(KeyUses *uses);

/* Once a day also where nothing has changed: the row of a key that is still there is kept. */
static bool has_news(KeyRow *row, int64_t wall, KeyUsed *used_out)
{
    *used_out = key_used(row->hash);
    return used_out->calls != row->written || !row->told_at || wall - row->told_at >= DAY;
}

static void add(KeyUses *uses, StoreTask *task, KeyRow *row, const KeyUsed *used, int64_t wall)
{
    StoreStatement *s = store_task_add(task, add_row);
    store_bind_text(task, s, bytes_of(row->name));
    store_bind_text(task, s, bytes_of(uses->node));
    store_bind_integer(s, row->since);
    store_bind_integer(s, used->last);
    store_bind_integer(s, (int64_t)(used->calls - row->written));
    store_bind_integer(s, wall);
    row->writing = used->calls;
    row->told_at = ON_ITS_WAY;
}

/* The next rows that have news, in one task; NULL: there are none. */
static StoreTask *next_batch(KeyUses *uses, int64_t wall)
{
    StoreTask *task = NULL;
    KeyUsed used;
    for (int n = 0; uses->at < uses->n && n < BATCH; uses->at++) {
        KeyRow *row = &uses->rows[uses->at];
        if (!has_news(row, wall, &used))
            continue;
        task = task ? task : store_task_new(STORE_SOON);
        add(uses, task, row, &used, wall);
        n++;
    }
    return task;
}

static void on_written(void *owner, Result result, StoreTask *task)
{
    KeyUses *uses = owner;
    for (uint32_t i = 0; i < uses->n; i++) {
        KeyRow *row = &uses->rows[i];
        if (row->told_at != ON_ITS_WAY)
            continue;
        row->written = failed(result) ? row->written : row->writing;
        row->told_at = failed(result) ? 0 : clock_wall();
    }
    if (failed(result)) /* with the next beat */
        uses->writing = false;
    else
        write_on(uses);
}

/* NULL: it is no key of the config. */
static KeyRow *find_named(const KeyUses *uses, Bytes name)
{
    KeyRow like = {.since = 0};
    if (name.size != KEY_NAME_SIZE)
        return NULL;
    memcpy(like.name, name.data, KEY_NAME_SIZE);
    return find(uses, &like);
}

static void take_row(KeyUses *uses, const StoreValue *values)
{
    KeyRow *row = find_named(uses, values[0].bytes);
    if (!row)
        return;
    row->since = values[1].integer < row->since ? values[1].integer : row->since;
    row->last = values[2].integer > row->last ? values[2].integer : row->last;
    row->calls = (uint64_t)values[3].integer;
}

static void on_read(void *owner, Result result, StoreTask *task)
{
    KeyUses *uses = owner;
    uses->writing = false;
    if (failed(result))
        return;
    for (const StoreRow *row = task->first->rows; row; row = row->next)
        take_row(uses, row->values);
    judge(uses, clock_wall());
}

static void write_on(KeyUses *uses)
{
    StoreTask *task = next_batch(uses, clock_wall());
    if (task) {
        store_submit(uses->port, task, on_written, uses);
        return;
    }
    task = store_task_new(STORE_SOON);
    store_bind_integer(store_task_add(task, read_rows), NODES_MOST);
    store_submit(uses->port, task, on_read, uses);
}

/* ---- Beats ----------------------------------------------------------------------------------- */

static void beat(KeyUses *uses)
{
    int64_t wall = clock_wall();
    if (uses->writing)
        return;
    look_at_keys(uses, wall);
    take_own(uses);
    if (!uses->port || !uses->n) {
        judge(uses, wall);
        return;
    }
    uses->writing = true;
    uses->at = 0;
    write_on(uses);
}

static void on_beat(uv_timer_t *timer)
{
    beat(timer->data);
}

KeyUses *key_uses_start(uv_loop_t *loop, StorePort *port)
{
    KeyUses *uses = calloc(1, sizeof *uses);
    CHECK(uses);
    uint64_t every = KEY_USES_BEAT / MILLISECOND;
    uses->port = port;
    uses->unused = INT64_MAX;
    uses->beat.data = uses;
    CHECK(uv_timer_init(loop, &uses->beat) == 0);
    CHECK(uv_timer_start(&uses->beat, on_beat, 1000, every) == 0);
    return uses;
}

void key_uses_use(KeyUses *uses, const Config *config)
{
    free(uses->node);
    uses->node = strdup(config->node);
    CHECK(uses->node);
    uses->unused = config->access.key_unused * SECOND;
}

/* What is on its way to the store is executed; nobody tells us. */
static void take_as_written(KeyUses *uses)
{
    for (uint32_t i = 0; i < uses->n; i++) {
        if (uses->rows[i].told_at != ON_ITS_WAY)
            continue;
        uses->rows[i].written = uses->rows[i].writing;
        uses->rows[i].told_at = clock_wall();
    }
}

void key_uses_stop(KeyUses *uses)
{
    uv_close((uv_handle_t *)&uses->beat, NULL);
    if (!uses->port)
        return;
    take_as_written(uses);
    for (uses->at = 0;;) {
        StoreTask *task = next_batch(uses, clock_wall());
        if (!task)
            return;
        store_submit(uses->port, task, NULL, NULL);
    }
}

void key_uses_free(KeyUses *uses)
{
    free(uses->rows);
    free(uses->node);
    free(uses);
}

/* ---- The page -------------------------------------------------------------------------------- */

static const char read_nodes[] =
    "SELECT key, node, since, last, calls FROM key_uses ORDER BY key, node LIMIT $1";

typedef struct Question {
    KeyUses *uses;
    void (*on_done)(void *owner, Result result, Bytes json);
    void *owner;
    Arena *arena;
} Question;

static void answer(Question *question, Result r, const KeyNode *nodes, uint32_t n)
{
    const KeyUses *uses = question->uses;
    Buffer json = buffer_in(question->arena);
    if (!failed(r))
        key_uses_page_write(uses->rows, uses->n, nodes, n, uses->unused, clock_wall(), &json);
    question->on_done(question->owner, r, buffer_bytes(&json));
    arena_free(question->arena);
}

/* This gateway's rows of the store are up to a beat old: what was counted since is added. */
static void add_unwritten(const KeyRow *row, KeyNode *node)
{
    KeyUsed used = key_used(row->hash);
    uint64_t written = row->told_at == ON_ITS_WAY ? row->writing : row->written;
    node->calls += used.calls - written;
    node->last = used.last > node->last ? used.last : node->last;
}

static void take_node(KeyUses *uses, const StoreValue *values, KeyNode *node)
{
    *node = (KeyNode){.key = values[0].bytes,
                      .node = values[1].bytes,
                      .since = values[2].integer,
                      .last = values[3].integer,
                      .calls = (uint64_t)values[4].integer};
    KeyRow *row = find_named(uses, node->key);
    if (!row)
        return;
    if (bytes_are(node->node, uses->node))
        add_unwritten(row, node);
    row->calls += node->calls;
    row->last = node->last > row->last ? node->last : row->last;
    row->since = node->since < row->since ? node->since : row->since;
}

static void on_nodes(void *owner, Result result, StoreTask *task)
{
    Question *question = owner;
    KeyUses *uses = question->uses;
    const StoreStatement *s = task ? task->first : NULL;
    uint32_t n = 0;
    KeyNode *nodes = arena_array(question->arena, KeyNode, (s ? s->n_rows : 0) + 1);
    for (uint32_t i = 0; !failed(result) && i < uses->n; i++)
        uses->rows[i].calls = 0;
    for (const StoreRow *row = failed(result) ? NULL : s->rows; row; row = row->next)
        take_node(uses, row->values, &nodes[n++]);
    answer(question, result, nodes, n);
}

void key_uses_ask(KeyUses *uses, void (*on_done)(void *owner, Result result, Bytes json),
                  void *owner)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Question *question = arena_make(arena, Question);
    *question = (Question){uses, on_done, owner, arena};
    if (!uses->writing)
        look_at_keys(uses, clock_wall());
    take_own(uses);
    if (!uses->port) {
        KeyNode *nodes = arena_array(arena, KeyNode, uses->n + 1);
        for (uint32_t i = 0; i < uses->n; i++)
            nodes[i] = (KeyNode){.key = bytes_of(uses->rows[i].name),
                                 .node = bytes_of(uses->node),
                                 .last = uses->rows[i].last,
                                 .calls = uses->rows[i].calls};
        answer(question, OK, nodes, uses->n);
        return;
    }
    StoreTask *task = store_task_new(STORE_SOON);
    store_bind_integer(store_task_add(task, read_nodes), NODES_MOST);
    store_submit(uses->port, task, on_nodes, question);
}

/* ---- Metrics --------------------------------------------------------------------------------- */

void key_uses_metrics_write(Exposition *e, void *owner)
{
    KeyUses *uses = owner;
    uint32_t n = atomic_load(&uses->n_keys), n_unused = atomic_load(&uses->n_unused);
    Label used[] = {{"state", "used"}}, unused[] = {{"state", "unused"}};
    exposition_family(e, "passerelle_api_keys", METRIC_GAUGE,
                      "API keys of the config: used of late, or by nobody for api_keys_unused.");
    exposition_number(e, "", used, 1, n - n_unused);
    exposition_number(e, "", unused, 1, n_unused);
}
