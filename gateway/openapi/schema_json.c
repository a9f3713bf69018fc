/* Messages, enums and fields as JSON Schema, by protobuf's mapping to JSON. */
#include "gateway/openapi/openapi_internal.h"

#include "base/arena.h"
#include "base/text/json_text.h"

/* ---- What is used ---------------------------------------------------------------------------- */

static bool is_plain(const MessageType *type)
{
    return type->well_known == WELL_KNOWN_NONE && !type->message_set;
}

/* In a map: of its values. */
static const FieldType *value_field(const FieldType *field)
{
    return field->map ? message_field_by_number(field->message, 2) : field;
}

void schema_use(OpenApi *api, const MessageType *type, uint8_t uses)
{
    const MessageType **waiting =
        arena_array(api->arena, const MessageType *, api->schema->n_messages + 1);
    uint32_t n = 0;
    waiting[n++] = type;
    api->uses[type->index] |= uses;
    while (n) {
        const MessageType *at = waiting[--n];
        for (uint32_t i = 0; is_plain(at) && i < at->n_fields; i++) {
            const FieldType *field = value_field(&at->fields[i]);
            const MessageType *inner = field->message;
            uint8_t *known = inner ? &api->uses[inner->index] : NULL;
            if (!inner || (*known & uses) == uses)
                continue;
            *known |= uses;
            waiting[n++] = inner;
        }
    }
}

