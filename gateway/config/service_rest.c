/* REST: every google.api.http rule of every method, in one table; rules of several versions in a
   row. */
#include "gateway/config/config_internal.h"

#include "base/arena.h"
#include "gateway/rest/http_body.h"

/* Where a rule's mistake is told: its schema's place in the config. */
static void tell(ConfigReader *reader, const Method *method, const HttpRule *rule,
                 const char *reason)
{
    const Version *version = method->version;
    config_tell(reader,
                config_path(reader, "%s.versions[%u].schema",
                            reader->services[version->service->index].path, version->index),
                NULL, "%s, %s %s: %s", method->type->path, rule->verb, rule->path, reason);
}

/* The field at "order.id", or NULL. */
static const FieldType *field_at(const MessageType *message, Bytes path)
{
    const FieldType *field = NULL;
    for (Bytes name; bytes_split(&path, '.', &name); message = field->message) {
        field = message ? message_field(message, name) : NULL;
        if (!field)
            return NULL;
    }
    return field;
}

/* Scalars, and the messages whose JSON is a string (http.proto: a path names "a primitive
   type"). */
static bool may_be_text(const FieldType *field)
{
    WellKnown known = field->message ? field->message->well_known : WELL_KNOWN_NONE;
    return !field->message || known == WELL_KNOWN_TIMESTAMP || known == WELL_KNOWN_DURATION ||
           known == WELL_KNOWN_FIELD_MASK || known == WELL_KNOWN_WRAPPER;
}

static void check_fields(ConfigReader *reader, const RestBinding *binding)
{
    const MethodType *type = binding->method->type;
    const HttpRule *rule = binding->rule;
    for (size_t i = 0; i < binding->n_variables; i++) {
        const FieldType *field = field_at(type->input, binding->variables[i]);
        if (!field || field->repeated || !may_be_text(field))
            tell(reader, binding->method, rule,
                 arena_printf(reader->arena, "the variable %.*s is no single field of %s",
                              BYTES_ARGS(binding->variables[i]), type->input->full_name));
    }
    if (rule->body[0] && strcmp(rule->body, "*") != 0 &&
        !message_field(type->input, bytes_of(rule->body)))
        tell(reader, binding->method, rule,
             arena_printf(reader->arena, "the body %s is no field of %s", rule->body,
                          type->input->full_name));
    if (rule->response_body[0] && !message_field(type->output, bytes_of(rule->response_body)))
        tell(reader, binding->method, rule,
             arena_printf(reader->arena, "the response body %s is no field of %s",
                          rule->response_body, type->output->full_name));
}

/* Answers that are one field of the message: a plan for each version that may be served. */
static Result make_response_body(ConfigReader *reader, RestBinding *binding)
{
    const Method *method = binding->method;
    const Service *service = method->version->service;
    const Route *route = method->route;
    const FieldType *field =
        message_field(method->type->output, bytes_of(binding->rule->response_body));
    for (Codec codec = 0; field && codec < CODEC_COUNT; codec++) {
        const Plan **plans = arena_array(reader->arena, const Plan *, service->n_versions);
        binding->response_body[codec] = plans;
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
                .proto_names = route->proto_names,
                .only_field = field->name,
                .types = served->to[method->version->index],
            };
            Result r =
                service_plan(reader, service_mapping(served, method->version, target->type->output),
                             &options, &plans[i]);
            if (failed(r))
                return r;
        }
    }
    return OK;
}

/* Puts a binding into the table, before those of older versions for the same requests. */
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
             arena_printf(reader->arena, "the same requests are those of %s",
                          before->method->type->path));
    } else if (before && before->method->version == binding->method->version) {
        /* Published APIs do this; the last one wins, and the check tells. */
        before->hidden_by = binding;
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
    check_fields(reader, binding);
    r = add_to_table(reader, binding);
    if (!failed(r) && rule->response_body[0])
        r = make_response_body(reader, binding);
    return r;
}

static Result make_bindings(ConfigReader *reader, Method *method)
{
    const HttpRule *rule = method->type->http;
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
