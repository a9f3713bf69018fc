#include "gateway/usage/usage_find.h"
#include "base/text/query.h"

#include <stdlib.h>

/* ---- The question ---------------------------------------------------------------------------- */

enum { LIMIT = 100 };

static bool is_true(Bytes value)
{
    return bytes_are(value, "true") || bytes_are(value, "1");
}

static bool read_limit(Bytes value, uint32_t *limit)
{
    uint64_t number;
    if (!bytes_to_u64(value, &number) || number > USAGE_CLIENTS_MOST)
        return false;
    *limit = (uint32_t)number;
    return true;
}

static bool read_member(Bytes name, Bytes value, UsageQuestion *question)
{
    if (bytes_are(name, "service"))
        question->service = value;
    else if (bytes_are(name, "version"))
        question->version = value;
    else if (bytes_are(name, "client"))
        question->client = value;
    else if (bytes_are(name, "fields"))
        question->fields = is_true(value);
    else
        return bytes_are(name, "limit") && read_limit(value, &question->limit);
    question->one_client |= bytes_are(name, "client");
    return true;
}

Result usage_question_read(Bytes query, Arena *arena, UsageQuestion *question_out)
{
    *question_out = (UsageQuestion){.limit = LIMIT};
    for (QueryPair member; query_next(&query, arena, &member);)
        if (!member.good || !read_member(member.name, member.value, question_out))
            return FAIL(arena, FAULT_BAD_VALUE,
                        "the query has service, version, client, fields and limit, which is at "
                        "most %d",
                        (int)USAGE_CLIENTS_MOST);
    return OK;
}

/* ---- In memory ------------------------------------------------------------------------------- */

/* Rows of one shard, which has all rows of its clients. */
typedef struct Finding {
    UsageNames *names;
    const UsageQuestion *question;
    uint32_t shared; /* which shared row the client has */
    Arena *arena;    /* of `rows`; reset with each shard */
    UsageCount *rows;
    size_t n, capacity;
    Arena *out;
    UsageFound *found;
    uint32_t methods_room, clients_room;
    uint32_t *places; /* [use]: where its method is in `found`, + 1; 0: not yet */
    uint32_t n_places;
} Finding;

static bool is_asked(const Finding *f, const UsageCount *row, const UsageName *name)
{
    const UsageQuestion *q = f->question;
    bool of_client = row->shared ? row->shared == f->shared : bytes_equal(row->client, q->client);
    return (!q->service.size || bytes_equal(q->service, name->service)) &&
           (!q->version.size || bytes_equal(q->version, name->version)) &&
           (q->fields || !name->field.size) && (!q->one_client || of_client);
}

static void see(void *owner, const UsageCount *row)
{
    Finding *f = owner;
    UsageName name = usage_names_get(f->names, row->use);
    if (!is_asked(f, row, &name))
        return;
    if (f->n == f->capacity) {
        size_t more = f->capacity ? 2 * f->capacity : 64;
        f->rows = arena_grow(f->arena, f->rows, f->n * sizeof *row, more * sizeof *row);
        f->capacity = more;
    }
    f->rows[f->n] = *row;
    f->rows[f->n++].client = bytes_copy(f->arena, row->client);
}

