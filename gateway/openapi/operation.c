/* One operation: its parameters, body and responses. */
#include "gateway/openapi/openapi_internal.h"

#include "adapters/paths/parameter_path.h"
#include "base/arena.h"
#include "base/text/json_text.h"

/* ---- Parameters ------------------------------------------------------------------------------ */

void parameter_begin(OpenApi *api, const char *name, const char *in, bool required)
{
    json_open_element(api);
    json_add(api, "name", name);
    json_add(api, "in", in);
    if (required)
        json_text_add_bool(api->out, "required", true);
}

/* The field of a variable; NULL: the path does not lead to one. */
static const FieldType *field_at(const MessageType *type, Bytes variable)
{
    ParameterPath path = parameter_path(type, variable);
    const FieldType *field = NULL;
    while (parameter_path_next(&path) == PARAMETER_FIELD) {
        field = path.field;
        if (!path.rest.data)
            return field;
    }
    return NULL;
}

static void add_path_schema(OpenApi *api, const FieldType *field, const OpenPathParameter *p)
{
    json_open(api, "schema", '{');
    bool text = !field || field->kind == KIND_STRING || !p->whole;
    if (text)
        json_add(api, "type", "string");
    else
        schema_add_value(api, field, SIDE_IN);
    if (text && !p->several)
        json_text_add_number(api->out, "minLength", 1);
    json_close(api, '}');
}

static void describe_path(OpenApi *api, const FieldType *field, const OpenPathParameter *p)
{
    Note note = {0};
    if (field && p->whole)
        note = *notes_of(&api->notes, field->parent->full_name, field->name, api->arena);
    if (p->several)
        note.comment =
            bytes_of(arena_printf(api->arena, "%.*s%sIt may have several segments.",
                                  BYTES_ARGS(note.comment), note.comment.size ? " " : ""));
    schema_add_note(api, &note);
}

static void add_path_parameters(OpenApi *api, const Operation *operation)
{
    const MessageType *input = operation->binding->method->type->input;
    for (uint32_t i = 0; i < operation->path.n_parameters; i++) {
        const OpenPathParameter *p = &operation->path.parameters[i];
        const FieldType *field = p->field_path.size ? field_at(input, p->field_path) : NULL;
        parameter_begin(api, operation->names->parameters[i].name, "path", true);
        add_path_schema(api, field, p);
        describe_path(api, field, p);
        json_close(api, '}');
    }
}

/* Where several versions have the path, this field says which one is meant. */
static void add_version_parameter(OpenApi *api, const RestBinding *binding)
{
    const Service *service = api->version->service;
    Bytes key = bytes(&binding, sizeof binding);
    if (!service->version_header || !table_get(&api->shared, key))
        return;
    parameter_begin(api, service->version_header, "header",
                    service->default_version != api->version);
    json_open(api, "schema", '{');
    json_add(api, "type", "string");
    json_open(api, "enum", '[');
    json_text_add(api->out, bytes_of(api->version->name));
    json_close(api, ']');
    json_close(api, '}');
    json_add(api, "description", "The version that is meant: others have this path, too.");
    json_close(api, '}');
}

static void add_key_parameter(OpenApi *api, const KeyPolicy *keys)
{
    if (!keys)
        return;
    parameter_begin(api, "Idempotency-Key", "header", keys->required);
    json_add(api, "description",
             "A new one for each call that is meant; the same one when it is sent again. With it "
             "the call is made once, and its response is given again.");
    json_open(api, "schema", '{');
    json_add(api, "type", "string");
    json_add(api, "pattern", "^\"[!#-\\[\\]-~]+\"$");
    json_text_add_number(api->out, "maxLength", keys->key_bytes);
    json_close(api, '}');
    json_close(api, '}');
}

/* ---- The body of the request ----------------------------------------------------------------- */

