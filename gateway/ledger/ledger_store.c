#include "gateway/ledger/ledger_store.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/ledger/failure_text.h"
#include "gateway/store/seal.h"
#include "gateway/telemetry/telemetry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 50 /* rows of one task, so that others do not wait long behind it */ };

#define CRITICALITY_UNIT 1000000.0

static const char read_rows[] = "SELECT id, content FROM failures WHERE node = $1"
                                " ORDER BY last DESC LIMIT $2";

static const char write_row[] =
    "INSERT INTO failures (id, node, last, content) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (id) DO UPDATE SET last = excluded.last, content = excluded.content";

/* It belongs to no gateway any more, so that nobody reads it again. */
static const char set_aside[] = "UPDATE failures SET id = $2, node = '' WHERE id = $1";

static const char read_annotations[] =
    "SELECT fingerprint, owner, cause, ticket, acknowledged, criticality, who, why, at"
    " FROM annotations ORDER BY at DESC LIMIT $1";

static const char write_annotation[] =
    "INSERT INTO annotations (fingerprint, owner, cause, ticket, acknowledged, criticality, who,"
    " why, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    " ON CONFLICT (fingerprint) DO UPDATE SET owner = excluded.owner, cause = excluded.cause,"
    " ticket = excluded.ticket, acknowledged = excluded.acknowledged,"
    " criticality = excluded.criticality, who = excluded.who, why = excluded.why,"
    " at = excluded.at";

static const char forget_row[] = "DELETE FROM failures WHERE id = $1";

/* ---- Keys ------------------------------------------------------------------------------------ */

/*
 * "gw1/52de81fa7cda618d". A gateway that ends before it has read what was kept cannot add to it,
 * and writes its rows under keys of their own, with the time behind them; the next one folds them
 * into the others.
 */
static const char *id_of(const LedgerStore *store, Arena *arena, uint64_t fingerprint)
{
    const char *apart = store->read ? "" : arena_printf(arena, "+%" PRId64, (int64_t)clock_wall());
    return arena_printf(arena, "%s/%016" PRIx64 "%s", store->node, fingerprint, apart);
}

static SealPlace place_of(Bytes id)
{
    return (SealPlace){"failures", "content", id};
}

/* Whoever writes a row into which others were folded deletes those in the same transaction: either
   both take effect or none does, and nothing is counted twice. */
static void add_write(const LedgerStore *store, StoreTask *task, FailureRow *row)
{
    Buffer content = buffer_in(task->arena), sealed = buffer_in(task->arena);
    Bytes id = bytes_of(id_of(store, task->arena, row->fingerprint));
    SealPlace place = place_of(id);
    failure_text_write(row, store->redact, &content);
    seal(store->keys, &place, buffer_bytes(&content), &sealed);
    StoreStatement *s = store_task_add(task, write_row);
    store_bind_text(task, s, id);
    store_bind_text(task, s, bytes_of(store->node));
    store_bind_integer(s, row->last);
    store_bind_bytes(task, s, buffer_bytes(&sealed));
    for (const LedgerFolded *f = store->folded; f; f = f->next)
        if (f->fingerprint == row->fingerprint)
            store_bind_text(task, store_task_add(task, forget_row), bytes_of(f->id));
    row->changed = false;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static FailureTable *table_of(Tally *all, const FailureRow *row)
{
    return row->key.side == SIDE_CLIENT ? &all->mistakes : &all->failures;
}

/* What is sealed with a key that is not there may be opened again when it is. */
static void put_aside(LedgerStore *store, Arena *arena, Bytes id, Result why)
{
    store->n_damaged++;
    if (why.error->fault == &FAULT_STORE_SEALED) {
        telemetry_event("warning", "ledger_row_damaged", why,
                        "the record %.*s of the ledger cannot be opened", BYTES_ARGS(id));
        return;
    }
    telemetry_event("warning", "ledger_row_damaged", why,
                    "the record %.*s of the ledger is set aside", BYTES_ARGS(id));
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(task, set_aside);
    const char *aside =
        arena_printf(arena, "damaged %" PRId64 " %.*s", clock_wall(), BYTES_ARGS(id));
    store_bind_text(task, s, id);
    store_bind_text(task, s, bytes_of(aside));
    store_submit(store->port, task, NULL, NULL);
}

static void remember_folded(LedgerStore *store, uint64_t fingerprint, Bytes id)
{
    LedgerFolded *folded = calloc(1, sizeof *folded + id.size + 1);
    CHECK(folded);
    folded->fingerprint = fingerprint;
    memcpy(folded->id, id.data, id.size);
    folded->next = store->folded;
    store->folded = folded;
}

/* It is as it is in the store, unless it was seen since, or comes out of several. */
static void add_kept(LedgerStore *store, FailureRow *kept, Bytes id, Arena *arena)
{
    FailureTable *table = table_of(store->all, kept);
    const FailureRow *known = failure_table_find(table, kept->fingerprint);
    bool apart = !bytes_are(id, id_of(store, arena, kept->fingerprint));
    if (apart)
        remember_folded(store, kept->fingerprint, id);
    bool other = apart || known;
    failure_table_merge(table, kept);
    FailureRow *row = failure_table_find(table, kept->fingerprint);
    if (row)
        row->changed = other;
    failure_row_free(kept);
}

static void on_rows_read(void *owner, Result result, StoreTask *task)
{
    LedgerStore *store = owner;
    store->reading = false;
    if (failed(result))
        return; /* the store tells that it is down; the next beat tries again */
    store->read = true;
    for (const StoreRow *at = task->first->rows; at; at = at->next) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        Bytes id = at->values[0].bytes;
        SealPlace place = place_of(id);
        Bytes content;
        FailureRow *row;
        Result r = unseal(store->keys, &place, at->values[1].bytes, arena, &content);
        if (!failed(r))
            r = failure_text_read(arena, content, &row);
        if (failed(r))
            put_aside(store, arena, id, r);
        else
            add_kept(store, row, id, arena);
        arena_free(arena);
    }
}

