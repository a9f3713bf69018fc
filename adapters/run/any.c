/*
 * google.protobuf.Any: its content is converted by the program of its type, and its type URL is
 * changed accordingly.
 *
 * Content of an unknown type is never dropped: between protobuf and protobuf its bytes are kept; in
 * JSON they are written as {"@type": ..., "value": base64}, which is also read. For a type of the
 * source version without a counterpart the change list decides: an error, an empty Any, or its
 * bytes as above.
 */
#include "adapters/run/runner.h"

#include "base/text/base64.h"
#include "base/text/utf8.h"

typedef struct AnyParts {
    Bytes type_url, value;
} AnyParts;

/* How this type is converted; all zero for an unknown type. */
static AnyType find_any_type(Runner *runner, const Program *any, Bytes url)
{
    Bytes name = any_type_name(url);
    const AnyType *found = any->held ? table_get(any->held, name) : NULL;
    if (!found)
        found = table_get(runner->set->any[any->from_codec][any->to_codec], name);
    return found ? *found : (AnyType){.bytes_in = true, .bytes_out = true};
}

static bool write_nothing(Runner *runner, const Program *any)
{
    if (any->to_codec == CODEC_JSON)
        buffer_add_text(runner->out, "{}");
    return true;
}

static bool run_stranded(Runner *runner, const Program *any, const Stranded *stranded)
{
    if (stranded->fate == TYPE_LOUD)
        return run_fail(runner, &FAULT_CANNOT_CONVERT, "%s has no counterpart in the other version",
                        stranded->type->full_name);
    run_loss(runner, stranded->loss);
    return write_nothing(runner, any);
}

static bool read_any(Runner *runner, Bytes message, AnyParts *parts)
{
    *parts = (AnyParts){0};
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_LENGTH)
            parts->type_url = f.bytes;
        else if (f.number == 2 && f.type == WIRE_LENGTH)
            parts->value = f.bytes;
    }
    if (reader.bad)
        return run_fail(runner, &FAULT_BAD_MESSAGE, "the protobuf bytes are not well-formed");
    return utf8_valid(parts->type_url) ||
           run_fail(runner, &FAULT_BAD_VALUE, "a type URL that is not valid UTF-8");
}

/* The URL with the type's name in the target version. */
static Bytes target_url(Runner *runner, const Program *program, Bytes url)
{
    Bytes name = any_type_name(url);
    if (!program || bytes_are(name, program->to->full_name))
        return url;
    Buffer renamed = buffer_in(runner->arena);
    buffer_add(&renamed, url.data, url.size - name.size);
    buffer_add_text(&renamed, program->to->full_name);
    return buffer_bytes(&renamed);
}

static void write_any(Runner *runner, Bytes url, Bytes value)
{
    if (url.size)
        wire_add_bytes(runner->out, 1, url);
    if (value.size)
        wire_add_bytes(runner->out, 2, value);
}

/* Whether the type has a JSON form of its own, which is the member "value" beside "@type". */
static bool has_own_json(const MessageType *type)
{
    return type->well_known != WELL_KNOWN_NONE && type->well_known != WELL_KNOWN_EMPTY;
}

static bool write_json(Runner *runner, const Program *program, Bytes url, Value value)
{
    Buffer *out = runner->out;
    buffer_add_text(out, "{\"@type\":");
    json_write_string(out, target_url(runner, program, url));
    if (!program) {
        buffer_add_text(out, ",\"value\":\"");
        base64_encode(out, value_bytes(value), BASE64_STANDARD, true);
        buffer_add_byte(out, '"');
    } else if (has_own_json(program->to)) {
        buffer_add_text(out, ",\"value\":");
        if (!program_run(runner, program, value))
            return run_failed_in(runner, "value");
    } else if (program->style == PROGRAM_STAGED) {
        Bytes between;
        program_need(runner->set, program);
        if (!program_make(runner, program->first, value, &between) ||
            !program_run_members(runner, program->second, value_of_bytes(between)))
            return false;
    } else if (!program_run_members(runner, program, value)) {
        return false;
    }
    buffer_add_byte(out, '}');
    return true;
}