void operation_cover(const OpenApi *api, const RestBinding *binding, Covered *covered)
{
    const MessageType *input = binding->method->type->input;
    covered->n = 0;
    covered->fields = arena_array(api->arena, const FieldType *, binding->n_variables + 1);
    for (size_t i = 0; i < binding->n_variables; i++) {
        ParameterPath path = parameter_path(input, binding->variables[i]);
        if (parameter_path_next(&path) == PARAMETER_FIELD && !path.rest.data)
            covered->fields[covered->n++] = path.field;
    }
}

static void add_body_schema(OpenApi *api, const RestBinding *binding, const Demands *demands)
{
    const MessageType *input = binding->method->type->input;
    const char *body = binding->rule->body;
    Covered covered;
    operation_cover(api, binding, &covered);
    const FieldType *field = strcmp(body, "*") != 0 ? message_field(input, bytes_of(body)) : NULL;
    if (field)
        schema_add_field(api, field, SIDE_IN);
    else if (covered.n)
        schema_add_object(api, input, SIDE_IN, &covered,
                          binding->method->route->unknown_fields != UNKNOWN_REFUSE);
    else
        schema_add_message(api, input, SIDE_IN);
    demands_add(api, demands, input, field, &covered);
}

static void add_body(OpenApi *api, const RestBinding *binding, const Demands *demands)
{
    if (!binding->rule->body[0])
        return;
    json_open(api, "requestBody", '{');
    if (!binding->raw_request)
        json_text_add_bool(api->out, "required", true);
    json_open(api, "content", '{');
    json_open(api, binding->raw_request ? "*/*" : "application/json", '{');
    json_open(api, "schema", '{');
    if (!binding->raw_request)
        add_body_schema(api, binding, demands);
    json_close(api, '}');
    json_close(api, '}');
    json_close(api, '}');
    json_close(api, '}');
}

/* ---- Responses ------------------------------------------------------------------------------- */

static void add_response_schema(OpenApi *api, const RestBinding *binding)
{
    const MessageType *output = binding->method->type->output;
    const char *body = binding->rule->response_body;
    if (body[0])
        schema_add_field(api, message_field(output, bytes_of(body)), SIDE_OUT);
    else
        schema_add_message(api, output, SIDE_OUT);
}

static void begin_media(OpenApi *api, const char *media)
{
    json_open(api, media, '{');
    json_open(api, "schema", '{');
}

static void end_media(OpenApi *api)
{
    json_close(api, '}');
    json_close(api, '}');
}

/* A message, or the error that ends the stream. */
static void add_item(OpenApi *api, const RestBinding *binding)
{
    json_open(api, "anyOf", '[');
    json_open_element(api);
    add_response_schema(api, binding);
    json_close(api, '}');
    json_open_element(api);
    json_add(api, "$ref", "#/components/schemas/passerelle.StreamError");
    json_close(api, '}');
    json_close(api, ']');
}

/* As grpc-gateway writes a stream. */
static void add_results(OpenApi *api, const RestBinding *binding)
{
    json_add(api, "type", "object");
    json_add(api, "description", "This is one line; there is one for each message.");
    json_open(api, "properties", '{');
    json_open(api, "result", '{');
    add_response_schema(api, binding);
    json_close(api, '}');
    json_open(api, "error", '{');
    json_add(api, "type", "object");
    json_close(api, '}');
    json_close(api, '}');
}

static void add_array(OpenApi *api, const RestBinding *binding)
{
    json_add(api, "type", "array");
    json_add(api, "description",
             "The messages of the stream, each written as soon as it is there.");
    json_open(api, "items", '{');
    add_item(api, binding);
    json_close(api, '}');
}

static void add_stream(OpenApi *api, const RestBinding *binding)
{
    bool results = binding->method->route->json_stream == REST_STREAM_RESULTS;
    begin_media(api, "application/json");
    (results ? add_results : add_array)(api, binding);
    end_media(api);
    begin_media(api, "application/x-ndjson");
    json_add(api, "description", "This is one line; there is one for each message.");
    add_item(api, binding);
    end_media(api);
    begin_media(api, "text/event-stream");
    json_add(api, "type", "string");
    json_add(api, "description",
             "Server-sent events: the data of each is a message as JSON; `event: end` is the last "
             "one of a stream that ended well, `event: error` of one that did not.");
    end_media(api);
}

