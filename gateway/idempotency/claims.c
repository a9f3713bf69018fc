#include "gateway/idempotency/claims.h"

#include "base/arena.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct Claims {
    Store *store;
    char *process; /* the mark of this one */
    _Atomic uint64_t outcomes[KEYED_OUTCOMES], closes[CLAIM_CLOSES];
};

struct ClaimPort {
    Claims *claims;
    StorePort *port;
    ClaimTask *tasks; /* under way */
};

/* With the store. The StoreTask has all that the statements were given. */
struct ClaimTask {
    ClaimPort *port;
    ClaimTask *next, **link; /* in port->tasks */
    void (*on_end)(ClaimTask *task, Result why, const StoreTask *done);
    void (*on_found)(void *owner, const ClaimFound *found);
    void (*on_done)(void *owner, Result why);
    void *owner; /* NULL: abandoned, or nobody */
};

/* ---- Statements ------------------------------------------------------------------------------ */

static const char insert_row[] =
    "INSERT INTO idempotency (id, token, client, node, state, at, until, expires, content, key,"
    " process) VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING";

static const char read_row[] =
    "SELECT token, state, until, expires, content FROM idempotency WHERE id = $1";

static const char take_row[] =
    "UPDATE idempotency SET token = $2, node = $4, until = $5, process = $6,"
    " state = 0 WHERE id = $1 AND token = $3 AND state <> 1";

static const char keep_row[] =
    "UPDATE idempotency SET state = 1, content = $3 WHERE id = $1 AND token = $2";

static const char release_row[] =
    "DELETE FROM idempotency WHERE id = $1 AND token = $2 AND state <> 1";

static const char doubt_row[] =
    "UPDATE idempotency SET state = 2 WHERE id = $1 AND token = $2 AND state = 0";

static const char mourn_rows[] =
    "UPDATE idempotency SET state = 2 WHERE process = $1 AND state = 0";

/* The first two parameters of each statement that changes a record. */
static StoreStatement *add_statement(StoreTask *task, const char *sql, Bytes id, Bytes token)
{
    StoreStatement *s = store_task_add(task, sql);
    store_bind_text(task, s, id);
    store_bind_text(task, s, token);
    return s;
}

/* ---- Tasks ----------------------------------------------------------------------------------- */

static void unlink_task(ClaimTask *task)
{
    *task->link = task->next;
    if (task->next)
        task->next->link = task->link;
    free(task);
}

static void on_store_done(void *owner, Result why, StoreTask *done)
{
    ClaimTask *task = owner;
    task->on_end(task, why, done);
    unlink_task(task);
}

static ClaimTask *submit(ClaimPort *port, StoreTask *work,
                         void (*on_end)(ClaimTask *task, Result why, const StoreTask *done),
                         void *owner)
{
    ClaimTask *task = calloc(1, sizeof *task);
    CHECK(task);
    *task = (ClaimTask){.port = port, .next = port->tasks, .link = &port->tasks, .on_end = on_end};
    task->owner = owner;
    if (task->next)
        task->next->link = &task->next;
    port->tasks = task;
    store_submit(port->port, work, on_store_done, task);
    return task;
}

void claim_abandon(ClaimTask *task)
{
    if (task)
        task->owner = NULL;
}

