/* What routes demand of requests, and which of their fields the log has: for each method, in its
   own version. */
#include "gateway/service/service_internal.h"

#include "adapters/paths/field_value.h"
#include "base/arena.h"
#include "gateway/log_output/log_fields.h"

/* A key of a route's `parameters`. */
typedef struct Parameter {
    const char *name, *field, *path; /* the key, the field's path, and that in the document */
    const JsonNode *node;
    uint64_t versions; /* that it applies to, a bit for each */
    uint64_t found;    /* that have the field */
    uint64_t mistaken; /* in which it has a mistake */
    bool all_versions; /* by default */
} Parameter;

/* What is wrong with a rule, and in which versions. */
typedef struct Mistake {
    Problem problem;
    uint64_t versions;
    struct Mistake *next;
} Mistake;

typedef struct Parameters {
    ConfigReader *reader;
    const Route *route;
    Parameter *items;
    uint32_t n;
    uint64_t versions; /* with a method of the route */
    Mistake *mistakes; /* in the order in which they were found */
} Parameters;

/* ---- Reading --------------------------------------------------------------------------------- */

/* Of a key: paths of fields have dots, so that the document is not asked. */
static void tell(const Parameters *p, const Parameter *parameter, const JsonNode *node,
                 const char *hint, const char *reason)
{
    const YamlPlace *place = yaml_place(&p->reader->file.document, node);
    problem_add(p->reader->problems, place->file, place->name_line, place->name_column,
                parameter->path, hint, "%s", reason);
}

static const char **version_names(const Parameters *p)
{
    const Service *service = p->route->service;
    const char **names = arena_array(p->reader->arena, const char *, service->n_versions + 1);
    for (uint32_t i = 0; i < service->n_versions; i++)
        names[i] = service->versions[i].name;
    return names;
}

static uint64_t read_version(const Parameters *p, const Parameter *parameter, const JsonNode *item)
{
    const Service *service = p->route->service;
    for (uint32_t i = 0; i < service->n_versions; i++)
        if (bytes_are(item->text, service->versions[i].name))
            return UINT64_C(1) << i;
    const char *name = arena_text(p->reader->arena, item->text);
    tell(p, parameter, item, config_hint(p->reader, name, version_names(p), service->n_versions),
         arena_printf(p->reader->arena, "%s has no version %s", service->name, name));
    return 0;
}

static void read_versions(const Parameters *p, Parameter *parameter)
{
    const JsonNode *list = json_member(parameter->node, "versions");
    parameter->all_versions = !list || !list->count;
    if (parameter->all_versions)
        parameter->versions = p->versions;
    for (const JsonNode *item = list ? list->first : NULL; item; item = item->next) {
        uint64_t version = read_version(p, parameter, item);
        /* Without methods the mistake is elsewhere, and was reported. */
        bool has_methods =
            version && p->route->service->versions[__builtin_ctzll(version)].n_methods;
        if (has_methods && !(version & p->versions))
            tell(p, parameter, item, NULL,
                 arena_printf(p->reader->arena, "%s matches no method of %.*s", p->route->match,
                              BYTES_ARGS(item->text)));
        parameter->versions |= version & p->versions;
    }
}

static void read_all(Parameters *p, const JsonNode *node, const char *path)
{
    Arena *arena = p->reader->arena;
    p->items = arena_array(arena, Parameter, node->count + 1);
    for (const JsonNode *member = node->first; member; member = member->next) {
        if (member->kind != JSON_OBJECT) /* which was reported */
            continue;
        Parameter *parameter = &p->items[p->n++];
        const JsonNode *field = json_member(member, "field");
        parameter->node = member;
        parameter->name = arena_text(arena, member->name);
        parameter->field = field ? arena_text(arena, field->text) : parameter->name;
        parameter->path = arena_printf(arena, "%s.%s", path, parameter->name);
        read_versions(p, parameter);
    }
}

/* ---- Rules of methods ------------------------------------------------------------------------ */

typedef struct RulesKey {
    const MessageType *type;
    uint64_t version; /* index */
} RulesKey;

static bool is_same(const Problem *a, const Problem *b)
{
    return a->line == b->line && a->column == b->column && text_equal(a->file, b->file) &&
           text_equal(a->path, b->path) && text_equal(a->reason, b->reason);
}