static bool run_from_wire(Runner *runner, const Program *any, Bytes message)
{
    AnyParts parts;
    if (!read_any(runner, message, &parts))
        return false;
    if (!parts.type_url.size && !parts.value.size)
        return write_nothing(runner, any);
    AnyType type = find_any_type(runner, any, parts.type_url);
    if (type.stranded)
        return run_stranded(runner, any, type.stranded);
    const Program *program = type.program;
    if (any->to_codec == CODEC_JSON && !type.bytes_out)
        return write_json(runner, program, parts.type_url, value_of_bytes(parts.value));
    Bytes value = parts.value;
    if (program && !program_make(runner, program, value_of_bytes(value), &value))
        return run_failed_in(runner, "value");
    Bytes url = target_url(runner, program, parts.type_url);
    if (any->to_codec == CODEC_JSON)
        return write_json(runner, NULL, url, value_of_bytes(value));
    write_any(runner, url, value);
    return true;
}

/* ---- From JSON ------------------------------------------------------------------------------- */

/* A copy of the object without the member "@type", which may be at any position. */
static bool without_type(Runner *runner, const JsonNode *node, JsonNode *rest_out)
{
    JsonNode **tail = &rest_out->first;
    *rest_out = *node;
    rest_out->count = 0;
    *tail = NULL;
    for (const JsonNode *child = node->first; child; child = child->next) {
        if (bytes_are(child->name, "@type"))
            continue;
        JsonNode *copy = arena_alloc(runner->arena, sizeof(JsonNode));
        if (!copy)
            return run_out_of_memory(runner);
        *copy = *child;
        copy->next = NULL;
        *tail = copy;
        tail = &copy->next;
        rest_out->count++;
    }
    return true;
}

/* Finds "@type", which must occur once and be a string. */
static bool find_type(Runner *runner, const JsonNode *node, Bytes *url_out)
{
    unsigned n = 0;
    *url_out = BYTES_NONE;
    for (const JsonNode *child = node->first; child; child = child->next) {
        if (!bytes_are(child->name, "@type"))
            continue;
        n++;
        if (child->kind == JSON_STRING)
            *url_out = child->text;
    }
    if (n == 1 && url_out->size && bytes_find(*url_out, '/') < url_out->size)
        return true;
    run_fail(runner, &FAULT_BAD_VALUE,
             "an Any needs its type, once: \"@type\": \"host/full.name\"");
    return run_failed_in(runner, "@type");
}

/* A missing "value" means no bytes: older versions of protobuf for C++ write it so. */
static bool opaque_value(Runner *runner, const JsonNode *rest, Bytes url, Bytes *value_out)
{
    const JsonNode *value = json_member(rest, "value");
    Buffer decoded = buffer_in(runner->arena);
    if (rest->count > 0 && (rest->count > 1 || !value || value->kind != JSON_STRING ||
                            !base64_decode(&decoded, value->text)))
        return run_fail(runner, &FAULT_BAD_VALUE, "the type \"%.*s\" is not known here",
                        BYTES_ARGS(bytes_cut_text(url, 80)));
    *value_out = buffer_bytes(&decoded);
    return !decoded.full || run_out_of_memory(runner);
}

