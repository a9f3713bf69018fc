/* What a method demands of its requests beyond their schema. */
#include "gateway/openapi/openapi_internal.h"

#include "adapters/mapping/path_rewrite.h"
#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "base/text/json_text.h"

enum { DEMANDS_MOST = 64 };

typedef struct Finding {
    Demands demands;
    bool whole;
} Finding;

static void add(void *owner, const char *path)
{
    Finding *finding = owner;
    Demands *demands = &finding->demands;
    if (demands->n < DEMANDS_MOST)
        demands->items[demands->n++] = (Demand){path, finding->whole};
}

/* The key of a job's resource, "spec.name", in the version in which the gateway makes it. */
static Bytes key_path(const JobMethod *job, Arena *arena)
{
    Buffer path = buffer_in(arena);
    for (const FieldType *const *at = job->key; at && *at; at++)
        buffer_printf(&path, "%s%s", path.size ? "." : "", (*at)->name);
    return buffer_bytes(&path);
}

/* A client of another version has other names for it, or several fields of which it is made. */
static void add_key(const OpenApi *api, const Method *method, Finding *finding)
{
    const Method *made = method->extras->made_as;
    Bytes path = key_path(made->extras->job, api->arena), found;
    finding->whole = true;
    if (made == method) {
        add(finding, arena_text(api->arena, path));
        return;
    }
    const MappingSet *set = made->version->to[method->version->index];
    const Mapping *mapping = set ? mapping_set_input(set, made->type) : NULL;
    PathRewrite rewrite = path_rewrite_in(api->arena);
    if (!mapping || !path_rewrite(&rewrite, mapping, path))
        return;
    WireReader reader = wire_reader(buffer_bytes(&rewrite.paths));
    for (WireField f; wire_next(&reader, &f);) {
        found = f.bytes;
        add(finding, arena_text(api->arena, found));
    }
}

Demands demands_of(const OpenApi *api, const Method *method)
{
    Finding finding = {.demands.items = arena_array(api->arena, Demand, DEMANDS_MOST)};
    if (method->extras->rules)
        rules_see_required(method->extras->rules, api->arena, add, &finding);
    if (method->extras->made_as && method->extras->made_as->extras->job &&
        method->extras->made_as->extras->job->key)
        add_key(api, method, &finding);
    return finding.demands;
}

bool demands_have(const Demands *demands, const char *path)
{
    for (uint32_t i = 0; i < demands->n; i++)
        if (strcmp(demands->items[i].path, path) == 0)
            return true;
    return false;
}

/* ---- As JSON Schema -------------------------------------------------------------------------- */

static void add_last(OpenApi *api, const FieldType *field)
{
    if (field->repeated)
        json_text_add_number(api->out, field->map ? "minProperties" : "minItems", 1);
    else if (field->kind == KIND_STRING)
        json_text_add_number(api->out, "minLength", 1);
}

/* What the object at the end of `out` must have, for the field at `path` within the type; as deep
   as the path. */
static void add_step(OpenApi *api, const MessageType *type, Bytes path, bool whole)
{
    Bytes name;
    bytes_split(&path, '.', &name);
    const FieldType *field = message_field(type, name);
    if (!field)
        return;
    const char *shown = schema_field_name(api, field);
    if (whole || !path.size) {
        json_open(api, "required", '[');
        json_text_add(api->out, bytes_of(shown));
        json_close(api, ']');
    }
    json_open(api, "properties", '{');
    json_open(api, shown, '{');
    const MessageType *inner = field_element_message(field);
    bool each = field->repeated && path.size;
    if (each)
        json_open(api, field->map ? "additionalProperties" : "items", '{');
    if (path.size && inner)
        add_step(api, inner, path, whole);
    else
        add_last(api, field);
    if (each)
        json_close(api, '}');
    json_close(api, '}');
    json_close(api, '}');
}

/* The part of the path that is in the body; data NULL: it is somewhere else. */
static Bytes path_in_body(const char *path, const MessageType *input, const FieldType *body,
                          const Covered *covered)
{
    Bytes rest = bytes_of(path), name, whole = rest;
    bytes_split(&rest, '.', &name);
    const FieldType *first = message_field(input, name);
    if (body)
        return first == body && rest.size && !body->repeated ? rest : BYTES_NONE;
    for (uint32_t i = 0; i < covered->n; i++)
        if (covered->fields[i] == first)
            return BYTES_NONE;
    return whole;
}

void demands_add(OpenApi *api, const Demands *demands, const MessageType *input,
                 const FieldType *body, const Covered *covered)
{
    uint32_t n = 0;
    const MessageType *type = body ? body->message : input;
    for (uint32_t i = 0; type && i < demands->n; i++) {
        Bytes path = path_in_body(demands->items[i].path, input, body, covered);
        if (!path.data)
            continue;
        if (n++ == 0)
            json_open(api, "allOf", '[');
        json_open_element(api);
        add_step(api, type, path, demands->items[i].whole);
        json_close(api, '}');
    }
    if (n)
        json_close(api, ']');
}
