/* Acts, and who judges. */
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/rollout_store/rollout_table_internal.h"
#include "gateway/store/seal.h"

/* $1 id, $2 revision, $3 trial, $4 room, $5 open, $6 content, $7 changed; $8 evidence. */
static const char put_row[] =
    "INSERT INTO rollouts (id, revision, trial, room, open, content, changed, evidence, judge,"
    " token, beat) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', 0, 0) ON CONFLICT (id) DO UPDATE SET"
    " revision = excluded.revision, trial = excluded.trial, room = excluded.room,"
    " open = excluded.open, content = excluded.content, changed = excluded.changed,"
    " evidence = excluded.evidence WHERE rollouts.revision < excluded.revision";

/* $2 trial, $3 client, $4 wall time, $5 number. */
static const char put_member[] =
    "INSERT INTO rollout_members (rollout, trial, client, at, number)"
    " SELECT $1, $2, $3, $4, $5 FROM rollouts r WHERE r.id = $1 AND r.trial = $2 AND r.open = 1"
    " ON CONFLICT DO NOTHING";

/* $8 the revision before; and the judge: $9 name, $10 token. */
#define CHANGE_ROW                                                                                 \
    "UPDATE rollouts SET revision = $2, trial = $3, room = $4, open = $5, content = $6,"           \
    " changed = $7 WHERE id = $1 AND revision = $8"
static const char change_row[] = CHANGE_ROW;
static const char change_row_as_judge[] = CHANGE_ROW " AND judge = $9 AND token = $10";

/* $2 revision, $3 trial, $4 at, $5 content. */
static const char add_act[] =
    "INSERT INTO rollout_acts (rollout, revision, trial, at, content) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (rollout, revision) DO UPDATE SET trial = excluded.trial, at = excluded.at,"
    " content = excluded.content";

/* $2 trial, $3 open. */
#define DROP_FROM(table) "DELETE FROM " table " WHERE rollout = $1 AND (trial <> $2 OR $3 = 0)"
static const char drop_members[] = DROP_FROM("rollout_members");
static const char drop_samples[] = DROP_FROM("rollout_samples");

static const char read_acts[] = "SELECT revision, trial, at, content FROM rollout_acts"
                                " WHERE rollout = $1 ORDER BY revision DESC LIMIT $2";

/* $2 name, $3 token, $4 beat; $5 name, $6 token and $7 beat before. */
static const char take_place[] = "UPDATE rollouts SET judge = $2, token = $3, beat = $4"
                                 " WHERE id = $1 AND judge = $5 AND token = $6 AND beat = $7";

/* $5 evidence. */
static const char renew_place[] = "UPDATE rollouts SET beat = $4, evidence = $5"
                                  " WHERE id = $1 AND judge = $2 AND token = $3";

static const char leave_samples[] = "UPDATE rollout_samples SET at = 0 WHERE node = $1";
static const char leave[] = "UPDATE rollouts SET judge = '', token = token + 1 WHERE judge = $1";

/* ---- Writing --------------------------------------------------------------------------------- */

static StoreStatement *add_row(StoreTask *task, const char *sql, const RolloutRow *row)
{
    StoreStatement *s = rollout_table_add(task, sql, row->id);
    store_bind_integer(s, row->revision);
    store_bind_integer(s, row->trial);
    store_bind_integer(s, row->room < ROLLOUT_MEMBERS_MOST ? row->room : ROLLOUT_MEMBERS_MOST);
    store_bind_integer(s, row->open);
    store_bind_bytes(task, s, row->content);
    store_bind_integer(s, row->changed);
    return s;
}

/* A conflict: the row is another one by now. */
static void on_written(void *owner, Result result, StoreTask *task)
{
    RolloutRequest *request = owner;
    bool conflict = failed(result) && result.error->fault == &FAULT_STORE_CONFLICT;
    bool written = !failed(result) && task->first->changed > 0;
    if (conflict)
        error_ignore(result, "told as `written`");
    if (written)
        rollout_table_tell(request->table);
    request->on.written(request->owner, conflict ? OK : result, written);
    rollout_request_end(request);
}

static void submit_write(RolloutTable *table, StoreTask *task, RolloutOnWritten *on_done,
                         void *owner)
{
    RolloutRequest *request = rollout_request_new(table, owner);
    request->on.written = on_done;
    rollout_request_submit(request, task, on_written);
}

void rollout_table_put(RolloutTable *table, const RolloutRow *row, const RolloutMembers *members,
                       RolloutOnWritten *on_done, void *owner)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    store_bind_bytes(task, add_row(task, put_row, row), row->evidence);
    for (uint32_t i = 0; i < members->n; i++) {
        StoreStatement *s = rollout_table_add(task, put_member, row->id);
        store_bind_integer(s, row->trial);
        store_bind_text(task, s, members->clients[i]);
        store_bind_integer(s, members->at ? members->at[i] : 0);
        store_bind_integer(s, members->numbers[i]);
    }
    submit_write(table, task, on_done, owner);
}

