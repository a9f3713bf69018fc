#include "gateway/fleet/fleet.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/fleet/process_mark.h"
#include "gateway/telemetry/telemetry.h"

#include <pthread.h>
#include <stdlib.h>

enum { MOST_SHOWN = 1000 };

/* A gateway, as its row says. */
typedef struct Node {
    Bytes name, version, hash, process;
    int64_t generation, started, last_seen;
    int64_t rival; /* when another process with the same name was last seen */
} Node;

/* What the last beat has read. Immutable. */
typedef struct Snapshot {
    Arena *arena;
    Node *nodes;
    uint32_t n;
    int64_t as_of; /* wall time */
} Snapshot;

struct Fleet {
    uv_timer_t beat;
    StorePort *port;
    Arena *arena;            /* of the texts below */
    const char *node, *hash; /* NULL: it has no config yet */
    Bytes process;
    int64_t generation, started;
    bool rests; /* no beats */
    bool left;  /* likewise, for ever */
    bool taken; /* another gateway has our name */

    pthread_mutex_t mutex;
    Snapshot *snapshot; /* NULL: nothing was read yet */
    Arena *failure_arena;
    const char *failure; /* of the last beat; NULL: none */
};

static const char write_row[] =
    "INSERT INTO gateways (node, version, generation, config_hash, started, last_seen, process)"
    " VALUES ($1, $2, $3, $4, $5, $6, $9)"
    " ON CONFLICT (node) DO UPDATE SET version = excluded.version,"
    " generation = excluded.generation, config_hash = excluded.config_hash,"
    " started = excluded.started, last_seen = excluded.last_seen, process = excluded.process,"
    " rival = CASE WHEN gateways.process = excluded.process THEN gateways.rival ELSE 0 END"
    " WHERE gateways.started <= excluded.started OR gateways.last_seen < $7"
    " OR gateways.last_seen > $8";

static const char delete_row[] = "DELETE FROM gateways WHERE node = $1 AND process = $2";

static const char dispute_row[] = "UPDATE gateways SET rival = $3 WHERE node = $1 AND process = $2";

static const char read_all[] =
    "SELECT node, version, config_hash, generation, started, last_seen, process,"
    " rival FROM gateways"
    " ORDER BY node LIMIT $1";

/* ---- What was read --------------------------------------------------------------------------- */

static void snapshot_free(Snapshot *snapshot)
{
    if (snapshot)
        arena_free(snapshot->arena);
}

static Node node_of(Arena *arena, const StoreRow *row)
{
    const StoreValue *v = row->values;
    return (Node){
        .name = bytes_copy(arena, v[0].bytes),
        .version = bytes_copy(arena, v[1].bytes),
        .hash = bytes_copy(arena, v[2].bytes),
        .generation = v[3].integer,
        .started = v[4].integer,
        .last_seen = v[5].integer,
        .process = bytes_copy(arena, v[6].bytes),
        .rival = v[7].integer,
    };
}

static Snapshot *snapshot_of(const StoreStatement *read)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Snapshot *snapshot = arena_make(arena, Snapshot);
    *snapshot = (Snapshot){
        .arena = arena, .nodes = arena_array(arena, Node, read->n_rows), .as_of = clock_wall()};
    for (const StoreRow *row = read->rows; row; row = row->next)
        snapshot->nodes[snapshot->n++] = node_of(arena, row);
    return snapshot;
}

static void show(Fleet *fleet, Snapshot *snapshot)
{
    pthread_mutex_lock(&fleet->mutex);
    Snapshot *old = fleet->snapshot;
    fleet->snapshot = snapshot;
    pthread_mutex_unlock(&fleet->mutex);
    snapshot_free(old);
}

/* ---- Beats ----------------------------------------------------------------------------------- */

static StoreStatement *add_row(StoreTask *task, const Fleet *fleet, const char *sql, Bytes process)
{
    StoreStatement *s = store_task_add(task, sql);
    store_bind_text(task, s, bytes_of(fleet->node));
    store_bind_text(task, s, process);
    return s;
}

/* The row belongs to the gateway that started last; the other one would be invisible. */
static void dispute(Fleet *fleet, Bytes process)
{
    StoreTask *task = store_task_new(STORE_SOON);
    store_bind_integer(add_row(task, fleet, dispute_row, process), clock_wall());
    store_submit(fleet->port, task, NULL, NULL);
}

static void bury(Fleet *fleet, Bytes process)
{
    StoreTask *task = store_task_new(STORE_SOON);
    add_row(task, fleet, delete_row, process);
    store_submit(fleet->port, task, NULL, NULL);
}

