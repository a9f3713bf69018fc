/* Routes: policy, and the methods that it applies to. */
#include "gateway/service/service_internal.h"

#include "adapters/text/spelling.h"
#include "base/arena.h"
#include "base/clock.h"
#include "protocols/http/http_path.h"
#include "protocols/http/http_rules.h"

#include <stdlib.h>

/* How specific a match is. */
typedef enum MatchLevel {
    MATCH_NOTHING,
    MATCH_SERVICE,
    MATCH_RPC_SERVICE,
    MATCH_METHOD
} MatchLevel;

/* ---- Reading --------------------------------------------------------------------------------- */

static UnknownFields unknown_of(Passerelle__Config__UnknownFields unknown)
{
    switch (unknown) {
    case PASSERELLE__CONFIG__UNKNOWN_FIELDS__UNKNOWN_FIELDS_COUNT: return UNKNOWN_COUNT;
    case PASSERELLE__CONFIG__UNKNOWN_FIELDS__UNKNOWN_FIELDS_KEEP: return UNKNOWN_KEEP;
    case PASSERELLE__CONFIG__UNKNOWN_FIELDS__UNKNOWN_FIELDS_REFUSE:
    case _PASSERELLE__CONFIG__UNKNOWN_FIELDS_IS_INT_SIZE: break;
    }
    return UNKNOWN_REFUSE;
}

static CompressAnswers compress_of(Passerelle__Config__CompressAnswers compress)
{
    switch (compress) {
    case PASSERELLE__CONFIG__COMPRESS_ANSWERS__COMPRESS_ANSWERS_INSTANCE: return COMPRESS_INSTANCE;
    case PASSERELLE__CONFIG__COMPRESS_ANSWERS__COMPRESS_ANSWERS_ALWAYS: return COMPRESS_ALWAYS;
    case PASSERELLE__CONFIG__COMPRESS_ANSWERS__COMPRESS_ANSWERS_NEVER: return COMPRESS_NEVER;
    case PASSERELLE__CONFIG__COMPRESS_ANSWERS__COMPRESS_ANSWERS_WEB:
    case _PASSERELLE__CONFIG__COMPRESS_ANSWERS_IS_INT_SIZE: break;
    }
    return COMPRESS_WEB;
}

static RestStream stream_of(Passerelle__Config__JsonStream stream)
{
    switch (stream) {
    case PASSERELLE__CONFIG__JSON_STREAM__JSON_STREAM_ARRAY: return REST_STREAM_ARRAY;
    case PASSERELLE__CONFIG__JSON_STREAM__JSON_STREAM_RESULT: return REST_STREAM_RESULTS;
    case PASSERELLE__CONFIG__JSON_STREAM__JSON_STREAM_LINES:
    case _PASSERELLE__CONFIG__JSON_STREAM_IS_INT_SIZE: break;
    }
    return REST_STREAM_LINES;
}

static void read_backoff(const Passerelle__Config__Retry *text, Route *route)
{
    static const Passerelle__Config__Retry defaults = PASSERELLE__CONFIG__RETRY__INIT;
    text = text ? text : &defaults;
    route->initial_backoff = text->initial_backoff;
    route->max_backoff = text->max_backoff;
}

static void read_policy(const Passerelle__Config__Route *text, Route *route)
{
    route->impact = config_impact(text->impact);
    route->timeout = text->has_timeout ? text->timeout : NO_TIMEOUT;
    route->attempts = text->attempts;
    route->unknown_fields = unknown_of(text->unknown_fields);
    route->unknown_answer_fields = unknown_of(text->unknown_answer_fields);
    route->compress_answers = compress_of(text->compress_answers);
    route->errors = config_errors(text->errors);
    if (text->json) {
        route->emit_defaults = text->json->defaults;
        route->emit_nulls = text->json->nulls;
        route->proto_names = text->json->proto_names;
        route->enums_as_numbers = text->json->enums_as_numbers;
        route->json_stream = stream_of(text->json->stream);
    }
    read_backoff(text->retry, route);
    if (text->hedge)
        route->hedge_percent = text->hedge->percent;
}

static void check_backoff(ConfigReader *reader, const Route *route, const char *path)
{
    if (route->initial_backoff > route->max_backoff)
        config_tell(reader, config_path(reader, "%s.retry.initial_backoff", path), NULL,
                    "it is more than max_backoff, which limits it");
}

