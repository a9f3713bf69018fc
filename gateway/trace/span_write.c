#include "gateway/trace/span_write.h"

#include "adapters/schema/wire.h"

/* trace.proto, common.proto, resource.proto, trace_service.proto: numbers of fields. */
enum {
    REQUEST_RESOURCE_SPANS = 1,
    RESOURCE_SPANS_RESOURCE = 1,
    RESOURCE_SPANS_SCOPE_SPANS = 2,
    RESOURCE_ATTRIBUTES = 1,
    SCOPE_SPANS_SCOPE = 1,
    SCOPE_SPANS_SPANS = 2,
    SCOPE_NAME = 1,
    SCOPE_VERSION = 2,
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
    KEY = 1,
    VALUE = 2,
    VALUE_STRING = 1,
    VALUE_INT = 3,
    RESPONSE_PARTIAL = 1,
    PARTIAL_REJECTED = 1,
    PARTIAL_WHY = 2,
};
enum { KIND_INTERNAL = 1, KIND_SERVER = 2, KIND_CLIENT = 3, CODE_ERROR = 2 };

/* ---- Fields -----------------------------------------------------------------------------------
 */

/* Inlined, so that what is known of a key is computed once for all: it is half of what a span
 * costs. */
#define INLINE static inline __attribute__((always_inline))

/* Numbers of fields are below 16, so that a tag is one byte. */
INLINE uint8_t tag_of(uint32_t number, WireType type)
{
    return (uint8_t)(number << 3 | type);
}

INLINE size_t size_of_field(size_t payload)
{
    return 1 + wire_varint_size(payload) + payload;
}

INLINE uint8_t *put_head(uint8_t *at, uint32_t number, size_t payload)
{
    *at++ = tag_of(number, WIRE_LENGTH);
    return wire_put_varint(at, payload);
}

INLINE uint8_t *put_field(uint8_t *at, uint32_t number, Bytes payload)
{
    at = put_head(at, number, payload.size);
    memcpy(at, payload.data, payload.size);
    return at + payload.size;
}

static void add_field(Buffer *out, uint32_t number, Bytes payload)
{
    if (payload.size && buffer_reserve(out, size_of_field(payload.size)))
        out->size = (size_t)(put_field(out->data + out->size, number, payload) - out->data);
}

static void add_varint(Buffer *out, uint32_t number, uint64_t value)
{
    if (!buffer_reserve(out, 1 + WIRE_VARINT_MAX))
        return;
    uint8_t *at = out->data + out->size;
    *at++ = tag_of(number, WIRE_VARINT);
    out->size = (size_t)(wire_put_varint(at, value) - out->data);
}

INLINE void add_fixed64(Buffer *out, uint32_t number, uint64_t value)
{
    if (!buffer_reserve(out, 9))
        return;
    uint8_t *at = out->data + out->size;
    *at++ = tag_of(number, WIRE_FIXED64);
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> 8 * i);
    out->size += 9;
}

/* A message of unknown length, which has room for up to 2 MiB, whatever it is. */
enum { LENGTH_ROOM = 3 };

static size_t begin(Buffer *out, uint32_t number)
{
    uint8_t head[1 + LENGTH_ROOM] = {tag_of(number, WIRE_LENGTH)};
    buffer_add(out, head, sizeof head);
    return out->size;
}

static void end(Buffer *out, size_t from)
{
    if (out->full)
        return;
    size_t size = out->size - from;
    CHECK(size < 1 << 21);
    out->data[from - 3] = (uint8_t)(size | 0x80);
    out->data[from - 2] = (uint8_t)(size >> 7 | 0x80);
    out->data[from - 1] = (uint8_t)(size >> 14);
}

/* ---- Attributes ------------------------------------------------------------------------------ */

#define WORD(literal) bytes(literal, sizeof(literal) - 1)

