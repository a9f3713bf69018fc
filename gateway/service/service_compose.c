/* Methods whose responses the gateway makes of several calls: their legs, what each needs of the
   others, and the plans that place its fields. */
#include "gateway/service/service_internal.h"

#include "base/arena.h"

/* One method, while it is read. */
typedef struct Composing {
    ConfigReader *reader;
    const Passerelle__Config__Compose *text;
    const char *path; /* "services[0].versions[0].compose[0]" */
    const Method *method;
    Composed *composed;
    Leg *legs;
    PlaceNames names; /* of the legs */
    const MessageType *envelope;
    Placement *whole; /* of the response, by all legs: who fills what twice */
    uint64_t placed;  /* legs with a part in the response */
} Composing;

static const char *leg_path(const Composing *c, uint32_t leg)
{
    return config_path(c->reader, "%s.legs[%u]", c->path, leg);
}

/* ---- Legs ------------------------------------------------------------------------------------ */

static const char *const *read_forward(const Composing *c, const Passerelle__Config__Leg *text,
                                       const char *path)
{
    const char **names = arena_array(c->reader->arena, const char *, text->n_forward + 1);
    for (size_t i = 0; i < text->n_forward; i++)
        names[i] = config_field_name(c->reader, text->forward[i],
                                     config_path(c->reader, "%s.forward[%zu]", path, i));
    return names;
}

static void check_required(const Composing *c, const Leg *leg, const char *path)
{
    const Route *route = leg->route;
    for (uint32_t i = 0; leg->required && i < route->n_fallbacks; i++)
        if (route->fallbacks[i] == FALLBACK_SKIP)
            config_tell(c->reader, config_path(c->reader, "%s.required", path),
                        "on_failure: {graceful: {stale: 10m}} in the leg, without skip",
                        "%s may be skipped (%s), so that it cannot be required", leg->name,
                        leg->method->route->match);
}

/* False: a mistake, which was reported. */
static Result read_leg(Composing *c, uint32_t i, bool *good)
{
    ConfigReader *reader = c->reader;
    const Passerelle__Config__Leg *text = c->text->legs[i];
    const char *path = leg_path(c, i);
    Leg *leg = &c->legs[i];
    leg->name = c->names.names[i];
    if (text->name)
        service_check_source_name(reader, &c->names, i, config_path(reader, "%s.name", path));
    leg->forward = read_forward(c, text, path);
    leg->method = service_named_method(reader, text->method, text->version, path);
    *good &= leg->method && leg->method->route;
    if (!leg->method || !leg->method->route)
        return OK;
    Route *route = arena_make(reader->arena, Route);
    *route = *leg->method->route;
    route->match = arena_printf(reader->arena, "%s.%s legs.%s", c->method->version->service->name,
                                service_method_text(reader, c->method), leg->name);
    leg->route = route;
    leg->required = text->required;
    service_check_policy(reader, config_path(reader, "%s.method", path), c->method, leg->method);
    Result r = config_read_leg_policy(reader, text, path, leg->method, route);
    check_required(c, leg, path);
    return r;
}

/* ---- What is placed where ------------------------------------------------------------------- */

static Result make_request(Composing *c, uint32_t i)
{
    Leg *leg = &c->legs[i];
    const Passerelle__Config__Leg *text = c->text->legs[i];
    const char *path = config_path(c->reader, "%s.request", leg_path(c, i));
    Placement *placement = placement_new(c->reader->arena, c->envelope, leg->method->type->input);
    for (size_t k = 0; k < text->n_request; k++) {
        const Passerelle__Config__Leg__RequestEntry *entry = text->request[k];
        Bytes from;
        uint32_t source;
        if (!service_take_source(c->reader, &c->names, entry->value,
                                 config_path(c->reader, "%s.%s", path, entry->key), &source, &from))
            continue;
        leg->needs_request |= source == 0;
        leg->needs |= source ? UINT64_C(1) << (source - 1) : 0;
        if (source && c->legs[source - 1].method)
            config_check_shown(c->reader, c->legs[source - 1].method, from,
                               config_path(c->reader, "%s.%s", path, entry->key));
        service_place(c->reader, placement, entry->key, source, from, path);
    }
    return service_place_plan(c->reader, placement, false, &leg->request);
}

/* Its part of the response. */
static Result make_part(Composing *c, uint32_t i)
{
    Leg *leg = &c->legs[i];
    const Passerelle__Config__Leg *text = c->text->legs[i];
    const char *path = config_path(c->reader, "%s.response", leg_path(c, i));
    Placement *part = placement_new(c->reader->arena, c->envelope, c->method->type->output);
    for (size_t k = 0; k < text->n_response; k++) {
        const Passerelle__Config__Leg__ResponseEntry *entry = text->response[k];
        Bytes from = bytes_of(entry->value), rest = bytes_of(entry->key), first = BYTES_NONE;
        service_place(c->reader, c->whole, entry->key, i + 1, from, path);
        config_check_shown(c->reader, leg->method, from,
                           config_path(c->reader, "%s.%s", path, entry->key));
        (void)placement_move(part, rest, i + 1, from); /* what is wrong with it was told */
        bytes_split(&rest, '.', &first);
        if (c->composed->report && bytes_are(first, c->composed->report->name))
            config_tell(c->reader, config_path(c->reader, "%s.%s", path, entry->key), NULL,
                        "%s is the report of the legs", entry->key);
    }
    if (text->n_response)
        c->placed |= UINT64_C(1) << i;
    return service_place_plan(c->reader, part, true, &leg->response);
}

