#include "gateway/signal/signal_clients.h"

#include "base/arena.h"
#include "gateway/signal/silence.h"
#include "gateway/store/store_apart.h"

#include <stdlib.h>

struct SignalClients {
    uv_async_t read;
    Usage *usage;
    Store *store; /* NULL: there is none */
    StoreSurvey survey;
    SignalClientsRead *on_read;
    void *owner;
    _Atomic int64_t since;

    pthread_mutex_t mutex; /* of the next three */
    bool stopped;          /* `read` closes */
    Arena *arena;          /* of what the survey has read; NULL: nothing */
    Buffer found;          /* SignalClient */
};

/* ---- From the store -------------------------------------------------------------------------- */

static const char read_clients[] =
    "SELECT client, max(last), sum(calls) FROM usage WHERE last >= $1 AND shared = 0"
    " AND client <> '' AND field = '' GROUP BY client ORDER BY sum(calls) DESC LIMIT $2";

static void add(Buffer *found, Bytes name, int64_t last, uint64_t calls)
{
    SignalClient client = {.hash = bytes_hash(name),
                           .name = arena_text(found->arena, name),
                           .last = last,
                           .calls = calls};
    buffer_add(found, &client, sizeof client);
}

static void keep(SignalClients *clients, Arena *arena, Buffer found)
{
    pthread_mutex_lock(&clients->mutex);
    arena_free(clients->arena);
    clients->arena = arena;
    clients->found = found;
    if (!clients->stopped)
        uv_async_send(&clients->read);
    pthread_mutex_unlock(&clients->mutex);
}

/* On the survey's thread. */
static void read_store(void *owner)
{
    SignalClients *clients = owner;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer found = buffer_in(arena);
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(task, read_clients);
    store_bind_integer(s, atomic_load(&clients->since));
    store_bind_integer(s, SILENCE_CLIENTS);
    Result r = store_run_apart(store_settings(clients->store), arena, task);
    error_ignore(r, "the next hour is read again");
    for (const StoreRow *row = failed(r) ? NULL : s->rows; row; row = row->next)
        add(&found, row->values[0].bytes, row->values[1].integer, (uint64_t)row->values[2].integer);
    store_task_free(task);
    if (failed(r))
        arena_free(arena);
    else
        keep(clients, arena, found);
}

static void on_read(uv_async_t *read)
{
    SignalClients *clients = read->data;
    pthread_mutex_lock(&clients->mutex);
    Arena *arena = clients->arena;
    Buffer found = clients->found;
    clients->arena = NULL;
    pthread_mutex_unlock(&clients->mutex);
    if (!arena)
        return;
    clients->on_read(clients->owner, (const SignalClient *)(const void *)found.data,
                     (uint32_t)(found.size / sizeof(SignalClient)));
    arena_free(arena);
}

/* ---- From memory ----------------------------------------------------------------------------- */

static void see(void *owner, const UsageCount *row)
{
    if (!row->shared && row->client.size)
        add(owner, row->client, row->last, row->calls);
}

static int by_hash(const void *a, const void *b)
{
    uint64_t one = ((const SignalClient *)a)->hash, other = ((const SignalClient *)b)->hash;
    return (one > other) - (one < other);
}

static int busiest_first(const void *a, const void *b)
{
    uint64_t one = ((const SignalClient *)a)->calls, other = ((const SignalClient *)b)->calls;
    return (one < other) - (one > other);
}

/* Rows of one client become one. */
static uint32_t fold(SignalClient *rows, uint32_t n)
{
    uint32_t kept = 0;
    qsort(rows, n, sizeof *rows, by_hash);
    for (uint32_t i = 1; i < n; i++) {
        if (rows[i].hash != rows[kept].hash) {
            rows[++kept] = rows[i];
            continue;
        }
        rows[kept].calls += rows[i].calls;
        rows[kept].last = rows[i].last > rows[kept].last ? rows[i].last : rows[kept].last;
    }
    return kept + 1;
}

static void read_memory(SignalClients *clients)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer found = buffer_in(arena);
    usage_each_client(clients->usage, see, &found);
    SignalClient *rows = (SignalClient *)(void *)found.data;
    uint32_t n = (uint32_t)(found.size / sizeof *rows);
    if (n) {
        n = fold(rows, n);
        qsort(rows, n, sizeof *rows, busiest_first);
    }
    clients->on_read(clients->owner, rows, n < SILENCE_CLIENTS ? n : SILENCE_CLIENTS);
    arena_free(arena);
}

/* ---- The whole ------------------------------------------------------------------------------- */

SignalClients *signal_clients_new(uv_loop_t *loop, Usage *usage, Store *store,
                                  SignalClientsRead *read, void *owner)
{
    SignalClients *clients = calloc(1, sizeof *clients);
    CHECK(clients);
    clients->usage = usage;
    clients->store = store;
    clients->on_read = read;
    clients->owner = owner;
    clients->survey = (StoreSurvey){.store = store, .run = read_store, .owner = clients};
    CHECK(pthread_mutex_init(&clients->mutex, NULL) == 0);
    CHECK(uv_async_init(loop, &clients->read, on_read) == 0);
    clients->read.data = clients;
    return clients;
}

void signal_clients_ask(SignalClients *clients, int64_t since)
{
    atomic_store(&clients->since, since);
    if (clients->store)
        store_survey_begin(&clients->survey);
    else
        read_memory(clients);
}

void signal_clients_stop(SignalClients *clients)
{
    pthread_mutex_lock(&clients->mutex);
    clients->stopped = true;
    pthread_mutex_unlock(&clients->mutex);
    uv_close((uv_handle_t *)&clients->read, NULL);
}

void signal_clients_free(SignalClients *clients)
{
    if (clients->store && !store_survey_end(&clients->survey))
        return;
    arena_free(clients->arena);
    pthread_mutex_destroy(&clients->mutex);
    free(clients);
}
