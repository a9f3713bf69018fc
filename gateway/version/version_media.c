#include "gateway/version/version_media.h"

#include "base/text/media_range.h"

static bool starts_with(Bytes text, const char *prefix)
{
    return bytes_are_nocase(bytes_slice(text, 0, strlen(prefix)), prefix);
}

static bool ends_with(Bytes text, const char *suffix)
{
    size_t size = strlen(suffix);
    return text.size >= size && bytes_are_nocase(bytes_slice(text, text.size - size, size), suffix);
}

/* Whether it is a media type of RPC or REST. */
static bool is_ours(Bytes type)
{
    if (bytes_are(type, "*/*") || bytes_are_nocase(type, "text/event-stream"))
        return true;
    return starts_with(type, "application/") &&
           (ends_with(type, "/*") || ends_with(type, "json") || ends_with(type, "proto") ||
            ends_with(type, "/x-protobuf") || ends_with(type, "/jsonl") ||
            starts_with(type, "application/grpc"));
}

/* "v2" of "application/vnd.shop.v2+json", or empty. */
static Bytes vendor_version(Bytes type)
{
    const char *vendor = memmem(type.data, type.size, "/vnd.", 5);
    if (!vendor)
        return BYTES_NONE;
    Bytes rest = bytes(vendor + 5, (size_t)(type.data + type.size - (const uint8_t *)vendor - 5));
    rest = bytes_slice(rest, 0, bytes_find(rest, '+'));
    Bytes last = BYTES_NONE, part;
    while (bytes_split(&rest, '.', &part))
        last = part;
    bool looks_right =
        last.size > 1 && (last.data[0] | 32) == 'v' && last.data[1] >= '0' && last.data[1] <= '9';
    return looks_right ? last : BYTES_NONE;
}

static Bytes version_in(const MediaRange *range)
{
    if (!is_ours(range->type))
        return BYTES_NONE;
    Bytes parameter = bytes_trim(media_parameter(range->parameters, "version"));
    return parameter.size ? parameter : vendor_version(range->type);
}

/* A quick check first, since each call has a Content-Type. */
static bool may_say_version(Bytes field)
{
    return field.size > strlen("/vnd.") &&
           (bytes_find(field, ';') < field.size || memmem(field.data, field.size, "/vnd.", 5));
}

VersionMedia version_media(Bytes content_type, Bytes accept)
{
    VersionMedia media = {.sent = BYTES_NONE, .accept = BYTES_NONE};
    MediaRange range;
    if (may_say_version(content_type) && media_range_next(&content_type, &range))
        media.sent = version_in(&range);
    if (!may_say_version(accept))
        return media;
    for (Bytes rest = accept; !media.accept.size && media_range_next(&rest, &range);) {
        if (range.quality && version_in(&range).size)
            media.accept = accept;
    }
    return media;
}

MediaSays version_of_accept(const VersionScope *scope, Bytes accept, const Version **version_out,
                            Bytes *text_out)
{
    const Version *best = NULL, *gone = NULL;
    unsigned best_quality = 0, free_quality = 0; /* free: of alternatives without a version */
    MediaRange range;
    *version_out = NULL;
    *text_out = BYTES_NONE;
    while (media_range_next(&accept, &range)) {
        Bytes text = version_in(&range);
        if (!range.quality || !is_ours(range.type))
            continue;
        if (!text.size) {
            free_quality = range.quality > free_quality ? range.quality : free_quality;
            continue;
        }
        *text_out = text_out->size ? *text_out : text;
        const Version *version = version_of_text(scope, text);
        if (version && version_is_sunset(version, scope->wall)) {
            gone = gone ? gone : version;
        } else if (version && range.quality > best_quality) {
            best = version;
            best_quality = range.quality;
        }
    }
    bool is_free = free_quality > best_quality;
    *version_out = is_free ? NULL : best ? best : gone;
    if (*version_out)
        return MEDIA_SAYS_VERSION;
    return is_free || !text_out->size ? MEDIA_SAYS_NOTHING : MEDIA_SAYS_UNKNOWN;
}
