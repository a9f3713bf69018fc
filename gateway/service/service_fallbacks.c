/* The fallbacks of graceful routes: which there are, and the responses of the config, in each
   version and codec. */
#include "gateway/service/service_internal.h"

#include "adapters/run/plan_run.h"
#include "base/arena.h"

/* A default response as one message type; `json` NULL: it does not fit, which was reported. */
typedef struct DefaultAnswer {
    const char *json;
} DefaultAnswer;

typedef struct AnswerKey {
    const Route *route;
    const MessageType *type;
} AnswerKey;

/* ---- Reading --------------------------------------------------------------------------------- */

static bool is_said(const Passerelle__Config__Graceful *text, Fallback fallback)
{
    switch (fallback) {
    case FALLBACK_OLDER: return text->older;
    case FALLBACK_STALE: return text->stale;
    case FALLBACK_DEFAULT: return text->default_;
    case FALLBACK_SKIP: return text->skip;
    case FALLBACKS: break;
    }
    return false;
}

/* Their order is that of the keys. */
static void read_order(ConfigReader *reader, const Passerelle__Config__Graceful *text,
                       const char *path, Route *route)
{
    const JsonNode *node = document_node(&reader->file.document, path);
    for (const JsonNode *key = node ? node->first : NULL; key; key = key->next) {
        Fallback kind = 0;
        while (kind < FALLBACKS && !bytes_are(key->name, fallback_name(kind)))
            kind++;
        if (kind < FALLBACKS && is_said(text, kind))
            route->fallbacks[route->n_fallbacks++] = kind;
    }
}

static bool has_fallback(const Route *route, Fallback kind)
{
    for (uint32_t i = 0; i < route->n_fallbacks; i++)
        if (route->fallbacks[i] == kind)
            return true;
    return false;
}

static void check_order(ConfigReader *reader, const char *path, const Route *route)
{
    if (!route->n_fallbacks)
        config_tell(reader, path, "for example stale: 10m, or older: true, or skip: true",
                    "there is no fallback");
    for (uint32_t i = 0; i + 1 < route->n_fallbacks; i++) {
        const char *last = fallback_name(route->fallbacks[i]);
        const char *next = fallback_name(route->fallbacks[i + 1]);
        if (route->fallbacks[i] >= FALLBACK_DEFAULT)
            config_tell(reader, config_path(reader, "%s.%s", path, next),
                        "what always has a response comes last",
                        "it is never reached: there is always a response by %s", last);
    }
    if (route->default_version && !has_fallback(route, FALLBACK_DEFAULT))
        config_tell(reader, config_path(reader, "%s.version", path), NULL,
                    "it is the version of a default response, but there is none");
}

void config_read_fallbacks(ConfigReader *reader, const Passerelle__Config__OnFailure *text,
                           const char *path, Route *route)
{
    if (!text || text->how_case != PASSERELLE__CONFIG__ON_FAILURE__HOW_GRACEFUL)
        return;
    const Passerelle__Config__Graceful *graceful = text->graceful;
    path = config_path(reader, "%s.on_failure.graceful", path);
    route->on_failure = FAILURE_GRACEFUL;
    route->writes = graceful->writes;
    route->default_version = graceful->version;
    if (graceful->stale) {
        route->stale_for = graceful->stale->for_;
        route->stale_public = graceful->stale->public_;
        route->join_for = graceful->stale->join;
    }
    read_order(reader, graceful, path, route);
    route->has_older = has_fallback(route, FALLBACK_OLDER);
    check_order(reader, path, route);
}

/* ---- Checking -------------------------------------------------------------------------------- */

static const char *route_path(const ConfigReader *reader, const Route *route)
{
    return reader->route_paths[route - reader->config->routes];
}

static bool has_effects(const Method *method)
{
    return !method->safe;
}

/* There is a key for what is kept: the one message of its request. */
static bool can_be_kept(const Method *method)
{
    return !method->type->client_streaming && !method->type->server_streaming;
}

static bool has_other_version(const Method *method)
{
    return method->n_preferred > 1;
}

/* The methods that fallbacks are for: those of a route, or the one of a leg. */
typedef struct Users {
    const Route *route;
    const Method *only; /* NULL: all of the route */
    const char *path;   /* of the route, or of the leg */
    const char *name;
} Users;

static const Method *find_user(const Users *users, MethodTest *test)
{
    if (!users->only)
        return route_find_method(users->route, test);
    return !test || test(users->only) ? users->only : NULL;
}

static const char *fallback_path(ConfigReader *reader, const Users *users, Fallback kind)
{
    return config_path(reader, "%s.on_failure.graceful.%s", users->path, fallback_name(kind));
}

/* Whether each fallback can ever be used, and may be. A route that matches no method was reported
   for that. */
