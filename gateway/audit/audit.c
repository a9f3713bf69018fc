#include "gateway/audit/audit.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "base/text/utf8.h"
#include "gateway/headers/request_id.h"
#include "gateway/store/seal.h"
#include "gateway/telemetry/log_line.h"
#include "gateway/telemetry/telemetry.h"

#include <stdlib.h>

enum { MOST_SHOWN = 1000 };

struct Audit {
    StorePort *port;
    Random random;
    Arena *arena; /* of the name and the keys */
    const char *node;
    StoreKeys keys;
    atomic_ullong n_written, n_unstored;
};

static const char write_row[] =
    "INSERT INTO audit (id, at, node, who, proved_by, action, why, generation_before, hash_before,"
    " generation_after, hash_after, result, why_sealed)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

static const char read_newest[] =
    "SELECT at, node, who, proved_by, action, why, generation_before, hash_before,"
    " generation_after, hash_after, result, id, why_sealed FROM audit"
    " ORDER BY at DESC, id LIMIT $1";

/* ---- Writing --------------------------------------------------------------------------------- */

static const char *result_name(Result result)
{
    return failed(result) ? result.error->fault->name : "done";
}

static void add_state(Buffer *line, Bytes generation_key, Bytes hash_key, const AuditState *state)
{
    log_line_number(line, generation_key, state->generation);
    log_line_word(line, hash_key, state->hash);
}

static void tell(const AuditEntry *entry)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer part = buffer_in(arena);
    log_line_text(&part, LOG_KEY("action"), bytes_of(entry->action));
    log_line_text(&part, LOG_KEY("who"), bytes_of(entry->who));
    log_line_text(&part, LOG_KEY("by"), bytes_of(entry->by));
    log_line_text(&part, LOG_KEY("why"), entry->why);
    add_state(&part, LOG_KEY("generation_before"), LOG_KEY("config_before"), &entry->before);
    add_state(&part, LOG_KEY("generation_after"), LOG_KEY("config_after"), &entry->after);
    log_line_word(&part, LOG_KEY("result"), result_name(entry->result));
    telemetry_event_members(failed(entry->result) ? "warning" : "info", "audit", entry->result,
                            buffer_bytes(&part), "%s by %s", entry->action, entry->who);
    arena_free(arena);
}

static void on_written(void *owner, Result result, StoreTask *task)
{
    Audit *audit = owner;
    if (!failed(result))
        return;
    atomic_fetch_add(&audit->n_unstored, 1);
    telemetry_event("warning", "audit_unstored", result,
                    "an entry of the audit is in this log only");
}

static SealPlace place_of_why(Bytes id)
{
    return (SealPlace){"audit", "why_sealed", id};
}

/* A column for people with SQL where nothing is sealed, and one that is sealed where there are
   keys. */
static void bind_why(const Audit *audit, StoreTask *task, StoreStatement *s, Bytes id, Bytes why)
{
    if (!audit->keys.n) {
        store_bind_null(s);
        return;
    }
    SealPlace place = place_of_why(id);
    Buffer sealed = buffer_in(task->arena);
    seal(&audit->keys, &place, why, &sealed);
    store_bind_bytes(task, s, buffer_bytes(&sealed));
}

static void store_entry(Audit *audit, const AuditEntry *entry)
{
    char id[REQUEST_ID_SIZE];
    request_id_write(&audit->random, id);
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s = store_task_add(task, write_row);
    store_bind_text(task, s, bytes(id, sizeof id));
    store_bind_integer(s, clock_wall());
    store_bind_text(task, s, bytes_of(audit->node));
    store_bind_text(task, s, bytes_of(entry->who));
    store_bind_text(task, s, bytes_of(entry->by));
    store_bind_text(task, s, bytes_of(entry->action));
    store_bind_text(task, s, audit->keys.n ? BYTES_NONE : entry->why);
    store_bind_integer(s, (int64_t)entry->before.generation);
    store_bind_text(task, s, bytes_of(entry->before.hash));
    store_bind_integer(s, (int64_t)entry->after.generation);
    store_bind_text(task, s, bytes_of(entry->after.hash));
    store_bind_text(task, s, bytes_of(result_name(entry->result)));
    bind_why(audit, task, s, bytes(id, sizeof id), entry->why);
    store_submit(audit->port, task, on_written, audit);
}

/* A store may take only valid UTF-8: an operator must not be able to hide by sending anything else.
 */
static Bytes repaired(Arena *arena, Bytes why)
{
    Buffer text = buffer_in(arena);
    utf8_add_repaired(&text, why);
    return bytes_cut_text(buffer_bytes(&text), AUDIT_WHY_MOST);
}

