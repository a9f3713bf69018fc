#include "gateway/headers/grpc_metadata.h"

#include "protocols/http/head_fields.h"

static const char prefix[] = "grpc-metadata-";

/* What a proxy says of a client. It takes away these names from what clients send, and not the
   longer ones. */
static bool is_of_proxies(Bytes name, const char *const *vouched)
{
    static const char *const names[] = {"forwarded", "x-real-ip", "x-request-id", NULL};
    return bytes_are_one_of(name, names) || (vouched && bytes_are_one_of(name, vouched)) ||
           bytes_start_with(name, "x-forwarded-") || bytes_start_with(name, "passerelle-");
}

/* What only a browser says of a request. `name` is in lower case. */
static bool is_of_browsers(Bytes name)
{
    static const char *const names[] = {"origin",
                                        "referer",
                                        "cookie",
                                        "cookie2",
                                        "host",
                                        "date",
                                        "dnt",
                                        "expect",
                                        "via",
                                        "set-cookie",
                                        "x-http-method-override",
                                        "x-http-method",
                                        "x-method-override"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (bytes_are(name, names[i]))
            return true;
    return bytes_start_with(name, "sec-") || bytes_start_with(name, "proxy-");
}

static bool is_metadata(Bytes name, const char *const *vouched)
{
    return name.size && name.data[0] != ':' && field_role(name) == FIELD_METADATA &&
           !is_of_browsers(name) && !is_of_proxies(name, vouched);
}

bool grpc_metadata_is_in(const Fields *fields)
{
    for (uint32_t i = 0; i < fields->n; i++)
        if (bytes_start_with(fields->items[i].name, prefix))
            return true;
    return false;
}

Fields grpc_metadata_read(const Fields *fields, const char *const *vouched, Arena *arena)
{
    Fields read = fields_in(arena);
    for (uint32_t i = 0; i < fields->n; i++) {
        Field field = fields->items[i];
        bool renamed = bytes_start_with(field.name, prefix);
        if (renamed)
            field.name = bytes_slice(field.name, strlen(prefix), SIZE_MAX);
        if (!renamed || is_metadata(field.name, vouched))
            fields_add(&read, field.name, field.value);
    }
    return read;
}

void grpc_metadata_add(const Fields *metadata, Arena *arena, Fields *fields)
{
    for (uint32_t i = 0; i < metadata->n; i++) {
        Buffer name = buffer_in(arena);
        buffer_add_text(&name, prefix);
        buffer_add_bytes(&name, metadata->items[i].name);
        fields->full |= name.full;
        if (!name.full)
            fields_add(fields, buffer_bytes(&name), metadata->items[i].value);
    }
}
