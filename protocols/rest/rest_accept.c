/* What a REST client takes, by its Accept field (RFC 9110 section 12.5.1), and streams in that
   form. */
#include "protocols/rest/rest.h"

/* How much a media range is wanted, in thousandths; 1000 where it does not say. */
static unsigned quality_of(Bytes range)
{
    Bytes parameter;
    bytes_split(&range, ';', &parameter); /* the type itself */
    while (bytes_split(&range, ';', &parameter)) {
        parameter = bytes_trim(parameter);
        if (parameter.size < 3 || (parameter.data[0] | 32) != 'q' || parameter.data[1] != '=')
            continue;
        unsigned quality = parameter.data[2] == '1' ? 1000 : 0, weight = 100;
        for (size_t i = 4; i < parameter.size && i < 7 && quality < 1000; i++, weight /= 10) {
            if (parameter.data[i] >= '0' && parameter.data[i] <= '9')
                quality += weight * (unsigned)(parameter.data[i] - '0');
        }
        return quality;
    }
    return 1000;
}

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
    Bytes accept = fields_joined(call->head, "accept"), range;
    unsigned best = 0, quality = 0;
    if (bytes_trim(accept).size == 0)
        return 1000;
    while (bytes_split(&accept, ',', &range)) {
        Bytes type = bytes_trim(bytes_slice(range, 0, bytes_find(range, ';')));
        unsigned precision = precision_of(type);
        if (precision && precision == best && quality_of(range) > quality)
            quality = quality_of(range);
        if (precision > best) {
            best = precision;
            quality = quality_of(range);
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
