#include "gateway/reflect/schema_cache.h"

#include "base/arena.h"
#include "gateway/healing/healing.h"
#include "gateway/telemetry/telemetry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static bool write_all(int fd, Bytes content)
{
    while (content.size) {
        ssize_t n = write(fd, content.data, content.size);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            content = bytes_slice(content, (size_t)n, content.size);
    }
    return fsync(fd) == 0;
}

/* Writes a new file and renames it, so that the schema in the file is always complete. */
static Result keep(Arena *arena, const char *path, Bytes content)
{
    const char *fresh = arena_printf(arena, "%s.%d", path, (int)getpid());
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return FAIL(arena, FAULT_NO_FILE, "open %s: %s", fresh, strerror(errno));
    bool good = write_all(fd, content);
    int error = errno;
    close(fd);
    if (good && rename(fresh, path) == 0)
        return OK;
    error = good ? errno : error;
    unlink(fresh);
    return FAIL(arena, FAULT_NO_FILE, "write %s: %s", path, strerror(error));
}

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
    Result r = keep(arena, reflected->cache, reflected->set);
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
