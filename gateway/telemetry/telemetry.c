#include "gateway/telemetry/telemetry.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/headers/baggage.h"
#include "gateway/identity/known_client.h"
#include "gateway/instances/instance_set.h"
#include "gateway/log_output/log_outputs.h"
#include "gateway/loop/loop.h"
#include "gateway/telemetry/log_line.h"
#include "gateway/telemetry/telemetry_internal.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LOG_PATIENCE (5 * SECOND) /* at the end, for the last lines */

/* The telemetry of the process. The pointer is set before the threads start and cleared after they
   have ended. */
static TelemetryProcess *process;
static pthread_mutex_t process_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t events_lock = PTHREAD_MUTEX_INITIALIZER;

TelemetryProcess *telemetry_lock(void)
{
    pthread_mutex_lock(&process_lock);
    if (!process)
        pthread_mutex_unlock(&process_lock);
    return process;
}

void telemetry_unlock(void)
{
    pthread_mutex_unlock(&process_lock);
}

void telemetry_lock_events(void)
{
    pthread_mutex_lock(&events_lock);
}

void telemetry_unlock_events(void)
{
    pthread_mutex_unlock(&events_lock);
}

/* ---- One call -------------------------------------------------------------------------------- */

/* Failures that are not the caller's: operators should look at them. */
static const char *level_of(const CallRecord *r)
{
    if (r->degraded || (r->partial && r->status.code == CODE_OK))
        return "warning";
    if (r->status.code == CODE_OK || !failed(r->why) || telemetry_side(r) == SIDE_CLIENT)
        return "info";
    return "error";
}

static void add_claims(Buffer *line, const Identity *identity)
{
    buffer_add_text(line, ",\"claims\":{");
    for (uint32_t i = 0; i < identity->n_claims; i++) {
        buffer_add_text(line, i ? ",\"" : "\"");
        buffer_add_text(line, identity->claims[i].name);
        buffer_add_text(line, "\":");
        log_line_text(line, BYTES_NONE, identity->claims[i].value);
    }
    buffer_add_text(line, "}");
}

static void make_members(Buffer *line, const CallRecord *r)
{
    log_line_text(line, LOG_KEY("client"), r->client);
    log_line_word(line, LOG_KEY("client_by"), identity_how(r->identity));
    log_line_text(line, LOG_KEY("tenant"), r->identity->tenant);
    log_line_text(line, LOG_KEY("class"), r->identity->class);
    if (r->claimed && r->identity->n_claims)
        add_claims(line, r->identity);
}

/* They are the same in all lines of a client that is known. */
static void add_identity(Buffer *line, const CallRecord *r)
{
    KnownClient *known = r->identity->known;
    if (!known) {
        make_members(line, r);
        return;
    }
    if (!known->members.size)
        make_members(&known->members, r);
    log_line_part(line, buffer_bytes(&known->members));
}

static void add_baggage(Buffer *line, const BaggageNotes *notes)
{
    buffer_add_text(line, ",\"baggage\":{");
    for (uint32_t i = 0; i < notes->n; i++) {
        buffer_add_text(line, i ? ",\"" : "\"");
        buffer_add_text(line, notes->items[i].name); /* needs no escapes */
        buffer_add_text(line, "\":");
        log_line_text(line, BYTES_NONE, notes->items[i].value);
    }
    buffer_add_text(line, "}");
}

static void add_trace(Buffer *line, const TraceContext *trace)
{
    if (trace->known)
        log_line_plain(line, LOG_KEY("trace_id"), bytes(trace->trace_id, TRACE_ID_SIZE));
    if (trace->recorded)
        log_line_plain(line, LOG_KEY("span_id"), bytes(trace->span, TRACE_SPAN_SIZE));
    if (trace->noted)
        add_baggage(line, trace->noted);
}

static void add_notes(Buffer *line, const CallNotes *notes)
{
    log_line_word(line, LOG_KEY("protocol"), notes->protocol);
    log_line_text(line, LOG_KEY("user_agent"), notes->user_agent);
    log_line_text(line, LOG_KEY("referer"), notes->referer);
    if (notes->fields.size) {
        buffer_add_text(line, ",\"fields\":{");
        buffer_add_bytes(line, notes->fields);
        buffer_add_byte(line, '}');
    }
}

