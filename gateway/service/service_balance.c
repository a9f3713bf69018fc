/* How calls find an instance: cells, affinity, and connections that are kept ready. Fields of
   requests by which calls go to one instance, cost more than others, or are allowed. */
#include "gateway/service/service_internal.h"

#include "base/arena.h"

#define BOUND_MOST 100.0

void config_read_cells(ConfigReader *reader)
{
    const Passerelle__Config__Config *text = reader->file.content;
    if (text->cell && !config_is_word(text->cell, "-_."))
        config_tell(reader, "cell", "letters, digits, -, _ and dots",
                    "\"%s\" cannot be the name of a cell", text->cell);
    if (text->cells && !text->cell)
        config_tell(reader, "cells", "cell: the one that this gateway runs in",
                    "calls can leave a cell only if the gateway has one");
    reader->config->cell = text->cell;
}

void config_use_cells(ConfigReader *reader, Service *service)
{
    static const Passerelle__Config__Cells defaults = PASSERELLE__CONFIG__CELLS__INIT;
    const Passerelle__Config__Cells *text = reader->file.content->cells;
    text = text ? text : &defaults;
    service->cells =
        (CellPolicy){.own = reader->config->cell, .healthy = text->healthy, .spill = text->spill};
}

/* ---- Affinity -------------------------------------------------------------------------------- */

void config_read_affinity(ConfigReader *reader, const Passerelle__Config__Affinity *text,
                          const char *path, Affinity *affinity)
{
    if (!text)
        return;
    path = config_path(reader, "%s.affinity", path);
    if (!!text->header + !!text->field + (text->client != 0) != 1) {
        config_tell(reader, path, "header: x-session-id, field: customer.id or client: true",
                    "affinity is by exactly one of header, field and client");
        return;
    }
    if (text->bound <= 1 || text->bound > BOUND_MOST)
        config_tell(reader, config_path(reader, "%s.bound", path), "1.25",
                    "an instance may have more than 1 and at most %.0f times the mean of all calls",
                    BOUND_MOST);
    affinity->bound = (float)text->bound;
    affinity->by = text->header ? AFFINITY_HEADER : text->field ? AFFINITY_FIELD : AFFINITY_CLIENT;
    affinity->name = text->header ? config_field_name(reader, text->header,
                                                      config_path(reader, "%s.header", path))
                                  : text->field;
}

static bool is_key(const FieldType *field)
{
    return !field->repeated && !field->map && !field->message && field->kind != KIND_DOUBLE &&
           field->kind != KIND_FLOAT;
}

/* The fields of the path; NULL: the message has no such field, or it cannot be a key. */
static const FieldType *const *find_key(ConfigReader *reader, const MessageType *type,
                                        const char *path)
{
    Bytes rest = bytes_of(path), name;
    const FieldType **fields = arena_array(reader->arena, const FieldType *, rest.size + 2);
    uint32_t n = 0;
    while (type && bytes_split(&rest, '.', &name)) {
        const FieldType *field = message_field(type, name);
        if (!field || (rest.size && (!field->message || field->repeated || field->map)))
            return NULL;
        fields[n++] = field;
        type = rest.size ? field->message : NULL;
    }
    return n && is_key(fields[n - 1]) ? fields : NULL;
}

Result service_make_key(ConfigReader *reader, const Method *method, const char *field,
                        const FieldType *const **key_out, const Plan **plan_out)
{
    PlanOptions options = {.from = CODEC_JSON,
                           .to = CODEC_PROTO,
                           .unknown = UNKNOWN_COUNT,
                           .types = method->version->to[method->version->index]};
    *key_out = find_key(reader, method->type->input, field);
    const Mapping *mapping = service_request(method, method->version);
    return *key_out && mapping ? service_plan(reader, mapping, &options, plan_out) : OK;
}

void service_tell_no_key(ConfigReader *reader, const char *path, const char *matcher,
                         const char *name, const Method *method)
{
    Bytes rest = bytes_of(name), first;
    bytes_split(&rest, '.', &first);
    const MessageType *type = method->type->input;
    const char *near = message_nearest_field(type, first, reader->arena), *hint = NULL;
    if (near && !bytes_are(first, near))
        hint = config_path(reader, "did you mean %s", message_field(type, bytes_of(near))->name);
    config_tell(reader, path, hint, "no request of %s has the text or whole number %s", matcher,
                name);
}

static void tell_no_key(ConfigReader *reader, const char *path, const char *matcher,
                        const Affinity *affinity, const Method *method)
{
    service_tell_no_key(reader, config_path(reader, "%s.affinity.field", path), matcher,
                        affinity->name, method);
}

