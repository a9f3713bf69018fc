#include "adapters/changes/literal.h"
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

/* The JSON spellings of the floats without digits. */
static bool is_named_float(Bytes text)
{
    return bytes_are(text, "NaN") || bytes_are(text, "Infinity") || bytes_are(text, "-Infinity");
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
    return *end == 0 && (isfinite(out->d) || is_named_float(text));
}

static bool read_enum(ChangeList *list, const JsonNode *node, const char *path,
                      const EnumType *type, Literal *out)
{
    const EnumValue *value = enum_value_by_name(type, node_text(node));
    if (value) {
        out->i = value->number;
        return true;
    }
    if (read_integer(node_text(node), KIND_ENUM, out) &&
        (!type->closed || enum_value_by_number(type, (int32_t)out->i)))
        return true;
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

bool change_scalar(Arena *arena, Bytes text, ValueType type, Literal *out)
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
    Bytes text = field_default(field);
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
        return true; /* bytes: compared by their escaped text */
    case KIND_BOOL: literal_out->u = bytes_are(text, "true"); return true;
    case KIND_DOUBLE:
    case KIND_FLOAT:
        literal_out->d = strtod((const char *)text.data, NULL); /* also inf and nan */
        return true;
    default: return read_integer(text, field->kind, literal_out);
    }
}

static const char *spelling_hint(FieldKind kind)
{
    return kind == KIND_BYTES                          ? "bytes are written in base64"
           : kind == KIND_BOOL                         ? "true or false"
           : kind == KIND_DOUBLE || kind == KIND_FLOAT ? "a number, NaN, Infinity or -Infinity"
                                                       : NULL;
}

bool change_literal(ChangeList *list, const JsonNode *node, const char *path, ValueType type,
                    Literal *literal_out)
{
    *literal_out = (Literal){0};
    if (type.message)
        return change_literal_message(list, node, path, type.message, literal_out);
    if (is_scalar_node(node)) {
        if (type.kind == KIND_ENUM)
            return read_enum(list, node, path, type.enumeration, literal_out);
        if (change_scalar(list->arena, node_text(node), type, literal_out))
            return true;
    }
    change_problem(list, *yaml_place(&list->document, node), path, spelling_hint(type.kind),
                   "this is no value of %s", kind_in_words(type));
    return false;
}

ChangeList literal_reader(Arena *arena, const YamlDocument *document, Problems *problems)
{
    return (ChangeList){.arena = arena,
                        .working = arena,
                        .file = document->file,
                        .problems = problems,
                        .document = *document};
}

bool literal_read(Arena *arena, const YamlDocument *document, const JsonNode *node,
                  const char *path, ValueType type, Problems *problems, Literal *literal_out)
{
    ChangeList list = literal_reader(arena, document, problems);
    return change_literal(&list, node, path, type, literal_out);
}

/* ---- Values of any field --------------------------------------------------------------------- */

/* A Timestamp, Duration or wrapper is written in its JSON form: a scalar, which is converted. */
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

static bool has_map(const JsonNode *node, const MessageType *message)
{
    for (const JsonNode *member = node->first; member; member = member->next) {
        if (message_field(message, member->name)->map)
            return true;
    }
    return false;
}

/* Whether the rules alone make the message set. Zeros of fields without presence do not. */
static bool makes_present(const Rule *rules, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const Expr *value = rules[i].value;
        if (!field_is_implicit(rules[i].target) || value->kind != EXPR_CONST ||
            !literal_is_zero(value->constants, value->type))
            return true;
    }
    return false;
}

/* A message built field by field, so that composing with the next list can reach each field. The
   fields were checked before. */
static const Expr *message_value(ChangeList *list, const JsonNode *node, const char *path,
                                 const MessageType *message)
{
    Rule *rules = arena_array(list->arena, Rule, node->count ? node->count : 1);
    uint32_t n = 0;
    for (const JsonNode *member = node->first; member; member = member->next) {
        const FieldType *field = message_field(message, member->name);
        if (member->kind != JSON_ARRAY || member->count)
            rules[n++] = (Rule){field, change_value(list, member, path, field), 0};
    }
    rules_sort(rules, n);
    const Expr *always =
        expr_const(list->arena, (ValueType){.kind = KIND_BOOL}, (Literal){.u = 1}, NULL);
    return expr_build(list->arena, message, rules, n, makes_present(rules, n) ? NULL : always);
}

static const Expr *list_value(ChangeList *list, const JsonNode *node, const char *path,
                              const FieldType *field)
{
    Literal literal;
    if (!node->count) {
        change_problem(list, *yaml_place(&list->document, node), path, "graceful",
                       "an empty list is the same as an unset one");
        return NULL;
    }
    if (!change_literal_list(list, node, path, field, &literal))
        return NULL;
    return expr_const(list->arena, value_type_of(field), literal, NULL);
}

static const Expr *single_value(ChangeList *list, const JsonNode *node, const char *path,
                                const FieldType *field)
{
    ValueType type = value_type_element(field);
    Literal literal;
    if (!change_literal(list, node, path, type, &literal))
        return NULL;
    WellKnown known = type.message ? type.message->well_known : WELL_KNOWN_NONE;
    if (is_scalar_node(node) && (known == WELL_KNOWN_TIMESTAMP || known == WELL_KNOWN_DURATION ||
                                 known == WELL_KNOWN_WRAPPER))
        return well_known_value(list, node, path, field);
    bool by_fields = known != WELL_KNOWN_STRUCT && known != WELL_KNOWN_VALUE && type.message &&
                     node->kind == JSON_OBJECT && !has_map(node, type.message);
    return by_fields ? message_value(list, node, path, type.message)
                     : expr_const(list->arena, type, literal, NULL);
}

const Expr *change_value(ChangeList *list, const JsonNode *node, const char *path,
                         const FieldType *field)
{
    if (field->map) {
        change_problem(list, *yaml_place(&list->document, node), path, NULL,
                       "a map cannot be given as a value");
        return NULL;
    }
    if (field->repeated && node->kind == JSON_ARRAY && node->count != 1)
        return list_value(list, node, path, field);
    if (field->repeated && node->kind == JSON_ARRAY)
        node = node->first;
    const Expr *value = single_value(list, node, path, field);
    return value && field->repeated ? expr_wrap(list->arena, value) : value;
}
