/* Reads a JSON tree into the slots of a frame. https://protobuf.dev/programming-guides/json/ */
#include "adapters/run/scan.h"

#include "adapters/text/number_text.h"
#include "base/problem.h"
#include "base/text/base64.h"

#include <math.h>

static const char *json_kind_name(JsonKind kind)
{
    static const char *const names[] = {"null",     "false",  "true",     "a number",
                                        "a string", "a text", "an array", "an object"};
    return names[kind];
}

/* ---- Scalars --------------------------------------------------------------------------------- */

static JsonScalar bad_scalar(Runner *runner, FieldKind kind, const JsonNode *node)
{
    bool quoted = node->kind == JSON_NUMBER || node->kind == JSON_STRING || node->kind == JSON_TEXT;
    Bytes shown = bytes_slice(node->text, 0, quoted ? 40 : 0);
    run_fail(runner, &FAULT_BAD_VALUE, "%s%s%.*s%s does not fit %s", json_kind_name(node->kind),
             quoted ? " \"" : "", BYTES_ARGS(shown), quoted ? "\"" : "", field_kind_name(kind));
    return JSON_SCALAR_BAD;
}

static bool has_number_text(const JsonNode *node)
{
    return node->kind == JSON_NUMBER || node->kind == JSON_STRING || node->kind == JSON_TEXT;
}

static bool signed_in(const JsonNode *node, int64_t least, int64_t most, Value *value_out)
{
    return has_number_text(node) && number_read_i64(node->text, &value_out->i) &&
           value_out->i >= least && value_out->i <= most;
}

static bool unsigned_to(const JsonNode *node, uint64_t most, Value *value_out)
{
    return has_number_text(node) && number_read_u64(node->text, &value_out->u) &&
           value_out->u <= most;
}

/* "NaN", "Infinity" and "-Infinity" are strings in JSON. */
static bool not_finite(const JsonNode *node, double *number_out)
{
    if (node->kind == JSON_NUMBER)
        return false;
    if (bytes_are(node->text, "NaN"))
        *number_out = (double)NAN;
    else if (bytes_are(node->text, "Infinity"))
        *number_out = (double)INFINITY;
    else if (bytes_are(node->text, "-Infinity"))
        *number_out = -(double)INFINITY;
    else
        return false;
    return true;
}

static bool read_double(const JsonNode *node, Value *value_out)
{
    return has_number_text(node) &&
           (number_read_double(node->text, &value_out->d) || not_finite(node, &value_out->d));
}

static bool read_float(const JsonNode *node, Value *value_out)
{
    double special;
    float number;
    if (!has_number_text(node))
        return false;
    if (!number_read_float(node->text, &number)) {
        if (!not_finite(node, &special))
            return false;
        number = (float)special;
    }
    *value_out = value_of_float(number);
    return true;
}

static bool read_bool(const JsonNode *node, Value *value_out)
{
    bool text = node->kind == JSON_TEXT;
    value_out->u = node->kind == JSON_TRUE || (text && bytes_are(node->text, "true"));
    return value_out->u || node->kind == JSON_FALSE || (text && bytes_are(node->text, "false"));
}

static bool read_text(const JsonNode *node, Value *value_out)
{
    *value_out = value_of_bytes(node->text);
    return node->kind == JSON_STRING || node->kind == JSON_TEXT;
}

static bool read_bytes(Runner *runner, const JsonNode *node, Value *value_out)
{
    Buffer decoded = buffer_in(runner->arena);
    if (node->kind != JSON_STRING && node->kind != JSON_TEXT)
        return false;
    if (!buffer_reserve(&decoded, node->text.size))
        return run_out_of_memory(runner);
    if (!base64_decode(&decoded, node->text))
        return false;
    *value_out = value_of_bytes(buffer_bytes(&decoded));
    return true;
}

/* Neither the enum nor the name is too large to be compared for each mistake of a client. */
static const char *nearest_value(Arena *arena, const EnumType *type, Bytes name)
{
    enum { VALUES_MOST = 256, NAME_MOST = 64 };
    if (type->n_values > VALUES_MOST || !name.size || name.size > NAME_MOST)
        return NULL;
    const char **names = arena_array(arena, const char *, type->n_values);
    for (uint32_t i = 0; names && i < type->n_values; i++)
        names[i] = type->values[i].name;
    return names ? nearest_word(name, names, type->n_values) : NULL;
}