/* The JSON form of an empty message of a type with a JSON form of its own. */
static const JsonNode *zero_of(const MessageType *type)
{
    static const JsonNode null = {.kind = JSON_NULL}, no = {.kind = JSON_FALSE},
                          list = {.kind = JSON_ARRAY}, object = {.kind = JSON_OBJECT};
    static const JsonNode text = {.kind = JSON_STRING, .text = {(const uint8_t *)"", 0}},
                          number = {.kind = JSON_NUMBER, .text = {(const uint8_t *)"0", 1}},
                          duration = {.kind = JSON_STRING, .text = {(const uint8_t *)"0s", 2}},
                          time = {.kind = JSON_STRING,
                                  .text = {(const uint8_t *)"1970-01-01T00:00:00Z", 20}};
    switch (type->well_known) {
    case WELL_KNOWN_TIMESTAMP: return &time;
    case WELL_KNOWN_DURATION: return &duration;
    case WELL_KNOWN_FIELD_MASK: return &text;
    case WELL_KNOWN_VALUE: return &null;
    case WELL_KNOWN_LIST_VALUE: return &list;
    case WELL_KNOWN_WRAPPER: break;
    case WELL_KNOWN_ANY:
    case WELL_KNOWN_STRUCT:
    case WELL_KNOWN_EMPTY:
    case WELL_KNOWN_NONE: return &object;
    }
    switch (type->fields[0].kind) {
    case KIND_BOOL: return &no;
    case KIND_STRING:
    case KIND_BYTES: return &text;
    default: return &number;
    }
}

/* Whether the fields of an ordinary message are inside "value". C# and JavaScript write all types
   of google.protobuf so, Go writes Empty so. A field with the name "value" (as in
   google.protobuf.Option, an Any) takes precedence. */
static bool is_wrapped(const MessageType *type, const JsonNode *rest, const JsonNode *value)
{
    if (rest->count != 1 || !value || value->kind != JSON_OBJECT ||
        strcmp(type->package, "google.protobuf") != 0)
        return false;
    return !message_field(type, bytes_of("value")) ||
           (value->count > 0 && !json_member(value, "@type"));
}

/* The node that the program of the type reads. For types with a JSON form of their own, the member
   "value", which C++ leaves out if no field is set. */
static bool content_of(Runner *runner, const Program *program, const JsonNode *rest,
                       const JsonNode **content_out)
{
    const MessageType *type = program->from;
    const JsonNode *value = json_member(rest, "value");
    if (!has_own_json(type)) {
        *content_out = is_wrapped(type, rest, value) ? value : rest;
        return true;
    }
    *content_out = rest->count == 0 ? zero_of(type) : value;
    return (*content_out && rest->count <= 1) ||
           run_fail(runner, &FAULT_BAD_VALUE, "%s stands in an Any as \"value\", and alone",
                    type->full_name);
}

static bool run_from_json(Runner *runner, const Program *any, const JsonNode *node)
{
    Bytes url, value = BYTES_NONE;
    JsonNode *rest = arena_make(runner->arena, JsonNode);
    const JsonNode *content;
    if (!rest)
        return run_out_of_memory(runner);
    if (node->kind != JSON_OBJECT)
        return run_fail(runner, &FAULT_BAD_VALUE, "an Any is an object with its \"@type\"");
    if (node->count == 0)
        return write_nothing(runner, any);
    if (!find_type(runner, node, &url) || !without_type(runner, node, rest))
        return false;

    AnyType type = find_any_type(runner, any, url);
    if (type.stranded)
        return run_stranded(runner, any, type.stranded);
    const Program *program = type.program;
    if (type.bytes_in ? !opaque_value(runner, rest, url, &value)
                      : !content_of(runner, program, rest, &content))
        return false;
    Value source = type.bytes_in ? value_of_bytes(value) : (Value){.node = content};
    if (any->to_codec == CODEC_JSON && !type.bytes_out)
        return write_json(runner, program, url, source);
    if (program && !program_make(runner, program, source, &value))
        return false;
    url = target_url(runner, program, url);
    if (any->to_codec == CODEC_JSON)
        return write_json(runner, NULL, url, value_of_bytes(value));
    write_any(runner, url, value);
    return true;
}

bool any_run(Runner *runner, const Program *program, Value source)
{
    return program->from_codec == CODEC_JSON ? run_from_json(runner, program, source.node)
                                             : run_from_wire(runner, program, value_bytes(source));
}
