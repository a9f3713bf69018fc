#include "gateway/health.h"

#include "adapters/wire.h"
#include "base/arena.h"
#include "gateway/pick.h"

static const Method *first_method_of(const Config *config, Bytes service_name)
{
    for (uint32_t s = 0; s < config->n_services; s++) {
        const Service *service = &config->services[s];
        for (uint32_t v = 0; v < service->n_versions; v++) {
            const Version *version = &service->versions[v];
            for (uint32_t m = 0; m < version->n_methods; m++) {
                if (bytes_are(service_name, version->methods[m].type->service->full_name))
                    return &version->methods[m];
            }
        }
    }
    return NULL;
}

Health health_of(Loop *loop, const Config *config, Bytes name)
{
    if (name.size == 0)
        return loop->draining ? HEALTH_NOT_SERVING : HEALTH_SERVING;
    const Method *method = first_method_of(config, name);
    if (!method)
        return HEALTH_SERVICE_UNKNOWN;

    Pick pick;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result r = pick_instance(loop, method, 0, arena, &pick);
    Health health = failed(r) || loop->draining ? HEALTH_NOT_SERVING : HEALTH_SERVING;
    arena_free(arena);
    return health;
}

bool health_read(Bytes request, Bytes *name_out)
{
    *name_out = BYTES_NONE;
    WireReader reader = wire_reader(request);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_LENGTH)
            *name_out = f.bytes;
    }
    return !reader.bad;
}

void health_write(Health health, Buffer *out)
{
    if (health != HEALTH_UNKNOWN)
        wire_add_number(out, 1, health);
}
