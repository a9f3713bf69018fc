#include "gateway/rest/http_body.h"

#include "adapters/schema/wire.h"
#include "base/text/base64.h"
#include "base/text/json_text.h"

bool http_body_is(const MessageType *type)
{
    return type && strcmp(type->full_name, "google.api.HttpBody") == 0;
}

bool http_body_in(const MethodType *method, const HttpRule *rule)
{
    if (strcmp(rule->body, "*") == 0)
        return http_body_is(method->input);
    const FieldType *field =
        rule->body[0] ? message_field(method->input, bytes_of(rule->body)) : NULL;
    return field && http_body_is(field->message) && !field->repeated;
}

/* The field of the response message that is the body; NULL: the whole message. */
static const FieldType *response_field(const MethodType *method, const HttpRule *rule)
{
    return rule->response_body[0] ? message_field(method->output, bytes_of(rule->response_body))
                                  : NULL;
}

bool http_body_out(const MethodType *method, const HttpRule *rule)
{
    const FieldType *field = response_field(method, rule);
    return http_body_is(field ? field->message : method->output) && !(field && field->repeated);
}

void http_body_wrap(Bytes content_type, Bytes body, Buffer *out)
{
    buffer_add_text(out, "{\"contentType\":");
    json_text_add(out, content_type);
    buffer_add_text(out, ",\"data\":\"");
    base64_encode(out, body, BASE64_STANDARD, true);
    buffer_add_text(out, "\"}");
}

/* The last occurrence of a field of bytes or a message. */
static Bytes last_field(Bytes message, uint32_t number)
{
    Bytes found = BYTES_NONE;
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.type == WIRE_LENGTH && f.number == number)
            found = f.bytes;
    }
    return found;
}

Bytes http_body_unwrap(const MethodType *method, const HttpRule *rule, Bytes message,
                       Bytes *content_type_out)
{
    const FieldType *field = response_field(method, rule);
    if (field)
        message = last_field(message, field->number);
    Bytes content_type = last_field(message, 1);
    *content_type_out = content_type.size ? content_type : bytes_of("application/octet-stream");
    return last_field(message, 2);
}