static int by_client(const void *a, const void *b)
{
    const UsageCount *x = a, *y = b;
    if (x->shared != y->shared)
        return x->shared < y->shared ? -1 : 1;
    int order = bytes_compare(x->client, y->client);
    return order ? order : (x->use > y->use) - (x->use < y->use);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Where the method of a use is among those that were found. */
static uint32_t *place_of(Finding *f, uint32_t use)
{
    if (use >= f->n_places) {
        uint32_t more = use + 64;
        f->places =
            arena_grow(f->out, f->places, f->n_places * sizeof(uint32_t), more * sizeof(uint32_t));
        memset(f->places + f->n_places, 0, (more - f->n_places) * sizeof(uint32_t));
        f->n_places = more;
    }
    return &f->places[use];
}

static UsageOfMethod *method_of(Finding *f, uint32_t use, const UsageName *name)
{
    UsageFound *found = f->found;
    uint32_t *place = place_of(f, use);
    if (*place)
        return &found->methods[*place - 1];
    if (found->n_methods == f->methods_room) {
        uint32_t more = f->methods_room ? 2 * f->methods_room : 64;
        found->methods = arena_grow(f->out, found->methods, f->methods_room * sizeof(UsageOfMethod),
                                    more * sizeof(UsageOfMethod));
        f->methods_room = more;
    }
    found->methods[found->n_methods++] = (UsageOfMethod){.name = *name};
    *place = found->n_methods;
    return &found->methods[*place - 1];
}

/* `is_new`: the row before was of another client or use. */
static void add_to_method(Finding *f, const UsageCount *row, const UsageName *name, bool is_new)
{
    UsageOfMethod *method = method_of(f, row->use, name);
    method->calls += row->calls;
    method->last = later(method->last, row->last);
    method->shared |= row->shared > 0;
    method->clients += is_new && !row->shared;
}

static int by_last(const void *a, const void *b)
{
    const UsageOfClient *x = a, *y = b;
    if (x->last != y->last)
        return x->last > y->last ? -1 : 1;
    int order = bytes_compare(x->client, y->client);
    return order ? order : bytes_compare(x->version, y->version);
}

/* Those that are not the latest give way. */
static void trim_clients(Finding *f)
{
    UsageFound *found = f->found;
    qsort(found->clients, found->n_clients, sizeof *found->clients, by_last);
    if (found->n_clients > f->question->limit)
        found->n_clients = f->question->limit;
}

static UsageOfClient *client_of(Finding *f, const UsageCount *row, const UsageName *name,
                                uint32_t first)
{
    UsageFound *found = f->found;
    for (uint32_t i = first; i < found->n_clients; i++)
        if (bytes_equal(found->clients[i].service, name->service) &&
            bytes_equal(found->clients[i].version, name->version))
            return &found->clients[i];
    if (found->n_clients == f->clients_room) {
        uint32_t more = f->clients_room ? 2 * f->clients_room : 64;
        found->clients = arena_grow(f->out, found->clients, f->clients_room * sizeof(UsageOfClient),
                                    more * sizeof(UsageOfClient));
        f->clients_room = more;
    }
    found->clients[found->n_clients] = (UsageOfClient){.client = bytes_copy(f->out, row->client),
                                                       .service = name->service,
                                                       .version = name->version};
    return &found->clients[found->n_clients++];
}

static void fold_shard(Finding *f)
{
    uint32_t first = f->found->n_clients; /* of the client of the row */
    if (f->n)
        qsort(f->rows, f->n, sizeof *f->rows, by_client);
    for (size_t i = 0; i < f->n; i++) {
        const UsageCount *row = &f->rows[i], *before = i ? row - 1 : NULL;
        UsageName name = usage_names_get(f->names, row->use);
        bool other =
            !before || before->shared != row->shared || !bytes_equal(before->client, row->client);
        add_to_method(f, row, &name, other || before->use != row->use);
        if (other && f->found->n_clients > 2 * f->question->limit + 64)
            trim_clients(f);
        if (other)
            first = f->found->n_clients;
        if (row->shared || name.field.size)
            continue;
        UsageOfClient *client = client_of(f, row, &name, first);
        client->calls += row->calls;
        client->last = later(client->last, row->last);
    }
}

static int by_name(const void *a, const void *b)
{
    const UsageName *x = &((const UsageOfMethod *)a)->name, *y = &((const UsageOfMethod *)b)->name;
    int order = bytes_compare(x->service, y->service);
    order = order ? order : bytes_compare(x->version, y->version);
    order = order ? order : bytes_compare(x->method, y->method);
    return order ? order : bytes_compare(x->field, y->field);
}

void usage_find(UsageTable *table, UsageNames *names, const UsageQuestion *question, Arena *arena,
                UsageFound *found_out)
{
    Finding f = {.names = names,
                 .question = question,
                 .shared = usage_shared_of(question->client),
                 .arena = arena_new(ARENA_UNLIMITED),
                 .out = arena,
                 .found = found_out};
    *found_out = (UsageFound){0};
    for (uint32_t i = 0; i < USAGE_SHARDS; i++) {
        usage_table_each(table, i, see, &f);
        fold_shard(&f);
        f.rows = NULL;
        f.n = f.capacity = 0;
        arena_reset(f.arena);
    }
    if (found_out->n_clients)
        trim_clients(&f);
    if (found_out->n_methods)
        qsort(found_out->methods, found_out->n_methods, sizeof *found_out->methods, by_name);
    arena_free(f.arena);
}

/* ---- In the store ---------------------------------------------------------------------------- */

#define ASKED                                                                                      \
    " FROM usage WHERE ($1 = '' OR service = $1) AND ($2 = '' OR version = $2)"                    \
    " AND ($3 = 1 OR field = '')"

/* $5 client, $6 its shared rows, which have no name: by the index of clients. */
#define OF_ONE " AND client IN ($5, '') AND ((shared = 0 AND client = $5) OR shared = $6)"

#define FIND_METHODS(which)                                                                        \
    "SELECT service, version, method, field, CAST(sum(calls) AS BIGINT), max(last),"               \
    " count(DISTINCT CASE WHEN shared = 0 THEN client END), max(shared)" ASKED which               \
    " GROUP BY service, version, method, field ORDER BY service, version, method, field LIMIT $4"

#define FIND_CLIENTS(which)                                                                        \
    "SELECT client, service, version, CAST(sum(calls) AS BIGINT), max(last)" ASKED which           \
    " AND shared = 0 GROUP BY client, service, version"                                            \
    " ORDER BY max(last) DESC, client, version LIMIT $4"

static const char find_methods[] = FIND_METHODS(""), find_methods_of_one[] = FIND_METHODS(OF_ONE);
static const char find_clients[] = FIND_CLIENTS(""), find_clients_of_one[] = FIND_CLIENTS(OF_ONE);

static void ask(StoreTask *task, const char *sql, const UsageQuestion *question, bool fields,
                uint32_t limit)
{
    StoreStatement *s = store_task_add(task, sql);
    store_bind_text(task, s, question->service);
    store_bind_text(task, s, question->version);
    store_bind_integer(s, fields);
    store_bind_integer(s, limit);
    if (!question->one_client)
        return;
    store_bind_text(task, s, question->client);
    store_bind_integer(s, usage_shared_of(question->client));
}

StoreTask *usage_find_task(const UsageQuestion *question)
{
    StoreTask *task = store_task_new(STORE_SOON);
    bool one = question->one_client;
    ask(task, one ? find_methods_of_one : find_methods, question, question->fields,
        USAGE_USES_MOST);
    ask(task, one ? find_clients_of_one : find_clients, question, false, question->limit);
    return task;
}

static UsageOfMethod method_in(const StoreValue *v, Arena *arena)
{
    return (UsageOfMethod){.name = {.service = bytes_copy(arena, v[0].bytes),
                                    .version = bytes_copy(arena, v[1].bytes),
                                    .method = bytes_copy(arena, v[2].bytes),
                                    .field = bytes_copy(arena, v[3].bytes)},
                           .calls = (uint64_t)v[4].integer,
                           .last = v[5].integer,
                           .clients = (uint64_t)v[6].integer,
                           .shared = v[7].integer > 0};
}

static UsageOfClient client_in(const StoreValue *v, Arena *arena)
{
    return (UsageOfClient){.client = bytes_copy(arena, v[0].bytes),
                           .service = bytes_copy(arena, v[1].bytes),
                           .version = bytes_copy(arena, v[2].bytes),
                           .calls = (uint64_t)v[3].integer,
                           .last = v[4].integer};
}

void usage_find_read(const StoreTask *task, Arena *arena, UsageFound *found_out)
{
    const StoreStatement *methods = task->first, *clients = methods->next;
    *found_out = (UsageFound){.methods = arena_array(arena, UsageOfMethod, methods->n_rows),
                              .clients = arena_array(arena, UsageOfClient, clients->n_rows)};
    for (const StoreRow *row = methods->rows; row; row = row->next)
        found_out->methods[found_out->n_methods++] = method_in(row->values, arena);
    for (const StoreRow *row = clients->rows; row; row = row->next)
        found_out->clients[found_out->n_clients++] = client_in(row->values, arena);
}
