/* The steps of a job: what each calls, what it waits for, when, and how it is undone. */
#include "gateway/service/service_job_internal.h"

#include "base/arena.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

#define POLL_FOR (10 * 60 * SECOND)
#define EVENT_FOR (7 * 86400 * SECOND)

const char *job_step_path(const JobDraft *draft, uint32_t step)
{
    return config_path(draft->reader, "%s.steps[%u]", draft->path, step);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

/* What a step and its undo both say. */
typedef struct CallText {
    const char *method, *version;
    bool by_key;
    int64_t timeout;
} CallText;

/* A job is about what has really happened: no fallback stands in for a response. */
static const Route *route_of(const JobDraft *draft, const Method *method, const char *path,
                             const char *name, int64_t timeout)
{
    ConfigReader *reader = draft->reader;
    Route *route = arena_make(reader->arena, Route);
    const JsonNode *node = document_node(&reader->file.document, path);
    *route = *method->route;
    route->match = arena_printf(reader->arena, "%s steps.%s", draft->text->method, name);
    route->on_failure = FAILURE_LOUD;
    route->n_fallbacks = 0;
    route->has_older = false;
    route->stale_for = route->join_for = 0;
    route->impact = draft->method->route->impact;
    route->timeout = timeout;
    route->file = document_file(&reader->file.document, path);
    route->line = node ? yaml_place(&reader->file.document, node)->line : 0;
    return route;
}

/* Nobody may know how a call ended when its gateway dies. */
static void check_repeatable(const JobDraft *draft, const Method *method, const char *path)
{
    if (!method->safe_to_repeat)
        config_tell(draft->reader, config_path(draft->reader, "%s.method", path),
                    "idempotency: key, if the service honours Idempotency-Key",
                    "%s may have to be called again, and its schema does not say that this does no "
                    "harm",
                    method->type->path);
}

/* NULL: a mistake, which was reported. */
static JobCall *read_call(JobDraft *draft, const CallText *text, const char *path, const char *name)
{
    const Method *method = service_named_method(draft->reader, text->method, text->version, path);
    if (!method || !method->route)
        return NULL;
    if (!text->by_key)
        check_repeatable(draft, method, path);
    JobCall *call = arena_make(draft->reader->arena, JobCall);
    *call = (JobCall){.method = method,
                      .route = route_of(draft, method, path, name, text->timeout),
                      .honours_key = text->by_key,
                      .timeout = text->timeout};
    return call;
}

static bool is_by_key(Passerelle__Config__JobIdempotency idempotency)
{
    return idempotency == PASSERELLE__CONFIG__JOB_IDEMPOTENCY__JOB_IDEMPOTENCY_KEY;
}

/* ---- What is sent along ---------------------------------------------------------------------- */

static void send_token(ConfigReader *reader, const char *file, const char *path, Fields *fields)
{
    if (!file)
        return;
    Bytes token = config_read_token(reader, file, config_path(reader, "%s.token_file", path));
    fields_remove(fields, "authorization");
    fields_add_text(fields, "authorization", config_path(reader, "Bearer %.*s", BYTES_ARGS(token)));
}

static bool is_value(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

static void send_field(ConfigReader *reader, const char *name, const char *value, const char *path,
                       Fields *fields)
{
    path = config_path(reader, "%s.send.%s", path, name);
    name = config_field_name(reader, name, path);
    if (!is_value(value))
        config_tell(reader, path, NULL, "the value of %s has other characters than visible ones",
                    name);
    fields_drop(fields, bytes_of(name));
    fields_add(fields, bytes_of(name), bytes_of(value));
}

static const Fields *fields_of(const JobDraft *draft, const Passerelle__Config__JobStep *step,
                               const char *path)
{
    ConfigReader *reader = draft->reader;
    Fields *fields = arena_make(reader->arena, Fields);
    *fields = fields_in(reader->arena);
    for (size_t i = 0; i < draft->text->n_send; i++)
        send_field(reader, draft->text->send[i]->key, draft->text->send[i]->value, draft->path,
                   fields);
    send_token(reader, draft->text->token_file, draft->path, fields);
    for (size_t i = 0; i < step->n_send; i++)
        send_field(reader, step->send[i]->key, step->send[i]->value, path, fields);
    send_token(reader, step->token_file, path, fields);
    return fields;
}

/* ---- Kinds and times ------------------------------------------------------------------------- */

/* What does not go together; NULL: all does. */
static const char *misfit(const Passerelle__Config__JobStep *text)
{
    const Passerelle__Config__JobWait *wait = text->wait;
    if (!text->method && !wait)
        return "a step calls a method, or waits, or both";
    if (text->method && wait && (wait->event || !wait->until))
        return "a call that waits is repeated until its response has something: it needs until, "
               "and has no event";
    if (!text->method && (wait->until || wait->fails))
        return "until and fails are about the response of a call: the step needs a method";
    if (!text->method && (text->n_request || text->undo))
        return "a step without a method has no request, and there is nothing to undo";
    if (!text->method && !wait->event && !wait->has_for_)
        return "a step that waits for no event needs the time";
    return NULL;
}

static JobStepKind kind_of(const Passerelle__Config__JobStep *text)
{
    if (text->method)
        return text->wait ? JOB_STEP_POLL : JOB_STEP_CALL;
    return text->wait->event ? JOB_STEP_EVENT : JOB_STEP_TIME;
}

static int64_t wait_of(const Passerelle__Config__JobWait *wait, JobStepKind kind)
{
    if (!wait)
        return 0;
    return wait->has_for_ ? wait->for_ : kind == JOB_STEP_POLL ? POLL_FOR : EVENT_FOR;
}

static JobStepRules rules_of(const Passerelle__Config__JobStep *text)
{
    static const Passerelle__Config__JobRetry defaults = PASSERELLE__CONFIG__JOB_RETRY__INIT;
    const Passerelle__Config__JobRetry *retry = text->retry ? text->retry : &defaults;
    JobStepKind kind = kind_of(text);
    return (JobStepRules){
        .kind = kind,
        .graceful = text->on_failure == PASSERELLE__CONFIG__JOB_FAILURE__JOB_FAILURE_GRACEFUL,
        .has_undo = text->undo != NULL,
        .retry_for = retry->for_,
        .initial_backoff = retry->initial_backoff,
        .max_backoff = retry->max_backoff,
        .every = kind == JOB_STEP_POLL ? text->wait->every : 0,
        .wait = wait_of(text->wait, kind),
    };
}

static void check_times(const JobDraft *draft, const JobStepRules *rules, const char *path)
{
    ConfigReader *reader = draft->reader;
    if (rules->initial_backoff > rules->max_backoff)
        config_tell(reader, config_path(reader, "%s.retry.initial_backoff", path), NULL,
                    "it is more than max_backoff, which limits it");
    if (rules->kind == JOB_STEP_POLL && rules->every >= rules->wait)
        config_tell(reader, config_path(reader, "%s.wait.every", path), "less than wait.for",
                    "the step waits no longer than this, so that it is called once");
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void read_calls(JobDraft *draft, uint32_t i, const Passerelle__Config__JobStep *text)
{
    JobStep *step = &draft->steps[i];
    const char *path = job_step_path(draft, i);
    const Fields *fields = fields_of(draft, text, path);
    CallText said = {text->method, text->version, is_by_key(text->idempotency), text->timeout};
    JobCall *call = read_call(draft, &said, path, step->name);
    if (call)
        call->metadata = fields;
    if (call)
        service_check_policy(draft->reader, config_path(draft->reader, "%s.method", path),
                             draft->method, call->method);
    step->call = call;
    if (!text->undo)
        return;
    path = config_path(draft->reader, "%s.undo", path);
    said = (CallText){text->undo->method, text->undo->version, is_by_key(text->undo->idempotency),
                      text->undo->has_timeout ? text->undo->timeout : text->timeout};
    JobCall *undo =
        read_call(draft, &said, path, config_path(draft->reader, "%s.undo", step->name));
    if (undo)
        undo->metadata = fields;
    step->undo = undo;
}

static void read_step(JobDraft *draft, uint32_t i)
{
    ConfigReader *reader = draft->reader;
    const Passerelle__Config__JobStep *text = draft->text->steps[i];
    const char *path = job_step_path(draft, i), *wrong = misfit(text);
    JobStep *step = &draft->steps[i];
    step->name = draft->names.names[i];
    if (text->name)
        service_check_source_name(reader, &draft->names, i, config_path(reader, "%s.name", path));
    if (wrong) {
        config_tell(reader, path,
                    "for example {name: ready, method: ..., wait: {until: {field: "
                    "state, is: [READY]}, every: 2s, for: 10m}}",
                    "%s", wrong);
        return;
    }
    step->rules = draft->rules[i] = rules_of(text);
    check_times(draft, &step->rules, path);
    if (text->method)
        read_calls(draft, i, text);
    step->event = step->rules.kind == JOB_STEP_EVENT ? text->wait->event : NULL;
    if (step->event && !config_is_word(step->event, "_"))
        config_tell(reader, config_path(reader, "%s.wait.event", path),
                    "letters, digits and _, for example approved",
                    "\"%s\" cannot be the name of an event", step->event);
}

void job_read_steps(JobDraft *draft)
{
    for (uint32_t i = 0; i < draft->names.n; i++)
        read_step(draft, i);
}

/* ---- Conditions ------------------------------------------------------------------------------ */

static bool can_be_compared(const FieldType *field)
{
    return field->kind == KIND_STRING || field->enumeration || field->kind == KIND_BOOL ||
           service_is_whole(field);
}

static void tell_value(ConfigReader *reader, const FieldType *field, const char *value,
                       const char *path)
{
    const char *hint = field->kind == KIND_BOOL ? "true or false" : NULL;
    const EnumType *type = field->enumeration;
    if (type) {
        const char **names = arena_array(reader->arena, const char *, type->n_values);
        for (uint32_t i = 0; i < type->n_values; i++)
            names[i] = type->values[i].name;
        hint = config_hint(reader, value, names, type->n_values);
    }
    config_tell(reader, path, hint, "%s is no %s, as %s.%s is", value, field_type_name(field),
                field->parent->full_name, field->name);
}

/* False: it is none. */
static bool read_number(const FieldType *field, const char *text, int64_t *number_out)
{
    char *end;
    if (field->enumeration) {
        const EnumValue *value = enum_value_by_name(field->enumeration, bytes_of(text));
        *number_out = value ? value->number : 0;
        return value != NULL;
    }
    if (field->kind == KIND_BOOL) {
        *number_out = strcmp(text, "true") == 0;
        return *number_out || strcmp(text, "false") == 0;
    }
    errno = 0;
    *number_out = field->kind == KIND_UINT64 || field->kind == KIND_FIXED64
                      ? (int64_t)strtoull(text, &end, 10)
                      : strtoll(text, &end, 10);
    return *text && !*end && !errno;
}

static void read_values(const JobDraft *draft, const FieldType *field, char *const *said, size_t n,
                        const char *path, JobCondition *condition)
{
    ConfigReader *reader = draft->reader;
    Bytes *texts = arena_array(reader->arena, Bytes, n);
    int64_t *numbers = arena_array(reader->arena, int64_t, n);
    condition->n = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        texts[i] = bytes_of(said[i]);
        if (field->kind != KIND_STRING && !read_number(field, said[i], &numbers[i]))
            tell_value(reader, field, said[i], config_path(reader, "%s[%zu]", path, i));
    }
    if (field->kind == KIND_STRING)
        condition->texts = texts;
    else
        condition->numbers = numbers;
}

/* Of the field `rest` of a source; NULL: a mistake, which was reported. */
static const JobCondition *read_condition(const JobDraft *draft,
                                          const Passerelle__Config__JobCondition *text,
                                          const char *path, uint32_t source, Bytes rest)
{
    ConfigReader *reader = draft->reader;
    JobCondition *condition = arena_make(reader->arena, JobCondition);
    const MessageType *type = draft->envelope->fields[source].message;
    *condition = (JobCondition){.source = source, .unless = text->n_is_not > 0};
    condition->path =
        service_field_path(reader, type, rest, config_path(reader, "%s.field", path),
                           can_be_compared, "a string, an enum, a whole number or a bool");
    if (!text->n_is == !text->n_is_not) {
        config_tell(reader, path, "is: [...], or is_not: [...]",
                    "a condition has one list of values");
        return NULL;
    }
    if (!condition->path)
        return NULL;
    const FieldType *const *last = condition->path;
    while (last[1])
        last++;
    if (text->n_is)
        read_values(draft, *last, text->is, text->n_is, config_path(reader, "%s.is", path),
                    condition);
    else
        read_values(draft, *last, text->is_not, text->n_is_not,
                    config_path(reader, "%s.is_not", path), condition);
    return condition;
}

/* False: a mistake, which was reported: that step has not been executed by then. */
static bool check_order(const JobDraft *draft, uint32_t source, uint32_t first_later,
                        const char *path)
{
    if (source == 0 || source > draft->names.n || source - 1 < first_later)
        return true;
    config_tell(draft->reader, path, "take it from the request, or from an earlier step",
                "the step %s has no response by then", draft->names.names[source - 1]);
    return false;
}

static const JobCondition *read_when(const JobDraft *draft, uint32_t i,
                                     const Passerelle__Config__JobCondition *text)
{
    const char *path = config_path(draft->reader, "%s.when", job_step_path(draft, i));
    const char *field_path = config_path(draft->reader, "%s.field", path);
    JobNeeds needs = {0};
    uint32_t source;
    Bytes rest;
    if (!text || !text->field ||
        !job_take_source(draft, text->field, field_path, &needs, &source, &rest) ||
        !check_order(draft, source, i, field_path))
        return NULL;
    if (!needs.job)
        return read_condition(draft, text, path, source, rest);
    config_tell(draft->reader, field_path, NULL, "a condition is about the request, or a response");
    return NULL;
}

static const JobCondition *read_own(const JobDraft *draft, uint32_t i, const char *key,
                                    const Passerelle__Config__JobCondition *text)
{
    const char *path = config_path(draft->reader, "%s.wait.%s", job_step_path(draft, i), key);
    if (!text || !text->field)
        return NULL;
    config_check_shown(draft->reader, draft->steps[i].call->method, bytes_of(text->field),
                       config_path(draft->reader, "%s.field", path));
    return read_condition(draft, text, path, i + 1, bytes_of(text->field));
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void place(const JobDraft *draft, Placement *placement, const char *into, const char *from,
                  const char *path, uint32_t first_later, JobNeeds *needs)
{
    uint32_t source;
    Bytes rest;
    const char *here = config_path(draft->reader, "%s.%s", path, into);
    if (job_take_source(draft, from, here, needs, &source, &rest) &&
        check_order(draft, source, first_later, here))
        service_place(draft->reader, placement, into, source, rest, path);
}

static Result make_request(const JobDraft *draft, uint32_t i,
                           const Passerelle__Config__JobStep *text)
{
    JobCall *call = (JobCall *)(uintptr_t)draft->steps[i].call; /* nobody has it yet */
    const char *path = config_path(draft->reader, "%s.request", job_step_path(draft, i));
    Placement *placement =
        placement_new(draft->reader->arena, draft->envelope, call->method->type->input);
    for (size_t k = 0; k < text->n_request; k++)
        place(draft, placement, text->request[k]->key, text->request[k]->value, path, i,
              &call->needs);
    return service_place_plan(draft->reader, placement, false, &call->request);
}

/* Also with its own response, which may be missing. */
static Result make_undo(const JobDraft *draft, uint32_t i, const Passerelle__Config__JobUndo *text)
{
    JobCall *undo = (JobCall *)(uintptr_t)draft->steps[i].undo; /* nobody has it yet */
    const char *path = config_path(draft->reader, "%s.undo.request", job_step_path(draft, i));
    Placement *placement =
        placement_new(draft->reader->arena, draft->envelope, undo->method->type->input);
    for (size_t k = 0; k < text->n_request; k++)
        place(draft, placement, text->request[k]->key, text->request[k]->value, path, i + 1,
              &undo->needs);
    if (undo->needs.steps >> i & 1)
        config_doubt(draft->reader, path,
                     "take it from the request, from an earlier step or job.id",
                     "the undo of %s needs its response, which nobody has if its call was aborted: "
                     "it cannot be undone then",
                     draft->steps[i].name);
    return service_place_plan(draft->reader, placement, false, &undo->request);
}

/* A plan that reads the response, and keeps it as it is. */
static Result make_check(const JobDraft *draft, uint32_t i)
{
    JobCall *call = (JobCall *)(uintptr_t)draft->steps[i].call; /* nobody has it yet */
    const Version *version = call->method->version;
    const MappingSet *same = version->to[version->index];
    PlanOptions options = {.from = CODEC_PROTO,
                           .to = CODEC_PROTO,
                           .unknown = UNKNOWN_KEEP,
                           .walk_all = true,
                           .types = same};
    if (draft->reader->problems->n)
        return OK; /* there is no config */
    const Mapping *mapping = mapping_set_find(same, call->method->type->output);
    return service_plan(draft->reader, mapping, &options, &call->check);
}

Result job_make_shown(ConfigReader *reader, const Method *method, const MessageType *type,
                      const Plan **plan_out)
{
    const Version *version = method->version;
    const MappingSet *same = version->to[version->index];
    PlanOptions options = {.from = CODEC_PROTO, .to = CODEC_JSON, .types = same};
    if (reader->problems->n)
        return OK; /* there is no config */
    return service_plan(reader, mapping_set_find(same, type), &options, plan_out);
}

static Result show_response(const JobDraft *draft, uint32_t i)
{
    JobCall *call = (JobCall *)(uintptr_t)draft->steps[i].call; /* nobody has it yet */
    return job_make_shown(draft->reader, call->method, call->method->type->output, &call->shown);
}

/* ---- What is doubtful ------------------------------------------------------------------------ */

static void doubt_graceful_needs(const JobDraft *draft, uint32_t i)
{
    const JobStep *step = &draft->steps[i];
    for (uint32_t k = 0; !step->rules.graceful && k < i; k++)
        if ((step->call->needs.steps >> k & 1) && draft->steps[k].rules.graceful)
            config_doubt(
                draft->reader, config_path(draft->reader, "%s.request", job_step_path(draft, i)),
                "on_failure: graceful here, too",
                "%s needs the response of %s, so that the job fails if that does, although "
                "it is graceful",
                step->name, draft->steps[k].name);
}

/* ---- All ------------------------------------------------------------------------------------- */

/* What the step is built on. */
static void note_needs(const JobDraft *draft, uint32_t i)
{
    uint64_t needs = draft->steps[i].call->needs.steps;
    for (uint32_t k = 0; k < i; k++)
        if (needs >> k & 1)
            needs |= draft->rules[k].needs;
    draft->steps[i].rules.needs = draft->rules[i].needs = needs;
}

static Result make_call(const JobDraft *draft, uint32_t i, const Passerelle__Config__JobStep *text)
{
    const JobStep *step = &draft->steps[i];
    Result r = make_request(draft, i, text);
    note_needs(draft, i);
    if (!failed(r))
        r = make_check(draft, i);
    if (!failed(r))
        r = show_response(draft, i);
    if (!failed(r) && step->undo)
        r = make_undo(draft, i, text->undo);
    doubt_graceful_needs(draft, i);
    return r;
}

Result job_make_steps(JobDraft *draft)
{
    for (uint32_t i = 0; i < draft->names.n; i++) {
        const Passerelle__Config__JobStep *text = draft->text->steps[i];
        JobStep *step = &draft->steps[i];
        Result r = step->call ? make_call(draft, i, text) : OK;
        if (failed(r))
            return r;
        step->when = read_when(draft, i, text->when);
        if (step->rules.kind != JOB_STEP_POLL)
            continue;
        step->until = read_own(draft, i, "until", text->wait->until);
        step->fails = read_own(draft, i, "fails", text->wait->fails);
    }
    return OK;
}
