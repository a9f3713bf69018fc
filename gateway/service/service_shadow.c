/* Shadow calls: what routes say of them, whether it can be done, and what each method needs for it.
 */
#include "gateway/service/service_internal.h"

#include "base/arena.h"

#include <math.h>

#define WHOLE ((uint64_t)1 << 32)

/* What a route says, until there are methods. */
typedef struct ShadowText {
    const Passerelle__Config__Shadow *text;
    const char *path; /* "routes[0].shadow" */
    const Route *route;
    ShadowRules *rules;
} ShadowText;

/* ---- Reading --------------------------------------------------------------------------------- */

/* Of 2^32. False: it is no share. */
static bool read_share(const char *text, uint64_t *share_out)
{
    double percent = text[0] >= '0' && text[0] <= '9' ? config_percent(text) : 0;
    if (percent > 0)
        *share_out = (uint64_t)ceil(percent / 100 * (double)WHOLE);
    return percent > 0;
}

static uint32_t part_of_loop(uint32_t all, uint32_t n_loops)
{
    uint32_t part = all / n_loops;
    return part ? part : 1;
}

static void read_limits(ConfigReader *reader, const Passerelle__Config__ShadowLimits *text,
                        ShadowRules *rules)
{
    static const Passerelle__Config__ShadowLimits defaults =
        PASSERELLE__CONFIG__SHADOW_LIMITS__INIT;
    uint32_t n_loops = config_n_loops(reader->config);
    text = text ? text : &defaults;
    rules->per_second = text->per_second;
    rules->loop_rate = (double)text->per_second / n_loops;
    rules->in_flight = part_of_loop(text->in_flight, n_loops);
    rules->bytes = text->bytes;
    rules->time = text->time;
}

void config_read_shadow(ConfigReader *reader, const Passerelle__Config__Shadow *text,
                        const char *path, Route *route)
{
    if (!text || !text->to) /* which was reported */
        return;
    path = config_path(reader, "%s.shadow", path);
    if (route->match[0] == '/') {
        config_tell(reader, path, "to match an RPC write service.RpcService/Method",
                    "what passes through a path prefix is not read, so that no two responses can "
                    "be compared");
        return;
    }
    ShadowRules *rules = arena_make(reader->arena, ShadowRules);
    rules->share_text = text->share;
    read_limits(reader, text->at_most, rules);
    if (text->share && !read_share(text->share, &rules->share))
        config_tell(reader, config_path(reader, "%s.share", path), "share: 1 %",
                    "%s is no share: it must be more than 0 %% and at most 100 %%", text->share);
    if (!text->to->version == !text->to->build)
        config_tell(reader, config_path(reader, "%s.to", path), "{version: v3} or {build: 3.1.0}",
                    "copies go to one version, or to one build");
    route->shadow = rules;
}

/* ---- Where copies go ------------------------------------------------------------------------- */

static bool has_version(const Service *service, const Version *version)
{
    bool has = service->discovery != NULL;
    for (uint32_t i = 0; i < service->n_instances; i++)
        has |= service->instances[i].versions >> version->index & 1;
    return has;
}

static void find_version(ConfigReader *reader, const ShadowText *shadow)
{
    const Service *service = shadow->route->service;
    const char *path = config_path(reader, "%s.to.version", shadow->path);
    const char *name = shadow->text->to->version;
    const Version *version = config_find_version(reader, service, name, path);
    if (version && !has_version(service, version))
        config_tell(reader, path, NULL, "no instance of %s has the version %s", service->name,
                    name);
    shadow->rules->version = version;
    shadow->rules->target = name;
}