static void read_hedge(ConfigReader *reader, const Passerelle__Config__Hedge *text,
                       const char *path, Route *route)
{
    const char *after = text->after;
    path = config_path(reader, "%s.hedge.after", path);
    if (!after) /* which was reported */
        return;
    route->hedge_p95 = strcmp(after, "p95") == 0;
    if (route->hedge_p95)
        return;
    if (!spelling_duration(bytes_of(after), &route->hedge_after))
        config_tell(reader, path, "for example 50ms, or p95", "%s is no time", after);
    else if (route->hedge_after < MILLISECOND)
        config_tell(reader, path, NULL, "must be at least 1ms");
}

/* Paths are compared in their normal form: a prefix in any other matches none. */
static void read_prefix(ConfigReader *reader, const char *match, const char *path, Route *route)
{
    Bytes normal;
    path = config_path(reader, "%s.match", path);
    route->path_prefix = match;
    Result r = http_path_normalize(bytes_of(match), reader->arena, &normal);
    if (!failed(r))
        r = http_path_read_loosely(normal, reader->arena, &route->loose_prefix);
    if (failed(r) || !http_is_path(bytes_of(match)) || strchr(match, '?'))
        config_tell(reader, path, NULL, "%s is not a valid path prefix", match);
    else if (!bytes_are(normal, match))
        config_tell(reader, path, arena_printf(reader->arena, "write %.*s", BYTES_ARGS(normal)),
                    "the prefix is not in the normal form of paths, so it would match none");
}

/* An opaque route has its own instances: they are a service without versions. */
static void read_opaque(ConfigReader *reader, const Passerelle__Config__Route *text,
                        const char *path, Route *route)
{
    Config *config = reader->config;
    read_prefix(reader, text->match, path, route);
    if (!text->n_instances)
        config_tell(reader, path, "to match an RPC write service.RpcService/Method",
                    "a path is passed through to instances, but there are none");
    if (route->on_failure == FAILURE_GRACEFUL)
        config_tell(reader, config_path(reader, "%s.on_failure", path), "loud",
                    "there are no fallbacks without a schema");
    if (text->hedge)
        config_tell(reader, config_path(reader, "%s.hedge", path), NULL,
                    "requests of a path prefix cannot be hedged");
    if (text->n_parameters)
        config_tell(reader, config_path(reader, "%s.parameters", path),
                    "to match an RPC write service.RpcService/Method",
                    "what passes through a path prefix is not read");
    Service *service = &config->services[config->n_services];
    reader->services[config->n_services] = (ServicePlan){.path = path};
    service->name = text->match;
    service->index = config->n_services++;
    service->pins = arena_make(reader->arena, Table);
    route->service = service;
    config_read_retry_budget(reader, service, text->retry_budget, path);
    config_use_cells(reader, service);
    service->warm = text->warm;
    service_read_baggage(reader, service, text->baggage);
    memcpy(service->objectives, config->objectives, sizeof service->objectives);
    config_read_objectives(reader, text->objectives, config_path(reader, "%s.objectives", path),
                           service->objectives);
    if (route->affinity.by == AFFINITY_FIELD)
        config_tell(reader, config_path(reader, "%s.affinity.field", path), "header or client",
                    "what passes through a path prefix is not read");
    config_read_guards(reader, service, text->breaker, text->concurrency, path);
    config_read_instances(reader, service, text->instances, text->n_instances, path);
    config_read_health(reader, service, NULL, path);
}

/* ---- Policy servers -------------------------------------------------------------------------- */

static void check_policy_instances(ConfigReader *reader, const Service *service, const char *path)
{
    for (uint32_t i = 0; i < service->n_instances; i++)
        if (service->instances[i].protocol != UPSTREAM_GRPC)
            config_tell(reader, config_path(reader, "%s.instances[%u].protocol", path, i), "grpc",
                        "policy servers speak gRPC");
}

/* Other services and path prefixes have the same names in metrics. */
static void check_name_is_free(ConfigReader *reader, const char *name, const char *path)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_services; i++)
        if (reader->services[i].text && strcmp(config->services[i].name, name) == 0)
            config_tell(reader, config_path(reader, "%s.name", path), NULL,
                        "there already is a service %s", name);
}

