#include "gateway/openapi/openapi_internal.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/date.h"
#include "base/text/json_text.h"

/* ---- JSON ------------------------------------------------------------------------------------ */

void json_open(OpenApi *api, const char *name, char bracket)
{
    json_text_add_key(api->out, name);
    buffer_add_byte(api->out, (uint8_t)bracket);
}

void json_open_element(OpenApi *api)
{
    json_text_open_item(api->out);
}

void json_close(OpenApi *api, char bracket)
{
    buffer_add_byte(api->out, (uint8_t)bracket);
}

void json_add(OpenApi *api, const char *name, const char *text)
{
    json_text_add_member(api->out, name, bytes_of(text));
}

/* ---- Which operations there are -------------------------------------------------------------- */

typedef struct Operations {
    Operation **first; /* of each path, in the order of the schema */
    uint32_t n;
    Table by_shape; /* -> the first operation */
} Operations;

/* NULL: OpenAPI has no such verb. */
static const char *verb_of(const char *verb)
{
    static const char *const verbs[][2] = {
        {"GET", "get"},     {"PUT", "put"},   {"POST", "post"},       {"DELETE", "delete"},
        {"PATCH", "patch"}, {"HEAD", "head"}, {"OPTIONS", "options"}, {"TRACE", "trace"}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verb, verbs[i][0]) == 0)
            return verbs[i][1];
    return NULL;
}

static void add_operation(const OpenApi *api, Operations *operations, const RestBinding *binding,
                          uint32_t nth)
{
    const char *verb = verb_of(binding->rule->verb);
    if (!verb || binding->hidden_by)
        return;
    Operation *one = arena_make(api->arena, Operation);
    *one = (Operation){
        .binding = binding, .path = open_path(binding->rule->path, api->arena), .verb = verb};
    one->nth = nth;
    Operation *first = table_get(&operations->by_shape, bytes_of(one->path.shape));
    one->names = first ? &first->path : &one->path;
    if (!first) {
        table_put(&operations->by_shape, bytes_of(one->path.shape), one);
        operations->first[operations->n++] = one;
        return;
    }
    while (first->next)
        first = first->next;
    first->next = one;
}

static bool shows(const OpenApi *api, const Method *method)
{
    const OpenApiQuestion *question = api->question;
    return method->n_bindings && (!question->shows || question->shows(question->owner, method));
}

static Operations find_operations(const OpenApi *api)
{
    const Version *version = api->version;
    uint32_t n = 0;
    for (uint32_t i = 0; i < version->n_methods; i++)
        n += version->methods[i].n_bindings;
    Operations operations = {.first = arena_array(api->arena, Operation *, n + 1),
                             .by_shape = table_in(api->arena)};
    for (uint32_t i = 0; i < version->n_methods; i++) {
        const Method *method = &version->methods[i];
        for (uint32_t k = 0; shows(api, method) && k < method->n_bindings; k++)
            add_operation(api, &operations, &method->bindings[k], k);
    }
    return operations;
}

/* ---- What they use --------------------------------------------------------------------------- */

static void use_request(OpenApi *api, const RestBinding *binding)
{
    const MessageType *input = binding->method->type->input;
    const char *body = binding->rule->body;
    uint8_t uses = USED_IN;
    Covered covered;
    if (binding->method->route->unknown_fields != UNKNOWN_REFUSE)
        uses |= USED_OPEN;
    operation_cover(api, binding, &covered);
    bool whole = strcmp(body, "*") == 0;
    if (binding->raw_request)
        return;
    if (whole && !covered.n)
        schema_use(api, input, uses);
    else if (*body && !whole)
        schema_use_field(api, message_field(input, bytes_of(body)), uses);
    for (uint32_t i = 0; whole && covered.n && i < input->n_fields; i++)
        schema_use_field(api, &input->fields[i], uses);
}

static void use_response(OpenApi *api, const RestBinding *binding)
{
    const MessageType *output = binding->method->type->output;
    const char *body = binding->rule->response_body;
    if (binding->raw_answer)
        return;
    if (*body)
        schema_use_field(api, message_field(output, bytes_of(body)), USED_OUT);
    else
        schema_use(api, output, USED_OUT);
}

static void use(OpenApi *api, const Operations *operations)
{
    for (uint32_t i = 0; i < operations->n; i++)
        for (const Operation *one = operations->first[i]; one; one = one->next) {
            const Route *route = one->binding->method->route;
            use_request(api, one->binding);
            use_response(api, one->binding);
            api->proto_names |= route->proto_names;
            api->nulls |= route->emit_nulls;
            api->google_errors |= config_errors_google(api->config, "", route);
            *(route->enums_as_numbers ? &api->enum_numbers : &api->enum_names) = true;
        }
}

static void find_demands(OpenApi *api)
{
    for (uint32_t i = 0; i < api->schema->n_messages; i++) {
        const MessageType *type = &api->schema->messages[i];
        for (uint32_t k = 0; k < type->n_fields; k++)
            api->demands[i] |= type->fields[k].required || type->fields[k].side_required;
    }
    reach_spread(api->schema, api->demands);
}

