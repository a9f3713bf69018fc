/* The methods of every version, and the table of their paths; then their plans, for every version
   that an instance serves, and every pair of codecs that can occur. */
#include "gateway/service/service_internal.h"

#include "adapters/compile/plan_compile.h"
#include "adapters/mapping/loss.h"
#include "base/arena.h"

/* ---- Methods --------------------------------------------------------------------------------- */

static uint32_t count_methods(const Version *version)
{
    uint32_t n = 0;
    for (uint32_t i = 0; version->schema && i < version->schema->n_services; i++)
        if (version_serves(version, &version->schema->services[i]))
            n += version->schema->services[i].n_methods;
    return n;
}

/* Methods of several versions of a service may have the same path: they are a list. The same path
   in another service is a mistake. */
static void add_path(ConfigReader *reader, Method *method)
{
    Config *config = reader->config;
    const Service *service = method->version->service;
    Method *before = table_put(&config->methods, bytes_of(method->type->path), method);
    if (!before)
        return;
    method->next_same_path = before;
    const char *path = reader->services[service->index].path;
    if (before->version->service != service)
        config_tell(
            reader,
            version_mixes_in(method->version, method->type->service)
                ? config_path(reader, "%s.mixins", path)
                : config_path(reader, "%s.versions[%u].package", path, method->version->index),
            NULL, "%s is already served by the service %s", method->type->path,
            before->version->service->name);
}

static void read_methods(ConfigReader *reader, Version *version)
{
    const Schema *schema = version->schema;
    version->methods = arena_array(reader->arena, Method, count_methods(version));
    version->to = arena_array(reader->arena, const MappingSet *, version->service->n_versions);
    for (uint32_t i = 0; schema && i < schema->n_services; i++) {
        const ServiceType *type = &schema->services[i];
        if (!version_serves(version, type))
            continue;
        for (uint32_t j = 0; j < type->n_methods; j++) {
            Method *method = &version->methods[version->n_methods++];
            method->version = version;
            method->type = &type->methods[j];
            method->id = reader->config->n_methods++;
            method->extras = &method_no_extras;
            method->pairs = arena_array(reader->arena, MethodPair, version->service->n_versions);
            for (uint32_t k = 0; k < version->service->n_versions; k++)
                method->pairs[k].extras = &pair_no_extras;
            add_path(reader, method);
        }
    }
}

void service_read_methods(ConfigReader *reader)
{
    Config *config = reader->config;
    uint32_t n = 0;
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t j = 0; j < config->services[i].n_versions; j++)
            n += count_methods(&config->services[i].versions[j]);
    table_reserve(&config->methods, n);
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t j = 0; j < config->services[i].n_versions; j++)
            read_methods(reader, &config->services[i].versions[j]);
}

/* ---- Plans ----------------------------------------------------------------------------------- */

const Mapping *service_request(const Method *method, const Version *served)
{
    const MappingSet *set = method->version->to[served->index];
    return set ? mapping_set_input(set, method->type) : NULL;
}

const Mapping *service_answer(ConfigReader *reader, const Method *method, const Version *served)
{
    const Method *target = method->pairs[served->index].target;
    const MappingSet *set = served->to[method->version->index];
    return set && target ? config_restrict(reader, method, mapping_set_output(set, target->type))
                         : NULL;
}

uint32_t service_codecs(const Version *version)
{
    uint32_t codecs = 0;
    if (version->composes || version->begins_jobs)
        codecs = 1u << CODEC_PROTO;
    if (version->service->discovery)
        return (1u << CODEC_COUNT) - 1; /* instances with any codec may join */
    for (uint32_t i = 0; i < version->service->n_instances; i++) {
        const Instance *instance = &version->service->instances[i];
        if (instance->versions >> version->index & 1)
            codecs |= 1u << instance->codec;
    }
    return codecs;
}

/* Identifies a plan. Compared as bytes, so it must be zeroed before it is filled in. */
typedef struct PlanKey {
    const Mapping *mapping;
    const MappingSet *types;
    const char *only_field;
    uint8_t from, to, unknown, enums_as_numbers, emit_defaults, emit_nulls, proto_names, walk_all;
} PlanKey;