static void find_build(ConfigReader *reader, const ShadowText *shadow)
{
    const Service *service = shadow->route->service;
    const char *build = shadow->text->to->build;
    const char **words = arena_array(reader->arena, const char *, service->n_instances);
    bool has = service->discovery != NULL;
    size_t n = 0;
    for (uint32_t i = 0; i < service->n_instances; i++) {
        has |= text_equal(service->instances[i].build, build);
        if (service->instances[i].build[0])
            words[n++] = service->instances[i].build;
    }
    if (!has)
        config_tell(reader, config_path(reader, "%s.to.build", shadow->path),
                    config_hint(reader, build, words, n), "no instance of %s has the build %s",
                    service->name, build);
    shadow->rules->build = build;
    shadow->rules->target = arena_printf(reader->arena, "build %s", build);
}

/* ---- Fields that may differ ------------------------------------------------------------------ */

/* "Order.Item.price": a message without its package, and a field. NULL: the version has it not. */
static const FieldType *find_field(ConfigReader *reader, const Version *version, const char *said)
{
    const char *dot = strrchr(said, '.');
    if (!version->schema || !dot)
        return NULL;
    const char *name =
        arena_printf(reader->arena, "%s.%.*s", version->package, (int)(dot - said), said);
    const MessageType *message = schema_message(version->schema, bytes_of(name));
    return message ? message_field(message, bytes_of(dot + 1)) : NULL;
}

static void read_ignored(ConfigReader *reader, const ShadowText *shadow)
{
    const Service *service = shadow->route->service;
    const Passerelle__Config__Shadow *text = shadow->text;
    if (!text->n_ignore)
        return;
    const FieldType **fields =
        arena_array(reader->arena, const FieldType *, text->n_ignore * service->n_versions + 1);
    const char **texts = arena_array(reader->arena, const char *, text->n_ignore + 1);
    uint32_t n = 0;
    for (size_t i = 0; i < text->n_ignore; i++) {
        uint32_t before = n;
        texts[i] = text->ignore[i];
        for (uint32_t k = 0; k < service->n_versions; k++) {
            const FieldType *field = find_field(reader, &service->versions[k], texts[i]);
            if (field)
                fields[n++] = field;
        }
        if (n == before)
            config_tell(reader, config_path(reader, "%s.ignore[%zu]", shadow->path, i),
                        "a message and one of its fields, for example Order.updated",
                        "no version of %s has the field %s", service->name, texts[i]);
    }
    shadow->rules->ignored = fields;
    shadow->rules->ignored_texts = texts;
}

/* ---- Methods --------------------------------------------------------------------------------- */

/* Why its calls cannot be copied; NULL: they can. */
static const char *obstacle(const ShadowRules *rules, const Method *method)
{
    const Version *version = rules->version;
    const Method *target = version ? method->pairs[version->index].target : method;
    if (version == method->version)
        target = method;
    if (method->type->client_streaming || method->type->server_streaming)
        return "is a stream, and streams are not copied";
    if (method->extras->made_as)
        return "is answered by the gateway itself, and not by an instance";
    if (!target)
        return "has no counterpart in that version";
    if (!method->takes_get || !target->type->no_side_effects)
        return "may have side effects: not each version declares idempotency_level = "
               "NO_SIDE_EFFECTS";
    return NULL;
}

/* The plans by which responses of the version become those of the other one and back: what they
   lose on the way is no difference. */
static Result make_there_and_back(ConfigReader *reader, const Method *method,
                                  const Version *version)
{
    const Method *target = method->pairs[version->index].target;
    if (!target || version == method->version)
        return OK;
    Result r = service_make_responses(reader, target, method->version);
    return failed(r) ? r : service_make_responses(reader, method, version);
}

static Result make_method(ConfigReader *reader, ShadowRules *rules, Method *method)
{
    const Service *service = method->version->service;
    const Mapping *mapping = service_request(method, method->version);
    ShadowMethod *shadow = arena_make(reader->arena, ShadowMethod);
    PlanOptions options = {.from = CODEC_JSON,
                           .to = CODEC_PROTO,
                           .unknown = UNKNOWN_COUNT,
                           .types = method->version->to[method->version->index]};
    *shadow = (ShadowMethod){.rules = rules};
    Result r = mapping ? service_plan(reader, mapping, &options, &shadow->to_proto) : OK;
    if (!failed(r))
        r = service_make_responses(reader, method, method->version);
    for (uint32_t i = 0; i < service->n_versions && !failed(r); i++)
        r = make_there_and_back(reader, method, &service->versions[i]);
    if (mapping)
        method_extras(reader->arena, method)->shadow = shadow;
    rules->n_methods += mapping != NULL;
    return r;
}