static void add_client(Buffer *line, const CallRecord *r)
{
    log_line_plain(line, LOG_KEY("request_id"), r->request_id);
    if (r->trace)
        add_trace(line, r->trace);
    log_line_word(line, LOG_KEY("peer"), r->peer);
    log_line_text(line, LOG_KEY("forwarded_for"), r->forwarded_for);
    log_line_text(line, LOG_KEY("listener"), bytes_of(r->listener));
    if (r->identity)
        add_identity(line, r);
    log_line_word(line, LOG_KEY("dialect"), dialect_name(r->dialect));
    log_line_word(line, LOG_KEY("codec"), codec_name(r->codec));
    log_line_text(line, LOG_KEY("verb"), r->verb);
    log_line_text(line, LOG_KEY("path"), r->path);
    if (r->notes)
        add_notes(line, r->notes);
}

/* Versions have names in which nothing needs an escape: see config.proto. */
LOG_LINE_INLINED void add_version(Buffer *line, Bytes key, const Version *version)
{
    if (version)
        log_line_word(line, key, version->name);
}

static const char *const arm_names[] = {[ARM_NONE] = NULL,
                                        [ARM_BASELINE] = "baseline",
                                        [ARM_CANDIDATE] = "candidate",
                                        [ARM_INSTEAD] = "instead"};

static void write_method(Buffer *line, const Method *method)
{
    log_line_text(line, LOG_KEY("service"), bytes_of(method->version->service->name));
    log_line_text(line, LOG_KEY("method"), bytes_of(method->type->path + 1));
}

/* They are the same in the line of every call, and made when there is the first one: most methods
   of a gateway are rarely called. Methods beyond the limit share a number. */
static void add_method(Telemetry *telemetry, const Method *method)
{
    Buffer *line = &telemetry->line;
    const Bytes *part = telemetry->method_parts[method->series];
    if (part) {
        log_line_part(line, *part);
        return;
    }
    size_t before = line->size;
    write_method(line, method);
    if (method->series <= SERIES_OTHER)
        return;
    Bytes *kept = arena_make(telemetry->arena, Bytes);
    *kept = bytes_copy(telemetry->arena, bytes_slice(buffer_bytes(line), before, line->size));
    telemetry->method_parts[method->series] = kept;
}

static void add_decisions(Telemetry *telemetry, const CallRecord *r)
{
    Buffer *line = &telemetry->line;
    if (r->method)
        add_method(telemetry, r->method);
    log_line_word(line, LOG_KEY("leg"), r->leg);
    log_line_word(line, LOG_KEY("job"), r->step_of);
    add_version(line, LOG_KEY("client_version"), r->client_version);
    add_version(line, LOG_KEY("response_version"), r->reply_version);
    add_version(line, LOG_KEY("served_version"), r->served_version);
    log_line_word(line, LOG_KEY("rule"), r->rule);
    log_line_word(line, LOG_KEY("served_why"), r->served_why);
    log_line_word(line, LOG_KEY("arm"), arm_names[r->arm]);
    if (r->instance)
        log_line_part(line, r->instance->log_part);
    if (r->route)
        log_line_part(line, r->route->log_part);
}

/* Each with its instance, outcome, and duration since its pick. */
static void add_attempts(Buffer *line, const CallRecord *r)
{
    const char *between = ",\"attempts\":[";
    for (const AttemptRecord *a = r->attempts; a; a = a->next) {
        buffer_add_text(line, between);
        log_line_text(line, bytes_of("{\"instance\":"), bytes_of(a->instance->address.text));
        log_line_word(line, LOG_KEY("code"), code_name(a->code));
        log_line_millis(line, LOG_KEY("ms"), a->ended - a->began);
        if (failed(a->why))
            log_line_word(line, LOG_KEY("why"), a->why.error->fault->name);
        buffer_add_byte(line, '}');
        between = ",";
    }
    if (r->attempts)
        buffer_add_byte(line, ']');
}

static const char *const key_names[] = {[KEYED_AS_NONE] = NULL,
                                        [KEYED_AS_FIRST] = "first",
                                        [KEYED_AS_REPLAYED] = "replayed",
                                        [KEYED_AS_AGAIN] = "again",
                                        [KEYED_AS_UNPROTECTED] = "unprotected"};

