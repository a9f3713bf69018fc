/*
 * StoreTask: a unit of work for the store: statements that are executed in order, in one
 * transaction. Either all of them take effect or none does.
 *
 * The statements are SQL that SQLite and PostgreSQL both understand; parameters are $1 to $24. A
 * statement's text is a literal: sessions prepare each one once and know it by its address.
 *
 * A task has memory of its own. One thread fills it in and gives it to the store (store_submit or
 * store_run); from then on only the store's thread touches it, until the task is done.
 */
#ifndef GATEWAY_STORE_TASK_H
#define GATEWAY_STORE_TASK_H

#include "base/bytes.h"
#include "base/result.h"

enum { STORE_MAX_PARAMETERS = 24 };

#define STORE_ANY_CHANGES (-1)

typedef enum StoreType { STORE_NULL, STORE_INTEGER, STORE_TEXT, STORE_BYTES } StoreType;

/* What a parameter is, or what a column holds. */
typedef struct StoreValue {
    StoreType type;
    int64_t integer;
    Bytes bytes; /* of STORE_TEXT (UTF-8) and STORE_BYTES */
} StoreValue;

typedef struct StoreRow {
    struct StoreRow *next;
    StoreValue values[];
} StoreRow;

typedef struct StoreStatement {
    struct StoreStatement *next;
    const char *sql;
    StoreValue parameters[STORE_MAX_PARAMETERS];
    uint32_t n_parameters;
    int64_t expected; /* the number of rows that it must change, else STORE_CONFLICT; or
                         STORE_ANY_CHANGES */

    /* Set when it was executed. */
    int64_t changed; /* rows inserted, updated or deleted */
    StoreRow *rows;  /* in order */
    uint32_t n_rows, n_columns;
} StoreStatement;

/* How long the effects of a task last after it is done. */
typedef enum StoreDurability {
    STORE_SOON,     /* a crash of the machine may lose what was done in the last moments */
    STORE_PROMISED, /* on disk before the task is done: for what was promised to somebody */
} StoreDurability;

typedef struct StoreTask {
    Arena *arena;
    StoreStatement *first, *last;
    StoreDurability durability;

    Result result; /* when it is done */

    /* For the store only. */
    struct StoreTask *next;
    int64_t due; /* monotonic nanoseconds: it is given up then */
    bool reads;  /* it changes nothing, however it ends */
    _Atomic int state;
    void (*on_executed)(struct StoreTask *task); /* on the store's thread */
    void *waiter;
    void (*on_done)(void *owner, Result result, struct StoreTask *task);
    void *owner;
} StoreTask;

StoreTask *store_task_new(StoreDurability durability);

/* Of a task that was not given to the store, or that store_run has executed. NULL is allowed. */
void store_task_free(StoreTask *task);

/* Adds a statement. `sql` lives as long as the process. */
StoreStatement *store_task_add(StoreTask *task, const char *sql);

/* Whether all statements are SELECTs: such a task has no effect, however it ends. */
bool store_task_reads(const StoreTask *task);

/* The next parameter of the statement; bytes and texts are copied into the task. */
void store_bind_integer(StoreStatement *statement, int64_t value);
void store_bind_text(StoreTask *task, StoreStatement *statement, Bytes text);
void store_bind_bytes(StoreTask *task, StoreStatement *statement, Bytes value);
void store_bind_null(StoreStatement *statement);

/* For backends: a row at the end of the statement's rows, its values cleared. */
StoreRow *store_add_row(StoreTask *task, StoreStatement *statement, StoreRow **last);

/* For backends: takes away what an execution that did not count has left. */
void store_task_forget(StoreTask *task);

#endif
