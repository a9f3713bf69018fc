/* Looking, members and samples. */
#include "gateway/rollout_store/rollout_table.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/rollout_store/rollout_table_internal.h"

#include <stdlib.h>

/* ---- Requests -------------------------------------------------------------------------------- */

RolloutRequest *rollout_request_new(RolloutTable *table, void *owner)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RolloutRequest *request = arena_make(arena, RolloutRequest);
    request->arena = arena;
    request->table = table;
    request->owner = owner;
    request->next = table->requests;
    request->at = &table->requests;
    if (request->next)
        request->next->at = &request->next;
    table->requests = request;
    return request;
}

void rollout_request_end(RolloutRequest *request)
{
    *request->at = request->next;
    if (request->next)
        request->next->at = request->at;
    arena_free(request->arena);
}

void rollout_request_submit(RolloutRequest *request, StoreTask *task,
                            RolloutOnExecuted *on_executed)
{
    store_submit(request->table->port, task, on_executed, request);
}

StoreStatement *rollout_table_add(StoreTask *task, const char *sql, Bytes id)
{
    StoreStatement *s = store_task_add(task, sql);
    store_bind_text(task, s, id);
    return s;
}

/* ---- Telling others -------------------------------------------------------------------------- */

static void on_told(void *owner, Result result, StoreTask *task)
{
    RolloutRequest *request = owner;
    RolloutTable *table = request->table;
    rollout_request_end(request);
    if (failed(result))
        error_ignore(result, "they look from time to time by themselves");
    table->telling = false;
    if (table->more_to_tell)
        rollout_table_tell(table);
}

void rollout_table_tell(RolloutTable *table)
{
    static const char tell[] = "SELECT pg_notify('" ROLLOUT_CHANNEL "', $1)";
    if (!table->tag)
        return;
    table->more_to_tell = table->telling;
    if (table->telling)
        return;
    table->telling = true;
    StoreTask *task = store_task_new(STORE_SOON);
    const char *notice = arena_printf(task->arena, "%s ", table->tag);
    store_bind_text(task, store_task_add(task, tell), bytes_of(notice));
    rollout_request_submit(rollout_request_new(table, NULL), task, on_told);
}

/* ---- Looking --------------------------------------------------------------------------------- */

static const char read_rows[] =
    "SELECT id, revision, trial, room, open, content, changed, judge, token, beat, evidence"
    " FROM rollouts ORDER BY id LIMIT $1";

/* $1 rollout, $2 trial. */
#define OF_TRIAL " WHERE rollout = $1 AND trial = $2"
static const char count_members[] =
    "SELECT coalesce(max(number), 0), count(*) FROM rollout_members" OF_TRIAL;
/* $3 after. */
static const char read_members[] =
    "SELECT client, number, at FROM rollout_members" OF_TRIAL " AND number > $3 ORDER BY number";

/* $3 since, $4 cell, $5 the number of the cell before this one, $6 the largest number. */
#define KNOWN_BY_ALL(name)                                                                         \
    " coalesce(min(CASE WHEN at < $3 THEN $6 WHEN at / $4 = $5 THEN " name                         \
    " WHEN at / $4 > $5 AND earlier / $4 = $5 THEN earlier_" name " ELSE 0 END), $6),"
static const char read_heard[] = "SELECT" KNOWN_BY_ALL("revision") KNOWN_BY_ALL(
    "member") " coalesce(max(begun), 0), coalesce(max(settled), 0) FROM rollout_samples" OF_TRIAL;
static const char read_oldest[] =
    "SELECT node, at FROM rollout_samples" OF_TRIAL " AND at >= $3 ORDER BY at LIMIT 1";

static RolloutRow row_of(const StoreValue *v)
{
    return (RolloutRow){
        .id = v[0].bytes,
        .revision = v[1].integer,
        .trial = v[2].integer,
        .room = v[3].integer,
        .open = v[4].integer,
        .content = v[5].bytes,
        .changed = v[6].integer,
        .judge = {.name = v[7].bytes, .token = v[8].integer, .beat = v[9].integer},
        .evidence = v[10].bytes,
    };
}

static void ask_for_members(StoreTask *task, const RolloutAsk *ask)
{
    StoreStatement *s = rollout_table_add(task, count_members, ask->id);
    store_bind_integer(s, ask->trial);
    s = rollout_table_add(task, read_members, ask->id);
    store_bind_integer(s, ask->trial);
    store_bind_integer(s, ask->after);
}

static void ask_for_heard(StoreTask *task, const RolloutAsk *ask)
{
    StoreStatement *s = rollout_table_add(task, read_heard, ask->id);
    store_bind_integer(s, ask->trial);
    store_bind_integer(s, ask->since);
    store_bind_integer(s, ask->cell);
    store_bind_integer(s, ask->now / ask->cell - 1);
    store_bind_integer(s, INT64_MAX);
    s = rollout_table_add(task, read_oldest, ask->id);
    store_bind_integer(s, ask->trial);
    store_bind_integer(s, ask->since);
}

