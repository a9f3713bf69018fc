#include "gateway/job_admin/job_admin_internal.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/identity/identity.h"
#include "gateway/job_admin/job_page.h"
#include "gateway/telemetry/metrics.h"

#include <stdlib.h>

enum { COUNT_EVERY = 10 /* looks of the runner */ };

/* ---- Answers --------------------------------------------------------------------------------- */

void job_asked_answer(JobAsked *asked, Result result, Bytes json)
{
    *asked->at = asked->next;
    if (asked->next)
        asked->next->at = asked->at;
    asked->on_answered(asked->owner, result, json);
}

void job_asked_refuse(JobAsked *asked, Result why)
{
    job_asked_answer(asked, why, BYTES_NONE);
}

void job_asked_fail_by_store(JobAsked *asked, Result why)
{
    Arena *arena = asked->question.arena;
    job_asked_refuse(
        asked, FAIL_OVER(arena, error_copy(arena, why), *why.error->fault, "asking for jobs"));
}

void job_asked_refuse_unknown(JobAsked *asked)
{
    job_asked_refuse(
        asked, FAIL(asked->question.arena, FAULT_UNKNOWN_PATH,
                    "there is no job %.*s: it never was, or its time after its end is over (keep)",
                    BYTES_ARGS(bytes_cut_text(asked->question.id, 100))));
}

/* ---- The list -------------------------------------------------------------------------------- */

static void on_listed(void *owner, Result result, const JobRecord *const *jobs, uint32_t n)
{
    JobAsked *asked = owner;
    if (failed(result)) {
        job_asked_fail_by_store(asked, result);
        return;
    }
    Buffer out = buffer_in(asked->question.arena);
    job_page_list(asked->admin->settings.config, jobs, n, asked->query.filter.most, clock_wall(),
                  &out);
    job_asked_answer(asked, OK, buffer_bytes(&out));
}

/* As records of clients have it. */
static Bytes shown_client(const JobAsked *asked)
{
    const Config *config = asked->admin->settings.config;
    Identity identity = {.name = asked->query.client, .how = PROOF_HEADER};
    return asked->query.client.size ? identity_shown(&identity, config, asked->question.arena)
                                    : BYTES_NONE;
}

static void list(JobAsked *asked)
{
    JobQuery *query = &asked->query;
    Result r = job_query_read(asked->question.query, JOB_QUERY_LIST, asked->question.arena, query);
    if (failed(r)) {
        job_asked_refuse(asked, r);
        return;
    }
    query->client = shown_client(asked);
    query->filter.client = query->has_client ? &query->client : NULL;
    query->filter.since_before = query->older ? clock_wall() - query->older : 0;
    JobStorage *storage = asked->admin->storage;
    storage->list(storage, &query->filter, on_listed, asked);
}

/* ---- One job --------------------------------------------------------------------------------- */

static void show(JobAsked *asked, const JobRecord *record)
{
    Buffer out = buffer_in(asked->question.arena);
    job_page_job(asked->admin->settings.config, record, clock_wall(), &out);
    job_asked_answer(asked, OK, buffer_bytes(&out));
}

static void on_read(void *owner, Result result, const JobRecord *record)
{
    JobAsked *asked = owner;
    if (failed(result))
        job_asked_fail_by_store(asked, result);
    else if (!record)
        job_asked_refuse_unknown(asked);
    else if (asked->question.word.size)
        job_asked_order(asked, record);
    else
        show(asked, record);
}

static void ask_one(JobAsked *asked)
{
    JobStorage *storage = asked->admin->storage;
    if (job_id_is_valid(asked->question.id))
        storage->read(storage, asked->question.id, on_read, asked);
    else
        job_asked_refuse_unknown(asked);
}

void job_admin_ask(JobAdmin *admin, const JobQuestion *question, JobOnAnswered *on_answered,
                   void *owner)
{
    JobAsked *asked = arena_make(question->arena, JobAsked);
    *asked = (JobAsked){.admin = admin,
                        .next = admin->asked,
                        .at = &admin->asked,
                        .question = *question,
                        .on_answered = on_answered,
                        .owner = owner};
    if (asked->next)
        asked->next->at = &asked->next;
    admin->asked = asked;
    if (!admin->table)
        job_asked_refuse(asked, FAIL(question->arena, FAULT_SHUTTING_DOWN, "the gateway stops"));
    else if (question->word.size && !job_asked_check(asked))
        return;
    else if (question->id.size)
        ask_one(asked);
    else if (question->word.size)
        job_asked_order_all(asked);
    else
        list(asked);
}

/* ---- Opening and closing --------------------------------------------------------------------- */

JobAdmin *job_admin_open(const JobAdminSettings *settings)
{
    JobAdmin *admin = calloc(1, sizeof *admin);
    CHECK(admin);
    admin->settings = *settings;
    admin->table = job_table_open(settings->store, settings->port, &settings->config->store.keys);
    admin->storage = job_table_storage(admin->table);
    job_hooks_init(&admin->hooks, settings->config, settings->postman);
    job_table_use_outbox(admin->table, &admin->hooks.outbox);
    admin->metrics = job_metrics_start(settings->loop, settings->store,
                                       COUNT_EVERY * settings->config->store.job_look);
    job_metrics_use(admin->metrics, settings->config);
    metrics_add_writer(job_metrics_write, admin->metrics);
    return admin;
}

void job_admin_use(JobAdmin *admin, const Config *config)
{
    if (!admin)
        return;
    admin->settings.config = config;
    admin->hooks.config = config;
    job_metrics_use(admin->metrics, config);
    job_table_use_keys(admin->table, &config->store.keys);
}

void job_admin_close(JobAdmin *admin)
{
    if (!admin)
        return;
    job_metrics_stop(admin->metrics);
    job_table_close(admin->table);
    admin->table = NULL;
    while (admin->asked)
        job_asked_refuse(admin->asked, FAIL(admin->asked->question.arena, FAULT_SHUTTING_DOWN,
                                            "the gateway stops"));
}

void job_admin_free(JobAdmin *admin)
{
    if (!admin)
        return;
    metrics_remove_writer(admin->metrics);
    job_metrics_free(admin->metrics);
    free(admin);
}
