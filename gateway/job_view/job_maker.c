#include "gateway/job_view/job_maker.h"

#include "base/clock.h"
#include "gateway/identity/identity.h"
#include "gateway/job_view/job_desk_internal.h"

#include <stdlib.h>

typedef struct JobMaking {
    JobAsk ask; /* first */
    Making making;
    MakeCall call;
    const JobMethod *job;
    Bytes resource;   /* in the call's arena, as what follows */
    JobRecord record; /* JOB_BEGINS */
    char id[JOB_ID_SIZE + 1];
    bool may_be_stored, asked_again;
    Timer timer; /* what is known at once is told in another callback */
    Made known;
} JobMaking;

static JobMaking *making_of(const Making *making)
{
    return (JobMaking *)((char *)(uintptr_t)making - offsetof(JobMaking, making));
}

/* ---- The end --------------------------------------------------------------------------------- */

static void end(JobMaking *m, const Made *made)
{
    exchange_made(m->call.x, made);
}

static void fail(JobMaking *m, Result why)
{
    end(m, &(Made){.why = why});
}

static void pass_on(JobMaking *m)
{
    end(m, &(Made){.passed_on = true});
}

static Result out_of_memory(const JobMaking *m)
{
    return FAIL(m->call.arena, FAULT_OUT_OF_MEMORY, "making the response of a job");
}

static bool tells_all(const JobMaking *m)
{
    const CallRecord *record = m->call.record;
    return config_errors_full(m->call.config, record->listener, record->route);
}

/* The response is made of the job. */
static void show(JobMaking *m, const JobRecord *record, bool begun, Result r, Bytes message)
{
    JobNote *note = job_note(record, clock_wall(), m->call.arena);
    if (!failed(r) && !note)
        r = out_of_memory(m);
    if (failed(r)) {
        fail(m, r);
        return;
    }
    note->begun = note->accepted = begun;
    end(m, &(Made){.message = message, .job = note});
}

/* ---- Whose job it is ------------------------------------------------------------------------- */

static void add_credentials(const Fields *fields, Buffer *out)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        const Field *field = &fields->items[i];
        if (!bytes_are(field->name, "authorization") && !bytes_are(field->name, "cookie"))
            continue;
        buffer_printf(out, "%.*s %zu ", BYTES_ARGS(field->name), field->value.size);
        buffer_add_bytes(out, field->value);
    }
}

/* Services may know clients that the gateway does not: by credentials. */
static Bytes client_of(const MakeCall *call)
{
    Buffer credentials = buffer_in(call->arena), client = buffer_in(call->arena);
    add_credentials(call->metadata, &credentials);
    if (call->record->client.size || (!buffer_bytes(&credentials).size && !credentials.full))
        return call->record->client;
    buffer_add_text(&client, JOB_OF_CREDENTIALS);
    if (!credentials.full)
        buffer_add_bytes(&client,
                         identity_hash(buffer_bytes(&credentials), call->config, call->arena));
    return client.full ? bytes_of(JOB_OF_CREDENTIALS) : buffer_bytes(&client);
}

/* Who asks for a thing need not know the job's name, which he is told. */
static bool may_be_shown(const JobMaking *m, const JobRecord *record)
{
    Bytes client = client_of(&m->call);
    return record->request_id.size && bytes_equal(record->client, client) &&
           !bytes_are(client, JOB_OF_CREDENTIALS);
}

/* ---- Beginning a job ------------------------------------------------------------------------- */

static void tell_accepted(JobMaking *m)
{
    const JobDefinition *definition = m->job->definition;
    JobSources sources = job_sources(&m->record, tells_all(m));
    Bytes message;
    Result r =
        definition->is_operation
            ? job_operation(definition, &sources, NULL, m->call.arena, &message)
            : job_represent(definition, &definition->view, &sources, NULL, m->call.arena, &message);
    job_desk_tell_work(m->ask.desk, m->record.id);
    show(m, &m->record, true, r, message);
}

static Result refusal(const JobMaking *m, JobAcceptance acceptance)
{
    if (acceptance == JOB_RESOURCE_BUSY)
        return FAIL_TELL(m->call.arena, FAULT_JOB_BUSY, "another job works on %.*s",
                         BYTES_ARGS(bytes_cut_text(m->resource, 200)));
    if (acceptance == JOB_TOO_MUCH)
        return FAIL_TELL(m->call.arena, FAULT_TOO_MUCH_STORED, "it is %llu bytes",
                         (unsigned long long)m->job->definition->stored_per_client);
    return FAIL_TELL(m->call.arena, FAULT_TOO_MANY_JOBS, "%u have not begun",
                     m->job->definition->queued_per_client);
}

static void ask_to_accept(JobMaking *m);

static void on_accepted(void *owner, Result result, JobAcceptance acceptance, Bytes busy)
{
    JobMaking *m = owner;
    if (!job_ask_answered(&m->ask))
        return;
    bool unknown = failed(result) && result.error->fault == &FAULT_STORE_UNKNOWN;
    bool is_stored =
        !failed(result) && (acceptance == JOB_ACCEPTED || acceptance == JOB_ACCEPTED_BEFORE);
    m->may_be_stored = unknown || is_stored;
    if (unknown && !m->asked_again) {
        m->asked_again = true;
        ask_to_accept(m); /* the same job, so that it is stored once */
    } else if (failed(result)) {
        fail(m, FAIL_OVER(m->call.arena, error_copy(m->call.arena, result), *result.error->fault,
                          "storing a job of %s", m->job->definition->name));
    } else if (is_stored) {
        tell_accepted(m);
    } else {
        fail(m, refusal(m, acceptance));
    }
}

