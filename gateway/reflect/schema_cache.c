#include "gateway/reflect/schema_cache.h"

#include "base/arena.h"
#include "base/file/file.h"
#include "gateway/healing/healing.h"
#include "gateway/telemetry/telemetry.h"

static void keep_version(Arena *arena, const Version *version)
{
    const ReflectedSchema *reflected = version->reflected;
    const char *service = version->service->name;
    if (!reflected || !reflected->cache)
        return;
    if (failed(reflected->stale)) {
        healing_begin(HEALING_SCHEMA, service, version->name, reflected->stale,
                      "its schema is that of %s", reflected->cache);
        telemetry_event("warning", "schema_from_cache", reflected->stale,
                        "%s %s has its schema from %s", service, version->name, reflected->cache);
        return;
    }
    healing_end(HEALING_SCHEMA, service, version->name, "an instance has told its schema");
    Result r = file_replace(arena, reflected->cache, reflected->set, NULL);
    if (failed(r))
        telemetry_event("warning", "schema_not_kept", r, "%s %s", service, version->name);
}

void schema_caches_keep(const Config *config)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t k = 0; k < config->services[i].n_versions; k++)
            keep_version(arena, &config->services[i].versions[k]);
    arena_free(arena);
}