/* Its calls are made as those of a service without versions, by a route of their own. */
static void read_policy_server(ConfigReader *reader, const Passerelle__Config__PolicyServer *text,
                               const char *path, PolicyServer *server)
{
    static const Passerelle__Config__Route unsaid = PASSERELLE__CONFIG__ROUTE__INIT;
    Config *config = reader->config;
    Route *route = arena_make(reader->arena, Route);
    Service *service = &config->services[config->n_services];
    check_name_is_free(reader, server->name, path);
    reader->services[config->n_services] = (ServicePlan){.path = path, .is_policy_server = true};
    service->name = server->name;
    service->index = config->n_services++;
    service->pins = arena_make(reader->arena, Table);
    config_read_retry_budget(reader, service, text->retry_budget, path);
    config_use_cells(reader, service);
    service->warm = text->warm;
    config_read_guards(reader, service, text->breaker, text->concurrency, path);
    config_read_instances(reader, service, text->instances, text->n_instances, path);
    config_read_health(reader, service, NULL, path);
    check_policy_instances(reader, service, path);
    *route = (Route){.match = server->name, .service = service, .file = config->file};
    read_policy(&unsaid, route);
    route->attempts = text->attempts;
    server->route = route;
}

static void read_policy_servers(ConfigReader *reader)
{
    const Passerelle__Config__Config *text = reader->file.content;
    AccessConfig *access = &reader->config->access;
    for (uint32_t i = 0; i < access->n_policy_servers; i++)
        read_policy_server(reader, text->policy_servers[i],
                           config_path(reader, "policy_servers[%u]", i),
                           &access->policy_servers[i]);
}

/* "shop.orders.v1.Orders/Get", as gRPC has it, is orders.Orders/Get here; NULL: it is no such name.
 */
static const char *own_name(ConfigReader *reader, const char *match)
{
    for (uint32_t i = 0; i < reader->config->n_services; i++) {
        const Passerelle__Config__Service *text = reader->services[i].text;
        for (size_t k = 0; text && k < text->n_versions; k++) {
            const char *package = text->versions[k]->package;
            size_t size = package ? strlen(package) : 0;
            if (size && strncmp(match, package, size) == 0 && match[size] == '.')
                return arena_printf(reader->arena, "write %s%s", text->name, match + size);
        }
    }
    return NULL;
}

static void tell_no_service(ConfigReader *reader, const char *name, const char *match,
                            const char *path)
{
    const Config *config = reader->config;
    const char *own = own_name(reader, match);
    const char **names = arena_array(reader->working, const char *, config->n_services);
    size_t n = 0;
    for (uint32_t i = 0; i < config->n_services; i++) {
        if (reader->services[i].text && *config->services[i].name)
            names[n++] = config->services[i].name;
    }
    config_tell(reader, path, own ? own : config_hint(reader, name, names, n),
                "there is no service %s", name);
}

const Service *config_find_service(ConfigReader *reader, const char *match, const char *path)
{
    const Config *config = reader->config;
    Bytes name = bytes(match, strcspn(match, "."));
    for (uint32_t i = 0; i < config->n_services; i++) {
        if (reader->services[i].text && bytes_are(name, config->services[i].name))
            return &config->services[i];
    }
    tell_no_service(reader, arena_text(reader->arena, name), match, path);
    return NULL;
}

static void tell_duplicate(ConfigReader *reader, const Route *route, const char *path)
{
    const Config *config = reader->config;
    for (const Route *other = config->routes; other < route; other++)
        if (strcmp(other->match, route->match) == 0) {
            config_tell(reader, path, "leave out one of them", "%s is already matched in %s:%d",
                        route->match, other->file, other->line);
            return;
        }
}

static Bytes read_parameters(ConfigReader *reader, const char *path)
{
    const JsonNode *node =
        document_node(&reader->file.document, config_path(reader, "%s.parameters", path));
    Buffer json = buffer_in(reader->arena);
    if (node)
        json_write(&json, node);
    return buffer_bytes(&json);
}