static JsonScalar read_enum(Runner *runner, const EnumType *type, const JsonNode *node,
                            Value *value_out)
{
    if (node->kind == JSON_NULL && type->is_null_value) {
        value_out->i = 0;
        return JSON_SCALAR_OK;
    }
    if (node->kind == JSON_STRING || node->kind == JSON_TEXT) {
        const EnumValue *found = enum_value_by_name(type, node->text);
        if (found) {
            value_out->i = found->number;
            return JSON_SCALAR_OK;
        }
    }
    bool number = node->kind != JSON_STRING && signed_in(node, INT32_MIN, INT32_MAX, value_out);
    if (number && (!type->closed || enum_value_by_number(type, (int32_t)value_out->i)))
        return JSON_SCALAR_OK;
    if (node->kind != JSON_STRING && node->kind != JSON_TEXT && !number)
        return bad_scalar(runner, KIND_ENUM, node);
    if (runner->unknown != UNKNOWN_REFUSE)
        return JSON_SCALAR_UNKNOWN_ENUM;
    const char *near = nearest_value(runner->arena, type, node->text);
    run_fail(runner, &FAULT_BAD_VALUE, "%s has no value \"%.*s\"%s%s%s", type->full_name,
             BYTES_ARGS(bytes_cut_text(node->text, 80)), near ? "; did you mean " : "",
             near ? near : "", near ? "?" : "");
    return JSON_SCALAR_BAD;
}

JsonScalar json_scalar(Runner *runner, FieldKind kind, const EnumType *enumeration,
                       const JsonNode *node, Value *value_out)
{
    bool ok = false;
    switch (kind) {
    case KIND_INT32:
    case KIND_SINT32:
    case KIND_SFIXED32: ok = signed_in(node, INT32_MIN, INT32_MAX, value_out); break;
    case KIND_INT64:
    case KIND_SINT64:
    case KIND_SFIXED64: ok = signed_in(node, INT64_MIN, INT64_MAX, value_out); break;
    case KIND_UINT32:
    case KIND_FIXED32: ok = unsigned_to(node, UINT32_MAX, value_out); break;
    case KIND_UINT64:
    case KIND_FIXED64: ok = unsigned_to(node, UINT64_MAX, value_out); break;
    case KIND_DOUBLE: ok = read_double(node, value_out); break;
    case KIND_FLOAT: ok = read_float(node, value_out); break;
    case KIND_BOOL: ok = read_bool(node, value_out); break;
    case KIND_STRING: ok = read_text(node, value_out); break;
    case KIND_BYTES: ok = read_bytes(runner, node, value_out); break;
    case KIND_ENUM: return read_enum(runner, enumeration, node, value_out);
    case KIND_MESSAGE:
    case KIND_GROUP: break;
    }
    return ok ? JSON_SCALAR_OK : bad_scalar(runner, kind, node);
}

/* ---- Fields ---------------------------------------------------------------------------------- */

static bool unknown_member(Runner *runner, const MessageType *type, Bytes name)
{
    if (runner->unknown != UNKNOWN_REFUSE) {
        runner->report->n_unknown++;
        return true;
    }
    const char *nearest = message_nearest_field(type, name, runner->arena);
    run_fail(runner, &FAULT_UNKNOWN_FIELD, "%s has no field \"%.*s\"%s%s%s", type->full_name,
             BYTES_ARGS(bytes_cut_text(name, 80)), nearest ? "; did you mean \"" : "",
             nearest ? nearest : "", nearest ? "\"?" : "");
    return run_failed_in(runner, arena_text(runner->arena, bytes_cut_text(name, 80)));
}

/* Null is a value of google.protobuf.Value and NullValue only; for other fields it means unset. */
static bool is_absent(const FieldType *field, const JsonNode *node)
{
    if (node->kind != JSON_NULL)
        return false;
    if (field->repeated)
        return true;
    return !(field->message && field->message->well_known == WELL_KNOWN_VALUE) &&
           !(field->enumeration && field->enumeration->is_null_value);
}

