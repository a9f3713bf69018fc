/* What routes show of responses: the list of each method, in its own version, and the mappings that
   it restricts. */
#include "gateway/settings/settings.h"

#include "adapters/mapping/field_list.h"
#include "adapters/text/yaml.h"
#include "base/arena.h"

/* ---- Reading --------------------------------------------------------------------------------- */

/* What errors say of themselves; not DebugInfo, which is of what runs the service. */
static const char *const usual_details[] = {
    "google.rpc.BadRequest",       "google.rpc.ErrorInfo",           "google.rpc.Help",
    "google.rpc.LocalizedMessage", "google.rpc.PreconditionFailure", "google.rpc.QuotaFailure",
    "google.rpc.RequestInfo",      "google.rpc.ResourceInfo",        "google.rpc.RetryInfo",
};
enum { USUAL_DETAILS = sizeof usual_details / sizeof *usual_details };

static const char *const *read_details(ConfigReader *reader, const Passerelle__Config__Route *text)
{
    const char **names =
        arena_array(reader->arena, const char *, USUAL_DETAILS + text->n_response_details + 1);
    for (size_t i = 0; i < USUAL_DETAILS; i++)
        names[i] = usual_details[i];
    for (size_t i = 0; i < text->n_response_details; i++)
        names[USUAL_DETAILS + i] = text->response_details[i];
    return names;
}

static Bytes json_of(Arena *arena, const JsonNode *node)
{
    Buffer json = buffer_in(arena);
    json_write(&json, node);
    return buffer_bytes(&json);
}

void config_read_shown(ConfigReader *reader, const Passerelle__Config__Route *text,
                       const char *path, Route *route)
{
    const char *list = config_path(reader, "%s.response_fields", path);
    const JsonNode *node = document_node(&reader->file.document, list);
    size_t n = text->n_response_fields;
    if (node && !n)
        config_tell(reader, list, "write a field, or leave it out",
                    "an empty list is as if it were not there: it hides nothing");
    if (!n && text->n_response_details)
        config_tell(reader, config_path(reader, "%s.response_details", path),
                    "response_fields: [\"*\"]",
                    "without response_fields all details of errors leave");
    if (n && text->match[0] == '/')
        config_tell(reader, list, "to match an RPC write service.RpcService/Method",
                    "what passes through a path prefix is not read");
    if (!n)
        return;
    ShownField *fields = arena_array(reader->arena, ShownField, n);
    for (size_t i = 0; i < n; i++)
        fields[i] =
            (ShownField){.path = text->response_fields[i]->path,
                         .versions = config_texts(reader->arena, text->response_fields[i]->version,
                                                  text->response_fields[i]->n_version)};
    ShownFields *shown = arena_make(reader->arena, ShownFields);
    *shown = (ShownFields){.fields = fields,
                           .n = (uint32_t)n,
                           .details = read_details(reader, text),
                           .document = path,
                           .text = json_of(reader->arena, node)};
    route->shown = shown;
}

/* ---- Routes ---------------------------------------------------------------------------------- */

/* A route without a list has that of the next wider one: a narrower route that says something else
   must not open what that closes. */
static const ShownFields *inherited(const Config *config, const Route *route)
{
    const Route *best = NULL;
    for (uint32_t i = 0; i < config->n_routes; i++) {
        const Route *other = &config->routes[i];
        if (other->shown && route_is_within(route, other) &&
            (!best || strlen(other->match) > strlen(best->match)))
            best = other;
    }
    return best ? best->shown : NULL;
}

static void inherit(Config *config)
{
    for (uint32_t i = 0; i < config->n_routes; i++) {
        Route *route = &config->routes[i];
        if (!route->shown && !route->path_prefix && route->service)
            route->shown = inherited(config, route);
    }
}

static void check_versions(ConfigReader *reader, const Route *route, uint32_t at)
{
    const Service *service = route->service;
    const char *const *name = route->shown->fields[at].versions;
    const char **names = arena_array(reader->working, const char *, service->n_versions + 1);
    for (uint32_t i = 0; i < service->n_versions; i++)
        names[i] = service->versions[i].name;
    for (; name && *name; name++) {
        bool known = false;
        for (uint32_t i = 0; i < service->n_versions; i++)
            known |= text_equal(names[i], *name);
        if (!known)
            config_tell(
                reader,
                config_path(reader, "%s.response_fields[%u].version", route->shown->document, at),
                config_hint(reader, *name, names, service->n_versions), "%s has no version %s",
                service->name, *name);
    }
}

