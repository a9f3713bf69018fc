#include "gateway/claim_admin/claim_admin.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "base/text/query.h"
#include "gateway/claim_admin/claim_page.h"
#include "gateway/idempotency/claims.h"
#include "gateway/identity/identity.h"

#define SHOWN_MOST "100" /* records of one key: its clients, by services */
#define COLUMNS "SELECT id, token, client, node, state, at, until, expires, content"

static const char find_all[] = COLUMNS " FROM idempotency WHERE key = $1"
                                       " ORDER BY at DESC LIMIT " SHOWN_MOST;
static const char find_of_client[] = COLUMNS " FROM idempotency WHERE key = $1"
                                             " AND client IN ($2, $3)"
                                             " ORDER BY at DESC LIMIT " SHOWN_MOST;
static const char forget_row[] = "DELETE FROM idempotency WHERE id = $1 AND token = $2"
                                 " AND state <> 1";

/* ---- The question ---------------------------------------------------------------------------- */

static void end(ClaimAdmin *asked, Result result, Bytes json)
{
    asked->on_answered(asked->owner, result, json);
}

static Result read_part(const QueryPair *part, Arena *arena, Bytes *key, Bytes *client)
{
    Bytes *to = bytes_are(part->name, "key")      ? key
                : bytes_are(part->name, "client") ? client
                                                  : NULL;
    if (!to || to->size || !part->value.size)
        return FAIL(arena, FAULT_BAD_VALUE, "%.*s: this takes key=KEY, and client=NAME, each once",
                    BYTES_ARGS(bytes_cut_text(part->name, 100)));
    *to = part->value;
    return OK;
}

static Result read_query(ClaimAdmin *asked, Bytes *client_out)
{
    Bytes rest = asked->query;
    Result r = OK;
    *client_out = BYTES_NONE;
    for (QueryPair part; !failed(r) && query_next(&rest, asked->arena, &part);)
        r = read_part(&part, asked->arena, &asked->key, client_out);
    if (!failed(r) && !asked->key.size)
        r = FAIL(asked->arena, FAULT_BAD_VALUE, "key=KEY is missing: which one");
    return r;
}

/* ---- Records --------------------------------------------------------------------------------- */

static StoredClaim claim_of(const StoreRow *row)
{
    const StoreValue *values = row->values;
    return (StoredClaim){.id = values[0].bytes,
                         .token = values[1].bytes,
                         .client = values[2].bytes,
                         .node = values[3].bytes,
                         .state = (ClaimState)values[4].integer,
                         .at = values[5].integer,
                         .until = values[6].integer,
                         .expires = values[7].integer,
                         .content = values[8].bytes};
}

static StoredClaim *claims_of(const ClaimAdmin *asked, const StoreTask *task, uint32_t *n_out)
{
    const StoreStatement *found = task->first;
    StoredClaim *claims = arena_array(asked->arena, StoredClaim, found->n_rows);
    *n_out = 0;
    for (const StoreRow *row = found->rows; row; row = row->next)
        claims[(*n_out)++] = claim_of(row);
    return claims;
}

static Result of_store(const ClaimAdmin *asked, Result why)
{
    return FAIL_OVER(asked->arena, error_copy(asked->arena, why), *why.error->fault,
                     "asking for the records of a key");
}

/* ---- Forgetting ------------------------------------------------------------------------------ */

static void on_forgotten(void *owner, Result result, StoreTask *task)
{
    ClaimAdmin *asked = owner;
    Buffer out = buffer_in(asked->arena);
    uint64_t n = 0;
    if (failed(result)) {
        end(asked, of_store(asked, result), BYTES_NONE);
        return;
    }
    for (const StoreStatement *s = task->first; s; s = s->next)
        n += (uint64_t)s->changed;
    buffer_add_byte(&out, '{');
    json_text_add_member(&out, "action", bytes_of("idempotency_forget"));
    json_text_add_member(&out, "key", asked->key);
    json_text_add_number(&out, "records", n);
    buffer_add_text(&out, "}\n");
    end(asked, OK, buffer_bytes(&out));
}

/* None of the records may be forgotten: why the first one may not. */
static Result refuse(const ClaimAdmin *asked, const StoredClaim *claim)
{
    const char *why = claim->state == CLAIM_DONE ? "its call was done, and its response is kept"
                                                 : "its call is under way";
    return FAIL(asked->arena, FAULT_IDEMPOTENCY_UNFIT, "%s", why);
}

static bool are_of_one_client(const StoredClaim *claims, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (!bytes_equal(claims[i].client, claims[0].client))
            return false;
    return true;
}

static void forget(ClaimAdmin *asked, const StoredClaim *claims, uint32_t n)
{
    int64_t wall = clock_wall();
    if (!are_of_one_client(claims, n)) {
        end(asked,
            FAIL(asked->arena, FAULT_IDEMPOTENCY_UNFIT,
                 "several clients have used this key: name one (client=NAME)"),
            BYTES_NONE);
        return;
    }
    StoreTask *task = store_task_new(STORE_PROMISED);
    for (uint32_t i = 0; i < n; i++) {
        if (stored_claim_state(&claims[i], wall) != CLAIM_UNKNOWN)
            continue;
        StoreStatement *s = store_task_add(task, forget_row);
        store_bind_text(task, s, claims[i].id);
        store_bind_text(task, s, claims[i].token);
        s->expected = 1; /* else it was taken over, or recorded, meanwhile */
    }
    if (task->first) {
        store_submit(asked->port, task, on_forgotten, asked);
        return;
    }
    store_task_free(task);
    end(asked, refuse(asked, &claims[0]), BYTES_NONE);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static void show(ClaimAdmin *asked, const StoredClaim *claims, uint32_t n)
{
    Buffer out = buffer_in(asked->arena);
    claim_page_write(*asked->config, claims, n, clock_wall(), &out);
    buffer_add_byte(&out, '\n');
    end(asked, OK, buffer_bytes(&out));
}

static void on_found(void *owner, Result result, StoreTask *task)
{
    ClaimAdmin *asked = owner;
    uint32_t n;
    if (failed(result)) {
        end(asked, of_store(asked, result), BYTES_NONE);
        return;
    }
    const StoredClaim *claims = claims_of(asked, task, &n);
    if (!n)
        end(asked,
            FAIL(asked->arena, FAULT_UNKNOWN_PATH,
                 "there is no record of this key: it was not used, its time is over (keep), its "
                 "call was not executed, or it is another client's"),
            BYTES_NONE);
    else if (asked->forgets)
        forget(asked, claims, n);
    else
        show(asked, claims, n);
}

/* As it is recorded; of clients without an identity it is named as it is shown. */
static Bytes recorded_client(const ClaimAdmin *asked, Bytes client)
{
    Bytes hash = identity_hash(client, *asked->config, asked->arena);
    return hash.size ? hash : client;
}

void claim_admin_ask(ClaimAdmin *asked)
{
    Bytes client;
    Result r = read_query(asked, &client);
    if (failed(r)) {
        end(asked, r, BYTES_NONE);
        return;
    }
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(task, client.size ? find_of_client : find_all);
    store_bind_text(task, s, claim_key_hash(asked->key, asked->arena));
    if (client.size) {
        store_bind_text(task, s, client);
        store_bind_text(task, s, recorded_client(asked, client));
    }
    store_submit(asked->port, task, on_found, asked);
}