static void add_outcome(Buffer *line, const CallRecord *r)
{
    log_line_word(line, LOG_KEY("code"), code_name(r->status.code));
    if (r->status.service_code)
        log_line_number(line, LOG_KEY("status_code"), r->status.service_code);
    log_line_number(line, LOG_KEY("http_status"), r->http_status);
    log_line_word(line, LOG_KEY("degraded"), r->degraded);
    if (r->degraded)
        log_line_word(line, LOG_KEY("degraded_by"), fallback_name(r->degraded_by));
    if (r->degraded && r->degraded_by == FALLBACK_STALE)
        log_line_number(line, LOG_KEY("age_s"), r->degraded_age);
    log_line_text(line, LOG_KEY("joined"), r->joined);
    log_line_word(line, LOG_KEY("idempotency"), key_names[r->key]);
    log_line_plain(line, LOG_KEY("legs"), r->legs);
    log_line_word(line, LOG_KEY("failed_leg"), r->failed_leg);
    if (r->job) {
        log_line_plain(line, LOG_KEY("operation"), r->job->name);
        log_line_word(line, LOG_KEY("operation_state"), r->job->state);
    }
    log_line_causes(line, LOG_KEY("causes"), r->why);
    log_line_causes(line, LOG_KEY("detail_causes"), r->detail_why);
    add_attempts(line, r);
    if (r->n_spilled)
        log_line_number(line, LOG_KEY("spilled"), r->n_spilled);
    log_line_word(line, LOG_KEY("retry_refused"), retry_refusal_name(r->retry_refused));
    log_line_number(line, LOG_KEY("losses"), r->n_losses);
    log_line_number(line, LOG_KEY("unknown"), r->n_unknown);
    log_line_number(line, LOG_KEY("bytes_in"), r->bytes_in);
    log_line_number(line, LOG_KEY("bytes_out"), r->bytes_out);
    log_line_number(line, LOG_KEY("messages_in"), r->messages_in);
    log_line_number(line, LOG_KEY("messages_out"), r->messages_out);
    if (r->instance) {
        log_line_millis(line, LOG_KEY("to_upstream_ms"), r->time_to_upstream);
        log_line_millis(line, LOG_KEY("upstream_head_ms"), r->time_upstream_head);
    }
    log_line_millis(line, LOG_KEY("total_ms"), r->time_total);
}

static void make_line(Telemetry *telemetry, const CallRecord *record)
{
    Buffer *line = &telemetry->line;
    log_line_begin(line, record->began, "call", level_of(record));
    log_line_part(line, process->node_part);
    add_client(line, record);
    add_decisions(telemetry, record);
    add_outcome(line, record);
    log_line_end(line);
}

/* ---- Which calls are in the log -------------------------------------------------------------- */

static bool went_well(const CallRecord *r, const LogSample *sample)
{
    return r->status.code == CODE_OK && r->http_status < 400 && !failed(r->why) &&
           !failed(r->detail_why) && !r->degraded && !r->partial && !r->n_losses && !r->n_unknown &&
           r->n_attempts < 2 && r->time_total < sample->slow;
}

static Bytes drawn_by(const CallRecord *r)
{
    bool has_trace = r->trace && r->trace->known; /* else it has baggage only */
    return has_trace ? bytes(r->trace->trace_id, TRACE_ID_SIZE) : r->request_id;
}

/* A call that may be left out, and is not, stands for others: its line says for how many. */
static void log_line(Telemetry *telemetry, const CallRecord *record)
{
    const LogSample *sample = atomic_load_explicit(&process->sample, memory_order_acquire);
    Buffer *line = &telemetry->line;
    if (!log_sample_keeps_all(sample) && went_well(record, sample)) {
        if (!log_sample_draws(sample, drawn_by(record)))
            return;
        line->size--;
        log_line_part(line, sample->member);
        log_line_end(line);
    }
    log_write(telemetry->ring, buffer_bytes(line));
}

/* In the arena of telemetry, until its end: loops may have the one before. */
static void use_sample(TelemetryProcess *p, const LogConfig *log)
{
    const LogSample *before = atomic_load(&p->sample);
    LogSample next = log_sample_of(log->samples ? log->share : 1, log->slow, p->arena);
    if (before && before->below == next.below && before->slow == next.slow)
        return;
    LogSample *kept = arena_make(p->arena, LogSample);
    *kept = next;
    atomic_store(&p->sample, kept);
}

static void tell_sinks(const Telemetry *telemetry, const CallRecord *record)
{
    for (uint32_t i = 0; i < telemetry->n_sinks; i++)
        telemetry->sinks[i].tell(telemetry->sinks[i].owner, record, buffer_bytes(&telemetry->line));
}