static void read_route(ConfigReader *reader, const Passerelle__Config__Route *text,
                       const char *path, Route *route)
{
    const char *match_path = config_path(reader, "%s.match", path);
    const JsonNode *node = document_node(&reader->file.document, match_path);
    *route = (Route){
        .match = text->match,
        .file = document_file(&reader->file.document, match_path),
        .line = node ? yaml_place(&reader->file.document, node)->line : 0,
    };
    read_policy(text, route);
    config_read_fallbacks(reader, text->on_failure, path, route);
    check_backoff(reader, route, path);
    route->parameters = read_parameters(reader, path);
    config_read_affinity(reader, text->affinity, path, &route->affinity);
    config_read_keys(reader, text->idempotency, path, route);
    config_read_shadow(reader, text->shadow, path, route);
    route->access = config_read_rules(reader, text, path);
    config_read_log_fields(reader, text->log, path, route);
    config_read_shown(reader, text, path, route);
    conventions_read(reader, text, path, route);
    if (text->hedge)
        read_hedge(reader, text->hedge, path, route);
    tell_duplicate(reader, route, match_path);
    if (text->hedge && text->attempts < 2)
        config_tell(reader, config_path(reader, "%s.hedge", path), "attempts: 2",
                    "hedging needs at least 2 attempts");
    if (text->match[0] == '/') {
        read_opaque(reader, text, path, route);
        return;
    }
    route->service = config_find_service(reader, text->match, match_path);
    if (text->retry_budget)
        config_tell(reader, config_path(reader, "%s.retry_budget", path),
                    "retry_budget in the service",
                    "only a route that matches a path has a retry budget; a service has its own");
    if (text->has_warm)
        config_tell(reader, config_path(reader, "%s.warm", path), "warm in the service",
                    "only a route that matches a path has connections; a service has its own");
    if (text->has_baggage)
        config_tell(reader, config_path(reader, "%s.baggage", path), "baggage in the service",
                    "only a route that matches a path says so; a service says it itself");
    if (text->breaker || text->concurrency)
        config_tell(
            reader, config_path(reader, "%s.%s", path, text->breaker ? "breaker" : "concurrency"),
            "write it in the service",
            "only a route that matches a path has limits of its own; a service has its own");
    if (text->objectives)
        config_tell(reader, config_path(reader, "%s.objectives", path), "objectives in the service",
                    "only a route that matches a path has objectives; a service has its own");
    if (text->n_instances)
        config_tell(reader, config_path(reader, "%s.instances", path), NULL,
                    "only a route that matches a path has instances; a service has its own");
}

static int longest_prefix_first(const void *a, const void *b)
{
    const Route *p = a, *q = b;
    size_t p_size = strlen(p->path_prefix), q_size = strlen(q->path_prefix);
    return p_size != q_size ? (p_size < q_size ? 1 : -1) : strcmp(p->path_prefix, q->path_prefix);
}

static void sort_opaque(ConfigReader *reader)
{
    Config *config = reader->config;
    uint32_t n = 0;
    for (uint32_t i = 0; i < config->n_routes; i++)
        n += config->routes[i].path_prefix != NULL;
    Route *opaque = arena_array(reader->arena, Route, n);
    for (uint32_t i = 0; i < config->n_routes; i++)
        if (config->routes[i].path_prefix)
            opaque[config->n_http_routes++] = config->routes[i];
    qsort(opaque, config->n_http_routes, sizeof *opaque, longest_prefix_first);
    config->http_routes = opaque;
}

/* Whether a route of the config matches all of its methods that no other one does. */
static bool has_route(const Passerelle__Config__Config *text, const char *service)
{
    bool has = false;
    for (size_t i = 0; i < text->n_routes; i++)
        has |= text->routes[i]->match && strcmp(text->routes[i]->match, service) == 0;
    return has;
}

/* The route of methods that no route in the config matches. */
static void add_implicit(ConfigReader *reader, const Service *service)
{
    static const Passerelle__Config__Route unsaid = PASSERELLE__CONFIG__ROUTE__INIT;
    Route *route = &reader->config->routes[reader->config->n_routes++];
    *route = (Route){.match = service->name, .service = service, .file = reader->config->file};
    read_policy(&unsaid, route);
}

/* A route that says nothing of the impact has that of the next wider one that does: it may be there
   for something else. `said`: which of the routes do. */
static void inherit_impacts(Config *config, const bool *said)
{
    for (uint32_t i = 0; i < config->n_routes; i++) {
        Route *route = &config->routes[i];
        const Route *best = NULL;
        for (uint32_t k = 0; k < config->n_routes && !said[i] && route->service; k++) {
            const Route *other = &config->routes[k];
            if (said[k] && route_is_within(route, other) &&
                (!best || strlen(other->match) > strlen(best->match)))
                best = other;
        }
        if (best)
            route->impact = best->impact;
    }
}