static bool take_list(Runner *runner, const ScanField *field, Frame *frame, const JsonNode *node)
{
    JsonKind expected = field->field->map ? JSON_OBJECT : JSON_ARRAY;
    if (node->kind != expected)
        return run_fail(runner, &FAULT_BAD_VALUE, "%s, where %s is expected",
                        json_kind_name(node->kind), json_kind_name(expected));
    if (field->slot != NO_SLOT && node->count) {
        frame->values[field->slot] = (Value){.node = node};
        frame_set(frame, field->slot);
    }
    return true;
}

static bool take_message(Runner *runner, const ScanField *field, Frame *frame, const JsonNode *node)
{
    if (field->slot != NO_SLOT) {
        frame->values[field->slot] = (Value){.node = node};
        frame_set(frame, field->slot);
    }
    if (!field->inside)
        return true;
    if (runner->depth == runner->max_depth)
        return run_fail(runner, &FAULT_TOO_DEEP, "nested deeper than allowed (limits.depth)");
    runner->depth++;
    bool ok = scan_json(runner, field->inside, frame, node);
    runner->depth--;
    return ok;
}

static bool take_scalar(Runner *runner, const ScanField *field, Frame *frame, const JsonNode *node)
{
    const FieldType *type = field->field;
    Value value;
    switch (json_scalar(runner, type->kind, type->enumeration, node, &value)) {
    case JSON_SCALAR_OK: break;
    case JSON_SCALAR_BAD: return false;
    case JSON_SCALAR_UNKNOWN_ENUM: runner->report->n_unknown++; return true;
    }
    if (field->slot != NO_SLOT && (type->presence || !value_is_zero(type->kind, value))) {
        frame->values[field->slot] = value;
        frame_set(frame, field->slot);
    }
    return true;
}

static bool take_member(Runner *runner, const ScanTable *table, const ScanField *field,
                        Frame *frame, const JsonNode *node)
{
    const FieldType *type = field->field;
    uint32_t seen = table->seen + type->index;
    if (frame->seen[seen >> 6] >> (seen & 63) & 1)
        return run_fail(runner, &FAULT_BAD_VALUE, "given twice");
    frame->seen[seen >> 6] |= UINT64_C(1) << (seen & 63);
    if (is_absent(type, node))
        return true;
    if (field->oneof) {
        if (frame->oneof_chosen[field->oneof - 1])
            return run_fail(runner, &FAULT_BAD_VALUE,
                            "another field of the oneof \"%s\" is set too", type->oneof->name);
        frame->oneof_chosen[field->oneof - 1] = 1;
    }
    if (type->repeated)
        return take_list(runner, field, frame, node);
    return kind_is_message(type->kind) ? take_message(runner, field, frame, node)
                                       : take_scalar(runner, field, frame, node);
}

static inline bool has_name(const ScanField *field, Bytes name)
{
    return field->json_size == name.size &&
           memcmp(field->field->json_name, name.data, name.size) == 0;
}

/* Members are usually in the order of the fields, so the expected one is tried first. */
static inline const ScanField *find_field(const ScanTable *table, uint32_t expected, Bytes name)
{
    if (expected < table->type->n_fields && has_name(&table->fields[expected], name))
        return &table->fields[expected];
    const FieldType *type = message_field(table->type, name);
    return type ? &table->fields[type->index] : NULL;
}

bool scan_json(Runner *runner, const ScanTable *table, Frame *frame, const JsonNode *node)
{
    if (node->kind != JSON_OBJECT)
        return run_fail(runner, &FAULT_BAD_VALUE, "%s, where an object is expected",
                        json_kind_name(node->kind));
    uint32_t expected = 0, before = runner->n_mistakes;
    for (const JsonNode *member = node->first; member; member = member->next) {
        const ScanField *field = find_field(table, expected, member->name);
        if (!field) {
            if (!unknown_member(runner, table->type, member->name) && !run_goes_on(runner, before))
                return false;
            continue;
        }
        expected = field->field->index + 1;
        if (!take_member(runner, table, field, frame, member)) {
            run_failed_in(runner, field->field->json_name);
            if (!run_goes_on(runner, before))
                return false;
        }
    }
    return run_ends_well(runner, before);
}
