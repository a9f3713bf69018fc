#include "gateway/http_body.h"

#include "adapters/wire.h"
#include "base/base64.h"
#include "base/json_text.h"

bool http_body_is(const MessageType *type)
{
    return type && strcmp(type->full_name, "google.api.HttpBody") == 0;
}

bool http_body_in(const RestBinding *binding)
{
    const MessageType *input = binding->method->type->input;
    const char *body = binding->rule->body;
    if (strcmp(body, "*") == 0)
        return http_body_is(input);
    const FieldType *field = body[0] ? message_field(input, bytes_of(body)) : NULL;
    return field && http_body_is(field->message);
}

bool http_body_out(const RestBinding *binding)
{
    return http_body_is(binding->method->type->output) && !binding->rule->response_body[0];
}

void http_body_wrap(Bytes content_type, Bytes body, Buffer *out)
{
    buffer_add_text(out, "{\"contentType\":");
    json_text_add(out, content_type);
    buffer_add_text(out, ",\"data\":\"");
    base64_encode(out, body, BASE64_STANDARD, true);
    buffer_add_text(out, "\"}");
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
