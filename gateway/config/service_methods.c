/* The methods of every version, and the table of their paths. */
#include "gateway/config/config_internal.h"

#include "base/arena.h"

static uint32_t count_methods(const Version *version)
{
    uint32_t n = 0;
    for (uint32_t i = 0; version->schema && i < version->schema->n_services; i++)
        if (version_serves(version, &version->schema->services[i]))
            n += version->schema->services[i].n_methods;
    return n;
}

/* Methods of several versions of a service may have the same path: they are a list. The same path
   in another service is a mistake. */
static void add_path(ConfigReader *reader, Method *method)
{
    Config *config = reader->config;
    const Service *service = method->version->service;
    Method *before = table_put(&config->methods, bytes_of(method->type->path), method);
    if (!before)
        return;
    method->next_same_path = before;
    const char *path = reader->services[service->index].path;
    if (before->version->service != service)
        config_tell(
            reader,
            version_mixes_in(method->version, method->type->service)
                ? config_path(reader, "%s.mixins", path)
                : config_path(reader, "%s.versions[%u].package", path, method->version->index),
            NULL, "%s is already served by the service %s", method->type->path,
            before->version->service->name);
}

static void read_version(ConfigReader *reader, Version *version)
{
    const Schema *schema = version->schema;
    version->methods = arena_array(reader->arena, Method, count_methods(version));
    version->to = arena_array(reader->arena, const MappingSet *, version->service->n_versions);
    for (uint32_t i = 0; schema && i < schema->n_services; i++) {
        const ServiceType *type = &schema->services[i];
        if (!version_serves(version, type))
            continue;
        for (uint32_t j = 0; j < type->n_methods; j++) {
            Method *method = &version->methods[version->n_methods++];
            method->version = version;
            method->type = &type->methods[j];
            method->id = reader->config->n_methods++;
            method->pairs = arena_array(reader->arena, MethodPair, version->service->n_versions);
            add_path(reader, method);
        }
    }
}

void service_read_methods(ConfigReader *reader)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t j = 0; j < config->services[i].n_versions; j++)
            read_version(reader, &config->services[i].versions[j]);
}
