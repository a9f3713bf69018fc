#include "gateway/version/negotiate.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/date.h"

#include <stdlib.h>

const char *version_rule_name(VersionRule rule)
{
    static const char *const names[RULE_COUNT] = {
        "path", "prefix", "header", "media_type", "pin", "default",
    };
    return rule < RULE_COUNT ? names[rule] : "";
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

static bool is_sunset(const Version *version, int64_t wall)
{
    return version->sunset && version->sunset <= wall;
}

static const char *day_text(Arena *arena, int64_t wall)
{
    char text[DATE_DAY_SIZE];
    date_write_day(wall / SECOND, text);
    return arena_text(arena, bytes(text, sizeof text));
}

/* "v2, v3": what may still be asked for. */
static const char *supported_text(const VersionQuestion *question, Arena *arena)
{
    Buffer text = buffer_in(arena);
    for (uint32_t i = 0; i < question->service->n_versions; i++) {
        const Version *version = &question->service->versions[i];
        if (!is_sunset(version, question->wall))
            buffer_printf(&text, "%s%s", text.size ? ", " : "", version->name);
    }
    return arena_text(arena, buffer_bytes(&text));
}

static Result unknown_version(const VersionQuestion *question, Arena *arena, const char *where,
                              Bytes said)
{
    return FAIL_TELL(arena, FAULT_UNKNOWN_VERSION, "%s says \"%.*s\": the versions of %s are %s",
                     where, (int)(said.size < 100 ? said.size : 100), (const char *)said.data,
                     question->service->name, supported_text(question, arena));
}

/* ---- The header ------------------------------------------------------------------------------ */

/* The newest version released on the day that begins at `midnight` (seconds), or before it. */
static const Version *newest_released(const VersionQuestion *question, int64_t midnight)
{
    int64_t next_day = midnight + 24 * 60 * 60;
    for (uint32_t i = question->service->n_versions; i-- > 0;) {
        const Version *version = &question->service->versions[i];
        if (version->released && version->released / SECOND < next_day &&
            !is_sunset(version, question->wall))
            return version;
    }
    return NULL;
}

/* One bound of a range, "<v3" and the like, narrows [*low, *high]. False: not a bound we know. */
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

/* ">=v1 <v3" or "v1..v3": the newest in it. */
static const Version *read_range(const VersionQuestion *question, Bytes text)
{
    const Service *service = question->service;
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
    for (int i = high; i >= low; i--) {
        if (!is_sunset(&service->versions[i], question->wall))
            return &service->versions[i];
    }
    return NULL;
}

static const Version *read_one(const VersionQuestion *question, Bytes text)
{
    int64_t midnight;
    if (date_read_day(text, &midnight))
        return newest_released(question, midnight);
    if (text.size &&
        (text.data[0] == '<' || text.data[0] == '>' || memmem(text.data, text.size, "..", 2)))
        return read_range(question, text);
    return version_by_name(question->service, text);
}

/* Takes ";q=0.5" off the end; thousandths (RFC 9110 section 12.4.2). 1000 when there is none. */
static int take_weight(Bytes *item)
{
    size_t semicolon = bytes_find(*item, ';');
    if (semicolon == item->size)
        return 1000;
    Bytes parameter = bytes_trim(bytes_slice(*item, semicolon + 1, item->size));
    *item = bytes_trim(bytes_slice(*item, 0, semicolon));
    if (!bytes_start_with(parameter, "q=") && !bytes_start_with(parameter, "Q="))
        return 1000;

    int weight = 0, unit = 1000;
    for (size_t i = 2; i < parameter.size && unit > 0; i++) {
        uint8_t c = parameter.data[i];
        if (c >= '0' && c <= '9') {
            weight += (c - '0') * unit;
            unit /= 10;
        } else if (c != '.') {
            return 0;
        }
    }
    return weight > 1000 ? 1000 : weight;
}

/* The best known version of a list. A version that is named alone is given even past its sunset, so
   that the caller hears just that. */
static const Version *read_list(const VersionQuestion *question, Bytes list)
{
    const Version *best = NULL, *sunset = NULL;
    int best_weight = 0;
    Bytes item;
    while (bytes_split(&list, ',', &item)) {
        item = bytes_trim(item);
        int weight = take_weight(&item);
        const Version *version = weight ? read_one(question, item) : NULL;
        if (version && is_sunset(version, question->wall))
            sunset = version;
        else if (version && weight > best_weight) {
            best = version;
            best_weight = weight;
        }
    }
    return best ? best : sunset;
}

/* ---- Media types ----------------------------------------------------------------------------- */

/* The version in "application/json; version=2" or "application/vnd.shop.v2+json", or empty. */
static Bytes media_type_version(Bytes type)
{
    Bytes name, parameter;
    if (!bytes_split(&type, ';', &name))
        return BYTES_NONE;
    while (bytes_split(&type, ';', &parameter)) {
        parameter = bytes_trim(parameter);
        if (parameter.size > 8 &&
            bytes_equal_nocase(bytes_slice(parameter, 0, 8), bytes_of("version="))) {
            Bytes value = bytes_slice(parameter, 8, parameter.size);
            if (value.size >= 2 && value.data[0] == '"')
                value = bytes_slice(value, 1, value.size - 2);
            return value;
        }
    }

    const char *vendor = memmem(name.data, name.size, "/vnd.", 5);
    if (!vendor)
        return BYTES_NONE;
    Bytes rest = bytes(vendor + 5, (size_t)(name.data + name.size - (const uint8_t *)vendor - 5));
    rest = bytes_slice(rest, 0, bytes_find(rest, '+'));
    Bytes last = BYTES_NONE, part;
    while (bytes_split(&rest, '.', &part))
        last = part;
    bool looks_right = last.size > 1 && (last.data[0] == 'v' || last.data[0] == 'V') &&
                       last.data[1] >= '0' && last.data[1] <= '9';
    return looks_right ? last : BYTES_NONE;
}

/* The first version said in an Accept list, or empty. */
static Bytes accept_version(Bytes accept)
{
    Bytes item;
    while (bytes_split(&accept, ',', &item)) {
        Bytes version = media_type_version(bytes_trim(item));
        if (version.data)
            return version;
    }
    return BYTES_NONE;
}

static Result from_media_types(const VersionQuestion *question, Arena *arena, Negotiation *n)
{
    Bytes sent = media_type_version(fields_get(question->head, "content-type"));
    Bytes wanted = accept_version(fields_joined(question->head, "accept"));
    if (!sent.data && !wanted.data)
        return OK;

    /* Content-Type speaks of the request, Accept of the answer; one alone speaks of both. */
    Bytes request = sent.data ? sent : wanted, reply = wanted.data ? wanted : sent;
    n->client = read_one(question, request);
    if (!n->client)
        return unknown_version(question, arena, "the media type", request);
    n->reply = read_one(question, reply);
    if (!n->reply)
        return unknown_version(question, arena, "the Accept field", reply);
    return OK;
}

/* ---- All rules ------------------------------------------------------------------------------- */

static Result ask_rule(const VersionQuestion *question, VersionRule rule, Arena *arena,
                       Negotiation *n)
{
    const Service *service = question->service;
    switch (rule) {
    case RULE_PATH: n->client = question->by_path; return OK;
    case RULE_PREFIX: n->client = question->by_prefix; return OK;
    case RULE_HEADER: {
        Bytes said = fields_joined(question->head, service->version_header);
        if (!said.data)
            return OK;
        n->client = read_list(question, said);
        return n->client ? OK : unknown_version(question, arena, service->version_header, said);
    }
    case RULE_MEDIA_TYPE: return from_media_types(question, arena, n);
    case RULE_PIN:
        if (service->pins && question->identity.size)
            n->client = table_get(service->pins, question->identity);
        return OK;
    case RULE_DEFAULT: n->client = service->default_version; return OK;
    case RULE_COUNT: break;
    }
    return OK;
}

static Result refuse_sunset(const VersionQuestion *question, Arena *arena, const Version *version)
{
    if (!is_sunset(version, question->wall))
        return OK;
    return FAIL_TELL(arena, FAULT_VERSION_SUNSET,
                     "%s of %s is no longer served since %s: use %s%s%s", version->name,
                     question->service->name, day_text(arena, version->sunset),
                     supported_text(question, arena), version->successor_link ? ", see " : "",
                     version->successor_link ? version->successor_link : "");
}

Result negotiate(const VersionQuestion *question, Arena *arena, Negotiation *negotiation_out)
{
    Negotiation n = {0};
    for (uint32_t i = 0; i < question->service->n_rules && !n.client; i++) {
        n.rule = question->service->rules[i];
        *negotiation_out = (Negotiation){.rule = n.rule};
        Result r = ask_rule(question, n.rule, arena, &n);
        if (failed(r))
            return r;
    }
    if (!n.client)
        return FAIL_TELL(
            arena, FAULT_UNKNOWN_VERSION,
            "the request says no version of %s, and there is no default: the versions are %s",
            question->service->name, supported_text(question, arena));
    if (!n.reply)
        n.reply = n.client;

    Result r = refuse_sunset(question, arena, n.client);
    if (!failed(r))
        r = refuse_sunset(question, arena, n.reply);
    *negotiation_out = n;
    return r;
}
