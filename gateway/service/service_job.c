/* Definitions of jobs: methods whose calls the gateway answers at once, and executes in steps. */
#include "gateway/service/service_job_internal.h"

#include "base/arena.h"
#include "base/clock.h"

#include <openssl/evp.h>

/* ---- The job as a message -------------------------------------------------------------------- */

extern const Bytes job_set; /* job.proto, which the build embeds */

static void make_envelope(JobDraft *draft)
{
    uint32_t n = draft->names.n;
    const MessageType *nothing = schema_message(draft->own, bytes_of("passerelle.job.Nothing"));
    PlaceSource *sources = arena_array(draft->reader->arena, PlaceSource, n + 2);
    sources[0] = (PlaceSource){"request", draft->method->type->input};
    for (uint32_t i = 0; i < n; i++) {
        const JobCall *call = draft->steps[i].call;
        sources[i + 1] =
            (PlaceSource){draft->steps[i].name, call ? call->method->type->output : nothing};
    }
    sources[n + 1] =
        (PlaceSource){"job", schema_message(draft->own, bytes_of("passerelle.job.Job"))};
    draft->envelope = place_envelope(draft->reader->arena, sources, n + 2);
}

/* The call whose response the source is; NULL: it is none, or a mistake, which was reported. */
static const JobCall *call_of(const JobDraft *draft, uint32_t source)
{
    bool is_step = source > 0 && source <= draft->names.n;
    const JobCall *call = is_step ? draft->steps[source - 1].call : NULL;
    return call && call->method ? call : NULL;
}

bool job_take_source(const JobDraft *draft, const char *said, const char *path, JobNeeds *needs,
                     uint32_t *source_out, Bytes *rest_out)
{
    if (!service_take_source(draft->reader, &draft->names, said, path, source_out, rest_out))
        return false;
    if (*source_out == 0)
        needs->request = true;
    else if (*source_out > draft->names.n)
        needs->job = true;
    else
        needs->steps |= UINT64_C(1) << (*source_out - 1);
    const JobCall *call = call_of(draft, *source_out);
    if (call)
        config_check_shown(draft->reader, call->method, *rest_out, path);
    return true;
}

/* ---- What must not change under a job -------------------------------------------------------- */

static void add_call(Buffer *out, const JobCall *call)
{
    if (call)
        buffer_printf(out, " %s %s", call->method->version->name, call->method->type->path);
    buffer_add_byte(out, ';');
}

/* Stored with the jobs, and compared by gateways of other builds: it must stay the same function.
 */
static uint64_t structure_of(const JobDefinition *definition, Arena *arena)
{
    static const char *const kinds[] = {[JOB_STEP_CALL] = "call",
                                        [JOB_STEP_POLL] = "poll",
                                        [JOB_STEP_TIME] = "time",
                                        [JOB_STEP_EVENT] = "event"};
    Buffer text = buffer_in(arena);
    uint8_t digest[EVP_MAX_MD_SIZE];
    uint64_t structure = 0;
    buffer_printf(&text, "%s %s;", definition->name, definition->method->version->name);
    for (uint32_t i = 0; i < definition->rules.n_steps; i++) {
        const JobStep *step = &definition->steps[i];
        buffer_printf(&text, "%s %s %s", step->name, kinds[step->rules.kind],
                      step->event ? step->event : "");
        add_call(&text, step->call);
        add_call(&text, step->undo);
    }
    CHECK(EVP_Digest(text.data, text.size, digest, NULL, EVP_sha256(), NULL));
    for (size_t i = 0; i < sizeof structure; i++)
        structure = structure << 8 | digest[i];
    return structure;
}

/* ---- Schedules ------------------------------------------------------------------------------- */

/* "03:00" to nanoseconds; false: it is no time of the day. */
static bool read_time(const char *text, int64_t *at_out)
{
    static const char shape[] = "00:00";
    for (size_t i = 0; i < sizeof shape; i++)
        if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
            return false;
    int64_t hour = (text[0] - '0') * 10 + text[1] - '0',
            minute = (text[3] - '0') * 10 + text[4] - '0';
    *at_out = (hour * 60 + minute) * 60 * SECOND;
    return hour < 24 && minute < 60;
}

