/* Error details: the plans for JSON and for other versions. */
#include "gateway/service/service_internal.h"

#include "adapters/compile/plan_compile.h"
#include "adapters/mapping/error_types.h"
#include "base/arena.h"

Result service_read_error_types(ConfigReader *reader)
{
    return error_types_load(reader->arena, &reader->error_types);
}

/* Unknown fields are counted, because an error detail cannot be refused. */
static Result make_plan(ConfigReader *reader, const MappingSet *types, Codec from, Codec to,
                        const Plan **plan_out)
{
    PlanOptions options = {.from = from, .to = to, .unknown = UNKNOWN_COUNT, .types = types};
    service_complete_options(reader, &options);
    Result r = plan_compile_any(reader->arena, &options, plan_out);
    return failed(r) ? FAIL_OVER(reader->arena, r, FAULT_BAD_CONFIG, "compiling error details")
                     : OK;
}

static bool has_rest_clients(const Version *version)
{
    for (uint32_t i = 0; i < version->n_methods; i++)
        if (version->methods[i].n_bindings)
            return true;
    return false;
}

static bool has_rest_instances(const Version *version)
{
    if (version->service->discovery)
        return true; /* they may join */
    for (uint32_t i = 0; i < version->service->n_instances; i++) {
        const Instance *instance = &version->service->instances[i];
        if (instance->protocol == UPSTREAM_REST && (instance->versions >> version->index & 1))
            return true;
    }
    return false;
}

/* Plans with the version's own types take memory, so they are only made if details occur as JSON;
   so do the results of operations, which clients of each dialect may ask for. */
static Result make_own_json(ConfigReader *reader, Version *version)
{
    const MappingSet *types = version->to[version->index];
    Details *details = &version->details;
    Result r = OK;
    *details = reader->config->details;
    if (has_rest_clients(version) || reader->file.content->n_jobs)
        r = make_plan(reader, types, CODEC_PROTO, CODEC_JSON, &details->to_json);
    if (!failed(r) && has_rest_instances(version))
        r = make_plan(reader, types, CODEC_JSON, CODEC_PROTO, &details->from_json);
    return r;
}

static Result make_version(ConfigReader *reader, Version *version)
{
    uint32_t n = version->service->n_versions;
    Result r = make_own_json(reader, version);
    version->details.to = arena_array(reader->arena, const Plan *, n);
    for (uint32_t i = 0; i < n && !failed(r); i++) {
        if (i != version->index && version->to[i])
            r = make_plan(reader, version->to[i], CODEC_PROTO, CODEC_PROTO,
                          &version->details.to[i]);
    }
    return r;
}

Result service_make_details(ConfigReader *reader)
{
    Config *config = reader->config;
    Details *common = &config->details;
    Result r = make_plan(reader, NULL, CODEC_PROTO, CODEC_JSON, &common->to_json);
    if (!failed(r))
        r = make_plan(reader, NULL, CODEC_JSON, CODEC_PROTO, &common->from_json);
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t j = 0; j < config->services[i].n_versions && !failed(r); j++) {
            Version *version = &config->services[i].versions[j];
            if (version->schema)
                r = make_version(reader, version);
        }
    return r;
}
