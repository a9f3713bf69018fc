/* Lookups in a loaded config, and the order of versions. */
#include "base/arena.h"
#include "gateway/config/config.h"

const ListenerConfig *config_listener(const Config *config, const char *address)
{
    for (uint32_t i = 0; config && i < config->n_listeners; i++) {
        if (strcmp(config->listeners[i].address.text, address) == 0)
            return &config->listeners[i];
    }
    return NULL;
}

const char *fallback_name(Fallback fallback)
{
    static const char *const names[FALLBACKS] = {"older", "stale", "default", "skip"};
    return names[fallback];
}

bool version_mixes_in(const Version *version, const ServiceType *type)
{
    const Service *service = version->service;
    for (uint32_t i = 0; i < service->n_mixins; i++)
        if (strcmp(service->mixins[i], type->full_name) == 0)
            return strcmp(type->package, version->package) != 0;
    return false;
}

bool version_serves(const Version *version, const ServiceType *type)
{
    return strcmp(type->package, version->package) == 0 || version_mixes_in(version, type);
}

bool config_errors_full(const Config *config, const char *listener, const Route *route)
{
    if (route && route->errors.told != ERRORS_UNSAID)
        return route->errors.told == ERRORS_FULL;
    const ListenerConfig *at = config_listener(config, listener);
    bool at_listener = at && at->errors.told != ERRORS_UNSAID;
    return (at_listener ? at->errors.told : config->errors.told) == ERRORS_FULL;
}

bool config_errors_google(const Config *config, const char *listener, const Route *route)
{
    if (route && route->errors.written != SHAPE_UNSAID)
        return route->errors.written == SHAPE_GOOGLE;
    const ListenerConfig *at = config_listener(config, listener);
    bool at_listener = at && at->errors.written != SHAPE_UNSAID;
    return (at_listener ? at->errors.written : config->errors.written) == SHAPE_GOOGLE;
}

uint16_t service_http_status(const Service *service, uint32_t service_code)
{
    for (uint32_t i = 0; service_code && i < service->n_status_codes; i++) {
        if (service->status_codes[i].code == service_code)
            return service->status_codes[i].http_status;
    }
    return 0;
}

static bool is_better(const Method *method, const Version *a, const Version *b)
{
    if (a == method->version || b == method->version)
        return a == method->version;
    uint32_t lost = method->pairs[a->index].extras->n_lossy,
             other = method->pairs[b->index].extras->n_lossy;
    return lost < other || (lost == other && a->index > b->index);
}

void method_prefer(Arena *arena, Method *method)
{
    const Service *service = method->version->service;
    const Version *list[SERVICE_VERSIONS_MOST];
    uint32_t n = 0;
    for (uint32_t i = 0; i < service->n_versions; i++) {
        const Version *version = &service->versions[i];
        if (!method->pairs[i].target)
            continue;
        uint32_t at = n++;
        for (; at && is_better(method, version, list[at - 1]); at--)
            list[at] = list[at - 1];
        list[at] = version;
    }
    method->n_preferred = n;
    method->preferred = &method->version;
    if (n == 1 && list[0] == method->version)
        return; /* as most are */
    const Version **preferred = arena_array(arena, const Version *, n);
    memcpy(preferred, list, n * sizeof *list);
    method->preferred = preferred;
}

const MethodExtras method_no_extras;
const PairExtras pair_no_extras;

MethodExtras *method_extras(Arena *arena, Method *method)
{
    if (method->extras == &method_no_extras)
        method->extras = arena_make(arena, MethodExtras);
    return (MethodExtras *)(uintptr_t)method->extras;
}

PairExtras *pair_extras(Arena *arena, MethodPair *pair)
{
    if (pair->extras == &pair_no_extras)
        pair->extras = arena_make(arena, PairExtras);
    return (PairExtras *)(uintptr_t)pair->extras;
}

const JobDefinition *config_find_job(const Config *config, Bytes name, uint32_t revision)
{
    for (uint32_t i = 0; i < config->n_jobs; i++) {
        const JobDefinition *definition = &config->jobs[i];
        if (definition->revision == revision && bytes_are(name, definition->name))
            return definition;
    }
    return NULL;
}

const JobView *job_view_for(const JobDefinition *definition, const Method *method)
{
    const MethodPair *pair = &method->pairs[definition->method->version->index];
    for (uint32_t i = 0; i < definition->resource.n_reads; i++)
        if (definition->resource.reads[i]->method == pair->target)
            return definition->resource.reads[i];
    return NULL;
}

const Service *config_service(const Config *config, const char *name)
{
    for (uint32_t i = 0; i < config->n_services; i++)
        if (strcmp(config->services[i].name, name) == 0)
            return &config->services[i];
    return NULL;
}

const Version *service_version(const Service *service, Bytes name)
{
    for (uint32_t i = 0; i < service->n_versions; i++)
        if (bytes_are(name, service->versions[i].name))
            return &service->versions[i];
    return NULL;
}

const char *service_version_names(const Service *service, Arena *arena)
{
    Buffer names = buffer_in(arena);
    for (uint32_t i = 0; i < service->n_versions; i++)
        buffer_printf(&names, "%s%s", i ? ", " : "", service->versions[i].name);
    return arena_text(arena, buffer_bytes(&names));
}

const char *rollout_metric_name(const RolloutDefinition *rollout, RolloutMetric metric)
{
    static const char *const names[ROLLOUT_POSTED] = {"failures", "caller_blamed", "latency",
                                                      "losses"};
    if (metric < ROLLOUT_POSTED)
        return names[metric];
    CHECK(metric - ROLLOUT_POSTED < rollout->judging.n_posted);
    return rollout->judging.posted[metric - ROLLOUT_POSTED];
}

const RolloutDefinition *config_find_rollout(const Config *config, Bytes name)
{
    for (uint32_t i = 0; i < config->n_rollouts; i++)
        if (bytes_are(name, config->rollouts[i].name))
            return &config->rollouts[i];
    return NULL;
}

/* A star stands at the end only. */
static bool is_named(const char *pattern, Bytes client)
{
    size_t length = strlen(pattern);
    bool begins = length && pattern[length - 1] == '*';
    size_t fixed = begins ? length - 1 : length;
    return (begins ? client.size >= fixed : client.size == fixed) &&
           memcmp(client.data, pattern, fixed) == 0;
}

bool rollout_is_pilot(const RolloutDefinition *rollout, Bytes client)
{
    for (uint32_t i = 0; client.size && i < rollout->n_pilots; i++)
        if (is_named(rollout->pilots[i], client))
            return true;
    return false;
}