static Result read_schedule(JobDraft *draft)
{
    ConfigReader *reader = draft->reader;
    const Passerelle__Config__JobSchedule *text = draft->text->schedule;
    const Method *method = draft->method;
    const char *path = config_path(reader, "%s.schedule", draft->path);
    if (!text)
        return OK;
    JobSchedule *schedule = arena_make(reader->arena, JobSchedule);
    *schedule = (JobSchedule){.every = text->every};
    draft->definition->schedule = schedule;
    if (!text->every == !text->at)
        config_tell(reader, path, "every: 6h, or at: \"03:00\"",
                    "a schedule says every or at, and not both");
    else if (text->at && !read_time(text->at, &schedule->at))
        config_tell(reader, config_path(reader, "%s.at", path), "for example \"03:00\"",
                    "%s is no time of the day", text->at);
    schedule->request = bytes("", 0);
    if (!text->request)
        return OK;
    return service_json_message(reader, config_path(reader, "%s.request", path), "the request",
                                service_request(method, method->version),
                                method->version->to[method->version->index], &schedule->request);
}

/* ---- One definition -------------------------------------------------------------------------- */

/* What the caller sent may have expired when the step is executed. */
static void check_not_credential(const JobDraft *draft, const char *name, const char *path)
{
    if (strcmp(name, "authorization") == 0 || strcmp(name, "cookie") == 0)
        config_tell(draft->reader, path, "token_file, with a token of the gateway",
                    "%s of the caller may have expired when a step is executed", name);
}

static const char *const *read_forward(const JobDraft *draft)
{
    ConfigReader *reader = draft->reader;
    const Passerelle__Config__Job *text = draft->text;
    const char **names = arena_array(reader->arena, const char *, text->n_forward + 1);
    for (size_t i = 0; i < text->n_forward; i++) {
        const char *path = config_path(reader, "%s.forward[%zu]", draft->path, i);
        names[i] = config_field_name(reader, text->forward[i], path);
        check_not_credential(draft, names[i], path);
    }
    return names;
}

static bool has_all_calls(const JobDraft *draft)
{
    for (uint32_t i = 0; i < draft->names.n; i++) {
        const Passerelle__Config__JobStep *text = draft->text->steps[i];
        if ((text->method && !draft->steps[i].call) || (text->undo && !draft->steps[i].undo))
            return false;
    }
    return true;
}

static void read_limits(const JobDraft *draft)
{
    const Passerelle__Config__Job *text = draft->text;
    JobDefinition *definition = draft->definition;
    definition->bytes = text->bytes;
    definition->running = text->running;
    definition->running_per_client = text->running_per_client;
    definition->retrying = text->has_retrying ? text->retrying : text->running;
    definition->retrying_per_client =
        text->has_retrying_per_client ? text->retrying_per_client : text->running_per_client;
    definition->queued_per_client = text->queued_per_client;
    definition->stored_per_client = text->stored_per_client;
    definition->keep = text->keep;
    definition->park_after = text->park_after;
    definition->forward = read_forward(draft);
    if (text->running_per_client > text->running && text->has_running_per_client)
        config_tell(draft->reader, config_path(draft->reader, "%s.running_per_client", draft->path),
                    NULL, "it is more than all clients together may have (running)");
}

/* With its envelope, once all methods are known. */
static Result make_messages(JobDraft *draft)
{
    JobDefinition *definition = draft->definition;
    make_envelope(draft);
    Result r = job_make_steps(draft);
    if (!failed(r))
        r = job_make_views(draft);
    if (!failed(r))
        r = job_make_resource(draft);
    if (!failed(r))
        r = read_schedule(draft);
    if (failed(r))
        return r;
    definition->structure = structure_of(definition, draft->reader->arena);
    JobMethod begins = {.use = JOB_BEGINS,
                        .definition = definition,
                        .kind = definition->resource.kind,
                        .key = definition->resource.key};
    job_claim_method(draft, draft->method, config_path(draft->reader, "%s.method", draft->path),
                     &begins);
    return OK;
}

static const char *const *step_names(ConfigReader *reader, const Passerelle__Config__Job *text)
{
    const char **names = arena_array(reader->arena, const char *, text->n_steps);
    for (size_t i = 0; i < text->n_steps; i++)
        names[i] = text->steps[i]->name ? text->steps[i]->name : "";
    return names;
}