void schema_use_field(OpenApi *api, const FieldType *field, uint8_t uses)
{
    field = value_field(field);
    if (field->message)
        schema_use(api, field->message, uses);
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* Short in the version's own package; else whole, so that no two are the same. */
static const char *name_in(const OpenApi *api, const char *package, const char *full_name)
{
    size_t size = strlen(package);
    bool own = size && strcmp(package, api->version->package) == 0;
    return own ? full_name + size + 1 : full_name;
}

/* Requests need fields that responses may leave out: they are zero there. */
static bool is_parted(const OpenApi *api, const MessageType *type)
{
    uint8_t both = USED_IN | USED_OUT;
    return api->demands[type->index] && (api->uses[type->index] & both) == both;
}

const char *schema_name(const OpenApi *api, const MessageType *type, Side side)
{
    const char *name = name_in(api, type->package, type->full_name);
    return side == SIDE_IN && is_parted(api, type) ? arena_printf(api->arena, "%s.Input", name)
                                                   : name;
}

static void add_reference(OpenApi *api, const char *name)
{
    json_add(api, "$ref", arena_printf(api->arena, "#/components/schemas/%s", name));
}

/* ---- Values ---------------------------------------------------------------------------------- */

static void add_integer(OpenApi *api, const char *format, const char *least, const char *most)
{
    json_add(api, "type", "integer");
    json_add(api, "format", format);
    buffer_printf(api->out, ",\"minimum\":%s,\"maximum\":%s", least, most);
}

/* 64 bits are a text in JSON, whose numbers have fewer. */
static void add_long(OpenApi *api, const char *format, const char *pattern)
{
    json_add(api, "type", "string");
    json_add(api, "format", format);
    json_add(api, "pattern", pattern);
}

static void add_bytes(OpenApi *api)
{
    json_add(api, "type", "string");
    json_add(api, "format", "byte");
    json_add(api, "contentEncoding", "base64");
}

static void add_number(OpenApi *api, const char *format)
{
    json_add(api, "type", "number");
    json_add(api, "format", format);
}

static void add_scalar(OpenApi *api, FieldKind kind)
{
    switch (kind) {
    case KIND_DOUBLE: add_number(api, "double"); return;
    case KIND_FLOAT:
        add_number(api, "float");
        buffer_add_text(api->out, ",\"minimum\":-3.402823466e38,\"maximum\":3.402823466e38");
        return;
    case KIND_INT32:
    case KIND_SINT32:
    case KIND_SFIXED32: add_integer(api, "int32", "-2147483648", "2147483647"); return;
    case KIND_UINT32:
    case KIND_FIXED32: add_integer(api, "uint32", "0", "4294967295"); return;
    case KIND_INT64:
    case KIND_SINT64:
    case KIND_SFIXED64: add_long(api, "int64", "^-?[0-9]{1,19}$"); return;
    case KIND_UINT64:
    case KIND_FIXED64: add_long(api, "uint64", "^[0-9]{1,20}$"); return;
    case KIND_BOOL: json_add(api, "type", "boolean"); return;
    case KIND_BYTES: add_bytes(api); return;
    case KIND_STRING:
    case KIND_GROUP:
    case KIND_MESSAGE:
    case KIND_ENUM: break;
    }
    json_add(api, "type", "string");
}

static void add_any(OpenApi *api)
{
    json_add(api, "type", "object");
    json_add(api, "description",
             "A message of any type. \"@type\" is its URL, and the other members are its own.");
    buffer_add_text(api->out, ",\"properties\":{\"@type\":{\"type\":\"string\"}}");
}

static void add_duration(OpenApi *api)
{
    json_add(api, "type", "string");
    json_add(api, "pattern", "^-?[0-9]{1,12}(\\.[0-9]{1,9})?s$");
}

static void add_time(OpenApi *api)
{
    json_add(api, "type", "string");
    json_add(api, "format", "date-time");
}

/* A wrapper is the value in it. */
static void add_well_known(OpenApi *api, const MessageType *type, Side side)
{
    switch (type->well_known) {
    case WELL_KNOWN_ANY: add_any(api); return;
    case WELL_KNOWN_TIMESTAMP: add_time(api); return;
    case WELL_KNOWN_DURATION: add_duration(api); return;
    case WELL_KNOWN_FIELD_MASK: json_add(api, "type", "string"); return;
    case WELL_KNOWN_LIST_VALUE:
        json_add(api, "type", "array");
        json_open(api, "items", '{');
        json_close(api, '}');
        return;
    case WELL_KNOWN_VALUE: return; /* any JSON */
    case WELL_KNOWN_WRAPPER: schema_add_value(api, &type->fields[0], side); return;
    case WELL_KNOWN_EMPTY:
    case WELL_KNOWN_STRUCT:
    case WELL_KNOWN_NONE: break;
    }
    json_add(api, "type", "object");
}

void schema_add_message(OpenApi *api, const MessageType *type, Side side)
{
    if (type->message_set)
        json_add(api, "type", "object");
    else if (is_plain(type))
        add_reference(api, schema_name(api, type, side));
    else
        add_well_known(api, type, side);
}

static void add_enum_reference(OpenApi *api, const EnumType *type)
{
    api->enums[type->index] = true;
    add_reference(api, name_in(api, type->package, type->full_name));
}

void schema_add_value(OpenApi *api, const FieldType *field, Side side)
{
    if (field->message)
        schema_add_message(api, field->message, side);
    else if (field->enumeration && field->enumeration->is_null_value)
        json_add(api, "type", "null");
    else if (field->enumeration)
        add_enum_reference(api, field->enumeration);
    else
        add_scalar(api, field->kind);
}

static void add_keys(OpenApi *api, const FieldType *key)
{
    if (key->kind == KIND_STRING)
        return;
    json_open(api, "propertyNames", '{');
    if (key->kind == KIND_BOOL)
        buffer_add_text(api->out, "\"enum\":[\"false\",\"true\"]");
    else
        json_add(api, "pattern", "^-?[0-9]{1,20}$");
    json_close(api, '}');
}

static void add_value_or_null(OpenApi *api, const FieldType *field, Side side)
{
    json_open(api, "anyOf", '[');
    json_open_element(api);
    schema_add_value(api, field, side);
    json_close(api, '}');
    json_open_element(api);
    json_add(api, "type", "null");
    json_close(api, '}');
    json_close(api, ']');
}

void schema_add_field(OpenApi *api, const FieldType *field, Side side)
{
    if (!field->repeated) {
        bool or_null = side == SIDE_OUT && api->nulls && field_emits_null(field);
        (or_null ? add_value_or_null : schema_add_value)(api, field, side);
        return;
    }
    json_add(api, "type", field->map ? "object" : "array");
    if (field->map)
        add_keys(api, message_field_by_number(field->message, 1));
    json_open(api, field->map ? "additionalProperties" : "items", '{');
    schema_add_value(api, value_field(field), side);
    json_close(api, '}');
}

/* ---- Objects --------------------------------------------------------------------------------- */

void schema_add_note(OpenApi *api, const Note *note)
{
    if (note->comment.size)
        json_text_add_member(api->out, "description", note->comment);
    if (note->deprecated)
        json_text_add_bool(api->out, "deprecated", true);
    if (note->output_only)
        json_text_add_bool(api->out, "readOnly", true);
    if (note->input_only)
        json_text_add_bool(api->out, "writeOnly", true);
}

const char *schema_field_name(const OpenApi *api, const FieldType *field)
{
    return api->proto_names ? field->name : field->json_name;
}

static bool is_covered(const Covered *covered, const FieldType *field)
{
    for (uint32_t i = 0; covered && i < covered->n; i++)
        if (covered->fields[i] == field)
            return true;
    return false;
}

static const Note *note_of(OpenApi *api, const FieldType *field)
{
    const char *parent = field->extension ? field->name : field->parent->full_name;
    return notes_of(&api->notes, parent, field->extension ? NULL : field->name, api->arena);
}

static bool is_demanded(const FieldType *field)
{
    return field->required || field->side_required;
}

/* What is empty is absent, unless the field can tell both apart. */
static void add_least(OpenApi *api, const FieldType *field)
{
    if (!is_demanded(field) || field->presence)
        return;
    if (field->repeated)
        json_text_add_number(api->out, field->map ? "minProperties" : "minItems", 1);
    else if (field->kind == KIND_STRING)
        json_text_add_number(api->out, "minLength", 1);
}

static void add_properties(OpenApi *api, const MessageType *type, Side side, const Covered *covered)
{
    json_open(api, "properties", '{');
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const FieldType *field = &type->fields[i];
        if (is_covered(covered, field))
            continue;
        json_open(api, schema_field_name(api, field), '{');
        schema_add_field(api, field, side);
        if (side == SIDE_IN)
            add_least(api, field);
        schema_add_note(api, note_of(api, field));
        json_close(api, '}');
    }
    json_close(api, '}');
}

