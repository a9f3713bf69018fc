#include "gateway/otlp/log_record.h"

#include "adapters/text/json.h"
#include "base/clock.h"
#include "base/text/date.h"
#include "gateway/headers/trace_context.h"
#include "gateway/otlp/otlp_request.h"
#include "gateway/otlp/otlp_wire.h"
#include "gateway/redaction/redaction.h"

#include <stdlib.h>

/* logs.proto: numbers of fields. */
enum {
    RECORD_TIME = 1,
    RECORD_SEVERITY = 2,
    RECORD_SEVERITY_TEXT = 3,
    RECORD_BODY = 5,
    RECORD_ATTRIBUTES = 6,
    RECORD_FLAGS = 8,
    RECORD_TRACE = 9,
    RECORD_SPAN = 10,
    RECORD_OBSERVED = 11,
    RECORD_EVENT = 12,
};
enum { DEPTH_MOST = 8 /* of a line: causes are lists of objects */, NAME_MOST = 128 };

static const struct {
    const char *name;
    uint8_t severity; /* SeverityNumber */
} levels[] = {
    [LOG_INFO] = {"info", 9}, [LOG_WARNING] = {"warning", 13}, [LOG_ERROR] = {"error", 17}};

enum { LEVELS = sizeof levels / sizeof *levels };

/* LEVELS: it has none. */
static int level_of(const JsonNode *line)
{
    int level = 0;
    Bytes text = json_member_text(line, "level");
    while (level < LEVELS && !bytes_are(text, levels[level].name))
        level++;
    return level;
}

/* ---- Attributes ------------------------------------------------------------------------------ */

/* What is not said as an attribute: it has a field of its own, or is of the resource. */
static const char *const fields[] = {"time",     "log",  "level",   "event", "message",
                                     "trace_id", "node", "span_id", NULL};

/* The names of semantic conventions, and of spans. Others are passerelle.NAME. */
static const struct {
    const char *member, *attribute;
} conventions[] = {
    {"peer", "network.peer.address"},
    {"forwarded_for", "client.address"},
    {"client", "enduser.id"},
    {"verb", "http.request.method"},
    {"path", "url.path"},
    {"http_status", "http.response.status_code"},
    {"method", "rpc.method"},
    {"rule", "passerelle.version_rule"},
};

enum { CONVENTIONS = sizeof conventions / sizeof *conventions };

static Bytes name_of(Bytes member, char name[NAME_MOST])
{
    static const char prefix[] = "passerelle.";
    for (int i = 0; i < CONVENTIONS; i++)
        if (bytes_are(member, conventions[i].member))
            return bytes_of(conventions[i].attribute);
    member = bytes_cut_text(member, NAME_MOST - sizeof prefix);
    memcpy(name, prefix, sizeof prefix - 1);
    if (member.size)
        memcpy(name + sizeof prefix - 1, member.data, member.size);
    return bytes(name, sizeof prefix - 1 + member.size);
}

static void add_value(Buffer *out, uint32_t number, const JsonNode *value);

static void add_pair(Buffer *out, uint32_t number, Bytes key, const JsonNode *value)
{
    size_t pair = otlp_begin(out, number);
    otlp_add_field(out, OTLP_KEY, key);
    add_value(out, OTLP_VALUE, value);
    otlp_end(out, pair);
}

static void add_list(Buffer *out, const JsonNode *list)
{
    bool is_map = list->kind == JSON_OBJECT;
    size_t values = otlp_begin(out, is_map ? OTLP_MAP : OTLP_ARRAY);
    for (const JsonNode *item = list->first; item; item = item->next) {
        if (is_map)
            add_pair(out, OTLP_VALUES, item->name, item);
        else
            add_value(out, OTLP_VALUES, item);
    }
    otlp_end(out, values);
}

static void add_numeral(Buffer *out, Bytes text)
{
    char copy[32];
    uint64_t number;
    if (bytes_to_u64(text, &number) && number <= INT64_MAX) {
        otlp_add_varint(out, OTLP_INT, number);
        return;
    }
    text = bytes_slice(text, 0, sizeof copy - 1);
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    otlp_add_double(out, OTLP_DOUBLE, strtod(copy, NULL));
}