/* For clients that ask for `$alt=proto`. */
static void add_proto(OpenApi *api, const RestBinding *binding)
{
    const RestStyle *style = binding->method->route->rest;
    if (!style || !style->alt || binding->rule->response_body[0])
        return;
    begin_media(api, "application/x-protobuf");
    json_add(api, "description", "The message as protobuf: with `$alt=proto` in the query.");
    end_media(api);
}

static void add_content(OpenApi *api, const RestBinding *binding)
{
    json_open(api, "content", '{');
    if (binding->raw_answer) {
        begin_media(api, "*/*");
        end_media(api);
    } else if (binding->method->type->server_streaming) {
        add_stream(api, binding);
    } else {
        begin_media(api, "application/json");
        add_response_schema(api, binding);
        end_media(api);
        add_proto(api, binding);
    }
    json_close(api, '}');
}

static void add_response(OpenApi *api, const RestBinding *binding, const char *status,
                         const char *text)
{
    json_open(api, status, '{');
    json_add(api, "description", text);
    add_content(api, binding);
    json_close(api, '}');
}

static void add_responses(OpenApi *api, const RestBinding *binding)
{
    const JobMethod *job =
        binding->method->extras->made_as ? binding->method->extras->made_as->extras->job : NULL;
    json_open(api, "responses", '{');
    add_response(api, binding, "200", "The response.");
    if (job && job->use == JOB_BEGINS)
        add_response(api, binding, "202",
                     "The work was accepted: the response is its state by now, and `Location` "
                     "where that is told from then on.");
    const RestStyle *style = binding->method->route->rest;
    bool says_status = style && style->status_from;
    if (api->is_rest || says_status)
        add_response(api, binding, "2XX", "The response, with the status of the instance.");
    if (says_status)
        add_response(api, binding, "3XX", "The response, with the status of the instance.");
    bool google = config_errors_google(api->config, "", binding->method->route);
    json_open(api, "default", '{');
    json_add(api, "$ref",
             google ? "#/components/responses/passerelle.GoogleError"
                    : "#/components/responses/passerelle.Error");
    json_close(api, '}');
    json_close(api, '}');
}

/* ---- The operation --------------------------------------------------------------------------- */

/* "Orders_Get"; "Orders_Get_2" of its second binding. The service's full name, where it is of
   another package. */
static void add_names(OpenApi *api, const Operation *operation)
{
    const MethodType *type = operation->binding->method->type;
    bool own = strcmp(type->service->package, api->version->package) == 0;
    const char *service = own ? type->service->name : type->service->full_name;
    const char *suffix = operation->nth ? arena_printf(api->arena, "_%u", operation->nth + 1) : "";
    json_add(api, "operationId", arena_printf(api->arena, "%s_%s%s", service, type->name, suffix));
    json_open(api, "tags", '[');
    json_text_add(api->out, bytes_of(service));
    json_close(api, ']');
}

static void add_description(OpenApi *api, const MethodType *type)
{
    Note note = *notes_of(&api->notes, type->service->full_name, type->name, api->arena);
    note.deprecated |= type->deprecated || api->version->deprecated; /* also from a later day on */
    schema_add_note(api, &note);
}

void operation_add(OpenApi *api, const Operation *operation)
{
    const RestBinding *binding = operation->binding;
    Demands demands = demands_of(api, binding->method);
    json_open(api, operation->verb, '{');
    add_names(api, operation);
    add_description(api, binding->method->type);
    json_open(api, "parameters", '[');
    add_path_parameters(api, operation);
    add_version_parameter(api, binding);
    add_key_parameter(api, binding->method->extras->keys);
    query_add(api, binding, &demands);
    json_close(api, ']');
    add_body(api, binding, &demands);
    add_responses(api, binding);
    security_add(api, binding->method->route);
    json_close(api, '}');
}
