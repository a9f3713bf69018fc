#include "gateway/trace/span_write.h"

#include "gateway/redaction/redaction.h"

#include "gateway/headers/baggage.h"
#include "gateway/otlp/otlp_request.h"
#include "gateway/otlp/otlp_wire.h"

/* trace.proto: numbers of fields. */
enum {
    SCOPE_SPANS_SPANS = OTLP_ITEM,
    SPAN_TRACE_ID = 1,
    SPAN_ID = 2,
    SPAN_STATE = 3,
    SPAN_PARENT = 4,
    SPAN_NAME = 5,
    SPAN_KIND = 6,
    SPAN_START = 7,
    SPAN_END = 8,
    SPAN_ATTRIBUTES = 9,
    SPAN_EVENTS = 11,
    SPAN_STATUS = 15,
    EVENT_TIME = 1,
    EVENT_NAME = 2,
    STATUS_MESSAGE = 2,
    STATUS_CODE = 3,
};
enum { KIND_INTERNAL = 1, KIND_SERVER = 2, KIND_CLIENT = 3, CODE_ERROR = 2 };

/* ---- Attributes ------------------------------------------------------------------------------ */

#define WORD(literal) OTLP_WORD(literal)

OTLP_INLINED void add_text(Buffer *out, Bytes key, Bytes text)
{
    otlp_add_text(out, SPAN_ATTRIBUTES, key, text);
}

OTLP_INLINED void add_word(Buffer *out, Bytes key, const char *word)
{
    if (word)
        add_text(out, key, bytes_of(word));
}

OTLP_INLINED void add_number(Buffer *out, Bytes key, uint64_t number)
{
    otlp_add_number(out, SPAN_ATTRIBUTES, key, number);
}

OTLP_INLINED void add_counted(Buffer *out, Bytes key, uint64_t n)
{
    if (n)
        add_number(out, key, n);
}

/* ---- What all spans have --------------------------------------------------------------------- */

static void add_span_number(Buffer *out, uint64_t span)
{
    uint8_t id[8];
    for (int i = 0; i < 8; i++)
        id[i] = (uint8_t)(span >> (56 - 8 * i));
    otlp_add_field(out, SPAN_ID, bytes(id, sizeof id));
}

/* Of others there are as many as clients invent. */
static bool is_known_verb(Bytes verb)
{
    static const char *const known[] = {"GET",     "HEAD",    "POST",  "PUT",   "DELETE",
                                        "CONNECT", "OPTIONS", "TRACE", "PATCH", NULL};
    return bytes_are_one_of(verb, known);
}

/* "shop.orders.v1.Orders/Get"; of a path that is passed through: "GET /legacy/". */
static void add_name(Buffer *out, const CallRecord *record)
{
    if (record->method) {
        otlp_add_field(out, SPAN_NAME, bytes_of(record->method->type->path + 1));
        return;
    }
    Bytes match = record->route ? bytes_of(record->route->match) : BYTES_NONE;
    Bytes verb = is_known_verb(record->verb) ? record->verb : bytes_of("HTTP");
    char name[160];
    size_t size = 0;
    memcpy(name, verb.data ? verb.data : (const uint8_t *)"", verb.size);
    size += verb.size;
    match = bytes_cut_text(match, sizeof name - 1 - size);
    if (match.size) {
        name[size++] = ' ';
        memcpy(name + size, match.data, match.size);
        size += match.size;
    }
    otlp_add_field(out, SPAN_NAME, bytes(name, size));
}

static const char *const rpc_systems[] = {[DIALECT_GRPC] = "grpc",
                                          [DIALECT_GRPC_WEB] = "grpc",
                                          [DIALECT_GRPC_WEB_TEXT] = "grpc",
                                          [DIALECT_CONNECT] = "connectrpc",
                                          [DIALECT_CONNECT_STREAM] = "connectrpc",
                                          [DIALECT_REST] = NULL,
                                          [DIALECT_HTTP] = NULL};

/* "shop.orders.v1.Orders/Get" */
static void add_method(Buffer *out, const Method *method)
{
    if (method)
        add_text(out, WORD("rpc.method"), bytes_of(method->type->path + 1));
}

/* The chain of causes, as the log says it; only its faults, if `redact` names anything that their
   texts may quote. */
