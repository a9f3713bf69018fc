#include "gateway/builtin/builtin.h"

#include "gateway/catalog/catalog.h"

#define OPERATIONS "/google.longrunning.Operations/"
#define REST_OPERATIONS "/v1/operations"

static const Builtin builtins[] = {
    {"/grpc.health.v1.Health/Check", BUILTIN_CHECK, true, false, false},
    {"/grpc.health.v1.Health/Watch", BUILTIN_WATCH, true, true, false},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", BUILTIN_REFLECT, false, true,
     false},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", BUILTIN_REFLECT, false, true,
     false},
};

/* In the order of their methods. */
static const Builtin operations[] = {
    {OPERATIONS "GetOperation", BUILTIN_GET_OPERATION, true, false, true},
    {OPERATIONS "ListOperations", BUILTIN_LIST_OPERATIONS, true, false, true},
    {OPERATIONS "CancelOperation", BUILTIN_CANCEL_OPERATION, true, false, true},
    {OPERATIONS "DeleteOperation", BUILTIN_DELETE_OPERATION, true, false, true},
    {OPERATIONS "WaitOperation", BUILTIN_WAIT_OPERATION, true, false, true},
    {"/passerelle.jobs.v1.Jobs/Follow", BUILTIN_FOLLOW_OPERATION, true, true, true},
};

static const Builtin *operation(BuiltinMethod method)
{
    return &operations[method - BUILTIN_GET_OPERATION];
}

static const Builtin *find_operation(Bytes path)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (bytes_are(path, operations[i].path))
            return &operations[i];
    return NULL;
}

/* Services of packages that begin with "grpc." */
static const Builtin *find_of_grpc(const Config *config, Bytes path)
{
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++) {
        bool served = builtins[i].method != BUILTIN_REFLECT || !config->no_reflection;
        if (served && bytes_are(path, builtins[i].path))
            return &builtins[i];
    }
    return NULL;
}

const Builtin *builtin_find(const Config *config, Bytes path)
{
    if (bytes_start_with(path, "/grpc."))
        return find_of_grpc(config, path);
    return config->n_jobs ? find_operation(path) : NULL;
}

/* ---- REST ------------------------------------------------------------------------------------ */

typedef struct RestRule {
    const char *verb, *suffix; /* of the path of one operation */
    BuiltinMethod method;
} RestRule;

/* The first one whose suffix fits decides about the path, so that none comes last. */
static const RestRule rules[] = {
    {"POST", ":cancel", BUILTIN_CANCEL_OPERATION},
    {"POST", ":wait", BUILTIN_WAIT_OPERATION},
    {"GET", "", BUILTIN_GET_OPERATION},
    {"HEAD", "", BUILTIN_GET_OPERATION},
    {"DELETE", "", BUILTIN_DELETE_OPERATION},
};

static const Builtin *find_of_one(Bytes verb, Bytes path, Bytes *allowed_out)
{
    const char *suffix = NULL;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!bytes_end_with(path, rules[i].suffix) ||
            (suffix && !text_equal(suffix, rules[i].suffix)))
            continue;
        suffix = rules[i].suffix;
        if (bytes_are(verb, rules[i].verb))
            return operation(rules[i].method);
    }
    *allowed_out = bytes_of(suffix[0] ? "POST" : "GET, HEAD, DELETE");
    return NULL;
}

static const Builtin *find_of_all(Bytes verb, Bytes *allowed_out)
{
    if (bytes_are(verb, "GET") || bytes_are(verb, "HEAD"))
        return operation(BUILTIN_LIST_OPERATIONS);
    *allowed_out = bytes_of("GET, HEAD");
    return NULL;
}

static const Builtin *find_page(const Config *config, Bytes verb, Bytes path, Bytes *allowed_out)
{
    static const Builtin page = {"the catalog", BUILTIN_PAGE, true, false, true};
    CatalogPage found;
    if (!catalog_find(config, path, &found))
        return NULL;
    if (bytes_are(verb, "GET") || bytes_are(verb, "HEAD"))
        return &page;
    *allowed_out = bytes_of("GET, HEAD");
    return NULL;
}

const Builtin *builtin_find_rest(const Config *config, Bytes verb, Bytes path, Bytes *allowed_out)
{
    const Builtin *page = config->catalog ? find_page(config, verb, path, allowed_out) : NULL;
    if (page || !config->n_jobs || !bytes_start_with(path, REST_OPERATIONS))
        return page;
    Bytes rest = bytes_slice(path, sizeof REST_OPERATIONS - 1, SIZE_MAX);
    if (!rest.size)
        return find_of_all(verb, allowed_out);
    return rest.size > 1 && rest.data[0] == '/' ? find_of_one(verb, path, allowed_out) : NULL;
}

const Builtin *builtin_follow(void)
{
    return operation(BUILTIN_FOLLOW_OPERATION);
}