/* The parameter whose rule, or a key of it, is at the path. */
static Parameter *parameter_at(const Parameters *p, const char *path)
{
    Parameter *found = NULL;
    for (uint32_t i = 0; i < p->n; i++) {
        size_t size = strlen(p->items[i].path);
        bool within = strncmp(path, p->items[i].path, size) == 0 &&
                      (!path[size] || path[size] == '.' || path[size] == '[');
        if (within && (!found || size > strlen(found->path)))
            found = &p->items[i];
    }
    return found;
}

static void note_mistake(Parameters *p, const Problem *problem, uint32_t version)
{
    Mistake **at = &p->mistakes;
    Parameter *parameter = parameter_at(p, problem->path);
    while (*at && !is_same(&(*at)->problem, problem))
        at = &(*at)->next;
    if (!*at) {
        *at = arena_make(p->reader->arena, Mistake);
        (*at)->problem = *problem;
    }
    (*at)->versions |= UINT64_C(1) << version;
    if (parameter)
        parameter->mistaken |= UINT64_C(1) << version;
}

/* Of a request type of the version: methods may share it. NULL: it has none of the fields. */
static const FieldRules *rules_of(Parameters *p, Table *known, const Method *method)
{
    ConfigReader *reader = p->reader;
    const MessageType *type = method->type->input;
    uint32_t version = method->version->index, n = 0;
    RulesKey *key = arena_make(reader->arena, RulesKey);
    *key = (RulesKey){type, version};
    const FieldRules *rules = table_get(known, bytes(key, sizeof *key));
    if (rules)
        return rules;
    RuleText *texts = arena_array(reader->arena, RuleText, p->n + 1);
    for (uint32_t i = 0; i < p->n; i++) {
        Parameter *parameter = &p->items[i];
        if (!(parameter->versions >> version & 1) || !rule_path(type, parameter->field).field)
            continue;
        parameter->found |= UINT64_C(1) << version;
        texts[n++] = (RuleText){parameter->field, parameter->node, parameter->path};
    }
    if (!n)
        return NULL;
    Problems found = problems_in(reader->arena);
    rules = rules_read(reader->arena, type, texts, n, &reader->file.document, &found);
    for (size_t i = 0; i < found.n; i++)
        note_mistake(p, &found.items[i], version);
    table_put(known, bytes(key, sizeof *key), (void *)(uintptr_t)rules);
    return rules;
}

/* Clients that send JSON: it becomes protobuf of their version first. */
static Result make_method(Parameters *p, Table *known, Method *method)
{
    PlanOptions options = {.from = CODEC_JSON,
                           .to = CODEC_PROTO,
                           .unknown = p->route->unknown_fields,
                           .types = method->version->to[method->version->index]};
    const FieldRules *rules = rules_of(p, known, method);
    const Mapping *mapping = service_request(method, method->version);
    if (!rules)
        return OK;
    MethodExtras *extras = method_extras(p->reader->arena, method);
    extras->rules = rules;
    return mapping ? service_plan(p->reader, mapping, &options, &extras->to_rules) : OK;
}

typedef Result MethodAction(Parameters *p, Table *known, Method *method);

static Result note_version(Parameters *p, Table *known, Method *method)
{
    p->versions |= UINT64_C(1) << method->version->index;
    return OK;
}

static Result for_each_method(Parameters *p, Table *known, MethodAction *action)
{
    const Service *service = p->route->service;
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t k = 0; k < service->versions[i].n_methods; k++) {
            Method *method = &service->versions[i].methods[k];
            Result r = method->route == p->route ? action(p, known, method) : OK;
            if (failed(r))
                return r;
        }
    return OK;
}

/* ---- Fields that are not there --------------------------------------------------------------- */

/* "v1, v2" */
static const char *name_versions(const Parameters *p, uint64_t versions)
{
    Buffer text = buffer_in(p->reader->arena);
    for (uint64_t left = versions; left; left &= left - 1)
        buffer_printf(&text, "%s%s", left == versions ? "" : ", ",
                      p->route->service->versions[__builtin_ctzll(left)].name);
    return arena_text(p->reader->arena, buffer_bytes(&text));
}

static const char *list_versions(const Parameters *p, uint64_t versions)
{
    return arena_printf(p->reader->arena, "versions: [%s]", name_versions(p, versions));
}

/* One that is in some of the versions only says in which, and what the others are. */
static void tell_mistakes(const Parameters *p)
{
    ConfigReader *reader = p->reader;
    for (const Mistake *mistake = p->mistakes; mistake; mistake = mistake->next) {
        const Problem *problem = &mistake->problem;
        const Parameter *parameter = parameter_at(p, problem->path);
        uint64_t good = parameter ? parameter->found & ~parameter->mistaken : 0;
        const char *where =
            parameter && parameter->found & ~mistake->versions
                ? arena_printf(reader->arena, " in %s", name_versions(p, mistake->versions))
                : "";
        problem_add(reader->problems, problem->file, problem->line, problem->column, problem->path,
                    good && parameter->all_versions ? list_versions(p, good) : problem->hint,
                    "%s%s", problem->reason, where);
    }
}

