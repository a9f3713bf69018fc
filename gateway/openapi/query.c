/* Which fields of a request are parameters of its query: those that neither path nor body has. */
#include "gateway/openapi/openapi_internal.h"

#include "adapters/paths/parameter_path.h"
#include "base/arena.h"
#include "base/text/json_text.h"

enum { DEPTH_MOST = 5 /* messages within messages */, PARAMETERS_MOST = 300 };

typedef struct Query {
    OpenApi *api;
    const RestBinding *binding;
    const char *const *said; /* fields of the path, by their names in the schema */
    const Demands *demands;
    const FieldType *body; /* NULL: no field is the body */
    const MessageType *within[DEPTH_MOST];
    uint32_t n;
} Query;

/* "buyer.id", whatever spelling the variable has. */
static const char *normal_path(const MessageType *type, Bytes variable, Arena *arena)
{
    Buffer out = buffer_in(arena);
    ParameterPath path = parameter_path(type, variable);
    while (parameter_path_next(&path) == PARAMETER_FIELD) {
        buffer_printf(&out, "%s%s", out.size ? "." : "", path.field->name);
        if (!path.rest.data)
            break;
    }
    return arena_text(arena, buffer_bytes(&out));
}

static bool is_said(const Query *query, const char *path)
{
    for (size_t i = 0; i < query->binding->n_variables; i++)
        if (strcmp(query->said[i], path) == 0)
            return true;
    return false;
}

/* A repeated message has no form in a query; a map of texts is "labels[key]=value". */
static bool has_form(const FieldType *field)
{
    if (field->map)
        return parameter_may_be_text(message_field_by_number(field->message, 2));
    return parameter_may_be_text(field);
}

static void add_parameter(Query *query, const FieldType *field, const char *path, const char *name)
{
    OpenApi *api = query->api;
    if (query->n++ >= PARAMETERS_MOST)
        return;
    bool top = !strchr(path, '.'), demanded = field->required || field->side_required;
    const Note *note = notes_of(&api->notes, field->parent->full_name, field->name, api->arena);
    parameter_begin(api, name, "query", (top && demanded) || demands_have(query->demands, path));
    if (field->map)
        json_add(api, "style", "deepObject");
    json_open(api, "schema", '{');
    schema_add_field(api, field, SIDE_IN);
    json_close(api, '}');
    schema_add_note(api, note);
    json_close(api, '}');
}

/* As deep as DEPTH_MOST. */
static void add_fields(Query *query, const MessageType *type, const char *path, const char *names,
                       uint32_t depth)
{
    Arena *arena = query->api->arena;
    bool proto_names = query->api->proto_names;
    for (uint32_t i = 0; i < depth; i++)
        if (query->within[i] == type)
            return;
    query->within[depth] = type;
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const FieldType *field = &type->fields[i];
        const char *dot = *path ? "." : "";
        const char *its_path = arena_printf(arena, "%s%s%s", path, dot, field->name);
        const char *its_name =
            arena_printf(arena, "%s%s%s", names, dot, proto_names ? field->name : field->json_name);
        if (field->extension || is_said(query, its_path) || (!*path && field == query->body))
            continue;
        if (has_form(field))
            add_parameter(query, field, its_path, its_name);
        else if (!field->repeated && depth + 1 < DEPTH_MOST &&
                 field->message->well_known == WELL_KNOWN_NONE)
            add_fields(query, field->message, its_path, its_name, depth + 1);
    }
}

void query_add(OpenApi *api, const RestBinding *binding, const Demands *demands)
{
    const MessageType *input = binding->method->type->input;
    const char *body = binding->rule->body;
    if (strcmp(body, "*") == 0)
        return;
    const char **said = arena_array(api->arena, const char *, binding->n_variables + 1);
    for (size_t i = 0; i < binding->n_variables; i++)
        said[i] = normal_path(input, binding->variables[i], api->arena);
    Query query = {.api = api,
                   .binding = binding,
                   .said = said,
                   .demands = demands,
                   .body = *body ? message_field(input, bytes_of(body)) : NULL};
    add_fields(&query, input, "", "", 0);
}
