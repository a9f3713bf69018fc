/*
 * Literal messages: a message that is a value in a change list, as wire bytes.
 *
 * It is written as its fields ({units: 1}), or in the JSON form of a well-known type: a Timestamp's
 * "2026-03-01T00:00:00Z", a FieldMask's "name,size", a Struct's own members. Every part is parsed
 * by its type when the list is loaded, so that no value can fail a call later.
 */
#include "adapters/changes/change_list.h"
#include "adapters/changes/literal.h"

#include "adapters/schema/wire.h"
#include "adapters/text/time_text.h"

/* One value while it is read. */
typedef struct Reading {
    ChangeList *list;
    const char *path;
} Reading;

static bool has_text(const JsonNode *node)
{
    return node->kind == JSON_TEXT || node->kind == JSON_STRING;
}

static bool refuse(const Reading *r, const JsonNode *node, const MessageType *type,
                   const char *hint)
{
    change_problem(r->list, *yaml_place(&r->list->document, node), r->path, hint,
                   "this is no value of %s", type->full_name);
    return false;
}

/* ---- Wire ------------------------------------------------------------------------------------ */

static void add_fixed(Buffer *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buffer_add_byte(out, (uint8_t)(value >> (8 * i)));
}

static uint64_t bits_of_double(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint64_t bits_of_float(double value)
{
    float single = (float)value;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    return bits;
}

static void add_scalar(Buffer *out, uint32_t number, FieldKind kind, const Literal *value)
{
    switch (kind) {
    case KIND_STRING:
    case KIND_BYTES: wire_add_bytes(out, number, value->bytes); return;
    case KIND_DOUBLE:
    case KIND_FIXED64:
    case KIND_SFIXED64:
        wire_add_tag(out, number, WIRE_FIXED64);
        add_fixed(out, kind == KIND_DOUBLE ? bits_of_double(value->d) : value->u, 8);
        return;
    case KIND_FLOAT:
    case KIND_FIXED32:
    case KIND_SFIXED32:
        wire_add_tag(out, number, WIRE_FIXED32);
        add_fixed(out, kind == KIND_FLOAT ? bits_of_float(value->d) : value->u, 4);
        return;
    case KIND_SINT32:
    case KIND_SINT64: wire_add_number(out, number, wire_zigzag(value->i)); return;
    default: wire_add_number(out, number, value->u);
    }
}

static void add_message(Buffer *out, const FieldType *field, uint32_t number, Bytes content)
{
    if (field->kind != KIND_GROUP) {
        wire_add_bytes(out, number, content);
        return;
    }
    wire_add_tag(out, number, WIRE_GROUP);
    buffer_add_bytes(out, content);
    wire_add_tag(out, number, WIRE_GROUP_END);
}

/* Adds one value of the field, as a record with this field number. */
static bool add_value(const Reading *r, const JsonNode *node, const FieldType *field,
                      uint32_t number, Buffer *out)
{
    Literal value;
    if (!change_literal(r->list, node, r->path, value_type_element(field), &value))
        return false;
    if (field->message)
        add_message(out, field, number, value.bytes);
    else
        add_scalar(out, number, field->kind, &value);
    return true;
}

bool change_literal_list(ChangeList *list, const JsonNode *node, const char *path,
                         const FieldType *field, Literal *literal_out)
{
    const Reading r = {list, path};
    Buffer records = buffer_in(list->arena);
    bool good = true;
    for (const JsonNode *item = node->first; item; item = item->next)
        good &= add_value(&r, item, field, 1, &records);
    literal_out->bytes = buffer_bytes(&records);
    return good;
}

/* ---- Fields ---------------------------------------------------------------------------------- */

static bool add_entries(const Reading *r, const JsonNode *node, const FieldType *field, Buffer *out)
{
    const FieldType *key = message_field_by_number(field->message, 1);
    const FieldType *value = message_field_by_number(field->message, 2);
    bool good = node->kind == JSON_OBJECT || refuse(r, node, field->message, "write {KEY: VALUE}");
    for (const JsonNode *item = good ? node->first : NULL; item; item = item->next) {
        Buffer entry = buffer_in(r->list->arena);
        JsonNode name = *item;
        name.kind = JSON_STRING;
        name.text = item->name;
        Literal literal;
        good &= change_literal(r->list, &name, r->path, value_type_of(key), &literal);
        add_scalar(&entry, 1, key->kind, &literal);
        good &= add_value(r, item, value, 2, &entry);
        wire_add_bytes(out, field->number, buffer_bytes(&entry));
    }
    return good;
}

static bool add_field(const Reading *r, const JsonNode *node, const FieldType *field, Buffer *out)
{
    bool good = true;
    Literal value;
    if (field->map)
        return add_entries(r, node, field, out);
    if (field->repeated && node->kind == JSON_ARRAY) {
        for (const JsonNode *item = node->first; item; item = item->next)
            good &= add_value(r, item, field, field->number, out);
        return good;
    }
    if (field->message || !field_is_implicit(field))
        return add_value(r, node, field, field->number, out);
    good = change_literal(r->list, node, r->path, value_type_of(field), &value);
    if (good && !literal_is_zero(&value, value_type_of(field)))
        add_scalar(out, field->number, field->kind, &value);
    return good;
}

bool literal_read_field(const YamlDocument *document, const JsonNode *node, const char *path,
                        const FieldType *field, Problems *problems, Buffer *records)
{
    ChangeList list = literal_reader(records->arena, document, problems);
    const Reading r = {&list, path};
    return add_field(&r, node, field, records);
}

static bool add_fields(const Reading *r, const JsonNode *node, const MessageType *type, Buffer *out)
{
    bool good = true;
    for (const JsonNode *member = node->first; member; member = member->next) {
        const FieldType *field = message_field(type, member->name);
        if (field) {
            good &= add_field(r, member, field, out);
            continue;
        }
        const char *near = nearest_field(type, r->list->arena, member->name);
        change_problem(r->list, *yaml_place(&r->list->document, member), r->path,
                       near ? arena_printf(r->list->arena, "did you mean %s?", near) : NULL,
                       "%s has no field %.*s", type->full_name, BYTES_ARGS(member->name));
        good = false;
    }
    return good;
}

/* ---- JSON's spellings ------------------------------------------------------------------------ */

static void add_time(Buffer *out, TimeParts time)
{
    if (time.seconds)
        wire_add_number(out, 1, (uint64_t)time.seconds);
    if (time.nanos)
        wire_add_number(out, 2, (uint64_t)(int64_t)time.nanos);
}

/* "displayName" is display_name, as in JSON. */
static void add_mask_path(Arena *arena, Bytes path, Buffer *out)
{
    Buffer name = buffer_in(arena);
    for (size_t i = 0; i < path.size; i++) {
        uint8_t c = path.data[i];
        bool upper = c >= 'A' && c <= 'Z';
        if (upper)
            buffer_add_byte(&name, '_');
        buffer_add_byte(&name, upper ? c | 0x20 : c);
    }
    wire_add_bytes(out, 1, buffer_bytes(&name));
}

static void add_mask(Arena *arena, Bytes text, Buffer *out)
{
    Bytes path;
    while (text.size && bytes_split(&text, ',', &path))
        add_mask_path(arena, path, out);
}

static void add_json(Arena *arena, const JsonNode *node, Buffer *out);

static void add_struct(Arena *arena, const JsonNode *node, Buffer *out)
{
    for (const JsonNode *member = node->first; member; member = member->next) {
        Buffer entry = buffer_in(arena), value = entry;
        add_json(arena, member, &value);
        wire_add_bytes(&entry, 1, member->name);
        wire_add_bytes(&entry, 2, buffer_bytes(&value));
        wire_add_bytes(out, 1, buffer_bytes(&entry));
    }
}

static void add_json_list(Arena *arena, const JsonNode *node, Buffer *out)
{
    for (const JsonNode *item = node->first; item; item = item->next) {
        Buffer value = buffer_in(arena);
        add_json(arena, item, &value);
        wire_add_bytes(out, 1, buffer_bytes(&value));
    }
}

/* A word without quotes has the type that YAML gives it: a number, true, false, null, or a
   string. */
static void add_json_word(Bytes text, Buffer *out)
{
    static const ValueType number = {.kind = KIND_DOUBLE};
    Literal value;
    if (bytes_are(text, "null"))
        wire_add_number(out, 1, 0);
    else if (bytes_are(text, "true") || bytes_are(text, "false"))
        wire_add_number(out, 4, bytes_are(text, "true"));
    else if (change_scalar(NULL, text, number, &value))
        add_scalar(out, 2, KIND_DOUBLE, &value);
    else
        wire_add_bytes(out, 3, text);
}

/* A google.protobuf.Value. */
static void add_json(Arena *arena, const JsonNode *node, Buffer *out)
{
    Buffer inner = buffer_in(arena);
    switch (node->kind) {
    case JSON_NULL: add_json_word(bytes_of("null"), out); return;
    case JSON_TRUE: add_json_word(bytes_of("true"), out); return;
    case JSON_FALSE: add_json_word(bytes_of("false"), out); return;
    case JSON_NUMBER:
    case JSON_TEXT: add_json_word(node->text, out); return;
    case JSON_STRING: wire_add_bytes(out, 3, node->text); return;
    case JSON_OBJECT: add_struct(arena, node, &inner); break;
    case JSON_ARRAY: add_json_list(arena, node, &inner); break;
    }
    wire_add_bytes(out, node->kind == JSON_OBJECT ? 5 : 6, buffer_bytes(&inner));
}

static bool add_spelled_time(const Reading *r, const JsonNode *node, const MessageType *type,
                             Buffer *out)
{
    bool duration = type->well_known == WELL_KNOWN_DURATION;
    TimeParts time;
    bool good = has_text(node) &&
                (duration ? duration_read(node->text, &time) : timestamp_read(node->text, &time));
    if (!good)
        return refuse(r, node, type, duration ? "\"1.5s\"" : "\"2026-03-01T00:00:00Z\"");
    add_time(out, time);
    return true;
}

/* Adds a message written in its well-known JSON form. *spelled_out: whether it is written so; if
   not, returns false. */
static bool add_spelled(const Reading *r, const JsonNode *node, const MessageType *type,
                        Buffer *out, bool *spelled_out)
{
    bool object = node->kind == JSON_OBJECT, array = node->kind == JSON_ARRAY;
    *spelled_out = true;
    switch (type->well_known) {
    case WELL_KNOWN_TIMESTAMP:
    case WELL_KNOWN_DURATION:
        if (!object)
            return add_spelled_time(r, node, type, out);
        break;
    case WELL_KNOWN_WRAPPER:
        if (!object)
            return add_value(r, node, &type->fields[0], 1, out);
        break;
    case WELL_KNOWN_FIELD_MASK:
        if (has_text(node)) {
            add_mask(r->list->arena, node->text, out);
            return true;
        }
        break;
    case WELL_KNOWN_VALUE: add_json(r->list->arena, node, out); return true;
    case WELL_KNOWN_STRUCT:
        if (object) {
            add_struct(r->list->arena, node, out);
            return true;
        }
        break;
    case WELL_KNOWN_LIST_VALUE:
        if (array) {
            add_json_list(r->list->arena, node, out);
            return true;
        }
        break;
    default: break;
    }
    return *spelled_out = false;
}

bool change_literal_message(ChangeList *list, const JsonNode *node, const char *path,
                            const MessageType *type, Literal *literal_out)
{
    const Reading r = {list, path};
    Buffer out = buffer_in(list->arena);
    bool spelled;
    bool good = add_spelled(&r, node, type, &out, &spelled);
    if (!spelled)
        good = node->kind == JSON_OBJECT
                   ? add_fields(&r, node, type, &out)
                   : refuse(&r, node, type, "write {}, or its fields: {FIELD: VALUE}");
    literal_out->bytes = buffer_bytes(&out);
    return good;
}
