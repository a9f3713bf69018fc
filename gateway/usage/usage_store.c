#include "gateway/usage/usage_store.h"

#include "base/text/utf8.h"

enum { LAST_BATCH = 1000 /* rows of a task at the end, when nobody waits behind it */ };

static const char add_row[] =
    "INSERT INTO usage (service, version, method, field, client, shared, period, calls, last)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    " ON CONFLICT (service, version, method, field, client, shared, period) DO UPDATE"
    " SET calls = usage.calls + excluded.calls,"
    " last = CASE WHEN usage.last > excluded.last THEN usage.last ELSE excluded.last END";

/* A store takes only valid UTF-8, without zeros. */
static void bind_client(StoreTask *task, StoreStatement *s, Bytes client)
{
    Buffer text = buffer_in(task->arena);
    utf8_add_repaired(&text, client);
    for (size_t i = 0; i < text.size; i++)
        text.data[i] = text.data[i] ? text.data[i] : '?';
    store_bind_text(task, s, buffer_bytes(&text));
}

static void add_write(const UsageStore *store, StoreTask *task, const UsageCount *row)
{
    UsageName name = usage_names_get(store->names, row->use);
    StoreStatement *s = store_task_add(task, add_row);
    store_bind_text(task, s, name.service);
    store_bind_text(task, s, name.version);
    store_bind_text(task, s, name.method);
    store_bind_text(task, s, name.field);
    bind_client(task, s, row->client);
    store_bind_integer(s, row->shared);
    store_bind_integer(s, row->period);
    store_bind_integer(s, (int64_t)row->calls);
    store_bind_integer(s, row->last);
}

/* False: there are none any more in this round. */
static bool next_row(UsageStore *store, UsageCount *row_out)
{
    for (;;) {
        while (!store->rows && store->shard < USAGE_SHARDS)
            store->rows = usage_table_take(store->table, store->shard++);
        if (!store->rows)
            return false;
        if (usage_rows_next(store->rows, row_out))
            return true;
        store->spent[store->n_spent++] = store->rows;
        store->rows = NULL;
    }
}

static void free_spent(UsageStore *store)
{
    while (store->n_spent)
        usage_rows_free(store->spent[--store->n_spent]);
    store->n_batch = 0;
}

static void end_round(UsageStore *store)
{
    store->writing = false;
    if (store->again)
        usage_store_begin(store);
    else
        store->on_round(store->owner);
}

static void give_back(UsageStore *store)
{
    for (uint32_t i = 0; i < store->n_batch; i++)
        usage_table_add(store->table, &store->batch[i]);
    for (UsageCount row; store->rows && usage_rows_next(store->rows, &row);)
        usage_table_add(store->table, &row);
    usage_rows_free(store->rows);
    store->rows = NULL;
    free_spent(store);
}

static void write_next(UsageStore *store);

static void on_written(void *owner, Result result, StoreTask *task)
{
    UsageStore *store = owner;
    if (!failed(result)) {
        write_next(store);
        return;
    }
    store->n_unwritten++;
    give_back(store);
    store->again = false;
    end_round(store);
}

static void write_next(UsageStore *store)
{
    UsageCount row;
    StoreTask *task = store_task_new(STORE_SOON);
    free_spent(store);
    while (store->n_batch < USAGE_BATCH && next_row(store, &row)) {
        add_write(store, task, &row);
        store->batch[store->n_batch++] = row;
    }
    if (store->n_batch) {
        store_submit(store->port, task, on_written, store);
        return;
    }
    store_task_free(task);
    end_round(store);
}

void usage_store_begin(UsageStore *store)
{
    store->again = store->writing;
    if (store->writing)
        return;
    store->writing = true;
    store->shard = 0;
    write_next(store);
}

void usage_store_end(UsageStore *store)
{
    StoreTask *task = NULL;
    uint32_t n = 0;
    if (!store->writing)
        store->shard = 0; /* else the rest of the round comes first */
    for (int round = 0; round < 2; round++, store->shard = 0) {
        for (UsageCount row; next_row(store, &row);) {
            if (!task)
                task = store_task_new(STORE_SOON);
            add_write(store, task, &row);
            if (++n % LAST_BATCH == 0) {
                store_submit(store->port, task, NULL, NULL);
                task = NULL;
            }
        }
        free_spent(store);
    }
    if (task)
        store_submit(store->port, task, NULL, NULL);
}
