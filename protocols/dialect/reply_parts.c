#include "protocols/dialect/reply_parts.h"

#include "base/arena.h"
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

/* Errors quote what their callers sent: no browser may take one for a page or a script. gRPC's have
   no body. */
void reply_add_error_fields(const Reply *reply, const char *accept_name, Fields *to)
{
    if (reply->status->code == CODE_OK)
        return;
    add_hints(reply, accept_name, to);
    if (reply->call->dialect != DIALECT_GRPC)
        fields_set(to, "x-content-type-options", bytes_of("nosniff"));
}