void telemetry_record_apart(Loop *loop, const CallRecord *record)
{
    Telemetry *telemetry = loop->telemetry;
    if (!telemetry)
        return;
    make_line(telemetry, record);
    tell_sinks(telemetry, record);
}

void telemetry_record(Loop *loop, const CallRecord *record)
{
    Telemetry *telemetry = loop->telemetry;
    if (!telemetry)
        return;
    counters_record(telemetry, record);
    if (record->quiet)
        return;
    make_line(telemetry, record);
    log_line(telemetry, record);
    telemetry->counted = record;
    tell_sinks(telemetry, record);
    telemetry->counted = NULL;
}

void telemetry_exemplar(Loop *loop, const CallRecord *record, const TraceContext *trace)
{
    if (loop->telemetry->counted == record)
        counters_exemplar(loop->telemetry, record, trace);
}

void telemetry_record_refused(Loop *loop, const CallRecord *record)
{
    Telemetry *telemetry = loop->telemetry;
    if (!telemetry)
        return;
    counters_record_failure(telemetry, record);
    make_line(telemetry, record);
    tell_sinks(telemetry, record);
}

void telemetry_count(Loop *loop, Counter counter)
{
    if (loop->telemetry)
        count_add(&loop->telemetry->events[counter], 1);
}

void telemetry_count_healing(Loop *loop, HealingAct act, const Service *service)
{
    if (loop->telemetry)
        counters_heal(loop->telemetry, act, service ? service->series : 0);
}

/* ---- Events ---------------------------------------------------------------------------------- */

static bool silent;

void telemetry_be_silent(void)
{
    silent = true;
}

/* Without a log to write to, the line goes to stderr, so that a failed start says why. */
static void write_event(const char *level, const char *event, Bytes line)
{
    if (!process) {
        if (!silent)
            fprintf(stderr, "%.*s\n", BYTES_ARGS(line));
        return;
    }
    telemetry_lock_events();
    process
        ->events[series_number(&process->series[SERIES_EVENT], (const char *[]){level, event})]++;
    telemetry_unlock_events();
    log_write_shared(process->log, line);
}

static void PRINTF_LIKE(5, 0) tell_event(const char *level, const char *event, Result why,
                                         Bytes members, const char *format, va_list args)
{
    char text[LOG_TEXT_SIZE];
    text_format(text, sizeof text, format, args);

    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer line = buffer_in(arena);
    log_line_begin(&line, clock_wall(), "event", level);
    log_line_text(&line, LOG_KEY("node"), bytes_of(process ? process->node : NULL));
    log_line_text(&line, LOG_KEY("event"), bytes_of(event));
    log_line_text(&line, LOG_KEY("message"), bytes_of(text));
    log_line_part(&line, members);
    log_line_causes(&line, LOG_KEY("causes"), why);
    log_line_end(&line);
    write_event(level, event, buffer_bytes(&line));
    arena_free(arena);
}

void telemetry_event(const char *level, const char *event, Result why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell_event(level, event, why, BYTES_NONE, format, args);
    va_end(args);
}

void telemetry_event_members(const char *level, const char *event, Result why, Bytes members,
                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell_event(level, event, why, members, format, args);
    va_end(args);
}

/* ---- Configs --------------------------------------------------------------------------------- */

/* A copy of a text in an arena that is freed. */
static Bytes keep_part(Arena *arena, Buffer *part)
{
    Bytes kept = bytes_copy(arena, buffer_bytes(part));
    arena_free(part->arena);
    return kept;
}

static Bytes instance_part(const Instance *instance, Arena *arena)
{
    Buffer part = buffer_in(arena_new(ARENA_UNLIMITED));
    log_line_text(&part, LOG_KEY("instance"), bytes_of(instance->address.text));
    log_line_text(&part, LOG_KEY("build"), bytes_of(instance->build));
    return keep_part(arena, &part);
}

static Bytes route_part(const Route *route, Arena *arena)
{
    Buffer part = buffer_in(arena_new(ARENA_UNLIMITED));
    log_line_text(&part, LOG_KEY("route"), bytes_of(route->match));
    log_line_word(&part, LOG_KEY("failure_mode"),
                  route->on_failure == FAILURE_GRACEFUL ? "graceful" : "loud");
    log_line_word(&part, LOG_KEY("impact"), impact_name(route->impact));
    return keep_part(arena, &part);
}

