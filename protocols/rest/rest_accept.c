/* What a REST client accepts, by its Accept field (RFC 9110 section 12.5.1). */
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

/* How precisely a media range matches: 0 not, 1 any type, 2 any subtype of this type, 3 exactly. */
typedef unsigned (*Precision)(Bytes type);

static unsigned names_json(Bytes type)
{
    static const char *const names[] = {"application/json", NULL};
    if (is_one_of(type, names) || ends_in_json(type))
        return 3;
    return bytes_are_nocase(type, "application/*") ? 2 : bytes_are(type, "*/*");
}

static unsigned names_lines(Bytes type)
{
    static const char *const names[] = {"application/x-ndjson", "application/ndjson",
                                        "application/jsonl", NULL};
    if (is_one_of(type, names))
        return 3;
    return bytes_are_nocase(type, "application/*") ? 2 : bytes_are(type, "*/*");
}

static unsigned names_events(Bytes type)
{
    if (bytes_are_nocase(type, "text/event-stream"))
        return 3;
    return bytes_are_nocase(type, "text/*") ? 2 : bytes_are(type, "*/*");
}

typedef struct Wish {
    unsigned quality, precision;
} Wish;

/* The quality of the most precise range that matches. Without an Accept field everything is
   accepted. */
static Wish wish_of(Bytes accept, Precision precision_of)
{
    Wish best = {0, 0};
    MediaRange range;
    if (bytes_trim(accept).size == 0)
        return (Wish){QUALITY_MOST, 1};
    while (media_range_next(&accept, &range)) {
        unsigned precision = precision_of(range.type);
        if (precision && precision == best.precision && range.quality > best.quality)
            best.quality = range.quality;
        if (precision > best.precision)
            best = (Wish){range.quality, precision};
    }
    return best;
}

bool rest_accepts(const Call *call, bool is_stream)
{
    Bytes accept = fields_joined(call->head, "accept");
    if (bytes_are(accept, "*/*") || bytes_are(accept, "application/json")) /* most say this */
        return true;
    if (wish_of(accept, names_json).quality > 0)
        return true;
    return is_stream &&
           (wish_of(accept, names_lines).quality > 0 || wish_of(accept, names_events).quality > 0);
}

static bool is_more(Wish a, Wish b)
{
    return a.quality != b.quality ? a.quality > b.quality : a.precision > b.precision;
}

RestStream rest_stream_of(const Call *call)
{
    RestStream usual = call->usual_stream;
    bool is_lines = usual == REST_STREAM_LINES;
    Bytes accept = fields_joined(call->head, "accept");
    Wish lines = wish_of(accept, names_lines), events = wish_of(accept, names_events),
         json = wish_of(accept, names_json);
    Wish first = is_lines ? lines : json, second = is_lines ? json : lines;
    bool is_second = second.precision == 3 && second.quality && is_more(second, first);
    if (events.quality && is_more(events, first) && !(is_second && is_more(second, events)))
        return REST_STREAM_EVENTS;
    if (!is_second)
        return usual;
    return is_lines ? REST_STREAM_ARRAY : REST_STREAM_LINES;
}