/* As an AnyValue; null is an empty one. */
static void add_value(Buffer *out, uint32_t number, const JsonNode *value)
{
    size_t any = otlp_begin(out, number);
    switch (value->kind) {
    case JSON_STRING:
    case JSON_TEXT:
        otlp_add_field(out, OTLP_STRING, bytes_cut_text(value->text, OTLP_TEXT_MOST));
        break;
    case JSON_NUMBER: add_numeral(out, value->text); break;
    case JSON_TRUE:
    case JSON_FALSE: otlp_add_varint(out, OTLP_BOOL, value->kind == JSON_TRUE); break;
    case JSON_ARRAY:
    case JSON_OBJECT: add_list(out, value); break;
    case JSON_NULL: break;
    }
    otlp_end(out, any);
}

static void add_attributes(Buffer *out, const JsonNode *line)
{
    char name[NAME_MOST];
    for (const JsonNode *member = line->first; member; member = member->next)
        if (!bytes_are_one_of(member->name, fields))
            add_pair(out, RECORD_ATTRIBUTES, name_of(member->name, name), member);
}

/* ---- The record ------------------------------------------------------------------------------ */

static void add_time(Buffer *out, Bytes text)
{
    int64_t seconds;
    int32_t nanos;
    if (date_read_rfc3339(text, &seconds, &nanos) && seconds > 0 && seconds < INT64_MAX / SECOND)
        otlp_add_fixed64(out, RECORD_TIME, (uint64_t)(seconds * SECOND + nanos));
}

static void add_body(Buffer *out, const JsonNode *line, Arena *scratch)
{
    Bytes text = json_member_text(line, "message"), method = json_member_text(line, "method");
    Buffer body = buffer_in(scratch);
    buffer_add_bytes(&body, text.size ? text : method);
    if (!text.size && !method.size) {
        buffer_add_bytes(&body, json_member_text(line, "verb"));
        buffer_add_byte(&body, ' ');
        buffer_add_bytes(&body, json_member_text(line, "path"));
    }
    if (!text.size) {
        buffer_add_byte(&body, ' ');
        buffer_add_bytes(&body, json_member_text(line, "code"));
    }
    size_t any = otlp_begin(out, RECORD_BODY);
    otlp_add_field(out, OTLP_STRING, bytes_cut_text(buffer_bytes(&body), OTLP_TEXT_MOST));
    otlp_end(out, any);
}

static void add_event(Buffer *out, const JsonNode *line)
{
    char name[NAME_MOST];
    Bytes event = json_member_text(line, "event");
    otlp_add_field(out, RECORD_EVENT,
                   name_of(event.size ? event : json_member_text(line, "log"), name));
}

static void add_trace(Buffer *out, const JsonNode *line)
{
    Bytes trace = json_member_text(line, "trace_id"), span = json_member_text(line, "span_id");
    if (trace.size != TRACE_ID_SIZE)
        return;
    otlp_add_id(out, RECORD_TRACE, (const char *)trace.data, TRACE_ID_SIZE);
    if (span.size != TRACE_SPAN_SIZE)
        return;
    otlp_add_id(out, RECORD_SPAN, (const char *)span.data, TRACE_SPAN_SIZE);
    const uint8_t sampled[] = {RECORD_FLAGS << 3 | WIRE_FIXED32, TRACE_SAMPLED, 0, 0, 0};
    buffer_add(out, sampled, sizeof sampled);
}

static Bytes redact(Bytes line, const char *const *names, Arena *scratch)
{
    Buffer shown = buffer_in(scratch);
    redact_record(line, names, &shown);
    return buffer_bytes(&shown);
}

bool log_record_write(Bytes line, const LogRecordForm *form, Arena *scratch, Buffer *out)
{
    static const JsonLimits limits = {.depth = DEPTH_MOST, .elements = 10000};
    JsonNode *root;
    if (form->redact)
        line = redact(line, form->redact, scratch);
    Result r = json_parse(scratch, line, &limits, &root);
    int level = !failed(r) && root->kind == JSON_OBJECT ? level_of(root) : LEVELS;
    if (level == LEVELS || level < (int)form->least)
        return false;
    size_t record = otlp_begin(out, OTLP_ITEM);
    add_time(out, json_member_text(root, "time"));
    otlp_add_varint(out, RECORD_SEVERITY, levels[level].severity);
    otlp_add_field(out, RECORD_SEVERITY_TEXT, bytes_of(levels[level].name));
    add_body(out, root, scratch);
    add_attributes(out, root);
    add_trace(out, root);
    otlp_add_fixed64(out, RECORD_OBSERVED, (uint64_t)form->observed);
    add_event(out, root);
    otlp_end(out, record);
    return true;
}