/* Of both statements. */
static RolloutMembers members_of(const StoreStatement *count, Arena *arena)
{
    const StoreStatement *read = count->next;
    Bytes *clients = arena_array(arena, Bytes, read->n_rows);
    int64_t *numbers = arena_array(arena, int64_t, read->n_rows);
    int64_t *at = arena_array(arena, int64_t, read->n_rows);
    RolloutMembers members = {.last = count->rows->values[0].integer,
                              .count = count->rows->values[1].integer,
                              .clients = clients,
                              .numbers = numbers,
                              .at = at};
    for (const StoreRow *row = read->rows; row; row = row->next, members.n++) {
        clients[members.n] = row->values[0].bytes;
        numbers[members.n] = row->values[1].integer;
        at[members.n] = row->values[2].integer;
    }
    return members;
}

/* Of both statements. */
static RolloutHeard heard_of(const StoreStatement *read)
{
    const StoreValue *v = read->rows->values;
    const StoreRow *oldest = read->next->rows;
    RolloutHeard heard = {.revision = v[0].integer,
                          .member = v[1].integer,
                          .begun = v[2].integer,
                          .settled = v[3].integer};
    if (oldest) {
        heard.node = oldest->values[0].bytes;
        heard.at = oldest->values[1].integer;
    }
    return heard;
}

/* The statements of one rollout in a look. */
enum { OF_ASK = 4 };

static const StoreStatement *after_ask(const StoreStatement *s)
{
    for (int i = 0; i < OF_ASK; i++)
        s = s->next;
    return s;
}

static RolloutSeen seen_in(const StoreTask *task, Arena *arena)
{
    const StoreStatement *read = task->first;
    RolloutRow *rows = arena_array(arena, RolloutRow, read->n_rows);
    RolloutSeen seen = {.rows = rows};
    for (const StoreRow *row = read->rows; row; row = row->next)
        rows[seen.n_rows++] = row_of(row->values);
    uint32_t n = 0;
    for (const StoreStatement *s = read->next; s; s = after_ask(s))
        n++;
    RolloutMembers *members = arena_array(arena, RolloutMembers, n);
    RolloutHeard *heard = arena_array(arena, RolloutHeard, n);
    seen.members = members;
    seen.heard = heard;
    for (const StoreStatement *s = read->next; s; s = after_ask(s)) {
        *members++ = members_of(s, arena);
        *heard++ = heard_of(s->next->next);
    }
    return seen;
}

static void on_seen(void *owner, Result result, StoreTask *task)
{
    RolloutRequest *request = owner;
    RolloutSeen seen = {NULL};
    if (!failed(result))
        seen = seen_in(task, request->arena);
    request->on.seen(request->owner, result, &seen);
    rollout_request_end(request);
}

void rollout_table_look(RolloutTable *table, const RolloutAsk *asks, uint32_t n,
                        RolloutOnSeen *on_done, void *owner)
{
    RolloutRequest *request = rollout_request_new(table, owner);
    request->on.seen = on_done;
    StoreTask *task = store_task_new(STORE_SOON);
    store_bind_integer(store_task_add(task, read_rows), ROLLOUT_ROWS_MOST);
    for (uint32_t i = 0; i < n; i++) {
        ask_for_members(task, &asks[i]);
        ask_for_heard(task, &asks[i]);
    }
    rollout_request_submit(request, task, on_seen);
}

/* ---- Members --------------------------------------------------------------------------------- */

/* The row is locked until the end of the transaction: who inserts at the same time waits. */
static const char lock_row[] = "UPDATE rollouts SET room = room WHERE id = $1 AND trial = $2";

/* $3 client, $4 wall time. The numbers of clients that were forgotten are not given again. */
#define LAST                                                                                       \
    "(SELECT coalesce(max(m.number), 0) FROM rollout_members m"                                    \
    " WHERE m.rollout = $1 AND m.trial = $2)"
static const char insert_member[] =
    "INSERT INTO rollout_members (rollout, trial, client, at, number)"
    " SELECT $1, $2, $3, $4, " LAST " + 1 FROM rollouts r"
    " WHERE r.id = $1 AND r.trial = $2 AND r.open = 1 AND " LAST " < r.room"
    " ON CONFLICT (rollout, trial, client) DO NOTHING";

static void on_claimed(void *owner, Result result, StoreTask *task)
{
    RolloutRequest *request = owner;
    RolloutMembers members = {0};
    const StoreStatement *s = task->first->next;
    bool any = false;
    for (; s->sql == insert_member; s = s->next)
        any |= s->changed > 0;
    if (!failed(result))
        members = members_of(s, request->arena);
    if (!failed(result) && any)
        rollout_table_tell(request->table);
    request->on.members(request->owner, result, &members);
    rollout_request_end(request);
}

