#include "gateway/signal/signal_store.h"

/* ---- Signals --------------------------------------------------------------------------------- */

static const char claim[] =
    "INSERT INTO signals (id, kind, subject, client, since, at, times, node, content,"
    " acknowledged, who, why) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, 0, '', $9)"
    " ON CONFLICT (id) DO UPDATE SET since = excluded.since, at = excluded.at,"
    " times = signals.times + 1, node = excluded.node, content = excluded.content,"
    " acknowledged = 0, who = '', why = excluded.why WHERE signals.at <= $10";

static const char read_all[] =
    "SELECT id, kind, subject, client, since, at, times, node, content, acknowledged, who, why"
    " FROM signals ORDER BY at DESC, id LIMIT $1";

static const char acknowledge[] =
    "UPDATE signals SET acknowledged = $2, who = $3, why = $4 WHERE id = $1";

static void bind_sealed(StoreTask *task, StoreStatement *s, const SealPlace *place, Bytes text,
                        const StoreKeys *keys)
{
    Buffer sealed = buffer_in(task->arena);
    seal(keys, place, text, &sealed);
    store_bind_bytes(task, s, buffer_bytes(&sealed));
}

/* Empty: it cannot be opened. */
static Bytes opened(const SealPlace *place, Bytes stored, const StoreKeys *keys, Arena *arena)
{
    Bytes text = BYTES_NONE;
    Result r = stored.size ? unseal(keys, place, stored, arena, &text) : OK;
    error_ignore(r, "the rest of the signal is shown without it");
    return failed(r) ? BYTES_NONE : text;
}

StoreTask *signal_claim_task(const SignalEntry *entry, int64_t every, const StoreKeys *keys)
{
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(task, claim);
    SealPlace place = {"signals", "content", bytes_of(entry->id)};
    store_bind_text(task, s, bytes_of(entry->id));
    store_bind_text(task, s, bytes_of(entry->kind));
    store_bind_text(task, s, entry->subject);
    store_bind_text(task, s, entry->client);
    store_bind_integer(s, entry->since);
    store_bind_integer(s, entry->at);
    store_bind_text(task, s, entry->node);
    bind_sealed(task, s, &place, entry->evidence, keys);
    store_bind_bytes(task, s, BYTES_NONE);
    store_bind_integer(s, entry->at - every);
    s->expected = 1;
    return task;
}

StoreTask *signal_read_task(void)
{
    StoreTask *task = store_task_new(STORE_SOON);
    store_bind_integer(store_task_add(task, read_all), SIGNALS_LISTED);
    return task;
}

static SignalEntry *take_row(const StoreValue *v, const StoreKeys *keys, Arena *arena)
{
    SignalEntry *entry = arena_make(arena, SignalEntry);
    SealPlace content = {"signals", "content", v[0].bytes}, why = {"signals", "why", v[0].bytes};
    *entry = (SignalEntry){.kind = arena_text(arena, v[1].bytes),
                           .subject = bytes_copy(arena, v[2].bytes),
                           .client = bytes_copy(arena, v[3].bytes),
                           .since = v[4].integer,
                           .at = v[5].integer,
                           .times = (uint64_t)v[6].integer,
                           .node = bytes_copy(arena, v[7].bytes),
                           .evidence = opened(&content, v[8].bytes, keys, arena),
                           .acknowledged = v[9].integer,
                           .who = bytes_copy(arena, v[10].bytes),
                           .why = opened(&why, v[11].bytes, keys, arena)};
    Bytes id = bytes_slice(v[0].bytes, 0, sizeof entry->id - 1);
    if (id.size)
        memcpy(entry->id, id.data, id.size);
    return entry;
}

const SignalEntry **signal_read(const StoreTask *task, const StoreKeys *keys, Arena *arena,
                                uint32_t *n_out)
{
    const StoreStatement *s = task->first;
    const SignalEntry **entries = arena_array(arena, const SignalEntry *, s->n_rows + 1);
    uint32_t n = 0;
    for (const StoreRow *row = s->rows; row; row = row->next)
        entries[n++] = take_row(row->values, keys, arena);
    *n_out = n;
    return entries;
}

StoreTask *signal_acknowledge_task(Bytes id, Bytes who, Bytes why, int64_t wall,
                                   const StoreKeys *keys)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s = store_task_add(task, acknowledge);
    SealPlace place = {"signals", "why", id};
    store_bind_text(task, s, id);
    store_bind_integer(s, wall);
    store_bind_text(task, s, who);
    bind_sealed(task, s, &place, why, keys);
    s->expected = 1;
    return task;
}

/* ---- What is remembered ---------------------------------------------------------------------- */

static const char write_state[] =
    "INSERT INTO signal_states (node, at, content) VALUES ($1, $2, $3)"
    " ON CONFLICT (node) DO UPDATE SET at = excluded.at, content = excluded.content";

static const char read_state[] = "SELECT content FROM signal_states WHERE node = $1";

StoreTask *signal_state_write_task(const char *node, Bytes state, int64_t wall,
                                   const StoreKeys *keys)
{
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(task, write_state);
    SealPlace place = {"signal_states", "content", bytes_of(node)};
    store_bind_text(task, s, bytes_of(node));
    store_bind_integer(s, wall);
    bind_sealed(task, s, &place, state, keys);
    return task;
}

StoreTask *signal_state_read_task(const char *node)
{
    StoreTask *task = store_task_new(STORE_SOON);
    store_bind_text(task, store_task_add(task, read_state), bytes_of(node));
    return task;
}

Result signal_state_read(const StoreTask *task, const char *node, const StoreKeys *keys,
                         Arena *arena, Bytes *state_out)
{
    const StoreRow *row = task->first->rows;
    SealPlace place = {"signal_states", "content", bytes_of(node)};
    *state_out = BYTES_NONE;
    return row ? unseal(keys, &place, row->values[0].bytes, arena, state_out) : OK;
}