/* Routes of legs and steps are not among those of the config. */
static void describe_route(const Route *described, Arena *arena)
{
    Route *route = (Route *)(uintptr_t)described; /* log_part is ours: config.h */
    route->log_part = route_part(route, arena);
}

static void describe_legs(const Composed *composed, Arena *arena)
{
    for (uint32_t i = 0; composed && i < composed->n_legs; i++)
        describe_route(composed->legs[i].route, arena);
}

static void describe_steps(const JobDefinition *job, Arena *arena)
{
    for (uint32_t i = 0; i < job->rules.n_steps; i++) {
        if (job->steps[i].call)
            describe_route(job->steps[i].call->route, arena);
        if (job->steps[i].undo)
            describe_route(job->steps[i].undo->route, arena);
    }
}

static void describe_job_call(const JobCall *call, Arena *arena)
{
    if (!call)
        return;
    Route *route = (Route *)(uintptr_t)call->route; /* likewise */
    route->log_part = route_part(route, arena);
}

static void describe_jobs(const Config *config)
{
    for (uint32_t i = 0; i < config->n_jobs; i++)
        for (uint32_t k = 0; k < config->jobs[i].rules.n_steps; k++) {
            describe_job_call(config->jobs[i].steps[k].call, config->arena);
            describe_job_call(config->jobs[i].steps[k].undo, config->arena);
        }
}

static void note_impact(TelemetryProcess *p, const Service *service, const Route *route)
{
    if (service && route)
        p->impacts[service->series] |= (uint8_t)(1 << route->impact);
}

static void number_version(TelemetryProcess *p, Version *version, Arena *arena)
{
    const char *service = version->service->name;
    version->series = series_number(&p->series[SERIES_VERSION], &version->name);
    for (uint32_t i = 0; i < version->n_methods; i++) {
        Method *method = &version->methods[i];
        method->series =
            series_number(&p->series[SERIES_METHOD],
                          (const char *[]){service, method->type->path + 1, version->name});
        note_impact(p, version->service, method->route);
        describe_legs(method->extras->composed, arena);
    }
}

void telemetry_describe(Instance *instance, Arena *arena)
{
    instance->log_part = instance_part(instance, arena);
}

static void number_service(TelemetryProcess *p, Service *service, Arena *arena)
{
    service->series = series_number(&p->series[SERIES_SERVICE], &service->name);
    for (uint32_t i = 0; i < service->n_versions; i++)
        number_version(p, &service->versions[i], arena);
    for (uint32_t i = 0; i < service->n_instances; i++)
        telemetry_describe(&service->instances[i], arena);
}

static void number_route(TelemetryProcess *p, Route *route)
{
    const char *service = route->service ? route->service->name : "";
    route->series =
        series_number(&p->series[SERIES_METHOD], (const char *[]){service, route->path_prefix, ""});
}

/* Gives everything in a config its number and its part of the log. */
static void number_config(TelemetryProcess *p, Config *config)
{
    series_expect(&p->series[SERIES_SERVICE], config->n_services);
    series_expect(&p->series[SERIES_METHOD], config->n_methods + config->n_http_routes);
    for (uint32_t i = 0; i < config->n_services; i++)
        number_service(p, &config->services[i], config->arena);
    describe_jobs(config);
    for (uint32_t i = 0; i < config->n_routes; i++)
        config->routes[i].log_part = route_part(&config->routes[i], config->arena);
    for (uint32_t i = 0; i < config->n_jobs; i++)
        describe_steps(&config->jobs[i], config->arena);
    for (uint32_t i = 0; i < config->n_http_routes; i++) {
        Route *route = (Route *)&config->http_routes[i]; /* these fields are ours: config.h */
        number_route(p, route);
        note_impact(p, route->service, route);
        route->log_part = route_part(route, config->arena);
    }
}

static const char *loss_kind_name(LossKind kind)
{
    static const char *const names[] = {"kept",      "converted", "respelled",
                                        "defaulted", "narrowed",  "dropped"};
    return names[kind];
}