/* Bindings for the same requests are chained, from the newest version to the oldest. */
static void find_shared(OpenApi *api)
{
    const Service *service = api->version->service;
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t k = 0; k < service->versions[i].n_methods; k++) {
            const Method *method = &service->versions[i].methods[k];
            for (uint32_t b = 0; b < method->n_bindings; b++) {
                const RestBinding **pair = arena_array(api->arena, const RestBinding *, 2);
                pair[0] = &method->bindings[b];
                pair[1] = pair[0]->next;
                for (uint32_t one = 0; pair[1] && one < 2; one++)
                    table_put(&api->shared, bytes(&pair[one], sizeof *pair), pair);
            }
        }
}

static bool speaks_rest(const Service *service)
{
    for (uint32_t i = 0; i < service->n_instances; i++)
        if (service->instances[i].protocol == UPSTREAM_REST)
            return true;
    return false;
}

/* ---- The document ---------------------------------------------------------------------------- */

static const char *day_text(int64_t wall, Arena *arena)
{
    char day[DATE_DAY_SIZE];
    date_write_day(wall / SECOND, day);
    return arena_text(arena, bytes(day, sizeof day));
}

static void add_sentence(Buffer *text, const char *sentence, const char *day)
{
    buffer_printf(text, "%s%s %s.", text->size ? " " : "", sentence, day);
}

static void add_description(OpenApi *api)
{
    const Version *version = api->version;
    Buffer text = buffer_in(api->arena);
    if (version->released)
        add_sentence(&text, "Released on", day_text(version->released, api->arena));
    if (version->deprecated)
        add_sentence(&text, "Deprecated since", day_text(version->deprecated, api->arena));
    if (version->sunset)
        add_sentence(&text, "It is served until", day_text(version->sunset, api->arena));
    if (version->successor_link)
        add_sentence(&text, "Its successor is", version->successor_link);
    if (text.size)
        json_text_add_member(api->out, "description", buffer_bytes(&text));
}

static void add_info(OpenApi *api)
{
    json_add(api, "openapi", "3.1.0");
    json_open(api, "info", '{');
    json_add(api, "title", api->version->service->name);
    json_add(api, "version", api->version->name);
    add_description(api);
    json_close(api, '}');
    json_open(api, "servers", '[');
    json_open_element(api);
    json_add(api, "url", api->question->url ? api->question->url : "/");
    json_close(api, '}');
    json_close(api, ']');
}

/* Of each RPC service that has an operation. */
static void add_tags(OpenApi *api)
{
    const ServiceType *last = NULL;
    json_open(api, "tags", '[');
    for (uint32_t i = 0; i < api->version->n_methods; i++) {
        const Method *method = &api->version->methods[i];
        const ServiceType *type = method->type->service;
        if (type == last || !shows(api, method))
            continue;
        last = type;
        bool own = strcmp(type->package, api->version->package) == 0;
        json_open_element(api);
        json_add(api, "name", own ? type->name : type->full_name);
        schema_add_note(api, notes_of(&api->notes, type->full_name, NULL, api->arena));
        json_close(api, '}');
    }
    json_close(api, ']');
}

static void add_paths(OpenApi *api, const Operations *operations)
{
    json_open(api, "paths", '{');
    for (uint32_t i = 0; i < operations->n && !openapi_is_dropped(api); i++) {
        json_open(api, operations->first[i]->path.text, '{');
        for (const Operation *one = operations->first[i]; one; one = one->next)
            operation_add(api, one);
        json_close(api, '}');
    }
    json_close(api, '}');
}

/* RFC 9457, with the members of docs/errors.md. */
static const char problem[] =
    "\"passerelle.Problem\":{\"type\":\"object\",\"description\":\"An error (RFC 9457). Programs "
    "should use `reason` and `code`.\",\"required\":[\"type\",\"status\",\"code\",\"retryable\"],"
    "\"properties\":{"
    "\"type\":{\"type\":\"string\",\"format\":\"uri-reference\",\"description\":\"A page about "
    "errors of this kind, or about:blank.\"},"
    "\"title\":{\"type\":\"string\"},"
    "\"status\":{\"type\":\"integer\",\"description\":\"That of HTTP.\"},"
    "\"detail\":{\"type\":\"string\",\"description\":\"For people.\"},"
    "\"code\":{\"type\":\"string\",\"description\":\"That of gRPC: NOT_FOUND, UNAVAILABLE.\"},"
    "\"reason\":{\"type\":\"string\",\"description\":\"What went wrong, for programs: "
    "UNKNOWN_FIELD.\"},"
    "\"request_id\":{\"type\":\"string\",\"description\":\"By which the request can be found in "
    "logs.\"},"
    "\"service\":{\"type\":\"string\"},\"version\":{\"type\":\"string\"},"
    "\"leg\":{\"type\":\"string\",\"description\":\"The call that has failed, of a response made "
    "of several.\"},"
    "\"served_by\":{\"type\":\"string\",\"description\":\"The instance that was asked, where that "
    "is told.\"},"
    "\"retryable\":{\"type\":\"boolean\",\"description\":\"Whether the same request may be sent "
    "again without harm.\"},"
    "\"causes\":{\"type\":\"array\",\"items\":{\"type\":\"object\"},\"description\":\"Beneath the "
    "error, where they are told.\"},"
    "\"details\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"@type\":{"
    "\"type\":\"string\"}}},\"description\":\"Messages of any type, as those of google.rpc; "
    "\\\"@type\\\" is the URL of each.\"}}},"
    "\"passerelle.StreamError\":{\"type\":\"object\",\"description\":\"The last item of a stream "
    "that failed.\",\"required\":[\"error\"],\"properties\":{\"error\":{\"$ref\":\"#/components/"
    "schemas/passerelle.Problem\"}}}";

