#include "adapters/schema/package.h"

#include <ctype.h>
#include <stdlib.h>

static bool is_version(const char *name)
{
    return name[0] == 'v' && isdigit((unsigned char)name[1]);
}

/* "v1", "v1beta2", and not "v8engine": what stands before other parts must be nothing else. */
static bool is_exactly_version(Bytes name)
{
    size_t at = 1;
    while (at < name.size && isdigit(name.data[at]))
        at++;
    Bytes stage = bytes_slice(name, at, name.size);
    size_t letters = bytes_start_with(stage, "alpha") ? 5 : bytes_start_with(stage, "beta") ? 4 : 0;
    for (size_t i = letters; i < stage.size; i++)
        if (!isdigit(stage.data[i]))
            return false;
    return letters || !stage.size;
}

Bytes package_version(const char *package)
{
    Bytes rest = bytes_of(package), part, version = BYTES_NONE;
    while (bytes_split(&rest, '.', &part)) {
        bool last = part.data + part.size == (const uint8_t *)package + strlen(package);
        if (is_version((const char *)part.data) && (last || is_exactly_version(part)))
            version = part;
    }
    return version;
}

bool package_is_common(Bytes package)
{
    static const char *const common[] = {"google.", "grpc.health.", "grpc.reflection."};
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (bytes_start_with(package, common[i]))
            return true;
    return false;
}

/* By major version, then stage (alpha 0, beta 1, stable 2), then the number of the stage. */
int64_t version_rank(const char *name)
{
    if (!is_version(name))
        return 0;
    char *end;
    int64_t major = strtol(name + 1, &end, 10);
    bool alpha = bytes_start_with(bytes_of(end), "alpha"),
         beta = bytes_start_with(bytes_of(end), "beta");
    int64_t number = alpha ? strtol(end + 5, NULL, 10) : beta ? strtol(end + 4, NULL, 10) : 0;
    return 1 + (major * 3 + (alpha ? 0 : beta ? 1 : 2)) * 1000 + number;
}