static void add_failure(Buffer *out, Result why, bool is_error, const char *const *redact)
{
    if (!failed(why))
        return;
    add_word(out, WORD("error.type"), why.error->fault->name);
    char text[OTLP_TEXT_MOST];
    size_t size = 0;
    for (const Error *error = why.error; error; error = error->cause) {
        Bytes doing = bytes_of(error->doing && !redact ? error->doing : error->fault->text);
        doing = bytes_cut_text(doing, sizeof text - size > 2 ? sizeof text - size - 2 : 0);
        if (size && doing.size) {
            memcpy(text + size, ": ", 2);
            size += 2;
        }
        memcpy(text + size, doing.data ? doing.data : (const uint8_t *)"", doing.size);
        size += doing.size;
    }
    if (!is_error) {
        add_text(out, WORD("passerelle.causes"), bytes(text, size));
        return;
    }
    size_t status = otlp_begin(out, SPAN_STATUS);
    otlp_add_field(out, STATUS_MESSAGE, bytes(text, size));
    otlp_add_varint(out, STATUS_CODE, CODE_ERROR);
    otlp_end(out, status);
}

static void add_event(Buffer *out, int64_t at, const char *name)
{
    size_t event = otlp_begin(out, SPAN_EVENTS);
    otlp_add_fixed64(out, EVENT_TIME, (uint64_t)at);
    otlp_add_field(out, EVENT_NAME, bytes_of(name));
    otlp_end(out, event);
}

/* ---- The call -------------------------------------------------------------------------------- */

static bool is_grpc(Dialect dialect)
{
    return dialect <= DIALECT_GRPC_WEB_TEXT;
}

static void add_versions(Buffer *out, const CallRecord *r)
{
    add_word(out, WORD("passerelle.client_version"),
             r->client_version ? r->client_version->name : NULL);
    if (r->reply_version && r->reply_version != r->client_version)
        add_word(out, WORD("passerelle.response_version"), r->reply_version->name);
    add_word(out, WORD("passerelle.served_version"),
             r->served_version ? r->served_version->name : NULL);
    add_word(out, WORD("passerelle.version_rule"), r->rule);
    add_word(out, WORD("passerelle.served_why"), r->served_why);
    add_counted(out, WORD("passerelle.losses"), r->n_losses);
    add_text(out, WORD("passerelle.lost"), r->lost);
}

static void add_outcome(Buffer *out, const CallRecord *r)
{
    add_word(out, WORD("passerelle.code"), code_name(r->status.code));
    add_word(out, WORD("rpc.status_code"),
             rpc_systems[r->dialect] ? code_name(r->status.code) : NULL);
    add_counted(out, WORD("http.response.status_code"), r->http_status);
    add_word(out, WORD("passerelle.degraded"), r->degraded);
    if (r->degraded)
        add_word(out, WORD("passerelle.degraded_by"), fallback_name(r->degraded_by));
    add_counted(out, WORD("passerelle.attempts"), r->n_attempts);
    add_text(out, WORD("passerelle.joined"), r->joined);
    add_text(out, WORD("passerelle.legs"), r->legs);
    if (r->job)
        add_text(out, WORD("passerelle.operation"), r->job->name);
}

/* The value, or "redacted", if `redact` names the member of the log that has it. */
static Bytes shown(Bytes value, const char *member, const char *const *redact)
{
    return value.size && redaction_hides(bytes_of(member), redact) ? bytes_of("redacted") : value;
}

static Bytes address_of(const CallRecord *r, const char *const *redact)
{
    return r->forwarded_for.size ? shown(r->forwarded_for, "forwarded_for", redact)
           : r->peer             ? shown(bytes_of(r->peer), "peer", redact)
                                 : BYTES_NONE;
}

static void add_client(Buffer *out, const CallRecord *r, const char *const *redact)
{
    add_text(out, WORD("passerelle.request_id"), shown(r->request_id, "request_id", redact));
    add_text(out, WORD("enduser.id"), shown(r->client, "client", redact));
    add_text(out, WORD("client.address"), address_of(r, redact));
    add_word(out, WORD("passerelle.dialect"), dialect_name(r->dialect));
    add_word(out, WORD("rpc.system.name"), rpc_systems[r->dialect]);
    if (!is_grpc(r->dialect)) { /* else they say nothing that the method does not */
        add_text(out, WORD("http.request.method"),
                 is_known_verb(r->verb) ? r->verb : bytes_of("_OTHER"));
        add_text(out, WORD("url.path"), shown(r->path, "path", redact));
    }
    add_word(out, WORD("passerelle.leg"), r->leg);
    add_word(out, WORD("passerelle.job"), r->step_of);
    if (r->route)
        add_text(out, WORD("passerelle.route"), shown(bytes_of(r->route->match), "route", redact));
}