/* What may be meant; NULL: nothing is near. */
static const char *nearest_in(const Parameters *p, const RulePath *end)
{
    return end->closed ? NULL : message_nearest_field(end->in, end->name, p->reader->arena);
}

/* Where the path ends in the request that has most of it: the first such of the version. */
static RulePath furthest_end(const Parameters *p, uint32_t version, const char *path)
{
    const Version *of = &p->route->service->versions[version];
    RulePath best = {.field = NULL};
    for (uint32_t i = 0; i < of->n_methods; i++) {
        if (of->methods[i].route != p->route)
            continue;
        RulePath end = rule_path(of->methods[i].type->input, path);
        bool as_far = best.in && end.name.data == best.name.data;
        if (!best.in || end.name.data > best.name.data ||
            (as_far && !nearest_in(p, &best) && nearest_in(p, &end)))
            best = end;
    }
    return best;
}

static void tell_missing(const Parameters *p, const Parameter *parameter, uint32_t version)
{
    Arena *arena = p->reader->arena;
    RulePath end = furthest_end(p, version, parameter->field);
    const char *hint = NULL, *reason;
    const char *name = p->route->service->versions[version].name;
    if (end.closed) {
        reason = arena_printf(arena, "nothing is within %s: it is no message", end.closed->name);
    } else {
        const char *near = nearest_in(p, &end);
        const FieldType *field = near ? message_field(end.in, bytes_of(near)) : NULL;
        if (parameter->all_versions && parameter->found)
            hint = list_versions(p, parameter->found);
        else if (field)
            hint = arena_printf(arena, "did you mean %s", field->name);
        reason = arena_printf(arena, "%s of %s has no field %.*s", end.in->name, name,
                              BYTES_ARGS(end.name));
    }
    tell(p, parameter, parameter->node, hint, reason);
}

/* Once for each parameter: in the oldest version that lacks the field. */
static void check_found(const Parameters *p)
{
    for (uint32_t i = 0; i < p->n; i++) {
        uint64_t missing = p->items[i].versions & ~p->items[i].found;
        if (missing)
            tell_missing(p, &p->items[i], (uint32_t)__builtin_ctzll(missing));
    }
}

static Result read_route(ConfigReader *reader, const Route *route, const char *path)
{
    Parameters p = {.reader = reader, .route = route};
    Table known = table_in(reader->arena);
    path = config_path(reader, "%s.parameters", path);
    const JsonNode *node = document_node(&reader->file.document, path);
    if (!node || node->kind != JSON_OBJECT)
        return OK;
    Result r = for_each_method(&p, &known, note_version);
    read_all(&p, node, path);
    if (!failed(r))
        r = for_each_method(&p, &known, make_method);
    tell_mistakes(&p);
    check_found(&p);
    return r;
}

Result service_read_parameters(ConfigReader *reader)
{
    const Config *config = reader->config;
    Result r = OK;
    for (uint32_t i = 0; i < config->n_routes && !failed(r); i++) {
        const Route *route = &config->routes[i];
        if (reader->route_paths[i] && route->service && !route->path_prefix)
            r = read_route(reader, route, reader->route_paths[i]);
    }
    return r;
}

/* ---- Fields in the log ----------------------------------------------------------------------- */

void config_read_log_fields(ConfigReader *reader, const Passerelle__Config__RouteLog *text,
                            const char *path, Route *route)
{
    if (!text || !text->n_fields)
        return;
    path = config_path(reader, "%s.log.fields", path);
    if (route->match[0] == '/')
        config_tell(reader, path, NULL, "what passes through a path prefix is not read");
    else if (text->n_fields > LOG_FIELDS_MOST)
        config_tell(reader, path, NULL, "a line of the log has at most %d fields of a request",
                    LOG_FIELDS_MOST);
    route->log_fields = text->fields;
    route->n_log_fields = (uint32_t)text->n_fields;
}

/* One entry, while it is looked for in all requests of a route. */
typedef struct LogSearch {
    const char *said;
    bool found;
    const FieldType *textless; /* a field at the path that is a list, map or message */
    size_t good;               /* bytes of what was said that some request has */
    const char *near;          /* what may stand there; NULL: nothing is near */
} LogSearch;