/* `seen` by index: a loss that two sets share has one count. */
static void add_set_losses(TelemetryProcess *p, const Config *config, const char *service,
                           const MappingSet *set, bool *seen, uint64_t *losses)
{
    for (uint32_t i = 0; i < set->n_losses; i++) {
        const Loss *loss = set->losses[i];
        uint64_t count =
            atomic_load_explicit(&config->loss_counts[loss->index], memory_order_relaxed);
        if (count == 0 || seen[loss->index])
            continue; /* only losses that occurred get a number: schemas have many fields */
        seen[loss->index] = true;
        const char *labels[] = {service, set->from_version, set->to_version, loss->path,
                                loss_kind_name(loss->kind)};
        losses[series_number(&p->series[SERIES_LOSS], labels)] += count;
    }
}

void telemetry_add_losses(TelemetryProcess *p, const Config *config, uint64_t *losses)
{
    bool *seen = calloc(config->n_losses + 1, sizeof *seen);
    CHECK(seen);
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        for (uint32_t from = 0; from < service->n_versions; from++) {
            const Version *version = &service->versions[from];
            for (uint32_t to = 0; version->to && to < service->n_versions; to++) {
                if (version->to[to])
                    add_set_losses(p, config, service->name, version->to[to], seen, losses);
            }
        }
    }
    free(seen);
}

void telemetry_retire(TelemetryProcess *p)
{
    if (!p->generations)
        return;
    for (Generation **at = &p->generations->next; *at;) {
        Generation *generation = *at;
        /* A reference count of 1 is ours. No other thread takes a reference to a config that is not
           the newest. */
        if (atomic_load(&generation->config->references) > 1) {
            at = &generation->next;
            continue;
        }
        telemetry_add_losses(p, generation->config, p->losses);
        config_unref(generation->config);
        *at = generation->next;
        free(generation);
    }
}

void telemetry_adopt(Config *config)
{
    TelemetryProcess *p = telemetry_lock();
    CHECK(p);
    for (int kind = 0; kind < SERIES_KINDS; kind++)
        if (kind != SERIES_EVENT) /* its names are the program's */
            p->series[kind].limit = config->limits.series ? config->limits.series : SERIES_LIMIT;
    number_config(p, config);
    use_sample(p, &config->log);
    Generation *generation = malloc(sizeof *generation);
    CHECK(generation);
    *generation = (Generation){p->generations, config_ref(config)};
    if (p->generations)
        p->reloads++;
    p->generations = generation;
    p->adopted = clock_wall();
    p->last_reload_failed = false;
    telemetry_retire(p);
    telemetry_unlock();
}

void telemetry_reload_failed(void)
{
    TelemetryProcess *p = telemetry_lock();
    CHECK(p);
    p->reloads_failed++;
    p->last_reload_failed = true;
    telemetry_unlock();
}

Config *telemetry_config(void)
{
    TelemetryProcess *p = telemetry_lock();
    if (!p)
        return NULL;
    Config *config = p->generations ? config_ref(p->generations->config) : NULL;
    telemetry_unlock();
    return config;
}

static uint64_t count_calls(const Telemetry *telemetry, uint32_t series)
{
    MethodCounters *m = atomic_load_explicit(&telemetry->methods[series], memory_order_acquire);
    uint64_t n = 0;
    for (int i = 0; m && i <= DURATION_BOUNDS; i++)
        n += count_read(&m->durations[i]);
    return n;
}

uint64_t telemetry_calls(uint32_t series)
{
    TelemetryProcess *p = telemetry_lock();
    if (!p)
        return 0;
    uint64_t n = 0;
    for (const Telemetry *loop = p->loops; loop; loop = loop->next)
        n += count_calls(loop, series);
    telemetry_unlock();
    return n;
}

static void add_figures(const Telemetry *telemetry, uint32_t series, HealingFigures *figures)
{
    ServiceCounters *s = atomic_load_explicit(&telemetry->services[series], memory_order_acquire);
    if (!s)
        return;
    figures->calls += count_read(&s->calls);
    for (int act = 0; act < HEALING_ACTS; act++)
        figures->acts[act] += count_read(&s->healing[act]);
}

static void count_instances(const Config *config, HealingFigures *figures)
{
    for (uint32_t i = 0; i < config->n_services; i++) {
        InstanceSet *set = instance_set_of(&config->services[i]);
        if (set)
            figures[config->services[i].series].instances = set->n;
        instance_set_unref(set);
    }
}

