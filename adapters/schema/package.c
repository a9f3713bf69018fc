#include "adapters/schema/package.h"

#include <ctype.h>
#include <stdlib.h>

static bool is_version(const char *name)
{
    return name[0] == 'v' && isdigit((unsigned char)name[1]);
}

const char *package_version(const char *package)
{
    const char *dot = strrchr(package, '.');
    const char *last = dot ? dot + 1 : package;
    return is_version(last) ? last : NULL;
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