static void check_fallbacks(ConfigReader *reader, const Users *users)
{
    const Route *route = users->route;
    if (route->has_older && !find_user(users, has_other_version))
        config_tell(reader, fallback_path(reader, users, FALLBACK_OLDER), "leave it out",
                    "%s matches no method that another version could serve", users->name);
    if (has_fallback(route, FALLBACK_STALE) && !find_user(users, can_be_kept))
        config_tell(reader, fallback_path(reader, users, FALLBACK_STALE), "write skip: true",
                    "%s matches no method that takes one message and gives one, so there is no key "
                    "to keep a response by",
                    users->name);
    if (route->join_for && route->timeout != NO_TIMEOUT && route->join_for >= route->timeout)
        config_doubt(reader,
                     config_path(reader, "%s.join", fallback_path(reader, users, FALLBACK_STALE)),
                     "less than half of the timeout",
                     "it is not below the timeout, of which a call waits for half at most");
    const Method *writing = find_user(users, has_effects);
    bool answers_alone = route->n_fallbacks > route->has_older;
    if (writing && answers_alone && !route->writes)
        config_tell(reader, config_path(reader, "%s.on_failure.graceful", users->path),
                    "writes: true, if that is meant",
                    "%s may have side effects, and would look done although it has failed",
                    writing->type->path);
}

static void check_route(ConfigReader *reader, const Route *route)
{
    Users users = {.route = route, .name = route->match, .path = route_path(reader, route)};
    if (route->service && !route->path_prefix && route_find_method(route, NULL))
        check_fallbacks(reader, &users);
}

/* ---- Default responses ----------------------------------------------------------------------- */

/* The version that the default response is written in. */
static const Version *written_version(ConfigReader *reader, const Route *route)
{
    const Service *service = route->service;
    if (!route->default_version)
        return &service->versions[service->n_versions - 1];
    return service_version(service, bytes_of(route->default_version));
}

/* Reported once per route, even if no method uses it. */
static void check_version(ConfigReader *reader, const Route *route)
{
    const Service *service = route->service;
    if (!service || !route->default_version || !service->n_versions ||
        written_version(reader, route))
        return;
    const char **names = arena_array(reader->arena, const char *, service->n_versions);
    for (uint32_t i = 0; i < service->n_versions; i++)
        names[i] = service->versions[i].name;
    config_tell(reader,
                config_path(reader, "%s.on_failure.graceful.version", route_path(reader, route)),
                config_hint(reader, route->default_version, names, service->n_versions),
                "%s has no version %s", service->name, route->default_version);
}

/* A message that is written in the config, as JSON; NULL: there is none, or a mistake in it. */
static const char *read_json(ConfigReader *reader, const char *path, const MessageType *type)
{
    const JsonNode *node = document_node(&reader->file.document, path);
    size_t before = reader->problems->n;
    Buffer json = buffer_in(reader->arena);
    if (!node)
        return NULL;
    document_read(NULL, type, &reader->file.document, node, path, reader->problems,
                  reader->problems, reader->problems, &json);
    return reader->problems->n == before ? arena_text(reader->arena, buffer_bytes(&json)) : NULL;
}

/* Converts it. `*unfit_out`: why it does not fit; there is nothing in `made_out` then. */
static Result run_json(ConfigReader *reader, const Mapping *mapping, const PlanOptions *options,
                       const char *json, Bytes *made_out, Result *unfit_out)
{
    const Plan *plan;
    Buffer out = buffer_in(reader->arena);
    PlanInput input = {.bytes = bytes_of(json)};
    PlanRun run = {0};
    *unfit_out = OK;
    Result r = service_plan(reader, mapping, options, &plan);
    if (failed(r))
        return r;
    *unfit_out = plan_run(plan, &input, reader->arena, &out, &run);
    *made_out = failed(*unfit_out) ? BYTES_NONE : buffer_message(&out);
    return OK;
}

/* Reads the default response as this type, once per route and type. */
static const char *read_answer(ConfigReader *reader, const Route *route, const MessageType *type)
{
    AnswerKey *key = arena_make(reader->arena, AnswerKey);
    *key = (AnswerKey){route, type};
    DefaultAnswer *answer = table_get(&reader->answers, bytes(key, sizeof *key));
    if (answer)
        return answer->json;
    answer = arena_make(reader->arena, DefaultAnswer);
    table_put(&reader->answers, bytes(key, sizeof *key), answer);

    answer->json = read_json(
        reader, config_path(reader, "%s.on_failure.graceful.default", route_path(reader, route)),
        type);
    return answer->json;
}

static void tell_unfit(ConfigReader *reader, const Method *method, Result r)
{
    const Error *error = error_with_field(r);
    const char *field = error ? error->field : "";
    config_tell(reader,
                config_path(reader, "%s.on_failure.graceful.default%s%s",
                            route_path(reader, method->route), *field ? "." : "", field),
                NULL, "the default response cannot be converted to %s: %s", method->version->name,
                error_origin(r)->doing);
}

/* A default response that is being compiled for one method. */
typedef struct Conversion {
    Method *method;
    const Version *written;
    const Mapping *mapping; /* from the version that it is written in to the method's own */
    const char *json;
    bool bad; /* it cannot be converted, which was reported */
} Conversion;