/* Some version has each of the types of details, by the name that it has there. */
static void check_details(ConfigReader *reader, const Route *route)
{
    const Service *service = route->service;
    const char *const *name = route->shown->details + USUAL_DETAILS;
    for (uint32_t at = 0; name[at]; at++) {
        bool known = false;
        for (uint32_t i = 0; i < service->n_versions; i++)
            known |= service->versions[i].schema &&
                     schema_message(service->versions[i].schema, bytes_of(name[at]));
        if (!known && service->n_versions)
            config_tell(reader,
                        config_path(reader, "%s.response_details[%u]", route->shown->document, at),
                        "its full name, for example shop.orders.v1.OutOfStock",
                        "no version of %s has a message %s", service->name, name[at]);
    }
}

static void check_route(ConfigReader *reader, const Route *route)
{
    for (uint32_t i = 0; i < route->shown->n; i++)
        check_versions(reader, route, i);
    check_details(reader, route);
}

/* ---- Methods --------------------------------------------------------------------------------- */

static bool applies(const ShownField *field, const Version *version)
{
    bool listed = !field->versions;
    for (const char *const *name = field->versions; name && *name && !listed; name++)
        listed = text_equal(*name, version->name);
    return listed;
}

static const char *path_of(ConfigReader *reader, const Method *method, uint32_t at)
{
    return config_path(reader, "%s.response_fields[%u]", method->route->shown->document, at);
}

/* `place`: NULL: nothing there is meant, because elsewhere it is right. */
static const char *hint_of(ConfigReader *reader, const FieldListPlace *place)
{
    const char *near =
        place ? message_nearest_field(place->type, place->name, reader->arena) : NULL;
    return near ? config_path(reader, "did you mean %s?", near)
                : "{path: ..., version: [...]}, if only some versions have it";
}

/* A response that an entry does not fit. */
typedef struct Misfit {
    const Method *method;
    FieldListPlace place;
    bool near; /* a field there has a similar name */
} Misfit;

/* An entry, and how it fits the responses that it is for: if not, that is one mistake. */
typedef struct Fit {
    const ShownField *field;
    uint32_t at, n_misfits;
    bool some; /* it fits some */
    Misfit first, best;
    struct Fit *next;
} Fit;

typedef struct Making {
    ConfigReader *reader;
    Fit *fits; /* in the order in which they were found */
} Making;

static Fit *fit_of(Making *making, const Method *method, uint32_t at)
{
    const ShownField *field = &method->route->shown->fields[at];
    Fit **fit = &making->fits;
    while (*fit && (*fit)->field != field)
        fit = &(*fit)->next;
    if (!*fit) {
        *fit = arena_make(making->reader->arena, Fit);
        (*fit)->field = field;
        (*fit)->at = at;
    }
    return *fit;
}

/* Of more of the path, or as much with a field that may be meant. */
static bool is_better(const Misfit *a, const Misfit *b)
{
    const uint8_t *end = a->place.name.data, *other = b->place.name.data;
    return end > other || (end == other && a->near && !b->near);
}

static void miss(Making *making, const Method *method, uint32_t at, const FieldListPlace *place)
{
    Fit *fit = fit_of(making, method, at);
    const char *near = message_nearest_field(place->type, place->name, making->reader->arena);
    const Misfit misfit = {method, *place, near != NULL};
    if (!fit->n_misfits)
        fit->first = misfit;
    if (!fit->n_misfits || is_better(&misfit, &fit->best))
        fit->best = misfit;
    fit->n_misfits++;
}

/* A word that no response has is told of the one that is nearest. */
static void tell_misfits(const Making *making)
{
    ConfigReader *reader = making->reader;
    for (const Fit *fit = making->fits; fit; fit = fit->next) {
        const Misfit *misfit = fit->some ? &fit->first : &fit->best;
        uint32_t more = fit->n_misfits - 1;
        if (!fit->n_misfits)
            continue;
        config_tell(reader, path_of(reader, misfit->method, fit->at),
                    hint_of(reader, fit->some ? NULL : &misfit->place),
                    "%s, of the response of %s in %s, has no field \"%.*s\"%s",
                    misfit->place.type->full_name, misfit->method->type->path,
                    misfit->method->version->name, BYTES_ARGS(misfit->place.name),
                    more ? config_path(reader, "; nor does it fit %u other response%s", more,
                                       more == 1 ? "" : "s")
                         : "");
    }
}

/* False: a mistake, which was noted. */
static bool add_field(Making *making, const Method *method, uint32_t at, FieldList *list)
{
    ConfigReader *reader = making->reader;
    const char *path = method->route->shown->fields[at].path;
    const MethodType *type = method->type;
    FieldListPlace place;
    switch (field_list_add(reader->arena, list, bytes_of(path), &place)) {
    case FIELD_LIST_FITS: fit_of(making, method, at)->some = true; return true;
    case FIELD_LIST_NO_FIELD: miss(making, method, at, &place); return false;
    case FIELD_LIST_NO_WAY:
        config_tell(reader, path_of(reader, method, at), "list it as a whole",
                    "%s.%.*s, of the response of %s in %s, has no fields to choose from",
                    place.type->full_name, BYTES_ARGS(place.name), type->path,
                    method->version->name);
        return false;
    }
    return false;
}

