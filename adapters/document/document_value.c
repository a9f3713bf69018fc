#include "adapters/document/document_value.h"

#include "adapters/text/number_text.h"
#include "adapters/text/spelling.h"
#include "base/arena.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static bool wrong(ValueMistake *mistake, const char *hint, const char *reason)
{
    *mistake = (ValueMistake){reason, hint};
    return false;
}

const char *document_hint(Arena *arena, Bytes word, const char *const *words, size_t n)
{
    const char *nearest = nearest_word(word, words, n);
    if (nearest)
        return arena_printf(arena, "did you mean %s", nearest);
    return n && n <= DOCUMENT_CHOICE_MOST ? document_choice(arena, words, n) : NULL;
}

const char *document_choice(Arena *arena, const char *const *words, size_t n)
{
    Buffer out = buffer_in(arena);
    for (size_t i = 0; i < n; i++)
        buffer_printf(&out, "%s%s", i == 0 ? "" : i + 1 == n ? " or " : ", ", words[i]);
    return arena_text(arena, buffer_bytes(&out));
}

const char *document_example(const FieldType *field, const FieldRules *rules)
{
    switch (rules->spelled) {
    case SPELLED_DURATION: return "for example 250ms, 2s or 1h30m";
    case SPELLED_DATE: return "for example 2026-03-01 or 2026-03-01T12:00:00Z";
    case SPELLED_SIZE: return "for example 65536, 64KiB or 4MiB";
    case SPELLED_PLAIN:
    case SPELLED_TREE:
    case SPELLED_FILE: break;
    }
    return field->kind == KIND_BOOL ? "true or false" : NULL;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

typedef struct Range {
    int64_t least;
    uint64_t most;
} Range;

static Range range_of(FieldKind kind)
{
    switch (kind) {
    case KIND_INT32:
    case KIND_SINT32:
    case KIND_SFIXED32:
    case KIND_ENUM: return (Range){INT32_MIN, INT32_MAX};
    case KIND_UINT32:
    case KIND_FIXED32: return (Range){0, UINT32_MAX};
    case KIND_UINT64:
    case KIND_FIXED64: return (Range){0, UINT64_MAX};
    case KIND_INT64:
    case KIND_SINT64:
    case KIND_SFIXED64:
    case KIND_DOUBLE:
    case KIND_FLOAT:
    case KIND_BOOL:
    case KIND_STRING:
    case KIND_BYTES:
    case KIND_GROUP:
    case KIND_MESSAGE: break;
    }
    return (Range){INT64_MIN, INT64_MAX};
}

/* An integer as sign and magnitude. */
typedef struct Whole {
    bool negative;
    uint64_t size;
} Whole;

static bool whole_read(Bytes text, Whole *whole_out)
{
    whole_out->negative = text.size && text.data[0] == '-';
    return bytes_to_u64(bytes_slice(text, whole_out->negative, text.size), &whole_out->size);
}

static bool below(Whole number, int64_t least)
{
    if (!number.negative || number.size == 0)
        return least > 0 && number.size < (uint64_t)least;
    return least >= 0 || number.size > (uint64_t) - (least + 1) + 1;
}

static bool above(Whole number, uint64_t most)
{
    return !number.negative && number.size > most;
}

void document_add_number(Buffer *out, FieldSpelling spelled, int64_t number)
{
    if (spelled == SPELLED_DURATION)
        spelling_add_duration(out, number);
    else if (spelled == SPELLED_SIZE)
        spelling_add_size(out, (uint64_t)number);
    else
        buffer_printf(out, "%" PRId64, number);
}

static const char *bound(Arena *arena, const char *words, FieldSpelling spelled, int64_t number)
{
    Buffer text = buffer_in(arena);
    buffer_add_text(&text, words);
    document_add_number(&text, spelled, number);
    return arena_text(arena, buffer_bytes(&text));
}

/* Checks the number against its type and its options, and adds it. */
static bool add_whole(Arena *arena, const FieldType *field, const FieldRules *rules, Whole number,
                      Buffer *out, ValueMistake *mistake)
{
    Range range = range_of(field->kind);
    if (rules->has_least && below(number, rules->least))
        return wrong(mistake, NULL,
                     bound(arena, "must be at least ", rules->spelled, rules->least));
    if (rules->has_most && above(number, (uint64_t)rules->most))
        return wrong(mistake, NULL, bound(arena, "must be at most ", rules->spelled, rules->most));
    if (below(number, range.least))
        return wrong(mistake, NULL, bound(arena, "must be at least ", SPELLED_PLAIN, range.least));
    if (above(number, range.most))
        return wrong(mistake, NULL, arena_printf(arena, "must be at most %" PRIu64, range.most));
    buffer_printf(out, "%s%" PRIu64, number.negative ? "-" : "", number.size);
    return true;
}

static bool add_spelled(Arena *arena, const FieldType *field, const FieldRules *rules, Bytes text,
                        Buffer *out, ValueMistake *mistake)
{
    int64_t number = 0;
    uint64_t size = 0;
    switch (rules->spelled) {
    case SPELLED_DURATION:
        if (!spelling_duration(text, &number))
            return wrong(mistake, document_example(field, rules),
                         arena_printf(arena, "%.*s is not a length of time", BYTES_ARGS(text)));
        break;
    case SPELLED_DATE:
        if (!spelling_date(text, &number))
            return wrong(mistake, document_example(field, rules),
                         arena_printf(arena, "%.*s is not a date", BYTES_ARGS(text)));
        break;
    case SPELLED_SIZE:
        if (!spelling_size(text, &size))
            return wrong(mistake, document_example(field, rules),
                         arena_printf(arena, "%.*s is not a size", BYTES_ARGS(text)));
        return add_whole(arena, field, rules, (Whole){false, size}, out, mistake);
    case SPELLED_PLAIN:
    case SPELLED_TREE:
    case SPELLED_FILE: break;
    }
    Whole whole = {number < 0, number < 0 ? (uint64_t)-number : (uint64_t)number};
    return add_whole(arena, field, rules, whole, out, mistake);
}

static bool add_number(Arena *arena, const FieldType *field, const FieldRules *rules, Bytes text,
                       Buffer *out, ValueMistake *mistake)
{
    Whole whole;
    if (whole_read(text, &whole))
        return add_whole(arena, field, rules, whole, out, mistake);
    return wrong(mistake, NULL,
                 arena_printf(arena, "%.*s is not a whole number", BYTES_ARGS(text)));
}

/* ---- Words ----------------------------------------------------------------------------------- */

static bool add_bool(Arena *arena, Bytes text, Buffer *out, ValueMistake *mistake)
{
    if (bytes_are(text, "true") || bytes_are(text, "false")) {
        buffer_add_bytes(out, text);
        return true;
    }
    return wrong(mistake, "true or false",
                 arena_printf(arena, "%.*s is not a truth value", BYTES_ARGS(text)));
}

/* "PROTOCOL_" of enum Protocol, "VERSION_RULE_" of VersionRule: what its values begin with by
   convention. */
static size_t prefix_size(const EnumType *type, const EnumValue *value)
{
    const char *dot = strrchr(type->name, '.');
    const char *name = dot ? dot + 1 : type->name;
    const char *at = value->name;
    for (const char *c = name; *c; c++) {
        bool upper = *c >= 'A' && *c <= 'Z';
        if (upper && c != name && *at++ != '_')
            return 0;
        if (*at++ != (upper || (*c >= '0' && *c <= '9') ? *c : *c - 'a' + 'A'))
            return 0;
    }
    return *at == '_' && at[1] ? (size_t)(at + 1 - value->name) : 0;
}

const char *document_word(Arena *arena, const EnumType *type, const EnumValue *value)
{
    Bytes word = bytes_copy(arena, bytes_of(value->name + prefix_size(type, value)));
    char *text = (char *)(uintptr_t)arena_text(arena, word);
    for (char *c = text; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return text;
}

static bool add_word(Arena *arena, const EnumType *type, Bytes text, Buffer *out,
                     ValueMistake *mistake)
{
    const char **words = arena_array(arena, const char *, type->n_values);
    for (uint32_t i = 0; i < type->n_values; i++) {
        words[i] = document_word(arena, type, &type->values[i]);
        if (bytes_are(text, words[i])) {
            buffer_printf(out, "\"%s\"", type->values[i].name);
            return true;
        }
    }
    return wrong(mistake, document_hint(arena, text, words, type->n_values),
                 arena_printf(arena, "%.*s is not known here", BYTES_ARGS(text)));
}

/* An enum in the JSON of an API: by name, or by number. An unknown name is reported here, to name
   the nearest one. */
static bool add_enum(Arena *arena, const FieldType *field, const FieldRules *rules,
                     const JsonNode *node, Buffer *out, ValueMistake *mistake)
{
    const EnumType *type = field->enumeration;
    Whole number;
    if (node->kind == JSON_TEXT && whole_read(node->text, &number))
        return add_whole(arena, field, rules, number, out, mistake);
    if (enum_value_by_name(type, node->text)) {
        json_write_string(out, node->text);
        return true;
    }
    const char **names = arena_array(arena, const char *, type->n_values);
    for (uint32_t i = 0; i < type->n_values; i++)
        names[i] = type->values[i].name;
    const char *nearest = nearest_word(node->text, names, type->n_values);
    return wrong(
        mistake, nearest ? arena_printf(arena, "did you mean %s", nearest) : NULL,
        arena_printf(arena, "%.*s is not a value of %s", BYTES_ARGS(node->text), type->full_name));
}

/* ---- The whole ------------------------------------------------------------------------------- */

const char *document_path(Arena *arena, const char *document, const char *name)
{
    const char *slash = strrchr(document, '/');
    if (!slash || !*name || *name == '/' || strcmp(name, "-") == 0)
        return name;
    return arena_printf(arena, "%.*s%s", (int)(slash + 1 - document), document, name);
}

static void add_file(Arena *arena, const char *document, Bytes name, Buffer *out)
{
    const char *path = document_path(arena, document, arena_text(arena, name));
    json_write_string(out, bytes_of(path));
}

static bool add_float(Arena *arena, const FieldType *field, const JsonNode *node, Buffer *out,
                      ValueMistake *mistake)
{
    if (number_is_json(node->text))
        buffer_add_bytes(out, node->text);
    else if (bytes_are(node->text, "NaN") || bytes_are(node->text, "Infinity") ||
             bytes_are(node->text, "-Infinity"))
        json_write_string(out, node->text);
    else
        return wrong(mistake, NULL,
                     arena_printf(arena, "%.*s is not a number", BYTES_ARGS(node->text)));
    return true;
}

bool document_scalar(Arena *arena, const FieldType *field, const FieldRules *rules, bool config,
                     const YamlDocument *document, const JsonNode *node, Buffer *out,
                     ValueMistake *mistake)
{
    bool quoted = node->kind == JSON_STRING;
    switch (field->kind) {
    case KIND_STRING:
        if (rules->spelled == SPELLED_FILE)
            add_file(arena, yaml_place(document, node)->file, node->text, out);
        else
            json_write_string(out, node->text);
        return true;
    case KIND_BYTES: json_write_string(out, node->text); return true;
    case KIND_ENUM:
        return config ? add_word(arena, field->enumeration, node->text, out, mistake)
                      : add_enum(arena, field, rules, node, out, mistake);
    case KIND_BOOL:
        if (quoted)
            return wrong(mistake, "without quotes", "a text is not a truth value");
        return add_bool(arena, node->text, out, mistake);
    case KIND_DOUBLE:
    case KIND_FLOAT: return add_float(arena, field, node, out, mistake);
    case KIND_INT64:
    case KIND_UINT64:
    case KIND_INT32:
    case KIND_FIXED64:
    case KIND_FIXED32:
    case KIND_UINT32:
    case KIND_SFIXED32:
    case KIND_SFIXED64:
    case KIND_SINT32:
    case KIND_SINT64:
        if (rules->spelled != SPELLED_PLAIN)
            return add_spelled(arena, field, rules, node->text, out, mistake);
        if (quoted && config)
            return wrong(mistake, "without quotes", "a text is not a number");
        return add_number(arena, field, rules, node->text, out, mistake);
    case KIND_GROUP:
    case KIND_MESSAGE: break;
    }
    return wrong(mistake, NULL, "a message is not a scalar");
}

void document_tree(const JsonNode *node, Buffer *out)
{
    const char *between = "";
    switch (node->kind) {
    case JSON_NULL: buffer_add_text(out, "null"); return;
    case JSON_FALSE: buffer_add_text(out, "false"); return;
    case JSON_TRUE: buffer_add_text(out, "true"); return;
    case JSON_NUMBER: buffer_add_bytes(out, node->text); return;
    case JSON_STRING: json_write_string(out, node->text); return;
    case JSON_TEXT:
        if (bytes_are(node->text, "true") || bytes_are(node->text, "false") ||
            number_is_json(node->text))
            buffer_add_bytes(out, node->text);
        else
            json_write_string(out, node->text);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    buffer_add_byte(out, node->kind == JSON_ARRAY ? '[' : '{');
    for (const JsonNode *child = node->first; child; child = child->next, between = ",") {
        buffer_add_text(out, between);
        if (node->kind == JSON_OBJECT) {
            json_write_string(out, child->name);
            buffer_add_byte(out, ':');
        }
        document_tree(child, out);
    }
    buffer_add_byte(out, node->kind == JSON_ARRAY ? ']' : '}');
}
