#include "adapters/changes/change_list.h"

#include "base/text/base64.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static const char *kind_in_words(ValueType type)
{
    if (type.kind == KIND_ENUM)
        return type.enumeration->name;
    if (type.kind == KIND_MESSAGE || type.kind == KIND_GROUP)
        return type.message->full_name;
    return field_kind_name(type.kind);
}

static bool is_scalar_node(const JsonNode *node)
{
    return node->kind == JSON_TEXT || node->kind == JSON_STRING || node->kind == JSON_NUMBER ||
           node->kind == JSON_TRUE || node->kind == JSON_FALSE;
}

static Bytes node_text(const JsonNode *node)
{
    if (node->kind == JSON_TRUE)
        return bytes_of("true");
    if (node->kind == JSON_FALSE)
        return bytes_of("false");
    return node->text;
}

static void integer_range(FieldKind kind, int64_t *least, uint64_t *most)
{
    bool wide = kind == KIND_INT64 || kind == KIND_UINT64 || kind == KIND_FIXED64 ||
                kind == KIND_SFIXED64 || kind == KIND_SINT64;
    if (kind_is_unsigned(kind)) {
        *least = 0;
        *most = wide ? UINT64_MAX : UINT32_MAX;
    } else {
        *least = wide ? INT64_MIN : INT32_MIN;
        *most = wide ? INT64_MAX : INT32_MAX;
    }
}

static bool read_integer(Bytes text, FieldKind kind, Literal *out)
{
    int64_t least;
    uint64_t most, magnitude;
    integer_range(kind, &least, &most);
    bool negative = text.size && text.data[0] == '-';
    if (!bytes_to_u64(bytes_slice(text, negative, text.size), &magnitude))
        return false;
    if (negative) {
        if (magnitude > (uint64_t)0 - (uint64_t)least)
            return false;
        out->i = (int64_t)((uint64_t)0 - magnitude);
    } else {
        if (magnitude > most)
            return false;
        out->u = magnitude;
    }
    return true;
}

static bool read_double(Bytes text, FieldKind kind, Literal *out)
{
    char digits[64], *end;
    if (text.size == 0 || text.size >= sizeof digits)
        return false;
    memcpy(digits, text.data, text.size);
    digits[text.size] = 0;
    out->d = strtod(digits, &end);
    if (kind == KIND_FLOAT)
        out->d = (double)(float)out->d;
    return *end == 0 && isfinite(out->d);
}

static bool read_enum(ChangeList *list, const JsonNode *node, const char *path,
                      const EnumType *type, Literal *out)
{
    const EnumValue *value = enum_value_by_name(type, node_text(node));
    if (value) {
        out->i = value->number;
        return true;
    }
    const char **words = arena_array(list->arena, const char *, type->n_values + 1);
    for (uint32_t i = 0; i < type->n_values; i++)
        words[i] = type->values[i].name;
    const char *near = nearest_word(node_text(node), words, type->n_values);
    change_problem(list, *yaml_place(&list->document, node), path,
                   near ? arena_printf(list->arena, "did you mean %s?", near) : NULL,
                   "%s has no value %.*s", type->name, BYTES_ARGS(node_text(node)));
    return false;
}

static bool read_bytes(Arena *arena, Bytes text, Bytes *out)
{
    Buffer decoded = buffer_in(arena);
    bool good = base64_decode(&decoded, text);
    *out = buffer_bytes(&decoded);
    return good;
}

static bool read_scalar(Arena *arena, Bytes text, ValueType type, Literal *out)
{
    switch (type.kind) {
    case KIND_STRING: out->bytes = text; return true;
    case KIND_BYTES: return read_bytes(arena, text, &out->bytes);
    case KIND_BOOL: out->u = bytes_are(text, "true"); return out->u || bytes_are(text, "false");
    case KIND_DOUBLE:
    case KIND_FLOAT: return read_double(text, type.kind, out);
    default: return kind_is_integer(type.kind) && read_integer(text, type.kind, out);
    }
}