static Result make_job(JobDraft *draft)
{
    ConfigReader *reader = draft->reader;
    const Passerelle__Config__Job *text = draft->text;
    if (text->n_steps > JOB_STEPS_MOST) {
        config_tell(reader, config_path(reader, "%s.steps", draft->path), NULL,
                    "a job has at most %d steps", JOB_STEPS_MOST);
        return OK;
    }
    uint32_t n = (uint32_t)text->n_steps;
    draft->steps = arena_array(reader->arena, JobStep, n);
    draft->rules = arena_array(reader->arena, JobStepRules, n);
    draft->names = (PlaceNames){"steps", "step", step_names(reader, text), n, "job"};
    draft->definition->steps = draft->steps;
    draft->definition->rules = (JobRules){draft->rules, n};
    read_limits(draft);
    job_read_steps(draft);
    return has_all_calls(draft) ? make_messages(draft) : OK;
}

/* ---- All ------------------------------------------------------------------------------------- */

static bool is_same_method(const Passerelle__Config__Job *a, const Passerelle__Config__Job *b)
{
    return a->method && b->method && strcmp(a->method, b->method) == 0;
}

static bool accepts(const Passerelle__Config__Config *text, size_t i)
{
    for (size_t k = 0; k < text->n_jobs; k++)
        if (is_same_method(text->jobs[i], text->jobs[k]) &&
            text->jobs[k]->revision > text->jobs[i]->revision)
            return false;
    return true;
}

static void check_revision(ConfigReader *reader, const Passerelle__Config__Config *text, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (is_same_method(text->jobs[i], text->jobs[k]) &&
            text->jobs[k]->revision == text->jobs[i]->revision) {
            config_tell(reader, config_path(reader, "jobs[%zu]", i), "another revision",
                        "there already is the revision %u of %s", text->jobs[i]->revision,
                        text->jobs[i]->method);
            return;
        }
}

static void check_store(ConfigReader *reader)
{
    const StoreConfig *store = &reader->config->store;
    if (!store->sqlite && !store->postgresql)
        config_tell(reader, "jobs", "store: {}",
                    "jobs outlive the gateway's process, and there is no store that keeps them");
}

void service_note_jobs(ConfigReader *reader)
{
    const Passerelle__Config__Config *text = reader->file.content;
    Config *config = reader->config;
    for (size_t i = 0; i < text->n_jobs; i++)
        for (uint32_t k = 0; text->jobs[i]->method && k < config->n_services; k++) {
            Service *service = &config->services[k];
            const char *said = text->jobs[i]->method, *dot = strchr(said, '.');
            if (!dot || !bytes_are(bytes(said, (size_t)(dot - said)), service->name))
                continue;
            for (uint32_t v = 0; v < service->n_versions; v++)
                service->versions[v].begins_jobs |=
                    text->jobs[i]->version
                        ? strcmp(service->versions[v].name, text->jobs[i]->version) == 0
                        : &service->versions[v] == service->default_version;
        }
}

static Result read_job(ConfigReader *reader, const Schema *own, size_t i, JobDefinition *definition)
{
    const Passerelle__Config__Config *all = reader->file.content;
    const Passerelle__Config__Job *text = all->jobs[i];
    JobDraft draft = {.reader = reader,
                      .text = text,
                      .path = config_path(reader, "jobs[%zu]", i),
                      .own = own,
                      .definition = definition};
    check_revision(reader, all, i);
    draft.method = service_named_method(reader, text->method, text->version, draft.path);
    if (!draft.method || !draft.method->route)
        return OK;
    definition->name = text->method;
    definition->method = draft.method;
    definition->revision = text->revision;
    definition->accepts = accepts(all, i);
    Result r = make_job(&draft);
    return failed(r) ? r
                     : job_make_shown(reader, draft.method, draft.method->type->input,
                                      &definition->shown);
}

Result service_make_jobs(ConfigReader *reader)
{
    const Passerelle__Config__Config *text = reader->file.content;
    JobDefinition *jobs = arena_array(reader->arena, JobDefinition, text->n_jobs);
    const Schema *own;
    if (!text->n_jobs)
        return OK;
    check_store(reader);
    Result r = schema_load(reader->arena, job_set, "job.proto", &own);
    for (size_t i = 0; i < text->n_jobs && !failed(r); i++)
        r = read_job(reader, own, i, &jobs[i]);
    if (failed(r))
        return r;
    if (reader->problems->n)
        return OK;
    reader->config->jobs = jobs;
    reader->config->n_jobs = (uint32_t)text->n_jobs;
    return OK;
}