void config_read_routes(ConfigReader *reader)
{
    const Passerelle__Config__Config *text = reader->file.content;
    Config *config = reader->config;
    size_t most = text->n_routes;
    for (size_t i = 0; i < text->n_services; i++)
        most += !has_route(text, config->services[i].name);
    bool *has_impact = arena_array(reader->working, bool, most);
    read_policy_servers(reader);
    config->routes = arena_array(reader->arena, Route, most);
    reader->route_paths = arena_array(reader->working, const char *, most);
    for (size_t i = 0; i < text->n_routes; i++) {
        if (!text->routes[i]->match)
            continue;
        const char *path = reader->route_paths[config->n_routes] =
            config_path(reader, "routes[%zu]", i);
        has_impact[config->n_routes] = text->routes[i]->has_impact;
        read_route(reader, text->routes[i], path, &config->routes[config->n_routes++]);
    }
    for (uint32_t i = 0; i < config->n_services; i++)
        if (reader->services[i].text && !has_route(text, config->services[i].name))
            add_implicit(reader, &config->services[i]);
    config_inherit_affinity(config);
    inherit_impacts(config, has_impact);
    sort_opaque(reader);
}

/* Fallbacks are the route's, or the leg's alone. */
static void forget_fallbacks(Route *route)
{
    route->on_failure = FAILURE_LOUD;
    route->n_fallbacks = 0;
    route->has_older = route->writes = route->stale_public = false;
    route->stale_for = 0;
    route->default_version = NULL;
}

Result config_read_leg_policy(ConfigReader *reader, const Passerelle__Config__Leg *text,
                              const char *path, const Method *method, Route *route)
{
    const char *name_path = config_path(reader, "%s.name", path);
    const JsonNode *node = document_node(&reader->file.document, name_path);
    route->file = document_file(&reader->file.document, name_path);
    route->line = node ? yaml_place(&reader->file.document, node)->line : 0;
    route->keys = NULL; /* the composed call has one, or none */
    if (text->has_timeout)
        route->timeout = text->timeout;
    if (text->has_impact)
        route->impact = config_impact(text->impact);
    if (!text->on_failure)
        return OK;
    forget_fallbacks(route);
    config_read_fallbacks(reader, text->on_failure, path, route);
    return service_make_leg_fallbacks(reader, path, method, route);
}

/* ---- Matching -------------------------------------------------------------------------------- */

/* Removes the text from the front. */
static bool take(Bytes *rest, const char *text)
{
    if (!bytes_start_with(*rest, text))
        return false;
    *rest = bytes_slice(*rest, strlen(text), rest->size);
    return true;
}

static MatchLevel match_level(const Route *route, const Method *method)
{
    const MethodType *type = method->type;
    Bytes rest = bytes_of(route->match);
    if (route->path_prefix || route->service != method->version->service ||
        !take(&rest, route->service->name))
        return MATCH_NOTHING;
    if (!rest.size)
        return MATCH_SERVICE;
    if (!take(&rest, ".") || !take(&rest, type->service->name))
        return MATCH_NOTHING;
    if (!rest.size)
        return MATCH_RPC_SERVICE;
    return take(&rest, "/") && bytes_are(rest, type->name) ? MATCH_METHOD : MATCH_NOTHING;
}

/* The level at which a route names the method: by its own name, or by that of a counterpart. */
static MatchLevel level_in_any_version(const Route *route, const Method *method)
{
    MatchLevel best = match_level(route, method);
    for (uint32_t i = 0; i < method->version->service->n_versions; i++) {
        const Method *target = method->pairs[i].target;
        MatchLevel level = target ? match_level(route, target) : MATCH_NOTHING;
        if (level > best)
            best = level;
    }
    return best;
}

typedef bool TypeTest(const MethodType *type);

static bool has_no_side_effects(const MethodType *type)
{
    return type->no_side_effects;
}

static bool is_safe(const MethodType *type)
{
    return type->no_side_effects || (type->http && strcmp(type->http->verb, "GET") == 0);
}

static bool is_safe_to_repeat(const MethodType *type)
{
    return is_safe(type) || type->idempotent;
}

/* In every version that may serve the call: what a client's version promises of a method says
   nothing of an instance that has another one. */
static bool wherever_served(const Method *method, TypeTest *test)
{
    const Service *service = method->version->service;
    uint64_t served = 0;
    bool passed = test(method->type);
    for (uint32_t i = 0; i < service->n_instances; i++)
        served |= service->instances[i].versions;
    if (service->discovery) /* instances of any version may join */
        served = UINT64_MAX >> (64 - service->n_versions);
    for (; served; served &= served - 1) {
        const Method *target = method->pairs[__builtin_ctzll(served)].target;
        passed &= !target || test(target->type);
    }
    return passed;
}

