#include "gateway/version/version_text.h"

#include "base/clock.h"
#include "base/text/date.h"
#include "base/text/media_range.h"
#include "gateway/version/retiring.h"

bool version_is_sunset(const Version *version, int64_t wall)
{
    int64_t end = version_end(version);
    return end && end <= wall;
}

/* "v2" is also called "2". */
static bool is_named(const Version *version, Bytes name)
{
    Bytes own = bytes_of(version->name);
    if (bytes_equal_nocase(own, name))
        return true;
    return own.size > 1 && own.data[0] == 'v' && own.data[1] >= '0' && own.data[1] <= '9' &&
           bytes_equal(bytes_slice(own, 1, own.size), name);
}

const Version *version_by_name(const Service *service, Bytes name)
{
    for (uint32_t i = 0; i < service->n_versions; i++) {
        if (is_named(&service->versions[i], name))
            return &service->versions[i];
    }
    return NULL;
}

static const Version *in_scope(const VersionScope *scope, const Version *version)
{
    return version && (scope->among & version_bit(version)) ? version : NULL;
}

/* A date means one version: the newest released on the day that begins at `midnight` (seconds), or
   before it. */
static const Version *newest_released(const VersionScope *scope, int64_t midnight)
{
    int64_t next_day = midnight + 24 * 60 * 60;
    const Version *gone = NULL;
    for (uint32_t i = scope->service->n_versions; i-- > 0;) {
        const Version *version = &scope->service->versions[i];
        if (!version->released || version->released / SECOND >= next_day)
            continue;
        if (!version_is_sunset(version, scope->wall))
            return version;
        gone = gone ? gone : version;
    }
    return gone;
}

/* The newest version with an index from `low` to `high`. */
static const Version *newest_between(const VersionScope *scope, int low, int high)
{
    const Version *gone = NULL;
    for (int i = high; i >= low; i--) {
        const Version *version = in_scope(scope, &scope->service->versions[i]);
        if (version && !version_is_sunset(version, scope->wall))
            return version;
        gone = gone ? gone : version;
    }
    return gone;
}

/* Reads one bound of a range, such as "<v3", and narrows [*low, *high]. False: not a valid
   bound. */
static bool read_bound(const Service *service, Bytes text, int *low, int *high)
{
    bool less = text.size && text.data[0] == '<', more = text.size && text.data[0] == '>';
    if (!less && !more)
        return false;
    bool equal = text.size > 1 && text.data[1] == '=';
    const Version *version = version_by_name(service, bytes_slice(text, equal ? 2 : 1, text.size));
    if (!version)
        return false;

    int edge = (int)version->index + (equal ? 0 : less ? -1 : 1);
    if (less && edge < *high)
        *high = edge;
    if (more && edge > *low)
        *low = edge;
    return true;
}

/* ">=v1 <v3" or "v1..v3". */
static const Version *read_range(const VersionScope *scope, Bytes text)
{
    const Service *service = scope->service;
    int low = 0, high = (int)service->n_versions - 1;
    const char *dots = memmem(text.data, text.size, "..", 2);
    if (dots) {
        size_t at = (size_t)((const uint8_t *)dots - text.data);
        const Version *first = version_by_name(service, bytes_trim(bytes_slice(text, 0, at)));
        const Version *last =
            version_by_name(service, bytes_trim(bytes_slice(text, at + 2, text.size)));
        if (!first || !last)
            return NULL;
        low = (int)first->index;
        high = (int)last->index;
    } else {
        Bytes part;
        while (bytes_split(&text, ' ', &part)) {
            if (part.size && !read_bound(service, part, &low, &high))
                return NULL;
        }
    }
    return newest_between(scope, low, high);
}

const Version *version_of_text(const VersionScope *scope, Bytes text)
{
    int64_t midnight;
    if (date_read_day(text, &midnight))
        return in_scope(scope, newest_released(scope, midnight));
    if (text.size &&
        (text.data[0] == '<' || text.data[0] == '>' || memmem(text.data, text.size, "..", 2)))
        return read_range(scope, text);
    return in_scope(scope, version_by_name(scope->service, text));
}

const Version *version_of_list(const VersionScope *scope, Bytes list)
{
    const Version *best = NULL, *gone = NULL;
    unsigned best_weight = 0, gone_weight = 0;
    MediaRange element;
    while (media_range_next(&list, &element)) {
        const Version *version = element.quality ? version_of_text(scope, element.type) : NULL;
        bool is_gone = version && version_is_sunset(version, scope->wall);
        unsigned *weight = is_gone ? &gone_weight : &best_weight;
        if (!version || element.quality <= *weight)
            continue;
        *(is_gone ? &gone : &best) = version;
        *weight = element.quality;
    }
    return best ? best : gone;
}