/* `value`: an AnyValue. */
INLINE uint8_t *put_key(uint8_t *at, uint32_t number, Bytes key, size_t value)
{
    at = put_head(at, number, size_of_field(key.size) + size_of_field(value));
    at = put_field(at, KEY, key);
    return put_head(at, VALUE, value);
}

INLINE size_t size_of_attribute(Bytes key, size_t value)
{
    return size_of_field(size_of_field(key.size) + size_of_field(value));
}

INLINE void add_text_as(Buffer *out, uint32_t number, Bytes key, Bytes text)
{
    text = bytes_cut_text(text, SPAN_TEXT_MOST);
    size_t value = size_of_field(text.size);
    if (!text.size || !buffer_reserve(out, size_of_attribute(key, value)))
        return;
    uint8_t *at = put_key(out->data + out->size, number, key, value);
    out->size = (size_t)(put_field(at, VALUE_STRING, text) - out->data);
}

INLINE void add_text(Buffer *out, Bytes key, Bytes text)
{
    add_text_as(out, SPAN_ATTRIBUTES, key, text);
}

INLINE void add_word(Buffer *out, Bytes key, const char *word)
{
    if (word)
        add_text(out, key, bytes_of(word));
}

INLINE void add_number(Buffer *out, Bytes key, uint64_t number)
{
    size_t value = 1 + wire_varint_size(number);
    if (!buffer_reserve(out, size_of_attribute(key, value)))
        return;
    uint8_t *at = put_key(out->data + out->size, SPAN_ATTRIBUTES, key, value);
    *at++ = tag_of(VALUE_INT, WIRE_VARINT);
    out->size = (size_t)(wire_put_varint(at, number) - out->data);
}

INLINE void add_counted(Buffer *out, Bytes key, uint64_t n)
{
    if (n)
        add_number(out, key, n);
}

/* ---- What all spans have ----------------------------------------------------------------------
 */

/* Lower case. */
static uint8_t digit_of(char hex)
{
    return (uint8_t)((hex & 15) + (hex >> 6) * 9);
}

INLINE void add_id(Buffer *out, uint32_t number, const char *hex, size_t digits)
{
    uint8_t id[TRACE_ID_SIZE / 2];
    for (size_t i = 0; i < digits / 2; i++)
        id[i] = (uint8_t)(digit_of(hex[2 * i]) << 4 | digit_of(hex[2 * i + 1]));
    add_field(out, number, bytes(id, digits / 2));
}

static void add_span_number(Buffer *out, uint64_t span)
{
    uint8_t id[8];
    for (int i = 0; i < 8; i++)
        id[i] = (uint8_t)(span >> (56 - 8 * i));
    add_field(out, SPAN_ID, bytes(id, sizeof id));
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
        add_field(out, SPAN_NAME, bytes_of(record->method->type->path + 1));
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
    add_field(out, SPAN_NAME, bytes(name, size));
}

static const char *const rpc_systems[] = {[DIALECT_GRPC] = "grpc",
                                          [DIALECT_GRPC_WEB] = "grpc",
                                          [DIALECT_GRPC_WEB_TEXT] = "grpc",
                                          [DIALECT_CONNECT] = "connect_rpc",
                                          [DIALECT_CONNECT_STREAM] = "connect_rpc",
                                          [DIALECT_REST] = NULL,
                                          [DIALECT_HTTP] = NULL};

/* "/shop.orders.v1.Orders/Get" */
static void add_method(Buffer *out, const Method *method)
{
    if (!method)
        return;
    Bytes path = bytes_of(method->type->path + 1);
    size_t slash = bytes_find(path, '/');
    add_text(out, WORD("rpc.service"), bytes_slice(path, 0, slash));
    add_text(out, WORD("rpc.method"), bytes_slice(path, slash + 1, SIZE_MAX));
}