/* ---- Order ----------------------------------------------------------------------------------- */

/* Legs are done when all that they need are; what is left over waits for itself. */
static void check_order(const Composing *c)
{
    uint32_t n = c->composed->n_legs;
    uint64_t all = composed_all_legs(c->composed), done = 0, before;
    do {
        before = done;
        for (uint32_t i = 0; i < n; i++)
            if (!(c->legs[i].needs & ~done))
                done |= UINT64_C(1) << i;
    } while (done != before);
    if (done == all)
        return;
    Buffer names = buffer_in(c->reader->arena);
    uint32_t first = (uint32_t)__builtin_ctzll(all & ~done);
    for (uint32_t i = 0; i < n; i++)
        if (~done >> i & 1)
            buffer_printf(&names, "%s%s", names.size ? ", " : "", c->legs[i].name);
    config_tell(c->reader, config_path(c->reader, "%s.request", leg_path(c, first)),
                "leave out one of the paths", "these legs wait for each other: %.*s",
                BYTES_ARGS(buffer_bytes(&names)));
}

static void check_use(const Composing *c)
{
    uint64_t used = c->placed;
    for (uint32_t i = 0; i < c->composed->n_legs; i++)
        used |= c->legs[i].needs;
    for (uint32_t i = 0; i < c->composed->n_legs; i++)
        if (!(used >> i & 1))
            config_tell(c->reader, leg_path(c, i), "response: {a field of the response: its path}",
                        "nobody needs the response of %s", c->legs[i].name);
}

/* ---- The report ------------------------------------------------------------------------------ */

static bool is_text(const FieldType *field)
{
    return field->kind == KIND_STRING && !field->repeated;
}

static bool is_count(const FieldType *field)
{
    bool plain = field->kind == KIND_INT32 || field->kind == KIND_INT64 ||
                 field->kind == KIND_UINT32 || field->kind == KIND_UINT64;
    return plain && !field->repeated;
}

/* A field of a report's message; NULL: it has none, or a mistake. */
static const FieldType *report_field(const Composing *c, const MessageType *type, const char *name,
                                     bool needed, bool (*fits)(const FieldType *field))
{
    const char *path = config_path(c->reader, "%s.report", c->path);
    const FieldType *field = message_field(type, bytes_of(name));
    if (field && !fits(field))
        config_tell(c->reader, path, NULL, "%s.%s must be %s", type->full_name, name,
                    fits == is_text ? "a string" : "an int32, int64, uint32 or uint64");
    if (!field && needed)
        config_tell(c->reader, path,
                    config_path(c->reader, "a string %s in %s", name, type->full_name),
                    "a report needs the field %s, which %s does not have", name, type->full_name);
    return field;
}

static void read_report(const Composing *c)
{
    const MessageType *output = c->method->type->output;
    const char *path = config_path(c->reader, "%s.report", c->path);
    if (!c->text->report)
        return;
    const FieldType *field = message_field(output, bytes_of(c->text->report));
    if (!field) {
        const char *near =
            message_nearest_field(output, bytes_of(c->text->report), c->reader->arena);
        config_tell(c->reader, path, near ? config_path(c->reader, "did you mean %s?", near) : NULL,
                    "%s has no field %s", output->full_name, c->text->report);
        return;
    }
    if (!field->repeated || !field->message || field->map) {
        config_tell(c->reader, path, NULL, "%s.%s must be a list of messages, one for each leg",
                    output->full_name, field->name);
        return;
    }
    Composed *composed = c->composed;
    composed->report = field;
    composed->report_name = report_field(c, field->message, "name", true, is_text);
    composed->report_state = report_field(c, field->message, "state", true, is_text);
    composed->report_reason = report_field(c, field->message, "reason", false, is_text);
    composed->report_code = report_field(c, field->message, "code", false, is_text);
    composed->report_milliseconds =
        report_field(c, field->message, "milliseconds", false, is_count);
    composed->report_age = report_field(c, field->message, "age", false, is_count);
}

/* ---- One method ------------------------------------------------------------------------------ */

static Result read_legs(Composing *c, bool *good)
{
    Composed *composed = c->composed;
    for (uint32_t i = 0; i < composed->n_legs; i++) {
        Result r = read_leg(c, i, good);
        if (failed(r))
            return r;
    }
    return OK;
}