static bool is_disputed(const Snapshot *snapshot, const Node *node)
{
    int64_t age = snapshot->as_of - node->rival;
    return age <= FLEET_SILENT_AFTER && age >= -FLEET_SILENT_AFTER;
}

static const Node *find_node(const Snapshot *snapshot, const char *name)
{
    for (uint32_t i = 0; i < snapshot->n; i++)
        if (bytes_are(snapshot->nodes[i].name, name))
            return &snapshot->nodes[i];
    return NULL;
}

/* A successor that has died before it served has left its row, which is free. */
static bool is_taken(Fleet *fleet, const Snapshot *snapshot)
{
    const Node *row = find_node(snapshot, fleet->node);
    bool ours = !row || bytes_equal(row->process, fleet->process);
    if (ours)
        return row && is_disputed(snapshot, row);
    if (process_mark_life(row->process, fleet->process) == PROCESS_GONE) {
        bury(fleet, row->process);
        return false;
    }
    dispute(fleet, row->process);
    return true;
}

static void tell_if_taken(Fleet *fleet, const Snapshot *snapshot)
{
    if (fleet->rests || fleet->left)
        return;
    bool taken = is_taken(fleet, snapshot);
    if (taken && !fleet->taken)
        telemetry_event("error", "fleet_name_taken", OK,
                        "another gateway that uses this store is also called %s: give one of them "
                        "another name with `node`",
                        fleet->node);
    fleet->taken = taken;
}

static void show_failure(Fleet *fleet, Result result)
{
    Arena *arena = failed(result) ? arena_new(ARENA_UNLIMITED) : NULL;
    pthread_mutex_lock(&fleet->mutex);
    Arena *old = fleet->failure_arena;
    fleet->failure_arena = arena;
    fleet->failure = arena ? error_text(arena, result) : NULL;
    pthread_mutex_unlock(&fleet->mutex);
    arena_free(old);
}

/* A beat that failed is made good by the next one; that the store is down is told by the store. */
static void on_beaten(void *owner, Result result, StoreTask *task)
{
    Fleet *fleet = owner;
    show_failure(fleet, result);
    if (failed(result))
        return;
    Snapshot *snapshot = snapshot_of(task->last);
    tell_if_taken(fleet, snapshot);
    show(fleet, snapshot);
}

static void beat(Fleet *fleet)
{
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(task, write_row);
    int64_t now = clock_wall();
    store_bind_text(task, s, bytes_of(fleet->node));
    store_bind_text(task, s, bytes_of(VERSION));
    store_bind_integer(s, fleet->generation);
    store_bind_text(task, s, bytes_of(fleet->hash));
    store_bind_integer(s, fleet->started);
    store_bind_integer(s, now);
    store_bind_integer(s, now - FLEET_SILENT_AFTER);
    store_bind_integer(s, now + FLEET_SILENT_AFTER); /* of a clock that was ahead */
    store_bind_text(task, s, fleet->process);
    s = store_task_add(task, read_all);
    store_bind_integer(s, MOST_SHOWN);
    store_submit(fleet->port, task, on_beaten, fleet);
}

static void on_beat(uv_timer_t *timer)
{
    Fleet *fleet = timer->data;
    if (!fleet->rests && !fleet->left && fleet->node)
        beat(fleet);
}

Fleet *fleet_start(uv_loop_t *loop, StorePort *port, Bytes process)
{
    Fleet *fleet = calloc(1, sizeof *fleet);
    CHECK(fleet);
    fleet->port = port;
    fleet->process = process;
    fleet->started = clock_wall();
    fleet->beat.data = fleet;
    CHECK(pthread_mutex_init(&fleet->mutex, NULL) == 0);
    CHECK(uv_timer_init(loop, &fleet->beat) == 0);
    CHECK(uv_timer_start(&fleet->beat, on_beat, FLEET_BEAT / MILLISECOND,
                         FLEET_BEAT / MILLISECOND) == 0);
    return fleet;
}

void fleet_use(Fleet *fleet, const Config *config)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    fleet->node = arena_string(arena, config->node);
    fleet->hash = arena_string(arena, config->hash);
    fleet->generation = (int64_t)config->generation;
    arena_free(fleet->arena);
    fleet->arena = arena;
    beat(fleet);
}

void fleet_rest(Fleet *fleet, bool rest)
{
    fleet->rests = rest;
}

