/* REST: every google.api.http rule of every method, in one table; rules of several versions for the
   same requests are a list. */
#include "gateway/service/service_internal.h"

#include "adapters/paths/parameter_path.h"
#include "base/arena.h"
#include "gateway/rest/http_body.h"
#include "protocols/http/http_rules.h"

/* What is said of a rule is said of its schema in the config. */
static const char *place_of_rules(ConfigReader *reader, const Method *method)
{
    const Version *version = method->version;
    return config_path(reader, "%s.versions[%u].schema",
                       reader->services[version->service->index].path, version->index);
}

static void tell(ConfigReader *reader, const Method *method, const HttpRule *rule,
                 const char *reason)
{
    config_tell(reader, place_of_rules(reader, method), NULL, "%s, %s %s: %s", method->type->path,
                rule->verb, rule->path, reason);
}

/* This occurs in published APIs: the last one is used, and `check` warns. */
static void hide(ConfigReader *reader, RestBinding *before, const RestBinding *by)
{
    const Method *method = before->method;
    before->hidden_by = by;
    document_tell(&reader->file.document, &reader->config->hidden, place_of_rules(reader, method),
                  "other paths or verbs in their google.api.http",
                  "%s %s is of %s, too, which takes its requests: %s cannot be called by it",
                  before->rule->verb, before->rule->path, by->method->type->path,
                  method->type->path);
}

/* Scalars, and the messages whose JSON is a string (http.proto: a path names "a primitive
   type"). */
static bool may_be_text(const FieldType *field)
{
    WellKnown known = field->message ? field->message->well_known : WELL_KNOWN_NONE;
    return !field->message || known == WELL_KNOWN_TIMESTAMP || known == WELL_KNOWN_DURATION ||
           known == WELL_KNOWN_FIELD_MASK || known == WELL_KNOWN_WRAPPER;
}

/* Whether a path variable can set this field: a single text value, and no repeated field before it.
   http.proto: a path "must not refer to any repeated or mapped field". */
static bool is_single_text(const MessageType *type, Bytes variable)
{
    ParameterPath path = parameter_path(type, variable);
    while (parameter_path_next(&path) == PARAMETER_FIELD) {
        if (path.field->repeated)
            return false;
        if (!path.rest.data)
            return may_be_text(path.field);
        if (path.type && path.type->well_known != WELL_KNOWN_NONE)
            return false;
    }
    return false;
}

/* The oneof of which two variables set different members, so that no request can set both; NULL:
   none. *same_out: both are the same field, spelled differently. */
static const OneofType *contradiction(const MessageType *type, Bytes a, Bytes b, bool *same_out)
{
    ParameterPath one = parameter_path(type, a), other = parameter_path(type, b);
    *same_out = false;
    while (parameter_path_next(&one) == PARAMETER_FIELD &&
           parameter_path_next(&other) == PARAMETER_FIELD) {
        if (one.field != other.field)
            return one.field->oneof && one.field->oneof == other.field->oneof ? one.field->oneof
                                                                              : NULL;
        *same_out = !one.rest.data && !other.rest.data;
    }
    return NULL;
}

static void check_pair(ConfigReader *reader, const RestBinding *binding, Bytes a, Bytes b)
{
    bool same;
    const OneofType *oneof = contradiction(binding->method->type->input, a, b, &same);
    if (oneof)
        tell(reader, binding->method, binding->rule,
             arena_printf(reader->arena,
                          "the variables %.*s and %.*s are both of the oneof %s, and only one of "
                          "them can be set",
                          BYTES_ARGS(a), BYTES_ARGS(b), oneof->name));
    if (same)
        tell(reader, binding->method, binding->rule,
             arena_printf(reader->arena, "the variables %.*s and %.*s are the same field",
                          BYTES_ARGS(a), BYTES_ARGS(b)));
}

static void check_variables(ConfigReader *reader, const RestBinding *binding)
{
    const MessageType *input = binding->method->type->input;
    for (size_t i = 0; i < binding->n_variables; i++) {
        if (!is_single_text(input, binding->variables[i]))
            tell(reader, binding->method, binding->rule,
                 arena_printf(reader->arena, "the variable %.*s is not a single field of %s",
                              BYTES_ARGS(binding->variables[i]), input->full_name));
        for (size_t j = 0; j < i; j++)
            check_pair(reader, binding, binding->variables[j], binding->variables[i]);
    }
}

/* RFC 9110 section 9.1: a method is a token; and CONNECT has no path (section 9.3.6). */
static void check_verb(ConfigReader *reader, const RestBinding *binding)
{
    Bytes verb = bytes_of(binding->rule->verb);
    if (!http_is_token(verb) || bytes_are(verb, "CONNECT"))
        tell(reader, binding->method, binding->rule,
             arena_printf(reader->arena,
                          "\"%s\" is not a valid HTTP method for a request with a path",
                          binding->rule->verb));
}

static void check_fields(ConfigReader *reader, const RestBinding *binding)
{
    const MethodType *type = binding->method->type;
    const HttpRule *rule = binding->rule;
    if (rule->body[0] && strcmp(rule->body, "*") != 0 &&
        !message_field(type->input, bytes_of(rule->body)))
        tell(reader, binding->method, rule,
             arena_printf(reader->arena, "the body %s is not a field of %s", rule->body,
                          type->input->full_name));
    if (rule->response_body[0] && !message_field(type->output, bytes_of(rule->response_body)))
        tell(reader, binding->method, rule,
             arena_printf(reader->arena, "the response body %s is not a field of %s",
                          rule->response_body, type->output->full_name));
    else if (rule->response_body[0])
        config_check_shown(reader, binding->method, bytes_of(rule->response_body), NULL);
}