typedef struct Keys {
    uint32_t n;
    const Method *first; /* of the methods, with or without a key */
} Keys;

static Result make_keys(ConfigReader *reader, const Route *route, Keys *keys)
{
    const Service *service = route->service;
    for (uint32_t i = 0; i < service->n_versions; i++) {
        for (uint32_t k = 0; k < service->versions[i].n_methods; k++) {
            Method *method = &service->versions[i].methods[k];
            if (method->route != route)
                continue;
            MethodExtras *extras = method_extras(reader->arena, method);
            Result r = service_make_key(reader, method, route->affinity.name, &extras->key,
                                        &extras->to_key);
            if (failed(r))
                return r;
            keys->first = keys->first ? keys->first : method;
            keys->n += method->extras->key != NULL;
        }
    }
    return OK;
}

/* Of a route with its own affinity, or of those that have their service's. */
Result service_make_keys(ConfigReader *reader)
{
    const Config *config = reader->config;
    Keys *of_services = arena_array(reader->arena, Keys, config->n_services);
    for (uint32_t i = 0; i < config->n_routes; i++) {
        const Route *route = &config->routes[i];
        if (!route->service || route->affinity.by != AFFINITY_FIELD || route->path_prefix)
            continue;
        Keys own = {0};
        bool is_own = route->affinity.name != route->service->affinity.name;
        Result r = make_keys(reader, route, is_own ? &own : &of_services[route->service->index]);
        if (failed(r))
            return r;
        if (own.first && !own.n)
            tell_no_key(reader, reader->route_paths[i], route->match, &route->affinity, own.first);
    }
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        if (of_services[i].first && !of_services[i].n)
            tell_no_key(reader, reader->services[i].path, service->name, &service->affinity,
                        of_services[i].first);
    }
    return OK;
}

/* ---- Costs ----------------------------------------------------------------------------------- */

static Result make_cost(ConfigReader *reader, const Method *method, MethodLimit *item)
{
    Result r = service_make_key(reader, method, item->limit->cost, &item->cost, &item->to_cost);
    const FieldType *const *last = item->cost;
    while (last && last[1])
        last++;
    if (last && (!service_is_whole(*last) || method->type->client_streaming))
        item->cost = NULL;
    return r;
}

/* Whether a method has the field of a limit. */
typedef struct Costs {
    const Method *first; /* that meets it; NULL: none does */
    bool found;
} Costs;

static Result make_costs(ConfigReader *reader, const Method *method, Costs *costs)
{
    for (uint32_t i = 0; method->limits && i < method->limits->n; i++) {
        MethodLimit *item = &method->limits->items[i];
        Costs *of = &costs[item->limit - reader->config->rate_limits];
        if (!item->limit->cost)
            continue;
        Result r = make_cost(reader, method, item);
        if (failed(r))
            return r;
        of->first = of->first ? of->first : method;
        of->found |= item->cost != NULL;
    }
    return OK;
}

Result service_make_costs(ConfigReader *reader)
{
    const Config *config = reader->config;
    Costs *costs = arena_array(reader->arena, Costs, config->n_rate_limits + 1);
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t k = 0; k < config->services[i].n_versions; k++)
            for (uint32_t m = 0; m < config->services[i].versions[k].n_methods; m++) {
                Result r = make_costs(reader, &config->services[i].versions[k].methods[m], costs);
                if (failed(r))
                    return r;
            }
    for (uint32_t i = 0; i < config->n_rate_limits; i++)
        if (costs[i].first && !costs[i].found)
            service_tell_no_key(reader, config_path(reader, "%s.cost", config->rate_limits[i].path),
                                config->rate_limits[i].name, config->rate_limits[i].cost,
                                costs[i].first);
    return OK;
}

/* ---- Who may call ---------------------------------------------------------------------------- */

static uint32_t count_fields(const AccessRules *rules)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < rules->n_allow; i++)
        n += rules->allow[i].n_fields;
    return n;
}

/* A stream of requests is allowed before its first message is there. */
static const FieldType *const *find_path(ConfigReader *reader, const Method *method,
                                         const char *name)
{
    if (method->type->client_streaming)
        return NULL;
    const FieldType *const *path = find_key(reader, method->type->input, name);
    const FieldType *const *last = path;
    while (last && last[1])
        last++;
    return last && ((*last)->kind == KIND_STRING || service_is_whole(*last)) ? path : NULL;
}

