#include "gateway/otlp/otlp_request.h"

#include "base/clock.h"
#include "gateway/otlp/otlp_wire.h"

enum {
    REQUEST_RESOURCES = 1,
    RESOURCES_RESOURCE = 1,
    RESOURCES_SCOPES = 2,
    RESOURCE_ATTRIBUTES = 1,
    SCOPES_SCOPE = 1,
    SCOPE_NAME = 1,
    SCOPE_VERSION = 2,
    RESPONSE_PARTIAL = 1,
    PARTIAL_REJECTED = 1,
    PARTIAL_WHY = 2,
};

static void add_attribute(Buffer *resource, const char *key, const char *value)
{
    otlp_add_text(resource, RESOURCE_ATTRIBUTES, bytes_of(key), bytes_of(value));
}

void otlp_request_write(const char *service, const char *node, Bytes items, Buffer *out)
{
    Buffer resource = buffer_in(out->arena), scope = buffer_in(out->arena);
    add_attribute(&resource, "service.name", service);
    add_attribute(&resource, "service.version", VERSION);
    add_attribute(&resource, "service.instance.id", node);
    add_attribute(&resource, "host.name", node);
    otlp_add_field(&scope, SCOPE_NAME, bytes_of("passerelle"));
    otlp_add_field(&scope, SCOPE_VERSION, bytes_of(VERSION));
    size_t inner = otlp_size(scope.size) + items.size;
    size_t outer = otlp_size(resource.size) + otlp_size(inner);
    otlp_add_head(out, REQUEST_RESOURCES, outer);
    otlp_add_field(out, RESOURCES_RESOURCE, buffer_bytes(&resource));
    otlp_add_head(out, RESOURCES_SCOPES, inner);
    otlp_add_field(out, SCOPES_SCOPE, buffer_bytes(&scope));
    buffer_add_bytes(out, items);
    if (resource.full || scope.full)
        out->full = true;
}

static bool read_partial(Bytes message, uint64_t *rejected_out, Bytes *why_out)
{
    WireReader reader = wire_reader(message);
    for (WireField field; wire_next(&reader, &field);) {
        if (field.number == PARTIAL_REJECTED && field.type == WIRE_VARINT)
            *rejected_out = field.value;
        else if (field.number == PARTIAL_WHY && field.type == WIRE_LENGTH)
            *why_out = field.bytes;
    }
    return !reader.bad;
}

bool otlp_response_read(Bytes response, uint64_t *rejected_out, Bytes *why_out)
{
    *rejected_out = 0;
    *why_out = BYTES_NONE;
    WireReader reader = wire_reader(response);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == RESPONSE_PARTIAL && field.type == WIRE_LENGTH &&
            !read_partial(field.bytes, rejected_out, why_out))
            return false;
    return !reader.bad;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

enum { STATUS_DETAILS = 3, ANY_TYPE = 1, ANY_VALUE = 2, RETRY_DELAY = 1, DURATION_SECONDS = 1 };
#define DELAY_MOST 3600

/* Whole seconds, rounded up where there is a part of one. */
static int64_t seconds_of(Bytes duration)
{
    uint64_t seconds = 0, part = 0;
    WireReader reader = wire_reader(duration);
    for (WireField field; wire_next(&reader, &field);) {
        if (field.type == WIRE_VARINT && field.number == DURATION_SECONDS)
            seconds = field.value;
        else if (field.type == WIRE_VARINT)
            part = field.value;
    }
    if (seconds > INT64_MAX || part > INT64_MAX) /* negative: it says nothing */
        return 0;
    return seconds < DELAY_MOST ? (int64_t)seconds + (part > 0) : DELAY_MOST;
}

int64_t otlp_retry_delay(Bytes status)
{
    WireReader reader = wire_reader(status);
    for (WireField field; wire_next(&reader, &field);) {
        if (field.number != STATUS_DETAILS || field.type != WIRE_LENGTH ||
            !bytes_end_with(wire_find_bytes(field.bytes, ANY_TYPE), "/google.rpc.RetryInfo"))
            continue;
        Bytes info = wire_find_bytes(field.bytes, ANY_VALUE);
        return seconds_of(wire_find_bytes(info, RETRY_DELAY)) * SECOND;
    }
    return 0;
}