/* That of Google's servers (AIP-193). */
static const char google_error[] =
    ",\"passerelle.GoogleError\":{\"type\":\"object\",\"description\":\"An error (AIP-193).\","
    "\"required\":[\"error\"],\"properties\":{\"error\":{\"type\":\"object\",\"required\":["
    "\"code\",\"status\"],\"properties\":{\"code\":{\"type\":\"integer\",\"description\":\"The "
    "status "
    "of HTTP.\"},\"message\":{\"type\":\"string\"},\"status\":{\"type\":\"string\",\"description\":"
    "\"That of gRPC: "
    "NOT_FOUND.\"},\"details\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}}}";

static const char google_response[] =
    ",\"passerelle.GoogleError\":{\"description\":\"An error.\",\"content\":{\"application/json\":{"
    "\"schema\":{\"$ref\":\"#/components/schemas/passerelle.GoogleError\"}}}}";

static const char error_response[] =
    "\"responses\":{\"passerelle.Error\":{\"description\":\"An error.\",\"content\":{"
    "\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/"
    "passerelle.Problem\"}}}}";

static void add_components(OpenApi *api)
{
    json_open(api, "components", '{');
    json_open(api, "schemas", '{');
    buffer_add_text(api->out, problem);
    if (api->google_errors)
        buffer_add_text(api->out, google_error);
    schema_add_components(api);
    json_close(api, '}');
    buffer_add_byte(api->out, ',');
    buffer_add_text(api->out, error_response);
    if (api->google_errors)
        buffer_add_text(api->out, google_response);
    json_close(api, '}');
    security_add_schemes(api);
    json_close(api, '}');
}

static void write_document(OpenApi *api)
{
    Operations operations = find_operations(api);
    use(api, &operations);
    buffer_add_byte(api->out, '{');
    add_info(api);
    add_tags(api);
    add_paths(api, &operations);
    add_components(api);
    buffer_add_byte(api->out, '}');
}

Result openapi_write(const OpenApiQuestion *question, Buffer *out)
{
    const Schema *schema = question->version->schema;
    Arena *arena = arena_new(ARENA_UNLIMITED); /* limited by the schema */
    OpenApi api = {.question = question,
                   .config = question->config,
                   .version = question->version,
                   .schema = schema,
                   .notes = notes_read(schema, arena),
                   .uses = arena_array(arena, uint8_t, schema->n_messages + 1),
                   .demands = arena_array(arena, uint8_t, schema->n_messages + 1),
                   .enums = arena_array(arena, bool, schema->n_enums + 1),
                   .shared = table_in(arena),
                   .is_rest = speaks_rest(question->version->service),
                   .arena = arena,
                   .out = out};
    if (!openapi_is_dropped(&api)) {
        find_demands(&api);
        find_shared(&api);
        write_document(&api);
    }
    bool dropped = openapi_is_dropped(&api);
    arena_free(arena);
    if (dropped)
        return FAIL(out->arena, FAULT_CANCELLED, "writing an OpenAPI document");
    return out->full ? FAIL(out->arena, FAULT_OUT_OF_MEMORY, "writing an OpenAPI document") : OK;
}

/* ---- For people ------------------------------------------------------------------------------ */

static void add_line(Buffer *out, uint32_t depth)
{
    buffer_printf(out, "\n%*s", (int)depth * 2, "");
}

/* The size of the text at the start, with its quotes. */
static size_t text_size(Bytes json)
{
    size_t at = 1;
    while (at < json.size && json.data[at] != '"')
        at += json.data[at] == '\\' ? 2 : 1;
    return at + 1;
}

void openapi_indent(Bytes json, Buffer *out)
{
    uint32_t depth = 0;
    for (size_t at = 0; at < json.size; at++) {
        uint8_t c = json.data[at], next = at + 1 < json.size ? json.data[at + 1] : 0;
        bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';
        bool is_empty = opens && (next == '}' || next == ']');
        if (c == '"') {
            Bytes text = bytes_slice(json, at, json.size);
            text.size = text_size(text);
            buffer_add_bytes(out, text);
            at += text.size - 1;
            continue;
        }
        if (closes)
            add_line(out, --depth);
        buffer_add_byte(out, c);
        if (is_empty) {
            buffer_add_byte(out, next);
            at++;
        } else if (opens) {
            add_line(out, ++depth);
        } else if (c == ',') {
            add_line(out, depth);
        } else if (c == ':') {
            buffer_add_byte(out, ' ');
        }
    }
}