void telemetry_read_healing(void (*read)(void *owner, const char *service,
                                         const HealingFigures *figures),
                            void *owner)
{
    TelemetryProcess *p = telemetry_lock();
    if (!p)
        return;
    const SeriesSet *services = &p->series[SERIES_SERVICE];
    HealingFigures *figures = calloc(services->n, sizeof *figures);
    CHECK(figures);
    if (p->generations)
        count_instances(p->generations->config, figures);
    for (uint32_t series = 0; series < services->n; series++) {
        for (const Telemetry *loop = p->loops; loop; loop = loop->next)
            add_figures(loop, series, &figures[series]);
        read(owner, series_text(services, series, 0), &figures[series]);
    }
    free(figures);
    telemetry_unlock();
}

/* ---- The process ----------------------------------------------------------------------------- */

Result telemetry_start(Arena *arena, const LogConfig *config, const char *node)
{
    static const uint32_t n_labels[SERIES_KINDS] = {
        [SERIES_METHOD] = 3, [SERIES_SERVICE] = 1, [SERIES_VERSION] = 1,
        [SERIES_LOSS] = 5,   [SERIES_EVENT] = 2,
    };
    CHECK(!process);
    Log *log;
    LogTarget *target;
    Result r = log_outputs_open(arena, config, node, &target);
    if (!failed(r))
        r = log_start(arena, target, &log);
    if (failed(r))
        return r;

    TelemetryProcess *p = calloc(1, sizeof *p);
    CHECK(p);
    p->arena = arena_new(ARENA_UNLIMITED);
    p->event_arena = arena_new(ARENA_UNLIMITED);
    p->log = log;
    p->began = clock_wall();
    p->node = arena_string(p->arena, node ? node : "");
    Buffer node_part = buffer_in(p->arena);
    log_line_text(&node_part, LOG_KEY("node"), bytes_of(p->node));
    p->node_part = buffer_bytes(&node_part);
    use_sample(p, config);
    for (int kind = 0; kind < SERIES_KINDS; kind++)
        p->series[kind] =
            series_set_in(kind == SERIES_EVENT ? p->event_arena : p->arena, n_labels[kind]);
    process = p;
    return OK;
}

Result telemetry_reopen(Arena *arena, const LogConfig *config)
{
    CHECK(process);
    LogTarget *target;
    Result r = log_outputs_open(arena, config, process->node, &target);
    if (failed(r))
        log_count_failure(process->log);
    else
        log_direct(process->log, target);
    return r;
}

void telemetry_tap(LogTap *tap, void *owner)
{
    CHECK(process);
    log_tap(process->log, tap, owner);
}

Telemetry *telemetry_new(void)
{
    TelemetryProcess *p = telemetry_lock();
    CHECK(p);
    Telemetry *telemetry = calloc(1, sizeof *telemetry);
    CHECK(telemetry);
    telemetry->arena = arena_new(ARENA_UNLIMITED);
    telemetry->line = buffer_in(telemetry->arena);
    telemetry->ring = log_ring(p->log, LOG_RING_SIZE);
    telemetry->next = p->loops;
    p->loops = telemetry;
    p->n_loops++;
    telemetry_unlock();
    return telemetry;
}

void telemetry_feed(Telemetry *telemetry, TelemetrySink *sink, void *owner)
{
    CHECK(telemetry->n_sinks < TELEMETRY_SINKS);
    telemetry->sinks[telemetry->n_sinks].tell = sink;
    telemetry->sinks[telemetry->n_sinks++].owner = owner;
}

void telemetry_show_pool(WorkPool *pool)
{
    TelemetryProcess *p = telemetry_lock();
    CHECK(p);
    p->pool = pool;
    telemetry_unlock();
}

static void free_loops(Telemetry *telemetry)
{
    while (telemetry) {
        Telemetry *next = telemetry->next;
        arena_free(telemetry->arena);
        free(telemetry);
        telemetry = next;
    }
}

static void free_generations(Generation *generation)
{
    while (generation) {
        Generation *next = generation->next;
        config_unref(generation->config);
        free(generation);
        generation = next;
    }
}

void telemetry_stop(void)
{
    TelemetryProcess *p = telemetry_lock();
    if (!p)
        return;
    process = NULL;
    telemetry_unlock();
    if (!log_close(p->log, LOG_PATIENCE))
        fputs("passerelle: the log takes no lines: the last ones are lost\n", stderr);
    free_loops(p->loops);
    free_generations(p->generations);
    arena_free(p->arena);
    arena_free(p->event_arena);
    free(p);
}