static void release(ClaimPort *port, const StoreTask *done)
{
    const StoreValue *given = done->first->parameters;
    StoreTask *work = store_task_new(STORE_SOON);
    add_statement(work, release_row, given[0].bytes, given[1].bytes);
    store_submit(port->port, work, NULL, NULL);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static ClaimFound found_in(const StoreTask *done)
{
    const StoreStatement *insert = done->first, *read = insert->next;
    ClaimFound found = {.ours = insert->changed == 1};
    if (found.ours || !read->rows)
        return found;
    const StoreValue *values = read->rows->values;
    found.token = values[0].bytes;
    found.state = (ClaimState)values[1].integer;
    found.until = values[2].integer;
    found.expires = values[3].integer;
    found.content = values[4].bytes;
    return found;
}

static void end_asking(ClaimTask *task, Result why, const StoreTask *done)
{
    ClaimFound found = {.why = why};
    if (!failed(why))
        found = found_in(done);
    /* It may have taken effect, and nobody will run the call. */
    bool stray =
        failed(why) ? why.error->fault == &FAULT_STORE_UNKNOWN : found.ours && !task->owner;
    if (stray)
        release(task->port, done);
    if (task->owner)
        task->on_found(task->owner, &found);
}

ClaimTask *claim_ask(ClaimPort *port, const ClaimRow *row, Bytes content,
                     void (*on_found)(void *owner, const ClaimFound *found), void *owner)
{
    StoreTask *work = store_task_new(STORE_PROMISED);
    StoreStatement *s = add_statement(work, insert_row, row->id, row->token);
    store_bind_text(work, s, row->client);
    store_bind_text(work, s, row->node);
    store_bind_integer(s, row->at);
    store_bind_integer(s, row->until);
    store_bind_integer(s, row->expires);
    store_bind_bytes(work, s, content);
    store_bind_text(work, s, row->key);
    store_bind_text(work, s, bytes_of(port->claims->process));
    store_bind_text(work, store_task_add(work, read_row), row->id);
    ClaimTask *task = submit(port, work, end_asking, owner);
    task->on_found = on_found;
    return task;
}

/* ---- Changing -------------------------------------------------------------------------------- */

static void end_taking(ClaimTask *task, Result why, const StoreTask *done)
{
    if (task->owner)
        task->on_done(task->owner, why);
    else if (!failed(why) || why.error->fault == &FAULT_STORE_UNKNOWN)
        release(task->port, done);
}

static void end_change(ClaimTask *task, Result why, const StoreTask *done)
{
    (void)done;
    if (task->owner)
        task->on_done(task->owner, why);
}

ClaimTask *claim_take(ClaimPort *port, const ClaimRow *row, Bytes token,
                      void (*on_done)(void *owner, Result why), void *owner)
{
    StoreTask *work = store_task_new(STORE_PROMISED);
    StoreStatement *s = add_statement(work, take_row, row->id, row->token);
    store_bind_text(work, s, token);
    store_bind_text(work, s, row->node);
    store_bind_integer(s, row->until);
    store_bind_text(work, s, bytes_of(port->claims->process));
    s->expected = 1;
    ClaimTask *task = submit(port, work, end_taking, owner);
    task->on_done = on_done;
    return task;
}

ClaimTask *claim_keep(ClaimPort *port, const ClaimRow *row, Bytes content,
                      void (*on_done)(void *owner, Result why), void *owner)
{
    StoreTask *work = store_task_new(STORE_PROMISED);
    store_bind_bytes(work, add_statement(work, keep_row, row->id, row->token), content);
    ClaimTask *task = submit(port, work, end_change, owner);
    task->on_done = on_done;
    return task;
}

ClaimTask *claim_end(ClaimPort *port, const ClaimRow *row, ClaimEnd end,
                     void (*on_done)(void *owner, Result why), void *owner)
{
    StoreTask *work = store_task_new(STORE_SOON);
    bool releases = end == CLAIM_END_RELEASE;
    add_statement(work, releases ? release_row : doubt_row, row->id, row->token);
    claims_count_close(port, releases ? CLOSE_RELEASED : CLOSE_UNKNOWN);
    if (!on_done) {
        store_submit(port->port, work, NULL, NULL);
        return NULL;
    }
    ClaimTask *task = submit(port, work, end_change, owner);
    task->on_done = on_done;
    return task;
}

void claims_mourn(StorePort *port, Bytes process)
{
    StoreTask *work = store_task_new(STORE_SOON);
    store_bind_text(work, store_task_add(work, mourn_rows), process);
    store_submit(port, work, NULL, NULL);
}

/* ---- The key of a record --------------------------------------------------------------------- */

static void add_part(EVP_MD_CTX *hash, Bytes part)
{
    uint8_t size[8];
    for (int i = 0; i < 8; i++)
        size[i] = (uint8_t)(part.size >> 8 * i);
    CHECK(EVP_DigestUpdate(hash, size, sizeof size) == 1);
    CHECK(EVP_DigestUpdate(hash, part.data, part.size) == 1);
}

/* The first `size` bytes, in hexadecimal digits. */
static Bytes hash_parts(const Bytes *parts, size_t n, size_t size, Arena *arena)
{
    uint8_t digest[32];
    Buffer text = buffer_in(arena);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    CHECK(hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1);
    for (size_t i = 0; i < n; i++)
        add_part(hash, parts[i]);
    CHECK(EVP_DigestFinal_ex(hash, digest, NULL) == 1);
    EVP_MD_CTX_free(hash);
    for (size_t i = 0; i < size; i++)
        buffer_printf(&text, "%02x", digest[i]);
    return text.full ? BYTES_NONE : buffer_bytes(&text);
}

Bytes claim_id(Bytes service, Bytes client, Bytes key, Arena *arena)
{
    const Bytes parts[] = {service, client, key};
    return hash_parts(parts, 3, 32, arena);
}

Bytes claim_key_hash(Bytes key, Arena *arena)
{
    return hash_parts(&key, 1, 16, arena);
}

/* ---- The whole ------------------------------------------------------------------------------- */

Claims *claims_new(Store *store, Bytes process)
{
    Claims *claims = calloc(1, sizeof *claims);
    CHECK(claims);
    claims->store = store;
    claims->process = text_copy_bytes(process);
    return claims;
}

void claims_free(Claims *claims)
{
    if (claims)
        free(claims->process);
    free(claims);
}

ClaimPort *claim_port_open(Claims *claims, uv_loop_t *loop)
{
    ClaimPort *port = calloc(1, sizeof *port);
    CHECK(port);
    port->claims = claims;
    port->port = store_port_open(claims->store, loop);
    return port;
}

void claim_port_close(ClaimPort *port)
{
    if (!port)
        return;
    store_port_close(port->port);
    while (port->tasks)
        unlink_task(port->tasks);
    free(port);
}

void claims_count(const ClaimPort *port, KeyedOutcome outcome)
{
    atomic_fetch_add_explicit(&port->claims->outcomes[outcome], 1, memory_order_relaxed);
}

void claims_count_close(const ClaimPort *port, ClaimClose close)
{
    atomic_fetch_add_explicit(&port->claims->closes[close], 1, memory_order_relaxed);
}

void claims_metrics_write(Exposition *e, void *owner)
{
    static const char *const outcomes[] = {
        [KEYED_FIRST] = "first",           [KEYED_REPLAYED] = "replayed",
        [KEYED_AGAIN] = "again",           [KEYED_MISSING] = "missing",
        [KEYED_MALFORMED] = "malformed",   [KEYED_ANONYMOUS] = "anonymous",
        [KEYED_REUSED] = "reused",         [KEYED_IN_USE] = "in_use",
        [KEYED_UNCERTAIN] = "unknown",     [KEYED_UNREADABLE] = "gone",
        [KEYED_STORE_DOWN] = "store_down", [KEYED_UNPROTECTED] = "unprotected",
    };
    static const char *const closes[] = {
        [CLOSE_KEPT] = "kept",       [CLOSE_TOO_LARGE] = "too_large", [CLOSE_RELEASED] = "released",
        [CLOSE_UNKNOWN] = "unknown", [CLOSE_NOT_KEPT] = "not_kept",
    };
    Claims *claims = owner;
    exposition_family(e, "passerelle_idempotency", METRIC_COUNTER,
                      "Calls of routes with idempotency keys, by what their key was.");
    for (int i = 0; i < KEYED_OUTCOMES; i++)
        exposition_number(e, "", &(Label){"outcome", outcomes[i]}, 1,
                          atomic_load_explicit(&claims->outcomes[i], memory_order_relaxed));
    exposition_family(e, "passerelle_idempotency_ended", METRIC_COUNTER,
                      "Calls with a key that were made, by what was recorded in their end.");
    for (int i = 0; i < CLAIM_CLOSES; i++)
        exposition_number(e, "", &(Label){"end", closes[i]}, 1,
                          atomic_load_explicit(&claims->closes[i], memory_order_relaxed));
}
