#include "gateway/ledger/ledger_store.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/ledger/failure_text.h"
#include "gateway/store/seal.h"
#include "gateway/tally/criticality.h"
#include "gateway/telemetry/telemetry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 50 /* rows of one task, so that others do not wait long behind it */ };

/* A key with a plus is one beside another (id_of). */
static const char read_newest[] =
    "SELECT id, content FROM failures WHERE node = $1 AND mistake = $2 AND id NOT LIKE '%+%'"
    " ORDER BY last DESC LIMIT $3";

static const char read_apart[] = "SELECT id, content FROM failures WHERE node = $1"
                                 " AND id LIKE '%+%' ORDER BY last DESC LIMIT $2";

static const char read_one[] = "SELECT id, content FROM failures WHERE id = $1";

/* Another gateway may have the same name by mistake, or be the one that this one takes over from.
 */
static const char write_row[] =
    "INSERT INTO failures (id, node, last, content, mistake, times)"
    " VALUES ($1, $2, $3, $4, $5, $6)"
    " ON CONFLICT (id) DO UPDATE SET last = excluded.last, content = excluded.content,"
    " mistake = excluded.mistake, times = excluded.times WHERE failures.times <= excluded.times";

/* It belongs to no gateway any more, so that nobody reads it again. */
static const char set_aside[] = "UPDATE failures SET id = $2, node = '' WHERE id = $1";

static const char delete_oldest[] =
    "DELETE FROM failures WHERE node = $1 AND mistake = $2 AND id NOT IN (SELECT id FROM failures"
    " WHERE node = $1 AND mistake = $2 ORDER BY last DESC LIMIT $3)";

static const char read_annotations[] =
    "SELECT fingerprint, owner, cause, ticket, acknowledged, who, why, at, sealed"
    " FROM annotations ORDER BY at DESC LIMIT $1";

static const char write_annotation[] =
    "INSERT INTO annotations (fingerprint, owner, cause, ticket, acknowledged, criticality, who,"
    " why, at, sealed) VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9)"
    " ON CONFLICT (fingerprint) DO UPDATE SET owner = excluded.owner, cause = excluded.cause,"
    " ticket = excluded.ticket, acknowledged = excluded.acknowledged, who = excluded.who,"
    " why = excluded.why, at = excluded.at, sealed = excluded.sealed";

static const char forget_row[] = "DELETE FROM failures WHERE id = $1";

/* ---- Keys ------------------------------------------------------------------------------------ */

/*
 * "gw1/52de81fa7cda618d". A gateway that does not know what is there cannot add to it, and writes
 * its rows beside it, with the time of its start behind a plus; the next one folds them together.
 */
static const char *id_of(const LedgerStore *store, Arena *arena, uint64_t fingerprint, bool apart)
{
    const char *id = arena_printf(arena, "%s/%016" PRIx64, store->node, fingerprint);
    return apart ? arena_printf(arena, "%s+%" PRId64, id, store->process) : id;
}

static SealPlace place_of(Bytes id)
{
    return (SealPlace){"failures", "content", id};
}

static void remember(LedgerKey **list, uint64_t fingerprint, Bytes id)
{
    LedgerKey *key = calloc(1, sizeof *key + id.size + 1);
    CHECK(key);
    key->fingerprint = fingerprint;
    memcpy(key->id, id.data, id.size);
    key->next = *list;
    *list = key;
}

static bool is_in(const LedgerKey *list, Bytes id)
{
    while (list && !bytes_are(id, list->id))
        list = list->next;
    return list != NULL;
}