static bool is_named(ConfigReader *reader, const Method *method, const char *name)
{
    return text_equal(service_method_text(reader, method), name);
}

/* Whether the route says so, or says nothing. */
static bool is_wanted(ConfigReader *reader, const ShadowText *shadow, const Method *method)
{
    bool wanted = shadow->text->n_methods == 0;
    for (size_t i = 0; i < shadow->text->n_methods && !wanted; i++)
        wanted = is_named(reader, method, shadow->text->methods[i]);
    return wanted;
}

static Result make_methods(ConfigReader *reader, const ShadowText *shadow)
{
    const Service *service = shadow->route->service;
    Result r = OK;
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t k = 0; k < service->versions[i].n_methods && !failed(r); k++) {
            Method *method = &service->versions[i].methods[k];
            if (method->route == shadow->route && is_wanted(reader, shadow, method) &&
                !obstacle(shadow->rules, method))
                r = make_method(reader, shadow->rules, method);
        }
    return r;
}

/* A name that leads to no method that is copied is a mistake: what is wrong with it. */
static void check_named(ConfigReader *reader, const ShadowText *shadow, size_t at)
{
    const Service *service = shadow->route->service;
    const char *path = config_path(reader, "%s.methods[%zu]", shadow->path, at);
    const char *name = shadow->text->methods[at], *why = NULL;
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t k = 0; k < service->versions[i].n_methods; k++) {
            const Method *method = &service->versions[i].methods[k];
            if (!is_named(reader, method, name))
                continue;
            if (method->extras->shadow)
                return;
            why = method->route == shadow->route ? obstacle(shadow->rules, method)
                                                 : "belongs to another route";
        }
    if (why)
        config_tell(reader, path, NULL, "%s %s", name, why);
    else
        config_tell(reader, path, "RpcService/Method", "%s has no method %s", service->name, name);
}

static void check_methods(ConfigReader *reader, const ShadowText *shadow)
{
    for (size_t i = 0; i < shadow->text->n_methods; i++)
        check_named(reader, shadow, i);
    if (!shadow->rules->n_methods && !shadow->text->n_methods)
        config_tell(reader, shadow->path, "leave it out",
                    "%s matches no method that can be copied: one that takes one message and gives "
                    "one, and declares idempotency_level = NO_SIDE_EFFECTS in each version",
                    shadow->route->match);
}

static Result make_route(ConfigReader *reader, const ShadowText *shadow)
{
    if (shadow->text->to->version && !shadow->text->to->build)
        find_version(reader, shadow);
    else if (shadow->text->to->build && !shadow->text->to->version)
        find_build(reader, shadow);
    if (!shadow->rules->version && !shadow->rules->build) /* which was reported */
        return OK;
    read_ignored(reader, shadow);
    Result r = make_methods(reader, shadow);
    if (!failed(r))
        check_methods(reader, shadow);
    return r;
}

Result service_make_shadows(ConfigReader *reader)
{
    const Passerelle__Config__Config *text = reader->file.content;
    Config *config = reader->config;
    Result r = OK;
    uint32_t at = 0;
    for (size_t i = 0; i < text->n_routes && !failed(r); i++) {
        if (!text->routes[i]->match)
            continue;
        Route *route = &config->routes[at];
        ShadowText shadow = {.text = text->routes[i]->shadow,
                             .path = config_path(reader, "%s.shadow", reader->route_paths[at]),
                             .route = route,
                             .rules = (ShadowRules *)(uintptr_t)route->shadow};
        at++;
        if (shadow.rules && route->service)
            r = make_route(reader, &shadow);
    }
    return r;
}