bool literal_of_default(const FieldType *field, Literal *literal_out)
{
    Bytes text = field->default_value;
    const EnumType *type = field->enumeration;
    *literal_out = (Literal){0};
    if (type) {
        const EnumValue *value = text.data ? enum_value_by_name(type, text) : NULL;
        literal_out->i = value ? value->number : type->closed ? type->values[0].number : 0;
        return true;
    }
    if (field->message)
        return false;
    if (!text.data)
        return true;
    switch (field->kind) {
    case KIND_STRING:
    case KIND_BYTES:
        literal_out->bytes = text;
        return true; /* escaped bytes differ as their escapes do */
    case KIND_BOOL: literal_out->u = bytes_are(text, "true"); return true;
    case KIND_DOUBLE:
    case KIND_FLOAT:
        literal_out->d = strtod((const char *)text.data, NULL); /* also inf and nan */
        return true;
    default: return read_integer(text, field->kind, literal_out);
    }
}

bool change_literal(ChangeList *list, const JsonNode *node, const char *path, ValueType type,
                    Literal *literal_out)
{
    *literal_out = (Literal){0};
    if (is_scalar_node(node)) {
        if (type.kind == KIND_ENUM)
            return read_enum(list, node, path, type.enumeration, literal_out);
        if (read_scalar(list->arena, node_text(node), type, literal_out))
            return true;
    }
    change_problem(list, *yaml_place(&list->document, node), path, NULL, "this is no value of %s",
                   kind_in_words(type));
    return false;
}

/* A Timestamp, Duration or wrapper is written as its JSON: a scalar, converted. */
static const Expr *well_known_value(ChangeList *list, const JsonNode *node, const char *path,
                                    const FieldType *field)
{
    Converter *converter = arena_make(list->arena, Converter);
    converter->to = value_type_element(field);
    ValueType type = {KIND_STRING, false, NULL, NULL};
    if (field->message->well_known == WELL_KNOWN_WRAPPER) {
        converter->code = CONVERT_WRAP;
        converter->name = "wrapper";
        converter->value = &field->message->fields[0];
        type = value_type_of(converter->value);
    } else {
        converter->code = CONVERT_TEXT_TIME;
        converter->name = "time_text";
        converter->seconds = message_field_by_number(field->message, 1);
        converter->nanos = message_field_by_number(field->message, 2);
    }
    converter->from = type;
    Literal literal;
    if (!change_literal(list, node, path, type, &literal))
        return NULL;
    return expr_convert(list->arena, converter, expr_const(list->arena, type, literal, NULL), NULL);
}

static const Expr *message_value(ChangeList *list, const JsonNode *node, const char *path,
                                 const MessageType *message)
{
    Rule *rules = arena_array(list->arena, Rule, node->count ? node->count : 1);
    uint32_t n = 0;
    for (const JsonNode *member = node->first; member; member = member->next) {
        const FieldType *field = message_field(message, member->name);
        if (!field) {
            const char *near = nearest_field(message, list->arena, member->name);
            change_problem(list, *yaml_place(&list->document, member), path,
                           near ? arena_printf(list->arena, "did you mean %s?", near) : NULL,
                           "%s has no field %.*s", message->full_name, BYTES_ARGS(member->name));
            return NULL;
        }
        const Expr *value = change_value(list, member, path, field);
        if (!value)
            return NULL;
        rules[n++] = (Rule){field, value};
    }
    rules_sort(rules, n);
    return expr_build(list->arena, message, rules, n, NULL);
}

const Expr *change_value(ChangeList *list, const JsonNode *node, const char *path,
                         const FieldType *field)
{
    YamlPlace place = *yaml_place(&list->document, node);
    if (field->map) {
        change_problem(list, place, path, NULL, "a map cannot be given as a value");
        return NULL;
    }
    ValueType type = value_type_element(field);
    const Expr *value = NULL;
    if (type.kind != KIND_MESSAGE && type.kind != KIND_GROUP) {
        Literal literal;
        if (change_literal(list, node, path, type, &literal))
            value = expr_const(list->arena, type, literal, NULL);
    } else if (is_scalar_node(node) && (type.message->well_known == WELL_KNOWN_TIMESTAMP ||
                                        type.message->well_known == WELL_KNOWN_DURATION ||
                                        type.message->well_known == WELL_KNOWN_WRAPPER)) {
        value = well_known_value(list, node, path, field);
    } else if (node->kind == JSON_OBJECT && node->count) {
        value = message_value(list, node, path, type.message);
    } else {
        change_problem(list, place, path, NULL, "this is no value of %s", kind_in_words(type));
    }
    return value && field->repeated ? expr_wrap(list->arena, value) : value;
}
