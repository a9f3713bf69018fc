#include "gateway/store/store_report.h"

#include "base/arena.h"
#include "gateway/store/store_backend.h"
#include "gateway/store/store_schema.h"

#include <libpq-fe.h>

typedef struct Reading {
    const StoreBackend *backend;
    StoreSession *session;
    Arena *arena;
    StoreReport *report;
} Reading;

/* ---- Statements ------------------------------------------------------------------------------ */

/* `table` NULL: the statement has no parameter. The rows live as long as the task. */
static Result ask(const Reading *reading, const char *sql, const char *table, StoreTask **task_out)
{
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(task, sql);
    if (table)
        store_bind_text(task, s, bytes_of(table));
    reading->backend->execute(reading->session, &task, 1);
    *task_out = task;
    return error_copy(reading->arena, task->result);
}

/* The first columns of the one row; NULL in it is 0. */
static Result ask_numbers(const Reading *reading, const char *sql, const char *table,
                          int64_t *numbers, size_t n)
{
    StoreTask *task;
    Result r = ask(reading, sql, table, &task);
    for (size_t i = 0; i < n; i++)
        numbers[i] = failed(r) ? 0 : task->first->rows->values[i].integer;
    store_task_free(task);
    return r;
}

/* ---- The parts ------------------------------------------------------------------------------- */

static Result read_schema(const Reading *reading)
{
    int64_t there, numbers[2];
    Result r = ask_numbers(reading, reading->backend->has_table, "store_schema", &there, 1);
    if (failed(r) || !there)
        return r;
    r = ask_numbers(reading,
                    "SELECT coalesce(max(number), 0), coalesce(max(oldest_reader), 0)"
                    " FROM store_schema",
                    NULL, numbers, 2);
    reading->report->schema = numbers[0];
    reading->report->oldest_reader = numbers[1];
    return r;
}

static Result read_table(const Reading *reading, const StoreKind *kind, StoreTable *table)
{
    int64_t numbers[2], bytes;
    Result r = ask_numbers(reading, kind->measure, NULL, numbers, 2);
    if (failed(r))
        return r;
    *table = (StoreTable){kind->table, numbers[0], -1, numbers[1]};
    r = ask_numbers(reading, reading->backend->table_size, kind->table, &bytes, 1);
    if (!failed(r))
        table->bytes = bytes;
    /* SQLite can be built without dbstat. */
    return failed(r) && r.error->fault == &FAULT_INTERNAL ? OK : r;
}

static Result read_tables(const Reading *reading, const StoreKinds *kinds)
{
    StoreReport *report = reading->report;
    Result r = OK;
    report->tables = arena_array(reading->arena, StoreTable, kinds->n);
    for (size_t i = 0; i < kinds->n && !failed(r); i++)
        if (kinds->kinds[i].since <= report->schema)
            r = read_table(reading, &kinds->kinds[i], &report->tables[report->n_tables++]);
    return r;
}

static Result read_damage(const Reading *reading)
{
    StoreReport *report = reading->report;
    StoreTask *task;
    Result r = ask(reading, reading->backend->integrity, NULL, &task);
    report->damage = arena_array(reading->arena, const char *, task->first->n_rows);
    for (const StoreRow *row = task->first->rows; row; row = row->next)
        if (!bytes_are(row->values[0].bytes, "ok"))
            report->damage[report->n_damage++] = arena_text(reading->arena, row->values[0].bytes);
    store_task_free(task);
    if (failed(r) && error_origin(r)->fault == &FAULT_STORE_DAMAGED) {
        report->damage = arena_array(reading->arena, const char *, 1);
        report->damage[0] = error_origin(r)->doing;
        report->n_damage = 1;
        return OK; /* so bad that the check itself stumbles */
    }
    return r;
}

Result store_report(const StoreSettings *settings, const StoreKinds *kinds, bool check,
                    Arena *arena, StoreReport *out)
{
    StoreSettings reading_only = *settings;
    reading_only.read_only = true;
    Reading reading = {settings->postgresql ? &store_postgresql : &store_sqlite, NULL, arena, out};
    *out = (StoreReport){.kind = reading.backend->name};
    Result r = reading.backend->open(&reading_only, arena, &reading.session);
    if (failed(r))
        return r;
    r = ask_numbers(&reading, reading.backend->size, NULL, &out->bytes, 1);
    if (!failed(r) && check && reading.backend->integrity)
        r = read_damage(&reading);
    if (!failed(r) && !out->n_damage)
        r = read_schema(&reading);
    if (!failed(r) && !out->n_damage)
        r = read_tables(&reading, kinds);
    reading.backend->close(reading.session);
    return r;
}

bool store_report_is_usable(const StoreReport *report)
{
    return !report->n_damage && report->oldest_reader <= store_schema_number();
}

/* ---- Its address ----------------------------------------------------------------------------- */

/* As libpq reads it: in single quotes, with a backslash before quotes and backslashes. */
static void add_option(Buffer *out, const PQconninfoOption *option)
{
    buffer_printf(out, "%s%s='", out->size ? " " : "", option->keyword);
    for (const char *c = option->val; *c; c++) {
        if (*c == '\'' || *c == '\\')
            buffer_add_byte(out, '\\');
        buffer_add_byte(out, (uint8_t)*c);
    }
    buffer_add_byte(out, '\'');
}

const char *store_shown_address(Arena *arena, const char *address)
{
    Buffer out = buffer_in(arena);
    PQconninfoOption *options = PQconninfoParse(address, NULL);
    for (const PQconninfoOption *o = options; o && o->keyword; o++)
        if (o->val && o->dispchar[0] != '*') /* libpq marks passwords so */
            add_option(&out, o);
    PQconninfoFree(options);
    return arena_text(arena, buffer_bytes(&out));
}