void fleet_leave(Fleet *fleet)
{
    fleet->left = true;
    if (fleet->node)
        bury(fleet, fleet->process);
}

/* One that stops in order is not silent: it is gone. */
void fleet_stop(Fleet *fleet)
{
    fleet_leave(fleet);
    uv_close((uv_handle_t *)&fleet->beat, NULL);
}

void fleet_free(Fleet *fleet)
{
    snapshot_free(fleet->snapshot);
    arena_free(fleet->arena);
    arena_free(fleet->failure_arena);
    pthread_mutex_destroy(&fleet->mutex);
    free(fleet);
}

/* ---- Showing --------------------------------------------------------------------------------- */

static bool is_silent(const Snapshot *snapshot, const Node *node)
{
    return snapshot->as_of - node->last_seen > FLEET_SILENT_AFTER;
}

uint32_t fleet_n_alive(Fleet *fleet)
{
    uint32_t n = 0;
    pthread_mutex_lock(&fleet->mutex);
    const Snapshot *snapshot = fleet->snapshot;
    for (uint32_t i = 0; snapshot && i < snapshot->n; i++)
        n += !is_silent(snapshot, &snapshot->nodes[i]);
    pthread_mutex_unlock(&fleet->mutex);
    return n ? n : 1;
}

typedef Bytes NodeText(const Node *node);

static Bytes hash_of(const Node *node)
{
    return node->hash;
}

static Bytes version_of(const Node *node)
{
    return node->version;
}

static uint32_t count_same(const Snapshot *snapshot, Bytes value, NodeText *text)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < snapshot->n; i++)
        n += !is_silent(snapshot, &snapshot->nodes[i]) &&
             bytes_equal(text(&snapshot->nodes[i]), value);
    return n;
}

/* What more of them have than anything else; BYTES_NONE, which none has: there is a tie, so they
   differ, and nobody can say which is right. */
static Bytes usual(const Snapshot *snapshot, NodeText *text)
{
    Bytes best = BYTES_NONE;
    uint32_t best_n = 0;
    bool tie = false;
    for (uint32_t i = 0; i < snapshot->n; i++) {
        Bytes value = text(&snapshot->nodes[i]);
        uint32_t n = count_same(snapshot, value, text);
        bool other = !bytes_equal(value, best);
        if (n > best_n)
            tie = false;
        else if (n == best_n && other)
            tie = true;
        if (n > best_n) {
            best = value;
            best_n = n;
        }
    }
    return tie ? BYTES_NONE : best;
}

static void add_drift(Buffer *out, const char *what)
{
    json_text_add_element(out);
    json_text_add(out, bytes_of(what));
}

static void add_node(Buffer *out, const Snapshot *snapshot, const Node *node, Bytes usual_hash,
                     Bytes usual_version)
{
    bool silent = is_silent(snapshot, node);
    buffer_add_byte(out, '{');
    json_text_add_member(out, "node", node->name);
    json_text_add_member(out, "version", node->version);
    json_text_add_member(out, "config", node->hash);
    json_text_add_number(out, "generation", (uint64_t)node->generation);
    json_text_add_time(out, "started", node->started / SECOND, 0);
    json_text_add_time(out, "last_seen", node->last_seen / SECOND, 0);
    json_text_open_list(out, "drift");
    if (silent)
        add_drift(out, "silent");
    if (!silent && !bytes_equal(node->hash, usual_hash))
        add_drift(out, "config");
    if (!silent && !bytes_equal(node->version, usual_version))
        add_drift(out, "build");
    if (!silent && is_disputed(snapshot, node))
        add_drift(out, "name");
    buffer_add_text(out, "]}");
}

void fleet_write(Fleet *fleet, Buffer *out)
{
    pthread_mutex_lock(&fleet->mutex);
    const Snapshot *snapshot = fleet->snapshot;
    buffer_add_text(out, "{\"gateways\":[");
    if (snapshot) {
        Bytes hash = usual(snapshot, hash_of), version = usual(snapshot, version_of);
        for (uint32_t i = 0; i < snapshot->n; i++) {
            if (i)
                buffer_add_byte(out, ',');
            add_node(out, snapshot, &snapshot->nodes[i], hash, version);
        }
    }
    buffer_add_byte(out, ']');
    if (snapshot)
        json_text_add_time(out, "as_of", snapshot->as_of / SECOND, 0);
    if (fleet->failure)
        json_text_add_member(out, "failure", bytes_of(fleet->failure));
    buffer_add_byte(out, '}');
    pthread_mutex_unlock(&fleet->mutex);
}