static SealPlace place_of(Bytes id, int64_t revision, Arena *arena)
{
    const char *row = arena_printf(arena, "%.*s/%lld", BYTES_ARGS(id), (long long)revision);
    return (SealPlace){"rollout_acts", "content", bytes_of(row)};
}

static void add_history(const RolloutTable *table, StoreTask *task, const RolloutRow *row,
                        Bytes act)
{
    SealPlace place = place_of(row->id, row->revision, task->arena);
    Buffer sealed = buffer_in(task->arena);
    seal(table->keys, &place, act, &sealed);
    StoreStatement *s = rollout_table_add(task, add_act, row->id);
    store_bind_integer(s, row->revision);
    store_bind_integer(s, row->trial);
    store_bind_integer(s, row->changed);
    store_bind_bytes(task, s, buffer_bytes(&sealed));
}

static void drop(StoreTask *task, const char *sql, const RolloutRow *row)
{
    StoreStatement *s = rollout_table_add(task, sql, row->id);
    store_bind_integer(s, row->trial);
    store_bind_integer(s, row->open);
}

void rollout_table_act(RolloutTable *table, const RolloutRow *row, bool by_judge, Bytes act,
                       RolloutOnWritten *on_done, void *owner)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s = add_row(task, by_judge ? change_row_as_judge : change_row, row);
    store_bind_integer(s, row->revision - 1);
    if (by_judge) {
        store_bind_text(task, s, row->judge.name);
        store_bind_integer(s, row->judge.token);
    }
    s->expected = 1;
    add_history(table, task, row, act);
    drop(task, drop_members, row);
    drop(task, drop_samples, row);
    submit_write(table, task, on_done, owner);
}

/* ---- History --------------------------------------------------------------------------------- */

static RolloutAct act_of(const RolloutRequest *request, const StoreValue *v)
{
    RolloutAct act = {v[0].integer, v[1].integer, v[2].integer, BYTES_NONE};
    SealPlace place = place_of(request->id, act.revision, request->arena);
    Result r = unseal(request->table->keys, &place, v[3].bytes, request->arena, &act.content);
    if (failed(r)) {
        error_ignore(r, "its content is not shown");
        act.content = BYTES_NONE;
    }
    return act;
}

static void on_history(void *owner, Result result, StoreTask *task)
{
    RolloutRequest *request = owner;
    const StoreStatement *read = task->first;
    RolloutAct *acts = arena_array(request->arena, RolloutAct, read->n_rows);
    uint32_t n = 0;
    for (const StoreRow *row = failed(result) ? NULL : read->rows; row; row = row->next)
        acts[n++] = act_of(request, row->values);
    request->on.history(request->owner, result, acts, n);
    rollout_request_end(request);
}

void rollout_table_history(RolloutTable *table, Bytes id, RolloutOnHistory *on_done, void *owner)
{
    RolloutRequest *request = rollout_request_new(table, owner);
    request->on.history = on_done;
    request->id = bytes_copy(request->arena, id);
    StoreTask *task = store_task_new(STORE_SOON);
    store_bind_integer(rollout_table_add(task, read_acts, id), ROLLOUT_ACTS_MOST);
    rollout_request_submit(request, task, on_history);
}

/* ---- The judge ------------------------------------------------------------------------------- */

/* Nobody is told: others see the beat when they look. */
static void on_judge(void *owner, Result result, StoreTask *task)
{
    RolloutRequest *request = owner;
    request->on.written(request->owner, result, !failed(result) && task->first->changed > 0);
    rollout_request_end(request);
}

static StoreStatement *add_judge(StoreTask *task, const char *sql, Bytes id,
                                 const RolloutJudge *judge)
{
    StoreStatement *s = rollout_table_add(task, sql, id);
    store_bind_text(task, s, judge->name);
    store_bind_integer(s, judge->token);
    store_bind_integer(s, judge->beat);
    return s;
}

static void submit_judge(RolloutTable *table, StoreTask *task, RolloutOnWritten *on_done,
                         void *owner)
{
    RolloutRequest *request = rollout_request_new(table, owner);
    request->on.written = on_done;
    rollout_request_submit(request, task, on_judge);
}

void rollout_table_take(RolloutTable *table, Bytes id, const RolloutJudge *before,
                        const RolloutJudge *next, RolloutOnWritten *on_done, void *owner)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s = add_judge(task, take_place, id, next);
    store_bind_text(task, s, before->name);
    store_bind_integer(s, before->token);
    store_bind_integer(s, before->beat);
    submit_judge(table, task, on_done, owner);
}

void rollout_table_renew(RolloutTable *table, Bytes id, const RolloutJudge *judge, Bytes evidence,
                         RolloutOnWritten *on_done, void *owner)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    store_bind_bytes(task, add_judge(task, renew_place, id, judge), evidence);
    submit_judge(table, task, on_done, owner);
}

void rollout_table_leave(RolloutTable *table, Bytes process, Bytes node)
{
    StoreTask *task = store_task_new(STORE_SOON);
    rollout_table_add(task, leave, process);
    rollout_table_add(task, leave_samples, node);
    store_submit(table->port, task, NULL, NULL);
}