static void add_required(OpenApi *api, const MessageType *type, const Covered *covered)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const FieldType *field = &type->fields[i];
        if (is_covered(covered, field) || !is_demanded(field))
            continue;
        if (n++ == 0)
            json_open(api, "required", '[');
        json_text_add_element(api->out);
        json_text_add(api->out, bytes_of(schema_field_name(api, field)));
    }
    if (n)
        json_close(api, ']');
}

/* At most one member of each oneof. Two by two, since readers of OpenAPI understand `oneOf` as a
   choice between types; a oneof with very many members would need too many pairs. */
enum { ONEOF_MOST = 12 };

static void add_pair(OpenApi *api, const FieldType *a, const FieldType *b, uint32_t *n)
{
    if ((*n)++ == 0)
        buffer_add_text(api->out, ",\"not\":{\"anyOf\":[");
    json_open_element(api);
    json_open(api, "required", '[');
    json_text_add(api->out, bytes_of(schema_field_name(api, a)));
    json_text_add_element(api->out);
    json_text_add(api->out, bytes_of(schema_field_name(api, b)));
    json_close(api, ']');
    json_close(api, '}');
}

static void add_oneofs(OpenApi *api, const MessageType *type)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < type->n_oneofs; i++) {
        const OneofType *oneof = &type->oneofs[i];
        for (uint32_t a = 0; oneof->n_fields <= ONEOF_MOST && a < oneof->n_fields; a++)
            for (uint32_t b = a + 1; b < oneof->n_fields; b++)
                add_pair(api, oneof->fields[a], oneof->fields[b], &n);
    }
    if (n)
        buffer_add_text(api->out, "]}");
}