void service_complete_options(ConfigReader *reader, PlanOptions *options)
{
    options->cache = reader->programs;
    options->common_types = reader->error_types;
    options->max_depth = reader->config->limits.depth;
    options->max_elements = reader->config->limits.elements;
}

Result service_plan(ConfigReader *reader, const Mapping *mapping, const PlanOptions *options,
                    const Plan **plan_out)
{
    PlanKey *key = arena_make(reader->working, PlanKey);
    key->mapping = mapping;
    key->types = options->types;
    key->only_field = options->only_field;
    key->from = (uint8_t)options->from;
    key->to = (uint8_t)options->to;
    key->unknown = (uint8_t)options->unknown;
    key->enums_as_numbers = options->enums_as_numbers;
    key->emit_defaults = options->emit_defaults;
    key->emit_nulls = options->emit_nulls;
    key->proto_names = options->proto_names;
    key->walk_all = options->walk_all;
    Bytes key_bytes = bytes(key, sizeof *key);
    *plan_out = table_get(&reader->plans, key_bytes);
    if (*plan_out)
        return OK;

    PlanOptions completed = *options;
    service_complete_options(reader, &completed);
    Result r = plan_compile(reader->arena, mapping, &completed, plan_out);
    if (failed(r))
        return FAIL_OVER(reader->arena, r, FAULT_BAD_CONFIG, "compiling %s to %s",
                         mapping->from->full_name, mapping->to->full_name);
    table_put(&reader->plans, key_bytes, (void *)(uintptr_t)*plan_out);
    return OK;
}

/* From protobuf to protobuf of the same version, messages pass unread, with unknown fields. */
static UnknownFields unknown_in(const Version *from, const Version *to, Codec codec_from,
                                Codec codec_to, UnknownFields said)
{
    return from == to && codec_from == CODEC_PROTO && codec_to == CODEC_PROTO ? UNKNOWN_KEEP : said;
}

static Result make_request_plan(ConfigReader *reader, const Method *method, const Version *to,
                                const Mapping *mapping, Codec client, Codec instance)
{
    PlanOptions options = {
        .from = client,
        .to = instance,
        .unknown = unknown_in(method->version, to, client, instance, method->route->unknown_fields),
        .types = method->version->to[to->index],
    };
    return service_plan(reader, mapping, &options,
                        &method->pairs[to->index].request[client][instance]);
}

static Result make_response_plan(ConfigReader *reader, const Method *method, const Version *from,
                                 const Mapping *mapping, Codec client, Codec instance)
{
    const Route *route = method->route;
    MethodPair *pair = &method->pairs[from->index];
    PlanOptions options = {
        .from = instance,
        .to = client,
        .unknown =
            unknown_in(from, method->version, instance, client, route->unknown_answer_fields),
        .enums_as_numbers = route->enums_as_numbers,
        .emit_defaults = route->emit_defaults,
        .emit_nulls = route->emit_nulls,
        .proto_names = route->proto_names,
        .types = from->to[method->version->index],
    };
    config_show_options(method, &options);
    Result r = service_plan(reader, mapping, &options, &pair->response[instance][client]);
    if (failed(r) || client != CODEC_JSON || !route_asks_for_numbers(route))
        return r;
    options.enums_as_numbers = true;
    return service_plan(reader, mapping, &options,
                        &pair_extras(reader->arena, pair)->numbers[instance]);
}

Result service_make_responses(ConfigReader *reader, const Method *method, const Version *from)
{
    const Mapping *mapping = service_answer(reader, method, from);
    Result r = OK;
    for (Codec instance = 0; mapping && instance < CODEC_COUNT; instance++)
        for (Codec client = 0; client < CODEC_COUNT && !failed(r); client++)
            r = make_response_plan(reader, method, from, mapping, client, instance);
    return r;
}

/* Fields that a mapping drops or narrows without an error. */
static uint32_t count_lossy(ConfigReader *reader, const Mapping *mapping)
{
    return loss_count(reader->losses, mapping).n_lossy;
}

