/* Details: the plans for what errors carry, as JSON and in other versions. */
#include "gateway/config_internal.h"

#include "adapters/error_types.h"
#include "base/arena.h"

Result service_read_error_types(ConfigReader *reader)
{
    return error_types_load(reader->arena, &reader->error_types);
}

/* Fields that a type does not have are counted: of an error there is nobody to refuse them to. */
static Result make_plan(ConfigReader *reader, const MappingSet *types, Codec from, Codec to,
                        const Plan **plan_out)
{
    PlanOptions options = {.from = from, .to = to, .unknown = UNKNOWN_COUNT, .types = types};
    service_complete_options(reader, &options);
    Result r = plan_compile_any(reader->arena, &options, plan_out);
    return failed(r) ? FAIL_OVER(reader->arena, r, FAULT_BAD_CONFIG, "compiling error details") : OK;
}

static Result make_json(ConfigReader *reader, const MappingSet *types, Details *details)
{
    Result r = make_plan(reader, types, CODEC_PROTO, CODEC_JSON, &details->to_json);
    return failed(r) ? r : make_plan(reader, types, CODEC_JSON, CODEC_PROTO, &details->from_json);
}

static Result make_version(ConfigReader *reader, Version *version)
{
    uint32_t n = version->service->n_versions;
    Result r = make_json(reader, version->to[version->index], &version->details);
    version->details.to = arena_array(reader->arena, const Plan *, n);
    for (uint32_t i = 0; i < n && !failed(r); i++) {
        if (i != version->index && version->to[i])
            r = make_plan(reader, version->to[i], CODEC_PROTO, CODEC_PROTO, &version->details.to[i]);
    }
    return r;
}

Result service_make_details(ConfigReader *reader)
{
    Config *config = reader->config;
    Result r = make_json(reader, NULL, &config->details);
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t j = 0; j < config->services[i].n_versions && !failed(r); j++) {
            Version *version = &config->services[i].versions[j];
            if (version->schema)
                r = make_version(reader, version);
        }
    return r;
}
