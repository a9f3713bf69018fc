#include "gateway/store/store_task.h"

#include "base/arena.h"

StoreTask *store_task_new(StoreDurability durability)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    StoreTask *task = arena_make(arena, StoreTask);
    task->arena = arena;
    task->durability = durability;
    return task;
}

void store_task_free(StoreTask *task)
{
    if (task)
        arena_free(task->arena);
}

StoreStatement *store_task_add(StoreTask *task, const char *sql)
{
    StoreStatement *statement = arena_make(task->arena, StoreStatement);
    statement->sql = sql;
    statement->expected = STORE_ANY_CHANGES;
    if (task->last)
        task->last->next = statement;
    else
        task->first = statement;
    task->last = statement;
    return statement;
}

bool store_task_reads(const StoreTask *task)
{
    bool reads = true;
    for (const StoreStatement *s = task->first; s; s = s->next)
        reads &= bytes_start_with(bytes_of(s->sql), "SELECT ");
    return reads;
}

static StoreValue *next_parameter(StoreStatement *statement, StoreType type)
{
    CHECK(statement->n_parameters < STORE_MAX_PARAMETERS);
    StoreValue *value = &statement->parameters[statement->n_parameters++];
    value->type = type;
    return value;
}

void store_bind_integer(StoreStatement *statement, int64_t value)
{
    next_parameter(statement, STORE_INTEGER)->integer = value;
}

void store_bind_text(StoreTask *task, StoreStatement *statement, Bytes text)
{
    next_parameter(statement, STORE_TEXT)->bytes = bytes_copy(task->arena, text);
}

void store_bind_bytes(StoreTask *task, StoreStatement *statement, Bytes value)
{
    next_parameter(statement, STORE_BYTES)->bytes = bytes_copy(task->arena, value);
}

void store_bind_null(StoreStatement *statement)
{
    next_parameter(statement, STORE_NULL);
}

StoreRow *store_add_row(StoreTask *task, StoreStatement *statement, StoreRow **last)
{
    StoreRow *row =
        arena_calloc(task->arena, 1, sizeof(StoreRow) + statement->n_columns * sizeof(StoreValue));
    if (*last)
        (*last)->next = row;
    else
        statement->rows = row;
    *last = row;
    statement->n_rows++;
    return row;
}

void store_task_forget(StoreTask *task)
{
    for (StoreStatement *s = task->first; s; s = s->next) {
        s->changed = 0;
        s->rows = NULL;
        s->n_rows = s->n_columns = 0;
    }
}