static void miss(ConfigReader *reader, LogSearch *search, const MessageType *type, Bytes part)
{
    size_t at = (size_t)((const char *)part.data - search->said);
    const char *near = message_nearest_field(type, part, reader->arena);
    if (at < search->good || (at == search->good && (search->near || !near)))
        return;
    search->good = at;
    search->near = near ? arena_printf(reader->arena, "%.*s%s", (int)at, search->said,
                                       message_field(type, bytes_of(near))->name)
                        : NULL;
}

/* Adds the field to the log's, if requests of this type have it. */
static void look_for(ConfigReader *reader, const MessageType *type, LogSearch *search,
                     LogField *into, uint32_t *n)
{
    Bytes rest = bytes_of(search->said), part;
    const FieldType **fields = arena_array(reader->arena, const FieldType *, rest.size + 2);
    const char *name = "";
    uint32_t depth = 0;
    while (type && bytes_split(&rest, '.', &part)) {
        const FieldType *field = message_field(type, part);
        if (!field) {
            miss(reader, search, type, part);
            return;
        }
        name = arena_printf(reader->arena, "%s%s%s", name, depth ? "." : "", field->name);
        fields[depth++] = field;
        if (rest.size && !field->message)
            return; /* nothing is in it */
        if (rest.size ? field->repeated || field->map : !field_has_text(field)) {
            search->textless = field;
            return;
        }
        type = field->message;
    }
    if (!depth)
        return; /* an empty text */
    search->found = true;
    for (uint32_t i = 0; i < *n; i++)
        if (strcmp(into[i].name, name) == 0)
            return; /* it is there in its other spelling */
    into[(*n)++] = (LogField){.name = name, .path = fields};
}

static Result make_log_fields(ConfigReader *reader, Method *method, LogSearch *searches)
{
    const Route *route = method->route;
    LogFields *fields = arena_make(reader->arena, LogFields);
    LogField *items = arena_array(reader->arena, LogField, route->n_log_fields);
    PlanOptions options = {.from = CODEC_JSON,
                           .to = CODEC_PROTO,
                           .unknown = UNKNOWN_COUNT,
                           .types = method->version->to[method->version->index]};
    const Mapping *mapping = service_request(method, method->version);
    for (uint32_t i = 0; i < route->n_log_fields; i++)
        look_for(reader, method->type->input, &searches[i], items, &fields->n);
    fields->items = items;
    if (!fields->n || !mapping)
        return OK;
    method_extras(reader->arena, method)->log_fields = fields;
    return service_plan(reader, mapping, &options, &fields->to_proto);
}

static void tell_log_field(ConfigReader *reader, const Route *route, const LogSearch *search,
                           const char *path)
{
    const FieldType *field = search->textless;
    const FieldType *inner =
        field && field->message && !field->repeated ? field->message->fields : NULL;
    if (field)
        config_tell(reader, path,
                    inner && field_has_text(inner)
                        ? config_path(reader, "for example %s.%s", search->said, inner->name)
                        : NULL,
                    "%s is a list, a map or a message, which has no text", field->name);
    else
        config_tell(reader, path,
                    search->near ? config_path(reader, "did you mean %s", search->near) : NULL,
                    "no request of %s has the field %s", route->match, search->said);
}

static Result make_route_log_fields(ConfigReader *reader, const Route *route, const char *path)
{
    const Service *service = route->service;
    bool is_used = false;
    LogSearch *searches = arena_array(reader->arena, LogSearch, route->n_log_fields);
    for (uint32_t i = 0; i < route->n_log_fields; i++)
        searches[i] = (LogSearch){.said = route->log_fields[i]};
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t k = 0; k < service->versions[i].n_methods; k++) {
            Method *method = &service->versions[i].methods[k];
            if (method->route != route)
                continue;
            Result r = make_log_fields(reader, method, searches);
            if (failed(r))
                return r;
            is_used = true;
        }
    for (uint32_t i = 0; is_used && i < route->n_log_fields; i++)
        if (!searches[i].found)
            tell_log_field(reader, route, &searches[i],
                           config_path(reader, "%s.log.fields[%u]", path, i));
    return OK;
}

Result service_make_log_fields(ConfigReader *reader)
{
    const Config *config = reader->config;
    Result r = OK;
    for (uint32_t i = 0; !failed(r) && i < config->n_routes; i++) {
        const Route *route = &config->routes[i];
        if (route->n_log_fields && route->service && !route->path_prefix)
            r = make_route_log_fields(reader, route, reader->route_paths[i]);
    }
    return r;
}
