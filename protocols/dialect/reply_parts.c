#include "protocols/dialect/reply_parts.h"

#include "base/arena.h"
#include "base/text/json_text.h"
#include "protocols/dialect/media.h"
#include "protocols/http/compression.h"

enum { USUAL_FIELDS = 8 }; /* that we add to the metadata */

void reply_head_begin(uint16_t http_status, const Fields *metadata, Arena *arena,
                      HttpHead *head_out)
{
    *head_out = (HttpHead){.status = http_status, .content_length = -1, .fields = fields_in(arena)};
    uint32_t capacity = metadata->n + USUAL_FIELDS;
    Field *items = arena_alloc(arena, capacity * sizeof(Field));
    if (!items) {
        head_out->fields.full = true;
        return;
    }
    if (metadata->n)
        memcpy(items, metadata->items, metadata->n * sizeof(Field));
    head_out->fields.items = items;
    head_out->fields.n = metadata->n;
    head_out->fields.capacity = capacity;
    head_out->fields.full = metadata->full;
}

static const char *stream_type(RestStream form)
{
    switch (form) {
    case REST_STREAM_LINES: break;
    case REST_STREAM_EVENTS: return "text/event-stream";
    case REST_STREAM_ARRAY:
    case REST_STREAM_RESULTS: return "application/json";
    }
    return "application/x-ndjson";
}

/* REST streams have their own media types; google.api.HttpBody sets one in the metadata. */
void reply_add_content_type(const Call *call, const Fields *metadata, bool is_stream, Fields *to)
{
    Bytes type = media_write(call->dialect, call->reply_codec);
    if (call->dialect == DIALECT_REST) {
        if (fields_get(metadata, "content-type").data)
            return;
        RestStream form = is_stream ? rest_stream_of(call) : REST_STREAM_ARRAY;
        if (is_stream)
            type = bytes_of(stream_type(form));
        if (form == REST_STREAM_EVENTS && !fields_get(metadata, "cache-control").data)
            fields_add(to, bytes_of("cache-control"), bytes_of("no-cache"));
    }
    fields_add(to, bytes_of("content-type"), type);
}

static bool came_before(const Fields *fields, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (bytes_equal(fields->items[i].name, fields->items[index].name))
            return true;
    }
    return false;
}

void reply_add_metadata_json(const Fields *fields, Buffer *out)
{
    buffer_add_byte(out, '{');
    for (uint32_t i = 0; i < fields->n; i++) {
        if (came_before(fields, i))
            continue;
        if (i)
            buffer_add_byte(out, ',');
        json_text_add(out, fields->items[i].name);
        buffer_add_text(out, ":[");
        json_text_add(out, fields->items[i].value);
        for (uint32_t j = i + 1; j < fields->n; j++) {
            if (bytes_equal(fields->items[i].name, fields->items[j].name)) {
                buffer_add_byte(out, ',');
                json_text_add(out, fields->items[j].value);
            }
        }
        buffer_add_byte(out, ']');
    }
    buffer_add_byte(out, '}');
}

void reply_add_details_json(const Reply *reply, Buffer *out)
{
    buffer_add_byte(out, '[');
    for (size_t i = 0; i < reply->details.n; i++) {
        if (i)
            buffer_add_byte(out, ',');
        error_detail_to_json(&reply->details.items[i], reply->options->detail_json, reply->arena,
                             out);
    }
    buffer_add_byte(out, ']');
}

void reply_add_prefixed(const Fields *trailers, Arena *arena, Fields *to)
{
    for (uint32_t i = 0; i < trailers->n; i++) {
        Buffer name = buffer_in(arena);
        buffer_add_text(&name, "trailer-");
        buffer_add_bytes(&name, trailers->items[i].name);
        if (name.full)
            to->full = true;
        else
            fields_add(to, buffer_bytes(&name), trailers->items[i].value);
    }
}

bool reply_is_fault(const Reply *reply, const Fault *fault)
{
    return reply->status->error && reply->status->error->fault == fault;
}

static void add_hints(const Reply *reply, const char *accept_name, Fields *to)
{
    if (reply_is_fault(reply, &FAULT_UNSUPPORTED_ENCODING))
        fields_add(to, bytes_of(accept_name), bytes_of(COMPRESSION_NAMES));
    if (reply_is_fault(reply, &FAULT_METHOD_NOT_ALLOWED) && reply->call->dialect != DIALECT_REST &&
        !fields_get(reply->metadata, "allow").data)
        fields_add(to, bytes_of("allow"), bytes_of("POST"));
    if (reply_is_fault(reply, &FAULT_UNSUPPORTED_MEDIA) && bytes_are(reply->call->verb, "POST"))
        fields_add(to, bytes_of("accept-post"),
                   reply->call->dialect == DIALECT_REST || reply->call->dialect == DIALECT_HTTP
                       ? bytes_of("application/json")
                       : bytes_of("application/grpc, application/grpc+json, application/grpc-web, "
                                  "application/grpc-web+json, application/grpc-web-text, "
                                  "application/proto, application/json, application/connect+proto, "
                                  "application/connect+json"));
}

/* nosniff: errors quote input of the caller, which a browser must not interpret as HTML or script.
   gRPC errors have no body. */
void reply_add_error_fields(const Reply *reply, const char *accept_name, Fields *to)
{
    if (reply->status->code == CODE_OK)
        return;
    add_hints(reply, accept_name, to);
    if (reply->call->dialect != DIALECT_GRPC)
        fields_set(to, "x-content-type-options", bytes_of("nosniff"));
}