static void ask_to_accept(JobMaking *m)
{
    const JobDefinition *definition = m->job->definition;
    JobAdmission admission = job_admission_of(&m->record, definition);
    m->may_be_stored = true;
    JobStorage *storage = job_ask_storage(&m->ask);
    storage->accept(storage, &admission, on_accepted, m);
}

/* Steps are spans of the caller's trace, whose parent is the call that began the job. */
static bool is_of_trace(Bytes name)
{
    return bytes_are(name, "traceparent") || bytes_are(name, "tracestate");
}

/* The fields of the caller's request that each step gets. */
static Fields forwarded(const JobMaking *m)
{
    Fields fields = fields_in(m->call.arena);
    const char *const *names = m->job->definition->forward;
    for (uint32_t i = 0; i < m->call.metadata->n; i++) {
        const Field *field = &m->call.metadata->items[i];
        if (is_of_trace(field->name) || (names && bytes_are_one_of(field->name, names)))
            fields_add(&fields, field->name, field->value);
    }
    return fields;
}

static Result begin_job(JobMaking *m)
{
    const JobDefinition *definition = m->job->definition;
    int64_t wall = clock_wall();
    job_id_new(&m->call.loop->random, wall, m->id);
    Result r = job_resource(m->job, m->call.request, bytes_of(m->id), m->call.arena, &m->resource);
    m->record = job_record_of(definition, bytes_of(m->id), wall);
    m->record.client = client_of(&m->call);
    m->record.resource = m->resource;
    m->record.request_id = m->call.record->request_id;
    m->record.request = m->call.request;
    m->record.forwarded = forwarded(m);
    m->record.identity = m->call.identity;
    if (!failed(r) && m->record.forwarded.full)
        r = out_of_memory(m);
    if (!failed(r) && m->job->kind && !m->resource.size)
        r = FAIL_TELL(m->call.arena, FAULT_FIELD_REQUIRED, "the request does not say which %s",
                      m->job->kind);
    if (!failed(r))
        ask_to_accept(m);
    return r;
}

/* ---- What a job works on --------------------------------------------------------------------- */

static void answer_from(JobMaking *m, const JobRecord *record)
{
    const JobDefinition *definition = job_definition_of(m->call.config, record);
    const JobView *view = definition ? job_view_for(definition, m->call.method) : NULL;
    if (!view || !may_be_shown(m, record)) {
        pass_on(m);
        return;
    }
    JobSources sources = job_sources(record, tells_all(m));
    Bytes message;
    Result r = job_represent(definition, view, &sources, NULL, m->call.arena, &message);
    show(m, record, false, r, message);
}

/* What nobody may know of is refused all the same: two would work on the same thing. */
static void refuse(JobMaking *m)
{
    fail(m, refusal(m, JOB_RESOURCE_BUSY));
}

static void on_found(void *owner, Result result, const JobRecord *record)
{
    JobMaking *m = owner;
    if (!job_ask_answered(&m->ask))
        return;
    bool reads = m->job->use == JOB_READS;
    bool unfinished = !failed(result) && record && !job_is_at_rest(record->position.state);
    if (failed(result) && !reads)
        fail(m, FAIL_OVER(m->call.arena, error_copy(m->call.arena, result), *result.error->fault,
                          "whether a job works on %.*s",
                          BYTES_ARGS(bytes_cut_text(m->resource, 200))));
    else if (!unfinished)
        pass_on(m);
    else if (reads)
        answer_from(m, record);
    else
        refuse(m);
}

static void on_timer(Timer *timer)
{
    JobMaking *m = (JobMaking *)((char *)timer - offsetof(JobMaking, timer));
    end(m, &m->known);
}

static void end_soon(JobMaking *m, const Made *made)
{
    m->known = *made;
    m->timer.fire = on_timer;
    timer_start(&m->call.loop->timers, &m->timer, 0);
}

static Result look_for_job(JobMaking *m)
{
    Result r = job_resource(m->job, m->call.request, BYTES_NONE, m->call.arena, &m->resource);
    if (failed(r))
        return r;
    if (!m->resource.size) {
        end_soon(m, &(Made){.passed_on = true});
        return OK;
    }
    JobStorage *storage = job_ask_storage(&m->ask);
    storage->find(storage, m->resource, on_found, m);
    return OK;
}

/* ---- The table ------------------------------------------------------------------------------- */

/* A config that has got its first store needs another process for it. */
static void do_without_store(JobMaking *m)
{
    if (m->job->use == JOB_READS)
        end_soon(m, &(Made){.passed_on = true});
    else
        end_soon(m, &(Made){.why = FAIL(m->call.arena, FAULT_STORE_DOWN,
                                        "this gateway was started without a store")});
}

static Making *begin(const MakeCall *call)
{
    JobMaking *m = job_ask_new(call->loop->jobs, sizeof *m);
    m->making.maker = &job_maker;
    m->call = *call;
    m->job = call->method->extras->job;
    if (!m->ask.desk) {
        do_without_store(m);
        return &m->making;
    }
    Result r = m->job->use == JOB_BEGINS ? begin_job(m) : look_for_job(m);
    if (failed(r))
        end_soon(m, &(Made){.why = r});
    return &m->making;
}

static bool may_have_effect(const Making *making)
{
    return making_of(making)->may_be_stored;
}

static void drop(Making *making)
{
    JobMaking *m = making_of(making);
    timer_stop(&m->call.loop->timers, &m->timer);
    job_ask_drop(&m->ask);
}

const MakerTable job_maker = {
    .why = "job",
    .begin = begin,
    .may_have_effect = may_have_effect,
    .drop = drop,
};
