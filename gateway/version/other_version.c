#include "gateway/version/other_version.h"

#include "base/arena.h"
#include "gateway/version/version_text.h"

const char *versions_served(const Service *service, int64_t wall, const Version *but, Arena *arena)
{
    Buffer text = buffer_in(arena);
    for (uint32_t i = 0; i < service->n_versions; i++) {
        const Version *version = &service->versions[i];
        if (version != but && !version_is_sunset(version, wall))
            buffer_printf(&text, "%s%s", text.size ? ", " : "", version->name);
    }
    return arena_text(arena, buffer_bytes(&text));
}

/* Where the version's name is a part of its package: 12 of "shop.orders.v2"; SIZE_MAX: nowhere. */
static size_t place_in_package(const Version *version)
{
    Bytes rest = bytes_of(version->package), part;
    size_t at = 0;
    while (bytes_split(&rest, '.', &part)) {
        if (bytes_are(part, version->name))
            return at;
        at += part.size + 1;
    }
    return SIZE_MAX;
}

static void replace(Bytes whole, size_t at, Bytes said, const Version *version, Arena *arena,
                    Bytes *same_out)
{
    Buffer same = buffer_in(arena);
    buffer_add_bytes(&same, bytes_slice(whole, 0, at));
    buffer_add_text(&same, version->name);
    buffer_add_bytes(&same, bytes_slice(whole, at + said.size, whole.size));
    *same_out = buffer_bytes(&same);
}

bool version_in_name(const Version *version, Bytes name, Arena *arena, Bytes *said_out,
                     Bytes *same_out)
{
    size_t at = place_in_package(version);
    if (at == SIZE_MAX || name.size <= at || memcmp(name.data, version->package, at) != 0)
        return false;
    Bytes rest = bytes_slice(name, at, name.size);
    *said_out = bytes_slice(rest, 0, bytes_find(rest, '.'));
    if (said_out->size == rest.size || service_version(version->service, *said_out))
        return false;
    replace(name, at, *said_out, version, arena, same_out);
    return bytes_start_with(*same_out, version->package);
}

/* "v2", "v1beta1" */
static bool looks_like_version(Bytes segment)
{
    return segment.size > 1 && segment.size <= 32 && segment.data[0] == 'v' &&
           segment.data[1] >= '0' && segment.data[1] <= '9';
}

Bytes version_said_in_path(Bytes path)
{
    Bytes rest = bytes_slice(path, 1, path.size);
    Bytes said = bytes_slice(rest, 0, bytes_find(rest, '/'));
    return looks_like_version(said) ? said : BYTES_NONE;
}

bool version_in_path(const Version *version, Bytes path, Arena *arena, Bytes *said_out,
                     Bytes *same_out)
{
    *said_out = version_said_in_path(path);
    if (!said_out->size || service_version(version->service, *said_out))
        return false;
    replace(path, 1, *said_out, version, arena, same_out);
    return true;
}
