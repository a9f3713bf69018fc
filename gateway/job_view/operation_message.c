#include "gateway/job_view/operation_message.h"

#include "adapters/details/details.h"
#include "adapters/schema/wire.h"
#include "adapters/text/time_text.h"
#include "base/clock.h"
#include "base/text/base64.h"
#include "base/text/json_text.h"

/* google.longrunning.Operation, google.rpc.Status, google.protobuf.Any. */
enum { NAME = 1, METADATA = 2, DONE = 3, ERROR = 4, RESPONSE = 5 };
enum { STATUS_CODE = 1, STATUS_MESSAGE = 2, STATUS_DETAILS = 3 };
enum { ANY_TYPE = 1, ANY_VALUE = 2 };
/* google.protobuf.Struct and Value, and an entry of a map. */
enum { STRUCT_FIELDS = 1, ENTRY_KEY = 1, ENTRY_VALUE = 2, VALUE_STRING = 3 };
/* ListOperationsResponse. */
enum { OPERATIONS = 1, NEXT_TOKEN = 2 };

/* ---- Metadata -------------------------------------------------------------------------------- */

/* A text of a google.protobuf.Struct. */
static void add_text(Buffer *out, const char *name, Bytes text)
{
    Buffer value = buffer_in(out->arena), entry = buffer_in(out->arena);
    if (!text.size)
        return;
    wire_add_bytes(&value, VALUE_STRING, text);
    wire_add_bytes(&entry, ENTRY_KEY, bytes_of(name));
    wire_add_bytes(&entry, ENTRY_VALUE, buffer_bytes(&value));
    wire_add_bytes(out, STRUCT_FIELDS, buffer_bytes(&entry));
    out->full |= value.full || entry.full;
}

static void add_time(Buffer *out, const char *name, int64_t wall)
{
    uint8_t text[TIME_TEXT_MAX];
    TimeParts time = {wall / SECOND, (int32_t)(wall % SECOND)};
    if (wall)
        add_text(out, name, bytes(text, timestamp_write(text, time)));
}

static void write_metadata(const JobRecord *record, Buffer *out)
{
    add_text(out, "state", bytes_of(job_state_name(record->position.state)));
    add_text(out, "step", record->step);
    add_text(out, "failedStep", job_failed_step(record));
    if (record->parked.size)
        add_text(out, "reason", bytes_of(JOB_PARKED_REASON));
    add_text(out, "method", record->definition);
    add_time(out, "createTime", record->created);
    add_time(out, "updateTime", record->changed);
}

void operation_add_metadata(const JobRecord *record, Bytes operation, Buffer *out)
{
    buffer_add_bytes(out, operation);
    if (wire_find_bytes(operation, METADATA).size)
        return;
    Buffer metadata = buffer_in(out->arena), any = buffer_in(out->arena);
    write_metadata(record, &metadata);
    wire_add_bytes(&any, ANY_TYPE, bytes_of(JOB_METADATA_TYPE));
    wire_add_bytes(&any, ANY_VALUE, buffer_bytes(&metadata));
    wire_add_bytes(out, METADATA, buffer_bytes(&any));
    out->full |= any.full || metadata.full;
}

void operation_write_bare(const JobSources *sources, Buffer *out)
{
    Buffer name = buffer_in(out->arena);
    JobState state = sources->position->state;
    buffer_printf(&name, JOB_NAME_PREFIX "%.*s", BYTES_ARGS(sources->id));
    wire_add_bytes(out, NAME, buffer_bytes(&name));
    if (job_is_at_rest(state))
        wire_add_number(out, DONE, 1);
    if (job_is_at_rest(state) && state != JOB_DONE)
        job_add_error(sources, out);
    out->full |= name.full;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* Of a type that nobody knows the bytes are told, as in details of errors. */
static void unknown_json(Bytes type, Bytes value, Buffer *out)
{
    Buffer text = buffer_in(out->arena);
    base64_encode(&text, value, BASE64_STANDARD, true);
    buffer_add_byte(out, '{');
    json_text_add_member(out, "@type", type);
    json_text_add_member(out, "value", buffer_bytes(&text));
    buffer_add_byte(out, '}');
    out->full |= text.full;
}

static void any_json(Bytes message, const Plan *any, Buffer *out)
{
    Bytes type = wire_find_bytes(message, ANY_TYPE), value = wire_find_bytes(message, ANY_VALUE);
    if (!any || !detail_to_json(any, message, out->arena, out))
        unknown_json(type, value, out);
}

static void status_json(Bytes status, const Plan *any, Buffer *out)
{
    uint64_t code = 0;
    bool has_details = false;
    WireReader reader = wire_reader(status);
    buffer_add_byte(out, '{');
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == STATUS_CODE)
            code = f.value;
        has_details |= f.number == STATUS_DETAILS;
    }
    json_text_add_number(out, "code", code);
    json_text_add_member(out, "message", wire_find_bytes(status, STATUS_MESSAGE));
    if (has_details)
        json_text_add_key(out, "details");
    reader = wire_reader(status);
    for (WireField f, *first = &f; has_details && wire_next(&reader, &f);) {
        if (f.number != STATUS_DETAILS)
            continue;
        buffer_add_byte(out, first ? '[' : ',');
        first = NULL;
        any_json(f.bytes, any, out);
    }
    buffer_add_text(out, has_details ? "]}" : "}");
}

void operation_write_json(Bytes operation, const Plan *any, Buffer *out)
{
    WireReader reader = wire_reader(operation);
    buffer_add_byte(out, '{');
    json_text_add_member(out, "name", wire_find_bytes(operation, NAME));
    for (WireField f; wire_next(&reader, &f);) {
        switch (f.number) {
        case DONE: json_text_add_bool(out, "done", f.value); break;
        case METADATA:
            json_text_add_key(out, "metadata");
            any_json(f.bytes, any, out);
            break;
        case ERROR:
            json_text_add_key(out, "error");
            status_json(f.bytes, any, out);
            break;
        case RESPONSE:
            json_text_add_key(out, "response");
            any_json(f.bytes, any, out);
            break;
        default: break;
        }
    }
    buffer_add_byte(out, '}');
}

/* ---- Lists ----------------------------------------------------------------------------------- */

OperationList operation_list_in(Arena *arena, Codec codec)
{
    OperationList list = {.codec = codec, .out = buffer_in(arena)};
    if (codec == CODEC_JSON)
        buffer_add_text(&list.out, "{\"operations\":[");
    return list;
}

void operation_list_add(OperationList *list, Bytes operation)
{
    if (list->codec == CODEC_PROTO) {
        wire_add_bytes(&list->out, OPERATIONS, operation);
    } else {
        json_text_add_element(&list->out);
        buffer_add_bytes(&list->out, operation);
    }
    list->n++;
}

void operation_list_end(OperationList *list, Bytes token)
{
    if (list->codec == CODEC_PROTO) {
        if (token.size)
            wire_add_bytes(&list->out, NEXT_TOKEN, token);
        return;
    }
    buffer_add_byte(&list->out, ']');
    if (token.size)
        json_text_add_member(&list->out, "nextPageToken", token);
    buffer_add_byte(&list->out, '}');
}
