/*
 * google.api.HttpBody: bytes of any media type in a REST call, {content_type = 1, data = 2}. Towards the
 * service it is an ordinary message; towards the client its data is the body itself.
 */
#include "adapters/wire.h"
#include "base/arena.h"
#include "base/base64.h"
#include "base/json_text.h"
#include "gateway/exchange_internal.h"

static bool is_http_body(const MessageType *type)
{
    return type && strcmp(type->full_name, "google.api.HttpBody") == 0;
}

bool http_body_in(const RestBinding *binding)
{
    const MessageType *input = binding->method->type->input;
    const char *body = binding->rule->body;
    if (strcmp(body, "*") == 0)
        return is_http_body(input);
    const FieldType *field = body[0] ? message_field(input, bytes_of(body)) : NULL;
    return field && is_http_body(field->message);
}

bool http_body_out(const RestBinding *binding)
{
    return is_http_body(binding->method->type->output) && !binding->rule->response_body[0];
}

Bytes http_body_wrap(const Call *call, Bytes body, Arena *arena)
{
    Buffer json = buffer_in(arena);
    buffer_add_text(&json, "{\"contentType\":");
    json_text_add(&json, fields_get(call->head, "content-type"));
    buffer_add_text(&json, ",\"data\":\"");
    base64_encode(&json, body, BASE64_STANDARD, true);
    buffer_add_text(&json, "\"}");
    return json.full ? BYTES_NONE : buffer_bytes(&json);
}

Bytes http_body_unwrap(Bytes message, Bytes *content_type_out)
{
    Bytes data = BYTES_NONE;
    *content_type_out = bytes_of("application/octet-stream");
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.type == WIRE_LENGTH && f.number == 1)
            *content_type_out = f.bytes;
        if (f.type == WIRE_LENGTH && f.number == 2)
            data = f.bytes;
    }
    return data;
}
