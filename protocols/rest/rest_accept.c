/* What a REST client takes, by its Accept field (RFC 9110 section 12.5.1), and streams in that
   form. */
#include "protocols/rest/rest.h"

#include "base/text/media_range.h"

static bool is_one_of(Bytes type, const char *const *types)
{
    while (*types && !bytes_are_nocase(type, *types))
        types++;
    return *types != NULL;
}

static bool ends_in_json(Bytes type)
{
    return type.size > 5 && bytes_are_nocase(bytes_slice(type, type.size - 5, 5), "+json");
}

/* How precisely a range names the answer: 0 not at all, 1 by all types, 2 by a whole family, 3 by
   itself. */
typedef unsigned (*Precision)(Bytes type);

static unsigned names_json(Bytes type)
{
    static const char *const names[] = {"application/json", NULL};
    if (is_one_of(type, names) || ends_in_json(type))
        return 3;
    return bytes_are_nocase(type, "application/*") ? 2 : bytes_are(type, "*/*");
}

/* A stream of JSON may be had by asking for JSON. */
static unsigned names_lines(Bytes type)
{
    static const char *const names[] = {"application/x-ndjson", "application/ndjson",
                                        "application/jsonl", NULL};
    return is_one_of(type, names) ? 3 : names_json(type);
}

static unsigned names_events(Bytes type)
{
    if (bytes_are_nocase(type, "text/event-stream"))
        return 3;
    return bytes_are_nocase(type, "text/*") ? 2 : bytes_are(type, "*/*");
}

/* The quality that the most precise range gives; without any Accept field everything will do. */
static unsigned wanted(const Call *call, Precision precision_of)
{
    Bytes accept = fields_joined(call->head, "accept");
    unsigned best = 0, quality = 0;
    MediaRange range;
    if (bytes_trim(accept).size == 0)
        return QUALITY_MOST;
    while (media_range_next(&accept, &range)) {
        unsigned precision = precision_of(range.type);
        if (precision && precision == best && range.quality > quality)
            quality = range.quality;
        if (precision > best) {
            best = precision;
            quality = range.quality;
        }
    }
    return quality;
}

bool rest_accepts(const Call *call, bool is_stream)
{
    if (!is_stream)
        return wanted(call, names_json) > 0;
    return wanted(call, names_lines) > 0 || wanted(call, names_events) > 0;
}

RestStream rest_stream_of(const Call *call)
{
    return wanted(call, names_events) > wanted(call, names_lines) ? REST_STREAM_EVENTS
                                                                  : REST_STREAM_LINES;
}

void rest_stream_write(RestStream stream, Bytes message, Buffer *out)
{
    if (stream == REST_STREAM_EVENTS)
        buffer_add_text(out, "data: ");
    buffer_add_bytes(out, message);
    buffer_add_text(out, stream == REST_STREAM_EVENTS ? "\n\n" : "\n");
}
