#include "gateway/config/config_reader.h"

#include "base/arena.h"
#include "gateway/token/key_source.h"

#include <openssl/ssl.h>

static void free_service_contexts(const Service *service)
{
    for (uint32_t i = 0; i < service->n_instances; i++)
        SSL_CTX_free(service->instances[i].tls);
    const EtcdSource *etcd = service->discovery ? service->discovery->etcd : NULL;
    for (uint32_t i = 0; etcd && i < etcd->n_endpoints; i++)
        SSL_CTX_free(etcd->endpoints[i].tls);
    for (uint32_t i = 0; i < service->n_versions; i++)
        if (service->versions[i].reflected)
            SSL_CTX_free(service->versions[i].reflected->instance.tls);
}

static void free_contexts(Config *config)
{
    for (uint32_t i = 0; i < config->n_listeners; i++)
        SSL_CTX_free(config->listeners[i].tls);
    SSL_CTX_free(config->admin_tls);
    if (config->otlp.collector)
        SSL_CTX_free(config->otlp.collector->tls);
    if (config->tracing.to.collector && config->tracing.to.collector != config->otlp.collector)
        SSL_CTX_free(config->tracing.to.collector->tls);
    for (uint32_t i = 0; i < config->n_services; i++)
        free_service_contexts(&config->services[i]);
}

static void free_keys(Config *config)
{
    for (uint32_t i = 0; i < config->access.n_credentials; i++)
        key_source_drop(config->access.credentials[i].source);
}

/* Frees everything outside of the config's arena. */
void config_free_parts(Config *config)
{
    free_contexts(config);
    free_keys(config);
    config_forget_lists(config);
    if (config->catalog && config->catalog->let_go)
        config->catalog->let_go(config->catalog->documents);
    arena_free(config->programs);
}

void config_forget_lists(Config *config)
{
    if (config->lists)
        arena_free(config->lists);
    config->lists = NULL;
}

Config *config_ref(Config *config)
{
    atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
    return config;
}

void config_unref(Config *config)
{
    /* acq_rel: the thread that frees the config sees all changes of the others. */
    if (atomic_fetch_sub_explicit(&config->references, 1, memory_order_acq_rel) != 1)
        return;
    if (config->let_go)
        config->let_go(config);
    config_free_parts(config);
    arena_free(config->arena);
}