void audit_write(Audit *audit, const AuditEntry *entry)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    AuditEntry repaired_entry = *entry;
    repaired_entry.why = repaired(arena, entry->why);
    atomic_fetch_add(&audit->n_written, 1);
    tell(&repaired_entry);
    if (audit->port)
        store_entry(audit, &repaired_entry);
    arena_free(arena);
}

/* ---- Reading --------------------------------------------------------------------------------- */

typedef struct Reading {
    Audit *audit;
    void (*on_read)(void *owner, Result result, Bytes json);
    void *owner;
} Reading;

static void add_config(Buffer *out, const char *name, const StoreValue *values)
{
    json_text_add_key(out, name);
    buffer_add_byte(out, '{');
    json_text_add_number(out, "generation", (uint64_t)values[0].integer);
    json_text_add_member(out, "config", values[1].bytes);
    buffer_add_byte(out, '}');
}

/* What cannot be decrypted is said in its place; the rest of the entry is still of use. */
static void add_why(Buffer *out, const Audit *audit, Bytes id, Bytes plain,
                    const StoreValue *sealed)
{
    SealPlace place = place_of_why(id);
    Bytes why = plain;
    Result r = OK;
    if (sealed->type == STORE_BYTES)
        r = unseal(&audit->keys, &place, sealed->bytes, out->arena, &why);
    json_text_add_member(out, "why", why);
    if (failed(r))
        json_text_add_member(out, "why_failure", bytes_of(error_text(out->arena, r)));
}

static void add_row(Buffer *out, const Audit *audit, const StoreValue *v)
{
    buffer_add_byte(out, '{');
    json_text_add_time(out, "at", v[0].integer / SECOND, 0);
    json_text_add_member(out, "node", v[1].bytes);
    json_text_add_member(out, "who", v[2].bytes);
    json_text_add_member(out, "by", v[3].bytes);
    json_text_add_member(out, "action", v[4].bytes);
    add_why(out, audit, v[11].bytes, v[5].bytes, &v[12]);
    add_config(out, "before", &v[6]);
    add_config(out, "after", &v[8]);
    json_text_add_member(out, "result", v[10].bytes);
    buffer_add_byte(out, '}');
}

static void on_read(void *owner, Result result, StoreTask *task)
{
    Reading reading = *(Reading *)owner;
    free(owner);
    if (failed(result)) {
        reading.on_read(reading.owner, result, BYTES_NONE);
        return;
    }
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    buffer_add_text(&out, "{\"entries\":[");
    for (const StoreRow *row = task->last->rows; row; row = row->next) {
        add_row(&out, reading.audit, row->values);
        if (row->next)
            buffer_add_byte(&out, ',');
    }
    buffer_add_text(&out, "]}");
    reading.on_read(reading.owner, result, buffer_bytes(&out));
    arena_free(arena);
}

void audit_read(Audit *audit, void (*done)(void *owner, Result result, Bytes json), void *owner)
{
    Reading *reading = malloc(sizeof *reading);
    CHECK(reading && audit->port);
    *reading = (Reading){audit, done, owner};
    StoreTask *task = store_task_new(STORE_SOON);
    store_bind_integer(store_task_add(task, read_newest), MOST_SHOWN);
    store_submit(audit->port, task, on_read, reading);
}

/* ---- The rest -------------------------------------------------------------------------------- */

Audit *audit_new(StorePort *port)
{
    Audit *audit = calloc(1, sizeof *audit);
    CHECK(audit);
    audit->port = port;
    random_seed(&audit->random);
    return audit;
}

static StoreKeys keys_copy(Arena *arena, const StoreKeys *keys)
{
    StoreKeys copy = {arena_array(arena, StoreKey, keys->n), keys->n};
    for (uint32_t i = 0; i < keys->n; i++) {
        copy.keys[i] = keys->keys[i];
        copy.keys[i].id = arena_string(arena, keys->keys[i].id);
    }
    return copy;
}

void audit_use(Audit *audit, const Config *config)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    audit->node = arena_string(arena, config->node);
    audit->keys = keys_copy(arena, &config->store.keys);
    arena_free(audit->arena);
    audit->arena = arena;
}

void audit_free(Audit *audit)
{
    if (!audit)
        return;
    arena_free(audit->arena);
    free(audit);
}

void audit_metrics_write(Exposition *e, void *owner)
{
    Audit *audit = owner;
    exposition_single(e, "passerelle_audit_entries", METRIC_COUNTER, "Changes by operators.",
                      atomic_load(&audit->n_written));
    exposition_single(e, "passerelle_audit_unstored", METRIC_COUNTER,
                      "Changes by operators whose record is missing in the store.",
                      atomic_load(&audit->n_unstored));
}