/* A member that the version does not have is refused: another reader of JSON may take it for one
   that it has. */
static Result make_paths(ConfigReader *reader, Method *method, uint32_t n_fields)
{
    const AccessRules *rules = &method->route->access;
    PlanOptions options = {.from = CODEC_JSON,
                           .to = CODEC_PROTO,
                           .unknown = UNKNOWN_REFUSE,
                           .types = method->version->to[method->version->index]};
    const Mapping *mapping = service_request(method, method->version);
    AllowPaths *paths = arena_make(reader->arena, AllowPaths);
    const FieldType *const **list =
        arena_array(reader->arena, const FieldType *const *, n_fields + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < rules->n_allow; i++)
        for (uint32_t k = 0; k < rules->allow[i].n_fields; k++)
            list[n++] = find_path(reader, method, rules->allow[i].fields[k].path);
    paths->paths = list;
    method_extras(reader->arena, method)->allow_paths = paths;
    return mapping ? service_plan(reader, mapping, &options, &paths->to_proto) : OK;
}

typedef Result MethodAction(ConfigReader *reader, Method *method, void *owner);

static Result each_method(ConfigReader *reader, MethodAction *action, void *owner)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t k = 0; k < config->services[i].n_versions; k++) {
            const Version *version = &config->services[i].versions[k];
            for (uint32_t m = 0; m < version->n_methods; m++) {
                Result r = action(reader, &version->methods[m], owner);
                if (failed(r))
                    return r;
            }
        }
    return OK;
}

static Result make_method(ConfigReader *reader, Method *method, void *owner)
{
    uint32_t n = method->route ? count_fields(&method->route->access) : 0;
    return n ? make_paths(reader, method, n) : OK;
}

/* ---- Fields that are nowhere ----------------------------------------------------------------- */

typedef struct Search {
    const AllowRule *rules; /* of a route, and of those that have them from it */
    uint32_t at;            /* of the field, among all of them */
    bool found, streams;    /* a method with the rules is a stream of requests */
    const Method *first;    /* that has them, and is none */
} Search;

static Result search_method(ConfigReader *reader, Method *method, void *owner)
{
    Search *search = owner;
    if (!method->extras->allow_paths || method->route->access.allow != search->rules)
        return OK;
    if (method->type->client_streaming)
        search->streams = true;
    else if (!search->first)
        search->first = method;
    search->found |= method->extras->allow_paths->paths[search->at] != NULL;
    return OK;
}

static Result check_field(ConfigReader *reader, const Route *route, const AllowField *field,
                          uint32_t at)
{
    Search search = {.rules = route->access.allow, .at = at};
    if (route->path_prefix) {
        config_tell(reader, field->document, NULL,
                    "what comes for a path prefix has no fields that are known");
        return OK;
    }
    Result r = each_method(reader, search_method, &search);
    if (!failed(r) && search.first && !search.found)
        service_tell_no_key(reader, field->document, route->match, field->path, search.first);
    else if (!failed(r) && search.streams && !search.first)
        config_tell(reader, field->document, NULL,
                    "%s takes streams of requests, which are allowed before a message is there",
                    route->match);
    return r;
}

/* Rules that a route has from a wider one are checked there. */
static bool has_own(const Config *config, uint32_t route)
{
    const AllowRule *rules = config->routes[route].access.allow;
    for (uint32_t i = 0; i < route; i++)
        if (config->routes[i].access.allow == rules)
            return false;
    return true;
}

static Result check_route(ConfigReader *reader, const Route *route)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < route->access.n_allow; i++)
        for (uint32_t k = 0; k < route->access.allow[i].n_fields; k++) {
            Result r = check_field(reader, route, &route->access.allow[i].fields[k], at++);
            if (failed(r))
                return r;
        }
    return OK;
}

Result service_make_allow_paths(ConfigReader *reader)
{
    const Config *config = reader->config;
    Result r = each_method(reader, make_method, NULL);
    for (uint32_t i = 0; !failed(r) && i < config->n_routes; i++)
        if (has_own(config, i))
            r = check_route(reader, &config->routes[i]);
    return r;
}

/* ---- Routes ---------------------------------------------------------------------------------- */

void config_inherit_affinity(Config *config)
{
    for (uint32_t i = 0; i < config->n_routes; i++) {
        Route *route = &config->routes[i];
        if (!route->service)
            continue;
        Service *service = &config->services[route->service->index];
        if (!route->affinity.by)
            route->affinity = service->affinity;
        service->has_affinity |= route->affinity.by != AFFINITY_NONE;
    }
}