void rollout_table_claim(RolloutTable *table, const RolloutAsk *ask, const Bytes *clients,
                         uint32_t n, RolloutOnMembers *on_members, void *owner)
{
    CHECK(n <= ROLLOUT_CLAIM_MOST);
    RolloutRequest *request = rollout_request_new(table, owner);
    request->on.members = on_members;
    StoreTask *task = store_task_new(STORE_PROMISED);
    int64_t wall = clock_wall();
    store_bind_integer(rollout_table_add(task, lock_row, ask->id), ask->trial);
    for (uint32_t i = 0; i < n; i++) {
        StoreStatement *s = rollout_table_add(task, insert_member, ask->id);
        store_bind_integer(s, ask->trial);
        store_bind_text(task, s, clients[i]);
        store_bind_integer(s, wall);
    }
    ask_for_members(task, ask);
    rollout_request_submit(request, task, on_claimed);
}

/* ---- Samples --------------------------------------------------------------------------------- */

/* $3 node, $4 wall time, $5 content, $6 revision, $7 member, $8 cell, $9 begun, $10 settled. */
#define LEAVES_CELL " CASE WHEN rollout_samples.at / $8 < excluded.at / $8 THEN rollout_samples."
#define EARLIER(name, of) " " name " =" LEAVES_CELL of " ELSE rollout_samples." name " END,"
static const char write_sample[] =
    "INSERT INTO rollout_samples (rollout, trial, node, at, content, revision, member,"
    " begun, settled) VALUES ($1, $2, $3, $4, $5, $6, $7, $9, $10) ON CONFLICT (rollout, node) DO "
    "UPDATE SET" EARLIER("earlier", "at") EARLIER("earlier_revision", "revision")
        EARLIER("earlier_member",
                "member") " trial = excluded.trial, at = excluded.at, content = excluded.content,"
                          " revision = excluded.revision, member = excluded.member,"
                          " begun = excluded.begun, settled = excluded.settled"
                          " WHERE rollout_samples.trial <= excluded.trial";

#define READ_SAMPLES "SELECT node, at, content FROM rollout_samples" OF_TRIAL
static const char read_samples[] = READ_SAMPLES " ORDER BY node";
static const char read_sample_of[] = READ_SAMPLES " AND node = $3";

static void on_sample_written(void *owner, Result result, StoreTask *task)
{
    RolloutRequest *request = owner;
    request->on.written(request->owner, result, !failed(result) && task->first->changed > 0);
    rollout_request_end(request);
}

void rollout_table_put_sample(RolloutTable *table, Bytes id, int64_t trial,
                              const RolloutSample *sample, RolloutOnWritten *on_written,
                              void *owner)
{
    RolloutRequest *request = rollout_request_new(table, owner);
    request->on.written = on_written;
    StoreTask *task = store_task_new(sample->promised ? STORE_PROMISED : STORE_SOON);
    StoreStatement *s = rollout_table_add(task, write_sample, id);
    store_bind_integer(s, trial);
    store_bind_text(task, s, sample->node);
    store_bind_integer(s, sample->at);
    store_bind_bytes(task, s, sample->content);
    store_bind_integer(s, sample->revision);
    store_bind_integer(s, sample->member);
    store_bind_integer(s, sample->cell);
    store_bind_integer(s, sample->begun);
    store_bind_integer(s, sample->settled);
    rollout_request_submit(request, task, on_sample_written);
}

static void on_samples(void *owner, Result result, StoreTask *task)
{
    RolloutRequest *request = owner;
    const StoreStatement *read = task->first;
    uint32_t n = 0;
    RolloutSample *samples = arena_array(request->arena, RolloutSample, read->n_rows);
    for (const StoreRow *row = failed(result) ? NULL : read->rows; row; row = row->next) {
        const StoreValue *v = row->values;
        samples[n++] =
            (RolloutSample){.node = v[0].bytes, .at = v[1].integer, .content = v[2].bytes};
    }
    request->on.samples(request->owner, result, samples, n);
    rollout_request_end(request);
}

void rollout_table_samples(RolloutTable *table, Bytes id, int64_t trial, Bytes node,
                           RolloutOnSamples *on_done, void *owner)
{
    RolloutRequest *request = rollout_request_new(table, owner);
    request->on.samples = on_done;
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = rollout_table_add(task, node.size ? read_sample_of : read_samples, id);
    store_bind_integer(s, trial);
    if (node.size)
        store_bind_text(task, s, node);
    rollout_request_submit(request, task, on_samples);
}

/* ---- Opening and closing --------------------------------------------------------------------- */

RolloutTable *rollout_table_open(Store *store, StorePort *port, const StoreKeys *keys)
{
    RolloutTable *table = calloc(1, sizeof *table);
    CHECK(table);
    *table = (RolloutTable){.port = port,
                            .tag = store_settings(store)->postgresql ? store_tag(store) : NULL,
                            .keys = keys};
    return table;
}

void rollout_table_use_keys(RolloutTable *table, const StoreKeys *keys)
{
    table->keys = keys;
}

void rollout_table_close(RolloutTable *table)
{
    if (!table)
        return;
    while (table->requests)
        rollout_request_end(table->requests);
    free(table);
}