static void begin_reading(LedgerStore *store)
{
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(task, read_rows);
    store_bind_text(task, s, bytes_of(store->node));
    store_bind_integer(s, 2 * (int64_t)store->rows);
    store->reading = true;
    store_submit(store->port, task, on_rows_read, store);
}

static Annotation annotation_of(const StoreValue *v)
{
    Annotation a = {
        .owner = v[1].bytes,
        .cause = v[2].bytes,
        .ticket = v[3].bytes,
        .acknowledged = v[4].integer != 0,
        .criticality = (double)v[5].integer / CRITICALITY_UNIT,
        .who = v[6].bytes,
        .why = v[7].bytes,
        .at = v[8].integer,
    };
    return a;
}

static void on_annotations_read(void *owner, Result result, StoreTask *task)
{
    LedgerStore *store = owner;
    if (failed(result))
        return;
    annotations_clear(store->annotations);
    for (const StoreRow *row = task->first->rows; row; row = row->next) {
        Annotation annotation = annotation_of(row->values);
        if (fingerprint_read(row->values[0].bytes, &annotation.fingerprint))
            annotations_put(store->annotations, &annotation);
    }
}

static void begin_reading_annotations(LedgerStore *store)
{
    StoreTask *task = store_task_new(STORE_SOON);
    store_bind_integer(store_task_add(task, read_annotations), ANNOTATIONS_MOST);
    store_submit(store->port, task, on_annotations_read, store);
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Nobody knows which rows took effect: all are written again. */
static void mark_all(FailureTable *table)
{
    for (uint32_t i = 0; i < table->n; i++)
        table->rows[i]->changed = true;
}

static void on_rows_written(void *owner, Result result, StoreTask *task)
{
    LedgerStore *store = owner;
    store->n_writing--;
    if (!failed(result))
        return;
    store->n_unwritten++;
    mark_all(&store->all->failures);
    mark_all(&store->all->mistakes);
}

static void write_changed(LedgerStore *store, FailureTable *table)
{
    StoreTask *task = NULL;
    for (uint32_t i = 0, in_task = 0; i < table->n; i++) {
        if (!table->rows[i]->changed)
            continue;
        if (!task) {
            task = store_task_new(STORE_SOON);
            in_task = 0;
        }
        add_write(store, task, table->rows[i]);
        if (++in_task == BATCH) {
            store->n_writing++;
            store_submit(store->port, task, on_rows_written, store);
            task = NULL;
        }
    }
    if (task) {
        store->n_writing++;
        store_submit(store->port, task, on_rows_written, store);
    }
}

static void write_all(LedgerStore *store)
{
    write_changed(store, &store->all->failures);
    write_changed(store, &store->all->mistakes);
}

void ledger_store_beat(LedgerStore *store)
{
    begin_reading_annotations(store);
    if (!store->read) {
        if (!store->reading)
            begin_reading(store);
        return;
    }
    if (store->n_writing)
        return; /* the store is slow: the next beat writes what has changed by then */
    write_all(store);
}

void ledger_store_end(LedgerStore *store)
{
    write_all(store);
    for (LedgerFolded *next; store->folded; store->folded = next) {
        next = store->folded->next;
        free(store->folded);
    }
}

/* ---- Annotations ----------------------------------------------------------------------------- */

typedef struct Saying {
    void (*on_done)(void *owner, Result result);
    void *owner;
} Saying;

static void on_said(void *owner, Result result, StoreTask *task)
{
    Saying saying = *(Saying *)owner;
    free(owner);
    saying.on_done(saying.owner, result);
}

void ledger_store_annotate(LedgerStore *store, const Annotation *a,
                           void (*on_done)(void *owner, Result result), void *owner)
{
    Saying *saying = malloc(sizeof *saying);
    CHECK(saying);
    *saying = (Saying){on_done, owner};
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s = store_task_add(task, write_annotation);
    store_bind_text(task, s, bytes_of(arena_printf(task->arena, "%016" PRIx64, a->fingerprint)));
    store_bind_text(task, s, a->owner);
    store_bind_text(task, s, a->cause);
    store_bind_text(task, s, a->ticket);
    store_bind_integer(s, a->acknowledged);
    store_bind_integer(s, (int64_t)(a->criticality * CRITICALITY_UNIT));
    store_bind_text(task, s, a->who);
    store_bind_text(task, s, a->why);
    store_bind_integer(s, a->at);
    store_submit(store->port, task, on_said, saying);
}