/* Both ways between a method's version and one that is served. */
static Result make_pair(ConfigReader *reader, const Method *method, const Version *served)
{
    MethodPair *pair = &method->pairs[served->index];
    uint32_t codecs = service_codecs(served);
    if (!pair->target || (served == method->version && !codecs))
        return OK; /* no instance serves this version natively */
    const Mapping *request = service_request(method, served);
    const Mapping *response = service_answer(reader, method, served);
    if (!request || !response) {
        pair->target = NULL;
        pair_extras(reader->arena, pair)->reason =
            arena_printf(reader->arena, "its messages have no counterparts in %s", served->name);
        return OK;
    }
    uint32_t n_lossy = count_lossy(reader, request) + count_lossy(reader, response);
    if (n_lossy)
        pair_extras(reader->arena, pair)->n_lossy = n_lossy;
    for (Codec instance = 0; instance < CODEC_COUNT; instance++)
        for (Codec client = 0; codecs >> instance & 1 && client < CODEC_COUNT; client++) {
            Result r = make_request_plan(reader, method, served, request, client, instance);
            if (!failed(r))
                r = make_response_plan(reader, method, served, response, client, instance);
            if (failed(r))
                return r;
        }
    return OK;
}

static Result make_method_pairs(ConfigReader *reader, const Version *version, Method *method)
{
    const Service *service = version->service;
    for (uint32_t to = 0; to < service->n_versions; to++) {
        Result r = make_pair(reader, method, &service->versions[to]);
        if (failed(r))
            return r;
    }
    method_prefer(reader->arena, method);
    return OK;
}

static Result make_all_pairs(ConfigReader *reader)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        for (uint32_t j = 0; j < service->n_versions; j++) {
            const Version *version = &service->versions[j];
            for (uint32_t k = 0; k < version->n_methods; k++) {
                Result r = make_method_pairs(reader, version, &version->methods[k]);
                if (failed(r))
                    return r;
            }
        }
    }
    return OK;
}

Result service_make_pairs(ConfigReader *reader)
{
    Arena *scratch = arena_new(ARENA_UNLIMITED);
    reader->losses = loss_counter_new(scratch);
    Result r = make_all_pairs(reader);
    reader->losses = NULL;
    arena_free(scratch);
    return r;
}

/* ---- Demands --------------------------------------------------------------------------------- */

static bool same_list(CredentialList one, CredentialList other)
{
    if (one == other || !one || !other)
        return one == other;
    while (*one && *one == *other) {
        one++;
        other++;
    }
    return *one == *other;
}

static bool same_demands(const Method *one, const Method *other)
{
    const AccessRules *a = &one->route->access, *b = &other->route->access;
    return a->authenticate == b->authenticate && same_list(a->credentials, b->credentials);
}

/* Of a path of an RPC: the version may be another one than the path's. */
static bool pairs_differ(const Method *method)
{
    bool differ = false;
    for (uint32_t i = 0; i < method->version->service->n_versions; i++) {
        const Method *target = method->pairs[i].target;
        differ |= target && !same_demands(method, target);
    }
    for (const Method *same = method->next_same_path; same; same = same->next_same_path)
        differ |= !same_demands(method, same);
    return differ;
}

/* Of a REST path: each of the methods has it in its version. */
static bool bindings_differ(const RestBinding *first)
{
    bool differ = false;
    for (const RestBinding *one = first->next; one; one = one->next)
        differ |= !same_demands(first->method, one->method);
    return differ;
}

static void note_method(Method *method)
{
    method->demands_differ = pairs_differ(method);
    for (uint32_t i = 0; i < method->n_bindings; i++)
        method->bindings[i].demands_differ = bindings_differ(&method->bindings[i]);
}

void service_note_demands(ConfigReader *reader)
{
    Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t j = 0; j < config->services[i].n_versions; j++) {
            Version *version = &config->services[i].versions[j];
            for (uint32_t k = 0; k < version->n_methods; k++)
                note_method(&version->methods[k]);
        }
}
