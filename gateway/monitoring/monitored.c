#include "gateway/monitoring/monitored.h"

#include "base/arena.h"

static bool version_has(const Version *version, Impact impact)
{
    for (uint32_t m = 0; m < version->n_methods; m++)
        if (version->methods[m].route && version->methods[m].route->impact == impact)
            return true;
    return false;
}

static bool service_has(const Config *config, const Service *service, Impact impact)
{
    for (uint32_t v = 0; v < service->n_versions; v++)
        if (version_has(&service->versions[v], impact))
            return true;
    for (uint32_t r = 0; r < config->n_http_routes; r++)
        if (config->http_routes[r].service == service && config->http_routes[r].impact == impact)
            return true;
    return false;
}

bool monitored_impact(const Config *config, const Service *service, Impact impact)
{
    if (service)
        return service_has(config, service, impact);
    for (uint32_t s = 0; s < config->n_services; s++)
        if (service_has(config, &config->services[s], impact))
            return true;
    return false;
}

bool monitored_pages(const Config *config, const Service *service)
{
    return monitored_impact(config, service, IMPACT_HIGH) ||
           monitored_impact(config, service, IMPACT_CATASTROPHIC);
}

static uint32_t of_version(const Version *version)
{
    uint32_t found =
        (version->reflected ? WITH_REFLECTION : 0) | (version->retiring ? WITH_RETIRING : 0);
    for (uint32_t m = 0; m < version->n_methods; m++)
        if (version->methods[m].extras->keys)
            found |= WITH_IDEMPOTENCY;
    return found;
}

static uint32_t of_service(const Service *service)
{
    uint32_t found = WITH_SERVICES | (service->n_versions > 1 ? WITH_VERSIONS : 0) |
                     (service->discovery ? WITH_DISCOVERY : 0);
    for (uint32_t v = 0; v < service->n_versions; v++)
        found |= of_version(&service->versions[v]);
    return found;
}

static void see_certificate(void *owner, const char *where, const char *what, int64_t begin,
                            int64_t end)
{
    (void)where, (void)what, (void)begin, (void)end;
    *(uint32_t *)owner |= WITH_CERTIFICATES;
}

static uint32_t of_credentials(const Config *config)
{
    for (uint32_t i = 0; i < config->access.n_credentials; i++)
        if (config->access.credentials[i].source)
            return WITH_KEYS;
    return 0;
}

static uint32_t of_losses(const Config *config)
{
    for (uint32_t i = 0; i < config->n_losses; i++)
        if (config->losses[i]->kind >= LOSS_NARROWED)
            return WITH_LOSSES;
    return 0;
}

uint32_t monitored_of(const Config *config)
{
    const struct {
        bool there;
        Monitorable what;
    } parts[] = {
        {config->n_rollouts, WITH_ROLLOUTS},
        {config->n_jobs, WITH_JOBS},
        {config->n_job_webhooks, WITH_JOB_WEBHOOKS},
        {config->store.sqlite || config->store.postgresql, WITH_STORE},
        {config->ledger.n_webhooks, WITH_WEBHOOKS},
        {config->n_rate_limits, WITH_LIMITS},
        {config->sandbox.on, WITH_SANDBOX},
        {config->usage.on, WITH_USAGE},
        {config->access.n_policy_servers, WITH_POLICY},
        {config->tracing.to.on || config->otlp.metrics.on || config->otlp.logs.on, WITH_OTLP},
    };
    uint32_t found = of_credentials(config) | of_losses(config);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        found |= parts[i].there ? (uint32_t)parts[i].what : 0;
    for (uint32_t s = 0; s < config->n_services; s++)
        found |= of_service(&config->services[s]);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    config_certificates(config, arena, see_certificate, &found);
    arena_free(arena);
    return found;
}