/* Plans for responses that are one field of the message, for each served version. */
static Result make_response_body(ConfigReader *reader, RestBinding *binding)
{
    const Method *method = binding->method;
    const Service *service = method->version->service;
    const Route *route = method->route;
    const FieldType *field =
        message_field(method->type->output, bytes_of(binding->rule->response_body));
    for (Codec codec = 0; field && codec < CODEC_COUNT; codec++) {
        const Plan **plans = arena_array(reader->arena, const Plan *, service->n_versions);
        const Plan **numbers = arena_array(reader->arena, const Plan *, service->n_versions);
        binding->response_body[codec] = plans;
        binding->number_body[codec] = numbers;
        for (uint32_t i = 0; i < service->n_versions; i++) {
            const Method *target = method->pairs[i].target;
            const Version *served = &service->versions[i];
            if (!target || !(service_codecs(served) >> codec & 1))
                continue;
            PlanOptions options = {
                .from = codec,
                .to = CODEC_JSON,
                .unknown = route->unknown_answer_fields,
                .enums_as_numbers = route->enums_as_numbers,
                .emit_defaults = route->emit_defaults,
                .emit_nulls = route->emit_nulls,
                .proto_names = route->proto_names,
                .only_field = field->name,
                .types = served->to[method->version->index],
            };
            config_show_options(method, &options);
            const Mapping *mapping = service_answer(reader, method, served);
            Result r = service_plan(reader, mapping, &options, &plans[i]);
            options.enums_as_numbers = true;
            if (!failed(r) && route_asks_for_numbers(route))
                r = service_plan(reader, mapping, &options, &numbers[i]);
            if (failed(r))
                return r;
        }
    }
    return OK;
}

/* Adds a binding to the table, before those of older versions for the same requests. */
static Result add_to_table(ConfigReader *reader, RestBinding *binding)
{
    const HttpRule *rule = binding->rule;
    void *shadowed = NULL;
    Result r = rest_table_add(reader->config->rest, bytes_of(rule->verb), bytes_of(rule->path),
                              binding, &shadowed);
    if (failed(r)) {
        tell(reader, binding->method, rule, r.error->doing);
        return OK;
    }
    RestBinding *before = shadowed;
    binding->next = before;
    if (before && before->method->version->service != binding->method->version->service) {
        tell(reader, binding->method, rule,
             arena_printf(reader->arena, "%s matches the same requests",
                          before->method->type->path));
    } else if (before && before->method->version == binding->method->version) {
        hide(reader, before, binding);
        binding->next = before->next;
    }
    return OK;
}

static Result make_binding(ConfigReader *reader, Method *method, const HttpRule *rule)
{
    RestBinding *binding = &method->bindings[method->n_bindings++];
    binding->method = method;
    binding->rule = rule;
    binding->raw_request = http_body_in(method->type, rule);
    binding->raw_answer = http_body_out(method->type, rule);
    Result r = rest_template_parse(reader->arena, bytes_of(rule->path), &binding->template);
    if (failed(r)) {
        tell(reader, method, rule, r.error->doing);
        return OK;
    }
    binding->n_variables = rest_template_variables(binding->template, &binding->variables);
    check_verb(reader, binding);
    check_variables(reader, binding);
    check_fields(reader, binding);
    r = add_to_table(reader, binding);
    if (!failed(r) && rule->response_body[0])
        r = make_response_body(reader, binding);
    return r;
}

/* How long the first segment is, with its slash, if it is a version: 3 of "/v1/{name=**}". */
static size_t version_segment(const char *path)
{
    if (path[0] != '/' || path[1] != 'v' || path[2] < '0' || path[2] > '9')
        return 0;
    size_t size = strcspn(path + 1, "/") + 1;
    return strcspn(path + 1, "{*:") + 1 > size ? size : 0;
}

/* The rules of a mixin are the same in each version, but for the version in their paths. */
static void name_version(ConfigReader *reader, const Version *version, HttpRule *rule)
{
    size_t segment = version_segment(rule->path);
    if (segment)
        rule->path = arena_printf(reader->arena, "/%s%s", version->name, rule->path + segment);
}

static const HttpRule *rule_of_mixin(ConfigReader *reader, const Version *version,
                                     const HttpRule *rule)
{
    HttpRule *own = arena_make(reader->arena, HttpRule);
    *own = *rule;
    name_version(reader, version, own);
    HttpRule *additional = arena_array(reader->arena, HttpRule, rule->n_additional + 1);
    for (uint32_t i = 0; i < rule->n_additional; i++) {
        additional[i] = rule->additional[i];
        name_version(reader, version, &additional[i]);
    }
    own->additional = additional;
    return own;
}

static Result make_bindings(ConfigReader *reader, Method *method)
{
    const HttpRule *rule = method->type->http;
    if (rule && version_mixes_in(method->version, method->type->service))
        rule = rule_of_mixin(reader, method->version, rule);
    if (!rule)
        return OK;
    method->bindings = arena_array(reader->arena, RestBinding, rule->n_additional + 1);
    Result r = make_binding(reader, method, rule);
    for (uint32_t i = 0; i < rule->n_additional && !failed(r); i++)
        r = make_binding(reader, method, &rule->additional[i]);
    return r;
}

Result service_make_rest(ConfigReader *reader)
{
    Config *config = reader->config;
    config->rest = rest_table_new(reader->arena);
    if (reader->file.content->decode_reserved)
        rest_table_decode_reserved(config->rest);
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t j = 0; j < config->services[i].n_versions; j++) {
            Version *version = &config->services[i].versions[j];
            for (uint32_t k = 0; k < version->n_methods; k++) {
                Result r = make_bindings(reader, &version->methods[k]);
                if (failed(r))
                    return r;
            }
        }
    return OK;
}
