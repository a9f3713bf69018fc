#include "gateway/job_hook/job_outbox.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/job/job_told.h"
#include "gateway/job_hook/job_event.h"
#include "gateway/job_hook/job_postman.h"
#include "gateway/store/seal.h"

/* $1 webhook, $2 job, $3 number, $4 wall, $5 client, $6 content, $7 what the job was told. */
static const char add_event[] =
    "INSERT INTO job_events (webhook, job, number, at, due, client, content)"
    " SELECT $1, $2, $3, $4, $4, $5, $6 FROM jobs WHERE id = $2 AND told = $7"
    " ON CONFLICT (webhook, job, number) DO NOTHING";

/* $1 webhook, $2 wall, $3 the latest time that a right clock may have written. */
static const char ahead[] = "UPDATE job_events SET due = $2 WHERE webhook = $1 AND due > $3";

/* $1 webhook, $2 wall, $3 until, $4 the most. */
#define TAKE(for_update)                                                                           \
    "UPDATE job_events SET tries = tries + 1, due = $3 WHERE webhook = $1 AND (job, number) IN"    \
    " (SELECT e.job, e.number FROM job_events e WHERE e.webhook = $1 AND e.due <= $2"              \
    " AND NOT EXISTS (SELECT 1 FROM job_events b WHERE b.webhook = e.webhook AND b.job = e.job"    \
    " AND b.number < e.number) ORDER BY e.due LIMIT $4" for_update ")"                             \
    " RETURNING job, number, tries, at, content"

static const char take_sqlite[] = TAKE("");
static const char take_postgresql[] = TAKE(" FOR UPDATE OF e SKIP LOCKED");

/* $1 webhook, $2 job, $3 number. */
static const char done[] = "DELETE FROM job_events WHERE webhook = $1 AND job = $2 AND number = $3";

/* $4 tries: nobody else has taken it since; $5 due. */
static const char later[] = "UPDATE job_events SET due = $5"
                            " WHERE webhook = $1 AND job = $2 AND number = $3 AND tries = $4";

static SealPlace place_of(Arena *arena, const char *webhook, const char *id)
{
    return (SealPlace){"job_events", "content",
                       bytes_of(arena_printf(arena, "%s/%s", webhook, id))};
}

/* ---- Telling --------------------------------------------------------------------------------- */

static Bytes sealed(const Config *config, const char *webhook, const JobRecord *record, Bytes json,
                    Arena *arena)
{
    const char *id = job_event_id(arena, record->id, job_told_number(record->told));
    SealPlace place = place_of(arena, webhook, id);
    Buffer out = buffer_in(arena);
    seal(&config->store.keys, &place, json, &out);
    return buffer_bytes(&out);
}

static void add_to(const Config *config, const char *webhook, StoreTask *task,
                   const JobRecord *record, Bytes json, int64_t wall)
{
    StoreStatement *s = store_task_add(task, add_event);
    store_bind_text(task, s, bytes_of(webhook));
    store_bind_text(task, s, record->id);
    store_bind_integer(s, (int64_t)job_told_number(record->told));
    store_bind_integer(s, wall);
    store_bind_text(task, s, record->client);
    store_bind_bytes(task, s, sealed(config, webhook, record, json, task->arena));
    store_bind_integer(s, (int64_t)record->told);
}

static bool add(JobOutbox *outbox, StoreTask *task, const JobRecord *record, int64_t wall)
{
    const Config *config = ((JobHooks *)outbox)->config;
    Buffer json = buffer_in(task->arena);
    for (uint32_t i = 0; i < config->n_job_webhooks; i++) {
        const JobWebhookConfig *webhook = &config->job_webhooks[i];
        if (!job_event_is_wanted(webhook, record))
            continue;
        if (!json.size)
            job_event_write(config, record, wall, &json);
        add_to(config, webhook->to.name, task, record, buffer_bytes(&json), wall);
    }
    return json.size != 0;
}

static void added(JobOutbox *outbox)
{
    job_postman_hear(((JobHooks *)outbox)->postman);
}

void job_hooks_init(JobHooks *hooks, const Config *config, JobPostman *postman)
{
    *hooks = (JobHooks){.outbox = {add, added}, .config = config, .postman = postman};
}

/* ---- Taking ---------------------------------------------------------------------------------- */

static JobLetter *read_letter(const StoreRow *row, const StoreKeys *keys, const char *webhook)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JobLetter *letter = arena_make(arena, JobLetter);
    *letter = (JobLetter){.arena = arena,
                          .job = bytes_copy(arena, row->values[0].bytes),
                          .number = (uint64_t)row->values[1].integer,
                          .tries = (uint32_t)row->values[2].integer,
                          .at = row->values[3].integer};
    letter->id = job_event_id(arena, letter->job, letter->number);
    SealPlace place = place_of(arena, webhook, letter->id);
    Bytes json = BYTES_NONE;
    letter->damage = unseal(keys, &place, row->values[4].bytes, arena, &json);
    letter->json = bytes_copy(arena, json);
    return letter;
}

static Result run(Store *store, Arena *arena, StoreTask *task)
{
    Result r = store_run(store, arena, &task);
    store_task_free(task);
    return r;
}

Result job_outbox_take(Store *store, const StoreKeys *keys, const char *webhook, uint32_t most,
                       int64_t wall, int64_t until, Arena *arena, JobLetter **letters_out)
{
    bool postgresql = store_settings(store)->postgresql != NULL;
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(task, ahead);
    store_bind_text(task, s, bytes_of(webhook));
    store_bind_integer(s, wall);
    store_bind_integer(s, wall + JOB_OUTBOX_WAIT_MOST);
    s = store_task_add(task, postgresql ? take_postgresql : take_sqlite);
    store_bind_text(task, s, bytes_of(webhook));
    store_bind_integer(s, wall);
    store_bind_integer(s, until);
    store_bind_integer(s, most);
    *letters_out = NULL;
    Result r = store_run(store, arena, &task);
    for (const StoreRow *row = failed(r) ? NULL : s->rows; row; row = row->next) {
        JobLetter *letter = read_letter(row, keys, webhook);
        letter->next = *letters_out;
        *letters_out = letter;
    }
    store_task_free(task);
    return r;
}

/* ---- How it went ----------------------------------------------------------------------------- */

static StoreStatement *add_about(StoreTask *task, const char *sql, const char *webhook,
                                 const JobLetter *letter)
{
    StoreStatement *s = store_task_add(task, sql);
    store_bind_text(task, s, bytes_of(webhook));
    store_bind_text(task, s, letter->job);
    store_bind_integer(s, (int64_t)letter->number);
    return s;
}

Result job_outbox_done(Store *store, const char *webhook, const JobLetter *letter, Arena *arena)
{
    StoreTask *task = store_task_new(STORE_SOON);
    add_about(task, done, webhook, letter);
    return run(store, arena, task);
}

Result job_outbox_later(Store *store, const char *webhook, const JobLetter *letter, int64_t due,
                        Arena *arena)
{
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = add_about(task, later, webhook, letter);
    store_bind_integer(s, letter->tries);
    store_bind_integer(s, due);
    return run(store, arena, task);
}