/* Bytes of any kind, and an operation whose result is of any type. */
static bool is_sealed(const MessageType *type)
{
    return text_equal(type->full_name, "google.api.HttpBody") ||
           text_equal(type->full_name, "google.longrunning.Operation");
}

/* What a list cannot do. */
static void check_list(ConfigReader *reader, const Method *method, const FieldList *list)
{
    const FieldType *lacking = field_list_lacks(list);
    const MessageType *type = method->type->output;
    const char *path = config_path(reader, "%s.response_fields", method->route->shown->document);
    if (lacking)
        config_tell(reader, path, "list it, too",
                    "%s.%s is required, and hidden: nobody could read the response of %s in %s",
                    lacking->parent->full_name, lacking->name, method->type->path,
                    method->version->name);
    if (is_sealed(type) && !field_list_shows_all(list))
        config_tell(reader, path, "response_fields: [\"*\"] in a route of its own",
                    "the response of %s is a %s, in which fields cannot be chosen",
                    method->type->path, type->full_name);
}

static void make_method(Making *making, Method *method)
{
    ConfigReader *reader = making->reader;
    const ShownFields *shown = method->route->shown;
    FieldList *list = field_list_new(reader->arena, method->type->output);
    bool good = true, some = false;
    for (uint32_t i = 0; i < shown->n; i++) {
        bool is_here = shown->fields[i].path && applies(&shown->fields[i], method->version);
        good &= !is_here || add_field(making, method, i, list);
        some |= is_here;
    }
    if (!some)
        config_tell(reader, config_path(reader, "%s.response_fields", shown->document),
                    "an entry for it, or one without `version`",
                    "no entry applies to %s, so that nothing of the responses of %s would be left",
                    method->version->name, method->type->path);
    else if (good)
        check_list(reader, method, list);
    if (good && some) /* of a mistake, others would follow */
        method_extras(reader->arena, method)->shown = list;
}

void config_make_shown(ConfigReader *reader)
{
    Config *config = reader->config;
    Making making = {.reader = reader};
    inherit(config);
    for (uint32_t i = 0; i < config->n_routes; i++)
        if (config->routes[i].shown && reader->route_paths[i] &&
            config->routes[i].shown->document == reader->route_paths[i] &&
            config->routes[i].service)
            check_route(reader, &config->routes[i]);
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t j = 0; j < config->services[i].n_versions; j++) {
            Version *version = &config->services[i].versions[j];
            for (uint32_t k = 0; k < version->n_methods; k++)
                if (version->methods[k].route && version->methods[k].route->shown)
                    make_method(&making, &version->methods[k]);
        }
    tell_misfits(&making);
}

/* ---- Plans ----------------------------------------------------------------------------------- */

typedef struct RestrictKey {
    const Mapping *mapping;
    const FieldList *list;
} RestrictKey;

const Mapping *config_restrict(ConfigReader *reader, const Method *method, const Mapping *mapping)
{
    const Version *version = method->version;
    if (!mapping || !method->extras->shown || reader->problems->n)
        return mapping;
    RestrictKey *key = arena_make(reader->working, RestrictKey);
    *key = (RestrictKey){mapping, method->extras->shown};
    const Mapping *part = table_get(&reader->shown, bytes(key, sizeof *key));
    if (part)
        return part;
    part = field_list_restrict(reader->arena, method->extras->shown, mapping,
                               version->to[version->index]);
    table_put(&reader->shown, bytes(key, sizeof *key), (void *)(uintptr_t)part);
    return part;
}

void config_show_options(const Method *method, PlanOptions *options)
{
    if (!method->extras->shown)
        return;
    options->walk_all = true;
    if (options->unknown == UNKNOWN_KEEP)
        options->unknown = UNKNOWN_COUNT;
}

void config_check_shown(ConfigReader *reader, const Method *method, Bytes field, const char *path)
{
    if (!method->extras->shown || bytes_are(field, ".") ||
        !field_list_hides(method->extras->shown, field))
        return;
    const char *list = config_path(reader, "%s.response_fields", method->route->shown->document);
    config_tell(reader, path ? path : list,
                config_path(reader, "add it to the response_fields of %s", method->route->match),
                "%.*s of the response of %s is hidden by response_fields", BYTES_ARGS(field),
                method->type->path);
}