/* The chain of causes, as the log says it. */
static void add_failure(Buffer *out, Result why, bool is_error)
{
    if (!failed(why))
        return;
    add_word(out, WORD("error.type"), why.error->fault->name);
    char text[SPAN_TEXT_MOST];
    size_t size = 0;
    for (const Error *error = why.error; error; error = error->cause) {
        Bytes doing = bytes_of(error->doing ? error->doing : error->fault->text);
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
    size_t status = begin(out, SPAN_STATUS);
    add_field(out, STATUS_MESSAGE, bytes(text, size));
    add_varint(out, STATUS_CODE, CODE_ERROR);
    end(out, status);
}

static void add_event(Buffer *out, int64_t at, const char *name)
{
    size_t event = begin(out, SPAN_EVENTS);
    add_fixed64(out, EVENT_TIME, (uint64_t)at);
    add_field(out, EVENT_NAME, bytes_of(name));
    end(out, event);
}

/* ---- The call ---------------------------------------------------------------------------------
 */

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
    if (is_grpc(r->dialect))
        add_number(out, WORD("rpc.grpc.status_code"), r->status.code);
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

static void add_client(Buffer *out, const CallRecord *r)
{
    add_text(out, WORD("passerelle.request_id"), r->request_id);
    add_text(out, WORD("enduser.id"), r->client);
    add_text(out, WORD("client.address"),
             r->forwarded_for.size ? r->forwarded_for
             : r->peer             ? bytes_of(r->peer)
                                   : BYTES_NONE);
    add_word(out, WORD("passerelle.dialect"), dialect_name(r->dialect));
    add_word(out, WORD("rpc.system"), rpc_systems[r->dialect]);
    if (!is_grpc(r->dialect)) { /* else they say nothing that the method does not */
        add_text(out, WORD("http.request.method"),
                 is_known_verb(r->verb) ? r->verb : bytes_of("_OTHER"));
        add_text(out, WORD("url.path"), r->path);
    }
    add_word(out, WORD("passerelle.leg"), r->leg);
    add_word(out, WORD("passerelle.job"), r->step_of);
    if (r->route)
        add_word(out, WORD("passerelle.route"), r->route->match);
}

static bool has_parent(const TraceContext *context)
{
    return context->caller[0] != 0;
}

static void add_call(Buffer *out, const CallRecord *record, const TraceContext *context)
{
    size_t span = begin(out, SCOPE_SPANS_SPANS);
    add_id(out, SPAN_TRACE_ID, context->trace_id, TRACE_ID_SIZE);
    add_id(out, SPAN_ID, context->span, TRACE_SPAN_SIZE);
    if (context->state.size)
        add_field(out, SPAN_STATE, context->state);
    if (has_parent(context))
        add_id(out, SPAN_PARENT, context->caller, TRACE_SPAN_SIZE);
    add_name(out, record);
    add_varint(out, SPAN_KIND, record->leg || record->step_of ? KIND_INTERNAL : KIND_SERVER);
    add_fixed64(out, SPAN_START, (uint64_t)record->began);
    add_fixed64(out, SPAN_END, (uint64_t)(record->began + record->time_total));
    add_client(out, record);
    add_method(out, record->method);
    add_versions(out, record);
    add_outcome(out, record);
    add_failure(out, record->why,
                record->status.code != CODE_OK && telemetry_side(record) != SIDE_CLIENT);
    end(out, span);
}

/* ---- Its attempts -----------------------------------------------------------------------------
 */

static void add_instance(Buffer *out, const Instance *instance)
{
    const Address *address = &instance->address;
    add_word(out, WORD("server.address"), address->host ? address->host : address->path);
    add_counted(out, WORD("server.port"), address->port);
    if (instance->build && *instance->build)
        add_word(out, WORD("passerelle.build"), instance->build);
}

/* `offset`: from the clock of attempts to wall time. */
static void add_attempt(Buffer *out, const CallRecord *record, const TraceContext *context,
                        const AttemptRecord *attempt, uint64_t id, int64_t offset)
{
    size_t span = begin(out, SCOPE_SPANS_SPANS);
    add_id(out, SPAN_TRACE_ID, context->trace_id, TRACE_ID_SIZE);
    add_span_number(out, id);
    add_id(out, SPAN_PARENT, context->span, TRACE_SPAN_SIZE);
    add_name(out, record);
    add_varint(out, SPAN_KIND, KIND_CLIENT);
    add_fixed64(out, SPAN_START, (uint64_t)(attempt->began + offset));
    add_fixed64(out, SPAN_END, (uint64_t)(attempt->ended + offset));
    add_instance(out, attempt->instance);
    add_method(out, record->method);
    add_word(out, WORD("passerelle.served_version"),
             attempt->served ? attempt->served->name : NULL);
    add_word(out, WORD("passerelle.code"), code_name(attempt->code));
    if (attempt->asked)
        add_event(out, attempt->asked + offset, "request sent");
    if (attempt->headed)
        add_event(out, attempt->headed + offset, "response begun");
    add_failure(out, attempt->why, attempt->code != CODE_OK);
    end(out, span);
}

uint32_t spans_write(const CallRecord *record, const TraceContext *context, int64_t began,
                     Random *random, Buffer *out)
{
    uint32_t n = 1;
    add_call(out, record, context);
    for (const AttemptRecord *a = record->attempts; a; a = a->next) {
        uint64_t id = a->span ? a->span : random_next(random) | 1;
        add_attempt(out, record, context, a, id, record->began - began);
        n++;
    }
    return n;
}

/* ---- Requests and responses --------------------------------------------------------------------
 */

static void add_head(Buffer *out, uint32_t number, size_t payload)
{
    if (buffer_reserve(out, 1 + WIRE_VARINT_MAX))
        out->size = (size_t)(put_head(out->data + out->size, number, payload) - out->data);
}

void spans_wrap(const char *service, const char *node, Bytes spans, Buffer *out)
{
    Buffer resource = buffer_in(out->arena), scope = buffer_in(out->arena);
    add_text_as(&resource, RESOURCE_ATTRIBUTES, WORD("service.name"), bytes_of(service));
    add_text_as(&resource, RESOURCE_ATTRIBUTES, WORD("service.version"), bytes_of(VERSION));
    add_text_as(&resource, RESOURCE_ATTRIBUTES, WORD("service.instance.id"), bytes_of(node));
    add_text_as(&resource, RESOURCE_ATTRIBUTES, WORD("host.name"), bytes_of(node));
    add_field(&scope, SCOPE_NAME, bytes_of("passerelle"));
    add_field(&scope, SCOPE_VERSION, bytes_of(VERSION));
    size_t inner = size_of_field(scope.size) + spans.size;
    size_t outer = size_of_field(resource.size) + size_of_field(inner);
    add_head(out, REQUEST_RESOURCE_SPANS, outer);
    add_field(out, RESOURCE_SPANS_RESOURCE, buffer_bytes(&resource));
    add_head(out, RESOURCE_SPANS_SCOPE_SPANS, inner);
    add_field(out, SCOPE_SPANS_SCOPE, buffer_bytes(&scope));
    buffer_add_bytes(out, spans);
    if (resource.full || scope.full)
        out->full = true;
}

bool spans_response_read(Bytes response, uint64_t *rejected_out, Bytes *why_out)
{
    *rejected_out = 0;
    *why_out = BYTES_NONE;
    WireReader whole = wire_reader(response);
    for (WireField field; wire_next(&whole, &field);) {
        if (field.number != RESPONSE_PARTIAL || field.type != WIRE_LENGTH)
            continue;
        WireReader partial = wire_reader(field.bytes);
        for (WireField part; wire_next(&partial, &part);) {
            if (part.number == PARTIAL_REJECTED && part.type == WIRE_VARINT)
                *rejected_out = part.value;
            else if (part.number == PARTIAL_WHY && part.type == WIRE_LENGTH)
                *why_out = part.bytes;
        }
        if (partial.bad)
            return false;
    }
    return !whole.bad;
}