static void make_envelope(Composing *c)
{
    uint32_t n = c->composed->n_legs;
    PlaceSource *sources = arena_array(c->reader->arena, PlaceSource, n + 1);
    sources[0] = (PlaceSource){"request", c->method->type->input};
    for (uint32_t i = 0; i < n; i++)
        sources[i + 1] = (PlaceSource){c->legs[i].name, c->legs[i].method->type->output};
    c->envelope = place_envelope(c->reader->arena, sources, n + 1);
    c->whole = placement_new(c->reader->arena, c->envelope, c->method->type->output);
}

static Result make_plans(Composing *c)
{
    Result r = OK;
    make_envelope(c);
    for (uint32_t i = 0; i < c->composed->n_legs && !failed(r); i++) {
        r = make_request(c, i);
        if (!failed(r))
            r = make_part(c, i);
    }
    if (!failed(r)) {
        check_order(c);
        check_use(c);
    }
    return r;
}

static void check_route(const Composing *c)
{
    const Route *route = c->method->route;
    if (route->has_older && c->method->n_preferred > 1) /* with one version it is told elsewhere */
        config_tell(c->reader, c->path, config_path(c->reader, "older: true in its legs"),
                    "%s is composed, so that there is no instance of another version: the route %s "
                    "must not have older",
                    c->method->type->path, route->match);
}

static const char *const *leg_names(ConfigReader *reader, const Passerelle__Config__Compose *text)
{
    const char **names = arena_array(reader->arena, const char *, text->n_legs);
    for (size_t i = 0; i < text->n_legs; i++)
        names[i] = text->legs[i]->name ? text->legs[i]->name : "";
    return names;
}

static Result compose_method(ConfigReader *reader, const Passerelle__Config__Compose *text,
                             const char *path, Method *method)
{
    Composed *composed = arena_make(reader->arena, Composed);
    Composing c = {.reader = reader, .text = text, .path = path, .method = method};
    if (text->n_legs > LEGS_MOST) {
        config_tell(reader, config_path(reader, "%s.legs", path), NULL,
                    "a method has at most %d legs", LEGS_MOST);
        return OK;
    }
    c.composed = composed;
    c.legs = arena_array(reader->arena, Leg, text->n_legs);
    c.names = (PlaceNames){"legs", "leg", leg_names(reader, text), (uint32_t)text->n_legs};
    *composed = (Composed){.legs = c.legs,
                           .n_legs = (uint32_t)text->n_legs,
                           .fan_out = text->fan_out,
                           .bytes = text->bytes};
    MethodExtras *extras = method_extras(reader->arena, method);
    extras->composed = composed;
    extras->made_as = method;
    extras->maker = MAKER_COMPOSE;
    extras->made_bytes = composed->bytes;
    read_report(&c);
    check_route(&c);
    bool good = true;
    Result r = read_legs(&c, &good);
    return failed(r) || !good ? r : make_plans(&c);
}

/* ---- One version ----------------------------------------------------------------------------- */

static void check_all_composed(ConfigReader *reader, const Version *version, const char *path)
{
    for (uint32_t i = 0; i < version->n_methods; i++) {
        const Method *method = &version->methods[i];
        if (!method->extras->composed)
            config_tell(reader, path,
                        config_path(reader, "{method: %s, legs: [...]}",
                                    service_method_text(reader, method)),
                        "%s is not composed, and there are no instances for it",
                        method->type->path);
    }
}

static Result compose_version(ConfigReader *reader, const Version *version,
                              const Passerelle__Config__Version *text, const char *path)
{
    size_t before = reader->problems->n;
    for (size_t i = 0; i < text->n_compose && version->schema; i++) {
        const char *here = config_path(reader, "%s.compose[%zu]", path, i);
        const char *method_path = config_path(reader, "%s.method", here);
        const Passerelle__Config__Compose *compose = text->compose[i];
        Method *method = compose->method
                             ? service_find_method(reader, version, compose->method, method_path)
                             : NULL;
        if (!method || !service_check_unary(reader, method, method_path))
            continue;
        if (method->extras->composed) {
            config_tell(reader, method_path, NULL, "%s is composed already", compose->method);
            continue;
        }
        Result r = compose_method(reader, compose, here, method);
        if (failed(r))
            return r;
    }
    if (version->composes && version->schema && reader->problems->n == before)
        check_all_composed(reader, version, config_path(reader, "%s.compose", path));
    return OK;
}

/* ---- All ------------------------------------------------------------------------------------- */

Result service_make_compositions(ConfigReader *reader)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        const ServicePlan *plan = &reader->services[i];
        for (uint32_t k = 0; plan->text && k < service->n_versions; k++) {
            Result r = compose_version(reader, &service->versions[k], plan->text->versions[k],
                                       config_path(reader, "%s.versions[%u]", plan->path, k));
            if (failed(r))
                return r;
        }
    }
    return OK;
}
