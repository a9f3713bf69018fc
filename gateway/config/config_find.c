/* Lookups in a loaded config. */
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
    if (route && route->errors != ERRORS_UNSAID)
        return route->errors == ERRORS_FULL;
    const ListenerConfig *at = config_listener(config, listener);
    ErrorsTold told = at && at->errors != ERRORS_UNSAID ? at->errors : config->errors;
    return told == ERRORS_FULL;
}