static void free_keys(LedgerKey **list)
{
    for (LedgerKey *next; *list; *list = next) {
        next = (*list)->next;
        free(*list);
    }
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static bool is_mistake(const FailureRow *row)
{
    return row->key.side == SIDE_CLIENT;
}

static FailureTable *table_of(Tally *all, const FailureRow *row)
{
    return is_mistake(row) ? &all->mistakes : &all->failures;
}

static FailureRow *find_row(LedgerStore *store, uint64_t fingerprint)
{
    FailureRow *row = failure_table_find(&store->all->failures, fingerprint);
    return row ? row : failure_table_find(&store->all->mistakes, fingerprint);
}

/* What is sealed with a key that is not there may be opened again when it is. */
static void tell_closed(LedgerStore *store, Bytes id, Result why)
{
    if (is_in(store->closed, id))
        return;
    remember(&store->closed, 0, id);
    store->n_damaged++;
    telemetry_event("warning", "ledger_row_damaged", why,
                    "the record %.*s of the ledger cannot be opened, and stays as it is",
                    BYTES_ARGS(id));
}

static void put_aside(LedgerStore *store, Arena *arena, Bytes id, Result why)
{
    if (why.error->fault == &FAULT_STORE_SEALED) {
        tell_closed(store, id, why);
        return;
    }
    store->n_damaged++;
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

/* The row, which the caller frees; NULL: it cannot be read, which was told. */
static FailureRow *open_row(LedgerStore *store, Arena *arena, const StoreValue *values)
{
    Bytes id = values[0].bytes, content;
    SealPlace place = place_of(id);
    FailureRow *row = NULL;
    Result r = unseal(store->keys, &place, values[1].bytes, arena, &content);
    if (!failed(r))
        r = failure_text_read(arena, content, &row);
    if (failed(r))
        put_aside(store, arena, id, r);
    return row;
}

/* What this process knew of the method is counted by it still. */
static void prepare(const LedgerStore *store, FailureRow *kept)
{
    if (kept->method.process == store->process)
        kept->method = (FailureMethod){0};
    if (store->config)
        kept->series = tally_series(store->config, &kept->key);
}

/* It is as it is in the store, unless it was seen since, or comes out of several. */
static void add_kept(LedgerStore *store, FailureRow *kept, Bytes id, Arena *arena)
{
    FailureTable *table = table_of(store->all, kept);
    const FailureRow *known = failure_table_find(table, kept->fingerprint);
    bool apart = !bytes_are(id, id_of(store, arena, kept->fingerprint, false));
    if (!known && !failure_table_admits(table, &kept->key))
        return; /* it stays where it is */
    prepare(store, kept);
    kept->changed = false;
    failure_table_merge(table, kept);
    FailureRow *row = failure_table_find(table, kept->fingerprint);
    if (!row)
        return; /* it matters less than all others */
    row->changed = apart || known;
    if (apart)
        remember(&store->folded, kept->fingerprint, id);
    else
        row->stored = STORED_KNOWN;
}

/* False: it cannot be read. */
static bool take_row(LedgerStore *store, const StoreValue *values)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    FailureRow *row = open_row(store, arena, values);
    if (row) {
        add_kept(store, row, values[0].bytes, arena);
        failure_row_free(row);
    }
    arena_free(arena);
    return row != NULL;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void on_rows_read(void *owner, Result result, StoreTask *task)
{
    LedgerStore *store = owner;
    store->reading = false;
    if (failed(result))
        return; /* the store tells that it is down; the next beat tries again */
    store->read = true;
    for (const StoreStatement *s = task->first; s; s = s->next)
        for (const StoreRow *at = s->rows; at; at = at->next)
            take_row(store, at->values);
}

static void begin_reading(LedgerStore *store)
{
    StoreTask *task = store_task_new(STORE_SOON);
    for (int mistake = 0; mistake < 2; mistake++) {
        StoreStatement *s = store_task_add(task, read_newest);
        store_bind_text(task, s, bytes_of(store->node));
        store_bind_integer(s, mistake);
        store_bind_integer(s, store->rows);
    }
    StoreStatement *s = store_task_add(task, read_apart);
    store_bind_text(task, s, bytes_of(store->node));
    store_bind_integer(s, 2 * LEDGER_STORED * (int64_t)store->rows);
    store->reading = true;
    store_submit(store->port, task, on_rows_read, store);
}

/* ---- Batches --------------------------------------------------------------------------------- */

/* Rows, in tasks of BATCH. */
typedef struct Batch {
    LedgerStore *store;
    void (*submit)(LedgerStore *store, StoreTask *task);
    StoreTask *task; /* NULL: none is begun */
    uint32_t n;      /* rows in it */
} Batch;

static void batch_end(Batch *batch)
{
    if (batch->task)
        batch->submit(batch->store, batch->task);
    batch->task = NULL;
    batch->n = 0;
}

/* The task for one more row. */
static StoreTask *batch_next(Batch *batch)
{
    if (batch->n == BATCH)
        batch_end(batch);
    if (!batch->task)
        batch->task = store_task_new(STORE_SOON);
    batch->n++;
    return batch->task;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Whoever writes a row into which others were folded deletes those in the same transaction: either
   both take effect or none does, and nothing is counted twice. */
static void add_write(LedgerStore *store, StoreTask *task, FailureRow *row)
{
    Buffer content = buffer_in(task->arena), sealed = buffer_in(task->arena);
    bool apart = row->stored != STORED_KNOWN;
    Bytes id = bytes_of(id_of(store, task->arena, row->fingerprint, apart));
    SealPlace place = place_of(id);
    FailureMethod method =
        criticality_keep(row, tally_use(store->all, row->series), store->process, clock_wall());
    failure_text_write(row, &method, store->redact, &content);
    seal(store->keys, &place, buffer_bytes(&content), &sealed);
    StoreStatement *s = store_task_add(task, write_row);
    store_bind_text(task, s, id);
    store_bind_text(task, s, bytes_of(store->node));
    store_bind_integer(s, row->last);
    store_bind_bytes(task, s, buffer_bytes(&sealed));
    store_bind_integer(s, is_mistake(row));
    store_bind_integer(s, (int64_t)row->count);
    for (const LedgerKey *f = store->folded; f; f = f->next)
        if (f->fingerprint == row->fingerprint && !bytes_are(id, f->id))
            store_bind_text(task, store_task_add(task, forget_row), bytes_of(f->id));
    row->changed = false;
}

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

static void submit_writing(LedgerStore *store, StoreTask *task)
{
    store->n_writing++;
    store_submit(store->port, task, on_rows_written, store);
}

/* `whole`: also those of which nobody knows what is there. */
static void write_changed(LedgerStore *store, FailureTable *table, bool whole)
{
    Batch batch = {.store = store, .submit = submit_writing};
    for (uint32_t i = 0; i < table->n; i++) {
        FailureRow *row = table->rows[i];
        if (row->changed && (row->stored != STORED_UNKNOWN || whole))
            add_write(store, batch_next(&batch), row);
    }
    batch_end(&batch);
}

static void write_all(LedgerStore *store, bool whole)
{
    write_changed(store, &store->all->failures, whole);
    write_changed(store, &store->all->mistakes, whole);
}

/* The store grows only by kinds that are new. */
static void delete_what_is_old(LedgerStore *store)
{
    if (!store->grown)
        return;
    store->grown = false;
    StoreTask *task = store_task_new(STORE_SOON);
    for (int mistake = 0; mistake < 2; mistake++) {
        StoreStatement *s = store_task_add(task, delete_oldest);
        store_bind_text(task, s, bytes_of(store->node));
        store_bind_integer(s, mistake);
        store_bind_integer(s, LEDGER_STORED * (int64_t)store->rows);
    }
    store_submit(store->port, task, NULL, NULL);
}

/* ---- New kinds ------------------------------------------------------------------------------- */

/* The fingerprint that a key of this gateway ends with. */
static FailureRow *row_of_id(LedgerStore *store, Bytes id)
{
    uint64_t fingerprint;
    bool good = id.size >= 16 && fingerprint_read(bytes_slice(id, id.size - 16, 16), &fingerprint);
    return good ? find_row(store, fingerprint) : NULL;
}

/* The row may have given way meanwhile. */
static void take_found(LedgerStore *store, const StoreStatement *s)
{
    Bytes id = s->parameters[0].bytes;
    FailureRow *row = row_of_id(store, id);
    if (!row || row->stored != STORED_UNKNOWN)
        return;
    bool good = !s->rows || take_row(store, s->rows->values);
    row->stored = good ? STORED_KNOWN : STORED_APART;
    store->grown |= !s->rows;
}

static void on_found(void *owner, Result result, StoreTask *task)
{
    LedgerStore *store = owner;
    store->n_looking--;
    for (const StoreStatement *s = task->first; s && !failed(result); s = s->next)
        take_found(store, s);
    if (!store->n_looking) {
        write_all(store, false);
        delete_what_is_old(store);
    }
}

static void look(LedgerStore *store, StoreTask *task)
{
    store->n_looking++;
    store_submit(store->port, task, on_found, store);
}

/* What is there of the kinds that are new here. */
static void look_for_new(LedgerStore *store, FailureTable *table)
{
    Batch batch = {.store = store, .submit = look};
    for (uint32_t i = 0; i < table->n; i++) {
        const FailureRow *row = table->rows[i];
        if (row->stored != STORED_UNKNOWN)
            continue;
        StoreTask *task = batch_next(&batch);
        StoreStatement *s = store_task_add(task, read_one);
        store_bind_text(task, s, bytes_of(id_of(store, task->arena, row->fingerprint, false)));
    }
    batch_end(&batch);
}

/* ---- Beats ----------------------------------------------------------------------------------- */

static void begin(LedgerStore *store)
{
    if (!store->process)
        store->process = clock_wall();
}

static void begin_reading_annotations(LedgerStore *store);

void ledger_store_beat(LedgerStore *store)
{
    begin(store);
    begin_reading_annotations(store);
    if (!store->read) {
        if (!store->reading)
            begin_reading(store);
        return;
    }
    if (store->n_looking || store->n_writing)
        return; /* the store is slow: the next beat writes what has changed by then */
    failure_table_trim_stored(&store->all->failures, store->rows, clock_wall());
    failure_table_trim_stored(&store->all->mistakes, store->rows, clock_wall());
    look_for_new(store, &store->all->failures);
    look_for_new(store, &store->all->mistakes);
    write_all(store, false);
}

/* What was seen lately is written again, with the calls of its method until now. */
static void mark_recent(FailureTable *table)
{
    int64_t since = clock_wall() - WINDOW_HOUR;
    for (uint32_t i = 0; i < table->n; i++)
        table->rows[i]->changed |= table->rows[i]->last > since;
}

void ledger_store_end(LedgerStore *store)
{
    begin(store);
    mark_recent(&store->all->failures);
    mark_recent(&store->all->mistakes);
    write_all(store, true);
    free_keys(&store->folded);
    free_keys(&store->closed);
}

/* ---- Annotations ----------------------------------------------------------------------------- */

static SealPlace place_of_texts(Bytes fingerprint)
{
    return (SealPlace){"annotations", "sealed", fingerprint};
}

static Annotation annotation_of(const StoreValue *v)
{
    Annotation a = {
        .owner = v[1].bytes,
        .cause = v[2].bytes,
        .ticket = v[3].bytes,
        .acknowledged = v[4].integer,
        .who = v[5].bytes,
        .why = v[6].bytes,
        .at = v[7].integer,
    };
    return a;
}

/* Texts that were sealed. If they cannot be opened, what else is known of it is of use. */
static void open_texts(LedgerStore *store, Arena *arena, const StoreValue *v, Annotation *a)
{
    SealPlace place = place_of_texts(v[0].bytes);
    Bytes texts;
    Result r = unseal(store->keys, &place, v[8].bytes, arena, &texts);
    if (!failed(r))
        r = annotation_read_texts(arena, texts, a);
    a->closed = failed(r);
    if (!failed(r) || is_in(store->closed, v[0].bytes))
        return;
    remember(&store->closed, a->fingerprint, v[0].bytes);
    telemetry_event("warning", "annotation_closed", r,
                    "what was said of the failure %.*s cannot be opened, and stays as it is",
                    BYTES_ARGS(v[0].bytes));
}

static void on_annotations_read(void *owner, Result result, StoreTask *task)
{
    LedgerStore *store = owner;
    if (failed(result))
        return;
    annotations_clear(store->annotations);
    for (const StoreRow *row = task->first->rows; row; row = row->next) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        Annotation annotation = annotation_of(row->values);
        if (fingerprint_read(row->values[0].bytes, &annotation.fingerprint)) {
            if (row->values[8].type == STORE_BYTES)
                open_texts(store, arena, row->values, &annotation);
            annotations_put(store->annotations, &annotation);
        }
        arena_free(arena);
    }
}

static void begin_reading_annotations(LedgerStore *store)
{
    StoreTask *task = store_task_new(STORE_SOON);
    store_bind_integer(store_task_add(task, read_annotations), ANNOTATIONS_MOST);
    store_submit(store->port, task, on_annotations_read, store);
}

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

/* Columns for people with SQL where nothing is sealed, and one that is sealed where there are keys.
 */
static void bind_sealed(const LedgerStore *store, StoreTask *task, StoreStatement *s,
                        Bytes fingerprint, const Annotation *a)
{
    if (!store->keys->n) {
        store_bind_null(s);
        return;
    }
    SealPlace place = place_of_texts(fingerprint);
    Buffer texts = buffer_in(task->arena), sealed = buffer_in(task->arena);
    annotation_write_texts(a, &texts);
    seal(store->keys, &place, buffer_bytes(&texts), &sealed);
    store_bind_bytes(task, s, buffer_bytes(&sealed));
}

void ledger_store_annotate(LedgerStore *store, const Annotation *a,
                           void (*on_done)(void *owner, Result result), void *owner)
{
    Saying *saying = malloc(sizeof *saying);
    CHECK(saying);
    *saying = (Saying){on_done, owner};
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s = store_task_add(task, write_annotation);
    Bytes fingerprint = bytes_of(arena_printf(task->arena, "%016" PRIx64, a->fingerprint));
    bool plain = !store->keys->n;
    store_bind_text(task, s, fingerprint);
    store_bind_text(task, s, plain ? a->owner : BYTES_NONE);
    store_bind_text(task, s, plain ? a->cause : BYTES_NONE);
    store_bind_text(task, s, plain ? a->ticket : BYTES_NONE);
    store_bind_integer(s, a->acknowledged);
    store_bind_text(task, s, a->who);
    store_bind_text(task, s, plain ? a->why : BYTES_NONE);
    store_bind_integer(s, a->at);
    bind_sealed(store, task, s, fingerprint, a);
    store_submit(store->port, task, on_said, saying);
}