void schema_add_object(OpenApi *api, const MessageType *type, Side side, const Covered *covered,
                       bool open)
{
    json_add(api, "type", "object");
    add_properties(api, type, side, covered);
    if (side == SIDE_IN)
        add_required(api, type, covered);
    if (!covered)
        add_oneofs(api, type);
    if (!open)
        json_text_add_bool(api->out, "additionalProperties", false);
}

/* ---- Components ------------------------------------------------------------------------------ */

static void add_component(OpenApi *api, const MessageType *type, Side side)
{
    uint8_t uses = api->uses[type->index];
    bool only_out = !(uses & USED_IN) || (side == SIDE_OUT && is_parted(api, type));
    json_open(api, schema_name(api, type, side), '{');
    schema_add_object(api, type, side, NULL, only_out || (uses & USED_OPEN));
    schema_add_note(api, notes_of(&api->notes, type->full_name, NULL, api->arena));
    json_close(api, '}');
}

static void add_names(OpenApi *api, const EnumType *type)
{
    json_add(api, "type", "string");
    json_open(api, "enum", '[');
    for (uint32_t i = 0; i < type->n_values; i++) {
        json_text_add_element(api->out);
        json_text_add(api->out, bytes_of(type->values[i].name));
    }
    json_close(api, ']');
}

static bool is_alias(const EnumType *type, uint32_t at)
{
    return enum_value_by_number(type, type->values[at].number) != &type->values[at];
}

static void add_numbers(OpenApi *api, const EnumType *type)
{
    json_add(api, "type", "integer");
    json_open(api, "enum", '[');
    for (uint32_t i = 0; i < type->n_values; i++) {
        if (is_alias(type, i))
            continue;
        json_text_add_element(api->out);
        buffer_printf(api->out, "%d", type->values[i].number);
    }
    json_close(api, ']');
}

static void add_values(OpenApi *api, const EnumType *type)
{
    if (!api->enum_numbers || !api->enum_names) {
        (api->enum_numbers ? add_numbers : add_names)(api, type);
        return;
    }
    json_open(api, "anyOf", '[');
    json_open_element(api);
    add_names(api, type);
    json_close(api, '}');
    json_open_element(api);
    add_numbers(api, type);
    json_close(api, '}');
    json_close(api, ']');
}

/* What is said of the values goes to the enum: JSON Schema has no place for it. */
static Note note_of_enum(OpenApi *api, const EnumType *type)
{
    Note note = *notes_of(&api->notes, type->full_name, NULL, api->arena);
    Buffer text = buffer_in(api->arena);
    buffer_add_bytes(&text, note.comment);
    for (uint32_t i = 0; i < type->n_values; i++) {
        const char *name = type->values[i].name;
        const Note *value = notes_of(&api->notes, type->full_name, name, api->arena);
        if (!value->comment.size && !value->deprecated)
            continue;
        buffer_printf(&text, "%s- `%s`%s%s%.*s", text.size ? "\n" : "", name,
                      value->deprecated ? " (deprecated)" : "", value->comment.size ? ": " : "",
                      BYTES_ARGS(value->comment));
    }
    note.comment = buffer_bytes(&text);
    return note;
}

void schema_add_components(OpenApi *api)
{
    for (uint32_t i = 0; i < api->schema->n_messages && !openapi_is_dropped(api); i++) {
        const MessageType *type = &api->schema->messages[i];
        if (!api->uses[i] || !is_plain(type) || type->map_entry)
            continue;
        if (is_parted(api, type))
            add_component(api, type, SIDE_IN);
        add_component(api, type, api->uses[i] & USED_OUT ? SIDE_OUT : SIDE_IN);
    }
    for (uint32_t i = 0; i < api->schema->n_enums; i++) {
        const EnumType *type = &api->schema->enums[i];
        if (!api->enums[i] || type->is_null_value)
            continue;
        Note note = note_of_enum(api, type);
        json_open(api, name_in(api, type->package, type->full_name), '{');
        add_values(api, type);
        schema_add_note(api, &note);
        json_close(api, '}');
    }
}
