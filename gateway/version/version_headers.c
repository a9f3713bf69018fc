#include "gateway/version/version_headers.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/date.h"
#include "gateway/version/retiring.h"

/* The request field that a rule reads, or NULL when it reads none. */
static const char *field_of_rule(const Service *service, VersionRule rule,
                                 const char *identity_header)
{
    switch (rule) {
    case RULE_HEADER: return service->version_header;
    case RULE_MEDIA_TYPE: return "accept";
    case RULE_PIN: return identity_header;
    case RULE_PATH:
    case RULE_PREFIX:
    case RULE_DEFAULT:
    case RULE_COUNT: break;
    }
    return NULL;
}

void version_headers_vary(const Service *service, VersionRule decided_by,
                          const char *identity_header, Fields *out)
{
    Buffer vary = buffer_in(out->arena);
    for (uint32_t i = 0; i < service->n_rules; i++) {
        const char *name = field_of_rule(service, service->rules[i], identity_header);
        if (name) {
            if (vary.size)
                buffer_add_text(&vary, ", ");
            buffer_add_text(&vary, name);
        }
        if (service->rules[i] == decided_by)
            break;
    }
    out->full |= vary.full;
    if (vary.size && !vary.full)
        fields_add(out, bytes_of("vary"), buffer_bytes(&vary));
}

static void add_date(const char *name, int64_t seconds, Fields *out)
{
    char text[DATE_HTTP_SIZE + 1] = {0};
    date_write_http(seconds, text);
    fields_add_text(out, name, text);
}

static void add_buffer(const char *name, const Buffer *value, Fields *out)
{
    out->full |= value->full;
    fields_add(out, bytes_of(name), buffer_bytes(value));
}

static void add_deprecation(int64_t seconds, Fields *out)
{
    Buffer value = buffer_in(out->arena);
    buffer_printf(&value, "@%lld", (long long)seconds);
    add_buffer("deprecation", &value, out);
}

static void add_successor(const char *link, Fields *out)
{
    Buffer value = buffer_in(out->arena);
    buffer_printf(&value, "<%s>; rel=\"successor-version\"", link);
    add_buffer("link", &value, out);
}

static void add_brownout(const Brownout *brownout, Fields *out)
{
    _Static_assert(BROWNOUT_WHOLE == 10000, "hundredths of a percent");
    uint32_t hundredths = brownout->share;
    Buffer value = buffer_in(out->arena);
    buffer_printf(&value, "@%lld;for=%lld;share=%u.%02u", (long long)(brownout->from / SECOND),
                  (long long)((brownout->until - brownout->from) / SECOND), hundredths / 100,
                  hundredths % 100);
    add_buffer("passerelle-brownout", &value, out);
}

void version_headers_write(const Version *version, VersionRule decided_by,
                           const char *identity_header, int64_t wall, Fields *out)
{
    const Service *service = version->service;
    fields_add(out, bytes_of(service->version_header ? service->version_header : "api-version"),
               bytes_of(version->name));
    version_headers_vary(service, decided_by, identity_header, out);
    if (version->deprecated)
        add_deprecation(version->deprecated / SECOND, out);
    if (version->sunset)
        add_date("sunset", version->sunset / SECOND, out);
    if (version->successor_link)
        add_successor(version->successor_link, out);
    const Brownout *next = brownout_after(version, wall);
    if (next)
        add_brownout(next, out);
}