/* The default response, or one field of it, in the method's version. Empty if it is invalid. */
static Result convert(ConfigReader *reader, Conversion *c, Codec codec, const char *only_field,
                      Bytes *converted_out)
{
    const Route *route = c->method->route;
    PlanOptions options = {
        .from = CODEC_JSON,
        .to = codec,
        .enums_as_numbers = route->enums_as_numbers,
        .emit_defaults = route->emit_defaults,
        .emit_nulls = route->emit_nulls,
        .proto_names = route->proto_names,
        .only_field = only_field,
        .types = c->written->to[c->method->version->index],
    };
    Result unfit;
    Result r = run_json(reader, c->mapping, &options, c->json, converted_out, &unfit);
    if (failed(unfit))
        tell_unfit(reader, c->method, unfit);
    c->bad |= failed(unfit);
    return r;
}

static Result convert_all(ConfigReader *reader, Conversion *c)
{
    Method *method = c->method;
    MethodExtras *extras = method_extras(reader->arena, method);
    Result r = OK;
    for (Codec codec = 0; codec < CODEC_COUNT && !failed(r) && !c->bad; codec++)
        r = convert(reader, c, codec, NULL, &extras->default_reply[codec]);
    for (uint32_t i = 0; i < method->n_bindings && !failed(r) && !c->bad; i++) {
        RestBinding *binding = &method->bindings[i];
        const FieldType *field =
            message_field(method->type->output, bytes_of(binding->rule->response_body));
        if (field && !binding->raw_answer)
            r = convert(reader, c, CODEC_JSON, field->name, &binding->default_body);
    }
    extras->has_default = !failed(r) && !c->bad;
    return r;
}

/* An empty response of each version. */
static Result make_empty(ConfigReader *reader, Method *method)
{
    Conversion c = {.method = method, .written = method->version, .json = "{}"};
    c.mapping = service_answer(reader, method, method->version);
    return c.mapping ? convert_all(reader, &c) : OK;
}

static Result make_default(ConfigReader *reader, Method *method)
{
    const Version *written = written_version(reader, method->route);
    const Method *target = written ? method->pairs[written->index].target : NULL;
    if (!written)
        return OK;
    if (!target) {
        config_tell(
            reader,
            config_path(reader, "%s.on_failure.graceful", route_path(reader, method->route)),
            config_path(reader, "version: %s", method->version->name),
            "the response of %s cannot be written in %s: %s", method->type->path, written->name,
            method->pairs[written->index].extras->reason);
        return OK;
    }
    Conversion c = {.method = method, .written = written};
    c.json = read_answer(reader, method->route, target->type->output);
    c.mapping = service_answer(reader, method, written);
    return c.json && c.mapping ? convert_all(reader, &c) : OK;
}

static Result make_reply(ConfigReader *reader, Method *method)
{
    const Route *route = method->route;
    if (has_fallback(route, FALLBACK_DEFAULT))
        return make_default(reader, method);
    return has_fallback(route, FALLBACK_SKIP) ? make_empty(reader, method) : OK;
}

/* ---- Legs ------------------------------------------------------------------------------------ */

Result service_json_message(ConfigReader *reader, const char *path, const char *what,
                            const Mapping *mapping, const MappingSet *types, Bytes *made_out)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO, .types = types};
    const char *json = mapping ? read_json(reader, path, mapping->from) : NULL;
    *made_out = BYTES_NONE;
    if (!json)
        return OK;
    Result unfit, r = run_json(reader, mapping, &options, json, made_out, &unfit);
    if (failed(unfit))
        config_tell(reader, path, NULL, "%s does not fit %s: %s", what, mapping->from->full_name,
                    error_origin(unfit)->doing);
    return r;
}

/* The default response, which is written in the leg's version, in protobuf. */
static Result make_leg_default(ConfigReader *reader, const char *path, const Method *method,
                               Route *route)
{
    return service_json_message(reader, path, "the default response",
                                service_answer(reader, method, method->version),
                                method->version->to[method->version->index], &route->leg_default);
}

Result service_make_leg_fallbacks(ConfigReader *reader, const char *path, const Method *method,
                                  Route *route)
{
    Users users = {.route = route, .only = method, .path = path, .name = route->match};
    check_fallbacks(reader, &users);
    path = config_path(reader, "%s.on_failure.graceful", path);
    if (route->default_version)
        config_tell(reader, config_path(reader, "%s.version", path), "leave it out",
                    "the default response of a leg is written in the leg's version");
    if (has_fallback(route, FALLBACK_DEFAULT))
        return make_leg_default(reader, config_path(reader, "%s.default", path), method, route);
    if (has_fallback(route, FALLBACK_SKIP))
        route->leg_default = bytes("", 0);
    return OK;
}

Result service_make_fallbacks(ConfigReader *reader)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_routes; i++) {
        if (config->routes[i].on_failure != FAILURE_GRACEFUL)
            continue;
        check_route(reader, &config->routes[i]);
        check_version(reader, &config->routes[i]);
    }
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t j = 0; j < config->services[i].n_versions; j++) {
            Version *version = &config->services[i].versions[j];
            for (uint32_t k = 0; k < version->n_methods; k++) {
                Result r = make_reply(reader, &version->methods[k]);
                if (failed(r))
                    return r;
            }
        }
    return OK;
}