/* Under the members' own names, as services record them. */
static void add_baggage(Buffer *out, const BaggageNotes *notes, const char *const *redact)
{
    for (uint32_t i = 0; i < notes->n; i++) {
        const char *name = notes->items[i].name;
        add_text(out, bytes_of(name), shown(notes->items[i].value, name, redact));
    }
}

static bool has_parent(const TraceContext *context)
{
    return context->caller[0] != 0;
}

static void add_call(Buffer *out, const CallRecord *record, const TraceContext *context,
                     const char *const *redact)
{
    size_t span = otlp_begin(out, SCOPE_SPANS_SPANS);
    otlp_add_id(out, SPAN_TRACE_ID, context->trace_id, TRACE_ID_SIZE);
    otlp_add_id(out, SPAN_ID, context->span, TRACE_SPAN_SIZE);
    if (context->state.size)
        otlp_add_field(out, SPAN_STATE, context->state);
    if (has_parent(context))
        otlp_add_id(out, SPAN_PARENT, context->caller, TRACE_SPAN_SIZE);
    add_name(out, record);
    otlp_add_varint(out, SPAN_KIND, record->leg || record->step_of ? KIND_INTERNAL : KIND_SERVER);
    otlp_add_fixed64(out, SPAN_START, (uint64_t)record->began);
    otlp_add_fixed64(out, SPAN_END, (uint64_t)(record->began + record->time_total));
    add_client(out, record, redact);
    if (context->noted && !redaction_hides(bytes_of("baggage"), redact))
        add_baggage(out, context->noted, redact);
    add_method(out, record->method);
    add_versions(out, record);
    add_outcome(out, record);
    add_failure(out, record->why,
                record->status.code != CODE_OK && telemetry_side(record) != SIDE_CLIENT, redact);
    otlp_end(out, span);
}

/* ---- Its attempts ---------------------------------------------------------------------------- */

static void add_instance(Buffer *out, const Instance *instance, const char *const *redact)
{
    const Address *address = &instance->address;
    const char *where = address->host ? address->host : address->path;
    add_text(out, WORD("server.address"), shown(bytes_of(where), "instance", redact));
    if (!redaction_hides(bytes_of("instance"), redact))
        add_counted(out, WORD("server.port"), address->port);
    if (instance->build && *instance->build)
        add_word(out, WORD("passerelle.build"), instance->build);
}

/* `offset`: from the clock of attempts to wall time. */
static void add_attempt(Buffer *out, const CallRecord *record, const TraceContext *context,
                        const AttemptRecord *attempt, uint64_t id, int64_t offset,
                        const char *const *redact)
{
    size_t span = otlp_begin(out, SCOPE_SPANS_SPANS);
    otlp_add_id(out, SPAN_TRACE_ID, context->trace_id, TRACE_ID_SIZE);
    add_span_number(out, id);
    otlp_add_id(out, SPAN_PARENT, context->span, TRACE_SPAN_SIZE);
    add_name(out, record);
    otlp_add_varint(out, SPAN_KIND, KIND_CLIENT);
    otlp_add_fixed64(out, SPAN_START, (uint64_t)(attempt->began + offset));
    otlp_add_fixed64(out, SPAN_END, (uint64_t)(attempt->ended + offset));
    add_instance(out, attempt->instance, redact);
    add_method(out, record->method);
    add_word(out, WORD("passerelle.served_version"),
             attempt->served ? attempt->served->name : NULL);
    add_word(out, WORD("passerelle.code"), code_name(attempt->code));
    if (attempt->asked)
        add_event(out, attempt->asked + offset, "request sent");
    if (attempt->headed)
        add_event(out, attempt->headed + offset, "response begun");
    add_failure(out, attempt->why, attempt->code != CODE_OK, redact);
    otlp_end(out, span);
}

uint32_t spans_write(const CallRecord *record, const TraceContext *context, int64_t began,
                     Random *random, const char *const *redact, Buffer *out)
{
    uint32_t n = 1;
    add_call(out, record, context, redact);
    for (const AttemptRecord *a = record->attempts; a; a = a->next) {
        uint64_t id = a->span ? a->span : random_next(random) | 1;
        add_attempt(out, record, context, a, id, record->began - began, redact);
        n++;
    }
    return n;
}
