#include "gateway/job_store/job_row.h"

#include "base/arena.h"
#include "gateway/job_store/job_content.h"
#include "gateway/store/seal.h"

static const struct {
    const char *name;
    JobEvent event;
} orders[] = {
    {"cancel", JOB_CANCEL}, {"retry", JOB_RETRY},     {"skip", JOB_SKIP},
    {"undo", JOB_UNDO},     {"arrived", JOB_ARRIVED},
};

enum { N_ORDERS = sizeof orders / sizeof *orders };

const char *job_order_name(const JobOrder *order)
{
    for (size_t i = 0; order->given && i < N_ORDERS; i++)
        if (orders[i].event == order->event)
            return orders[i].name;
    return "";
}

/* ---- Sealing --------------------------------------------------------------------------------- */

static SealPlace place_of(const char *column, Bytes id)
{
    return (SealPlace){"jobs", column, id};
}

void job_row_bind_sealed(StoreTask *task, StoreStatement *statement, const char *column, Bytes id,
                         Bytes text, const StoreKeys *keys)
{
    SealPlace place = place_of(column, id);
    Buffer sealed = buffer_in(task->arena);
    seal(keys, &place, text, &sealed);
    store_bind_bytes(task, statement, buffer_bytes(&sealed));
}

void job_row_bind_content(StoreTask *task, StoreStatement *statement, const JobRecord *record,
                          const StoreKeys *keys)
{
    Buffer content = buffer_in(task->arena);
    job_content_write(record, &content);
    job_row_bind_sealed(task, statement, "content", record->id, buffer_bytes(&content), keys);
}

/* The text for people says instead why it cannot be read. */
static Bytes open_text(const StoreValue *value, const char *column, Bytes id, const StoreKeys *keys,
                       Arena *arena)
{
    SealPlace place = place_of(column, id);
    Bytes text = BYTES_NONE;
    if (value->type == STORE_NULL)
        return text;
    Result r = unseal(keys, &place, value->bytes, arena, &text);
    return failed(r) ? bytes_of(error_text(arena, r)) : bytes_copy(arena, text);
}

static void open_content(const StoreValue *value, const StoreKeys *keys, Arena *arena,
                         JobRecord *record)
{
    SealPlace place = place_of("content", record->id);
    Bytes text;
    Result r = unseal(keys, &place, value->bytes, arena, &text);
    if (!failed(r))
        r = job_content_read(text, arena, record);
    if (failed(r))
        record->damage = bytes_of(error_text(arena, r));
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* The columns in their order. */
typedef struct Columns {
    const StoreValue *next;
    Arena *arena;
} Columns;

static int64_t next_integer(Columns *columns)
{
    return (columns->next++)->integer;
}

static Bytes next_text(Columns *columns)
{
    return bytes_copy(columns->arena, (columns->next++)->bytes);
}

JobOrder job_row_read_order(const StoreValue *values, Bytes id, const StoreKeys *keys, Arena *arena)
{
    for (size_t i = 0; i < N_ORDERS; i++)
        if (bytes_are(values[0].bytes, orders[i].name))
            return (JobOrder){
                .given = true,
                .event = orders[i].event,
                .who = bytes_copy(arena, values[1].bytes),
                .why = open_text(&values[2], "ordered_why", id, keys, arena),
            };
    return (JobOrder){.given = false};
}

static void read_what(Columns *columns, JobRecord *record)
{
    record->id = next_text(columns);
    record->definition = next_text(columns);
    record->revision = (uint32_t)next_integer(columns);
    record->structure = (uint64_t)next_integer(columns);
    record->client = next_text(columns);
    record->resource = next_text(columns);
    record->request_id = next_text(columns);
    record->impact = (Impact)next_integer(columns);
    record->created = next_integer(columns);
    record->keep = next_integer(columns);
    record->behind = next_integer(columns) != 0;
}

/* A state that this gateway does not know was written by a newer one. */
static void read_state(Columns *columns, JobRecord *record)
{
    Bytes state = next_text(columns);
    if (!job_state_of(state, &record->position.state)) {
        record->position.state = JOB_FAILED;
        record->damage =
            bytes_of(arena_printf(columns->arena, "there is no state \"%.*s\"", BYTES_ARGS(state)));
    }
    record->step = next_text(columns);
    record->since = next_integer(columns);
    record->changed = next_integer(columns);
}

static void read_position(Columns *columns, JobRecord *record)
{
    JobPosition *position = &record->position;
    position->step = (uint32_t)next_integer(columns);
    position->begun = (uint64_t)next_integer(columns);
    position->undone = (uint64_t)next_integer(columns);
    position->undoing = next_integer(columns) != 0;
    position->cancelled = next_integer(columns) != 0;
    position->tries = (uint32_t)next_integer(columns);
    position->step_began = next_integer(columns);
    position->due = next_integer(columns);
}

static void read_failure(Columns *columns, const StoreKeys *keys, JobRecord *record)
{
    record->failure.fault = next_text(columns);
    record->failure.step = next_text(columns);
    record->failure.code = (Code)next_integer(columns);
    record->failure.message =
        open_text(columns->next++, "message", record->id, keys, columns->arena);
}

JobRecord *job_row_read(const StoreRow *row, const StoreKeys *keys, Arena *arena)
{
    JobRecord *record = arena_make(arena, JobRecord);
    Columns columns = {row->values, arena};
    read_what(&columns, record);
    read_state(&columns, record);
    read_position(&columns, record);
    read_failure(&columns, keys, record);
    record->owner = next_text(&columns);
    record->token = (uint64_t)next_integer(&columns);
    record->order = job_row_read_order(columns.next, record->id, keys, arena);
    columns.next += 3;
    record->told = (uint64_t)next_integer(&columns);
    record->position.undo_failed = (uint64_t)next_integer(&columns);
    record->parked = next_text(&columns);
    if (columns.next->type != STORE_NULL)
        open_content(columns.next, keys, arena, record);
    return record;
}