static void assign(ConfigReader *reader, Method *method, bool *used)
{
    const Config *config = reader->config;
    MatchLevel best = MATCH_NOTHING;
    for (uint32_t i = 0; i < config->n_routes; i++) {
        MatchLevel level = level_in_any_version(&config->routes[i], method);
        used[i] |= level != MATCH_NOTHING;
        /* Implicit routes come last, so a route of the config has precedence at the same level. */
        if (level > best) {
            best = level;
            method->route = &config->routes[i];
        }
    }
    method->takes_get = wherever_served(method, has_no_side_effects);
    method->safe = wherever_served(method, is_safe);
    method->safe_to_repeat = wherever_served(method, is_safe_to_repeat);
}

/* A hint with the nearest valid match for this service. */
static const char *hint_of(ConfigReader *reader, const Route *route)
{
    const Service *service = route->service;
    size_t n = 0, most = 1;
    for (uint32_t i = 0; i < service->n_versions; i++)
        most += service->versions[i].n_methods * 2;
    const char **words = arena_array(reader->working, const char *, most);
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t j = 0; j < service->versions[i].n_methods; j++) {
            const MethodType *type = service->versions[i].methods[j].type;
            words[n++] = arena_printf(reader->arena, "%s.%s/%s", service->name, type->service->name,
                                      type->name);
            words[n++] = arena_printf(reader->arena, "%s.%s", service->name, type->service->name);
        }
    return config_hint(reader, route->match, words, n);
}

static void tell_unused(ConfigReader *reader, const bool *used)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_routes; i++) {
        const Route *route = &config->routes[i];
        uint32_t n_methods = 0;
        for (uint32_t j = 0; route->service && j < route->service->n_versions; j++)
            n_methods += route->service->versions[j].n_methods;
        /* Without methods the mistake is elsewhere, and was reported. */
        if (!used[i] && n_methods && reader->route_paths[i])
            config_tell(reader, config_path(reader, "%s.match", reader->route_paths[i]),
                        hint_of(reader, route), "%s matches no method", route->match);
    }
}

const Method *route_find_method(const Route *route, MethodTest *test)
{
    const Service *service = route->service;
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t k = 0; k < service->versions[i].n_methods; k++) {
            const Method *method = &service->versions[i].methods[k];
            if (method->route == route && (!test || test(method)))
                return method;
        }
    return NULL;
}

/* One that may have two attempts at once. */
static bool may_hedge(const Method *method)
{
    return method->safe && !method->type->client_streaming;
}

static void tell_useless_hedges(ConfigReader *reader)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_routes; i++) {
        const Route *route = &config->routes[i];
        if ((route->hedge_after || route->hedge_p95) && route->service && !route->path_prefix &&
            route_find_method(route, NULL) && !route_find_method(route, may_hedge))
            config_tell(reader, config_path(reader, "%s.hedge", reader->route_paths[i]), NULL,
                        "%s matches no method without side effects that takes one message",
                        route->match);
    }
}

/* A route without a timeout has that of the next wider one. */
static void inherit_timeout(const Config *config, Route *route)
{
    const Route *best = NULL;
    if (route->timeout != NO_TIMEOUT || route->path_prefix || !route->service)
        return;
    for (uint32_t i = 0; i < config->n_routes; i++) {
        const Route *other = &config->routes[i];
        if (route_is_within(route, other) && other->line && other->timeout != NO_TIMEOUT &&
            (!best || strlen(other->match) > strlen(best->match)))
            best = other;
    }
    if (best)
        route->timeout = best->timeout;
}

void config_assign_routes(ConfigReader *reader)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_routes; i++)
        inherit_timeout(config, &config->routes[i]);
    bool *used = arena_array(reader->working, bool, config->n_routes);
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t j = 0; j < config->services[i].n_versions; j++) {
            Version *version = &config->services[i].versions[j];
            for (uint32_t k = 0; k < version->n_methods; k++) {
                Method *method = &version->methods[k];
                assign(reader, method, used);
                if (method->route && method->route->hedge_p95)
                    method_extras(reader->arena, method)->delays = config->services[i].n_delays++;
            }
        }
    tell_unused(reader, used);
    tell_useless_hedges(reader);
    config_assign_access(reader->config);
}
