#include "gateway/builtin/reflection_access.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "gateway/access/access.h"

/* Of FileDescriptorProto, ServiceDescriptorProto and MethodDescriptorProto. */
enum { FILE_SERVICE = 6, FILE_SOURCE_INFO = 9, ITS_NAME = 1, SERVICE_METHOD = 2 };

static bool may_call(const Onlooker *onlooker, const Method *method)
{
    return !method->route || access_allows_method(onlooker->config, method, onlooker->identity);
}

bool reflection_shows_versions(const Onlooker *onlooker, const Service *service)
{
    if (!onlooker->config->access.has_rules)
        return true;
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t k = 0; k < service->versions[i].n_methods; k++)
            if (may_call(onlooker, &service->versions[i].methods[k]))
                return true;
    return false;
}

/* Of one service of the config. NAME empty: any method of the RPC service. */
static bool shows_in(const Onlooker *onlooker, const Service *service, const char *full_name,
                     Bytes name, bool *is_ours)
{
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t k = 0; k < service->versions[i].n_methods; k++) {
            const Method *method = &service->versions[i].methods[k];
            if (strcmp(method->type->service->full_name, full_name) != 0 ||
                (name.size && !bytes_are(name, method->type->name)))
                continue;
            *is_ours = true;
            if (may_call(onlooker, method))
                return true;
        }
    return false;
}

/* What no route is about, as the gateway's own services, is shown. */
static bool shows(const Onlooker *onlooker, const char *full_name, Bytes name)
{
    bool is_ours = false;
    for (uint32_t i = 0; i < onlooker->config->n_services; i++)
        if (shows_in(onlooker, &onlooker->config->services[i], full_name, name, &is_ours))
            return true;
    return !is_ours;
}

bool reflection_shows_service(const Onlooker *onlooker, const char *full_name)
{
    return !onlooker->config->access.has_rules || shows(onlooker, full_name, BYTES_NONE);
}

bool reflection_shows_symbol(const Onlooker *onlooker, Bytes symbol)
{
    if (!onlooker->config->access.has_rules)
        return true;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    size_t at = symbol.size;
    while (at && symbol.data[at - 1] != '.')
        at--;
    Bytes name = bytes_slice(symbol, at, symbol.size);
    const char *whole = arena_text(arena, symbol),
               *before = arena_text(arena, bytes_slice(symbol, 0, at ? at - 1 : 0));
    bool shown = shows(onlooker, whole, BYTES_NONE) && shows(onlooker, before, name);
    arena_free(arena);
    return shown;
}

static const char *full_name_of(const SchemaFile *file, Bytes service, Arena *arena)
{
    Bytes name = wire_find_bytes(service, ITS_NAME);
    return arena_printf(arena, "%s%s%.*s", file->package, *file->package ? "." : "",
                        BYTES_ARGS(name));
}

bool reflection_shows_file(const Onlooker *onlooker, const SchemaFile *file)
{
    bool has_services = false, shown = false;
    if (!onlooker->config->access.has_rules)
        return true;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    WireReader reader = wire_reader(file->descriptor);
    for (WireField f; !shown && wire_next(&reader, &f);) {
        if (f.number != FILE_SERVICE || f.type != WIRE_LENGTH)
            continue;
        has_services = true;
        shown = shows(onlooker, full_name_of(file, f.bytes, arena), BYTES_NONE);
    }
    arena_free(arena);
    return shown || !has_services;
}

/* The service with the methods that are shown. */
static void add_service(const Onlooker *onlooker, const char *full_name, Bytes service, Buffer *out)
{
    Buffer kept = buffer_in(out->arena);
    WireReader reader = wire_reader(service);
    for (WireField f; wire_next(&reader, &f);) {
        bool is_method = f.number == SERVICE_METHOD && f.type == WIRE_LENGTH;
        if (!is_method || shows(onlooker, full_name, wire_find_bytes(f.bytes, ITS_NAME)))
            buffer_add_bytes(&kept, f.record);
    }
    wire_add_bytes(out, FILE_SERVICE, buffer_bytes(&kept));
}

/* Comments have numbers of what is gone: they go, too. */
Bytes reflection_descriptor(const Onlooker *onlooker, const SchemaFile *file, Arena *arena)
{
    if (!onlooker->config->access.has_rules)
        return file->descriptor;
    Buffer kept = buffer_in(arena);
    WireReader reader = wire_reader(file->descriptor);
    for (WireField f; wire_next(&reader, &f);) {
        bool is_service = f.number == FILE_SERVICE && f.type == WIRE_LENGTH;
        const char *full_name = is_service ? full_name_of(file, f.bytes, arena) : NULL;
        if (is_service && shows(onlooker, full_name, BYTES_NONE))
            add_service(onlooker, full_name, f.bytes, &kept);
        else if (!is_service && f.number != FILE_SOURCE_INFO)
            buffer_add_bytes(&kept, f.record);
    }
    return buffer_bytes(&kept);
}
