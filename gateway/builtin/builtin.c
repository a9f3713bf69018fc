#include "gateway/builtin/builtin.h"

/* Of packages that begin with "grpc." */
static const Builtin builtins[] = {
    {"/grpc.health.v1.Health/Check", BUILTIN_CHECK, true, false},
    {"/grpc.health.v1.Health/Watch", BUILTIN_WATCH, true, true},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", BUILTIN_REFLECT, false, true},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", BUILTIN_REFLECT, false,
     true},
};

const Builtin *builtin_find(const Config *config, Bytes path)
{
    if (!bytes_start_with(path, "/grpc."))
        return NULL;
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++) {
        bool served = builtins[i].method != BUILTIN_REFLECT || !config->no_reflection;
        if (served && bytes_are(path, builtins[i].path))
            return &builtins[i];
    }
    return NULL;
}
