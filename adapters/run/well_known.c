/* Converts the types of google/protobuf/ that have a JSON form of their own between that and
   protobuf bytes. https://protobuf.dev/programming-guides/json/ */
#include "adapters/run/put.h"

#include "adapters/text/number_text.h"
#include "adapters/text/time_text.h"
#include "base/text/utf8.h"

#include <math.h>

enum { /* of google.protobuf.Value */
       VALUE_NULL = 1,
       VALUE_NUMBER = 2,
       VALUE_STRING = 3,
       VALUE_BOOL = 4,
       VALUE_STRUCT = 5,
       VALUE_LIST = 6,
};

static bool refuse(Runner *runner, const char *what)
{
    return run_fail(runner, &FAULT_BAD_VALUE, "%s", what);
}

static bool malformed(Runner *runner)
{
    return run_fail(runner, &FAULT_BAD_MESSAGE, "the protobuf bytes are not well-formed");
}

static bool has_text(const JsonNode *node)
{
    return node->kind == JSON_STRING || node->kind == JSON_TEXT;
}

static bool deeper(Runner *runner)
{
    if (runner->depth == runner->max_depth)
        return run_fail(runner, &FAULT_TOO_DEEP, "nested deeper than allowed (limits.depth)");
    runner->depth++;
    return true;
}

/* ---- Timestamp and Duration: {1: seconds, 2: nanos} ------------------------------------------ */

static void write_time(Buffer *out, TimeParts time)
{
    if (time.seconds)
        wire_add_number(out, 1, (uint64_t)time.seconds);
    if (time.nanos)
        wire_add_number(out, 2, (uint64_t)(int64_t)time.nanos);
}

static bool read_time(Runner *runner, Bytes message, TimeParts *time)
{
    *time = (TimeParts){0};
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_VARINT)
            time->seconds = (int64_t)f.value;
        else if (f.number == 2 && f.type == WIRE_VARINT)
            time->nanos = (int32_t)f.value;
    }
    return !reader.bad || malformed(runner);
}

static bool time_from_json(Runner *runner, const MessageType *type, const JsonNode *node)
{
    TimeParts time;
    bool timestamp = type->well_known == WELL_KNOWN_TIMESTAMP;
    if (!has_text(node) ||
        !(timestamp ? timestamp_read(node->text, &time) : duration_read(node->text, &time)))
        return refuse(runner, timestamp ? "not a timestamp such as \"2026-03-01T10:00:20.021Z\""
                                        : "not a duration such as \"1.5s\"");
    write_time(runner->out, time);
    return true;
}

static bool time_to_json(Runner *runner, const MessageType *type, Bytes message)
{
    TimeParts time;
    uint8_t text[TIME_TEXT_MAX];
    bool timestamp = type->well_known == WELL_KNOWN_TIMESTAMP;
    if (!read_time(runner, message, &time))
        return false;
    if (!(timestamp ? timestamp_in_range(time) : duration_in_range(time)))
        return refuse(runner, timestamp ? "a timestamp out of range" : "a duration out of range");
    buffer_add_byte(runner->out, '"');
    buffer_add(runner->out, text,
               timestamp ? timestamp_write(text, time) : duration_write(text, time));
    buffer_add_byte(runner->out, '"');
    return true;
}

/* ---- FieldMask: {1: repeated path}, in JSON one string in camelCase -------------------------- */

static bool path_from_json(Runner *runner, Bytes path)
{
    Buffer snake = buffer_in(runner->arena);
    if (path.size == 0)
        return refuse(runner, "a field mask with an empty path");
    for (size_t i = 0; i < path.size; i++) {
        uint8_t c = path.data[i];
        if (c == '_')
            return refuse(runner, "a field mask's paths are in camelCase");
        if (c >= 'A' && c <= 'Z') {
            buffer_add_byte(&snake, '_');
            c = (uint8_t)(c - 'A' + 'a');
        }
        buffer_add_byte(&snake, c);
    }
    if (snake.full)
        return run_out_of_memory(runner);
    wire_add_bytes(runner->out, 1, buffer_bytes(&snake));
    return true;
}

static bool mask_from_json(Runner *runner, const JsonNode *node)
{
    Bytes rest = node->text, path;
    if (!has_text(node))
        return refuse(runner, "not a field mask such as \"name,shipping.street\"");
    if (rest.size && rest.data[rest.size - 1] == ',')
        return refuse(runner, "a field mask with an empty path");
    while (rest.size && bytes_split(&rest, ',', &path)) {
        if (!run_count_element(runner) || !path_from_json(runner, path))
            return false;
    }
    return true;
}

/* Refuses a path that would be another one after conversion to camelCase and back. */
static bool path_to_json(Runner *runner, Bytes path)
{
    Buffer *out = runner->out;
    if (path.size == 0)
        return refuse(runner, "a field mask with an empty path");
    for (size_t i = 0; i < path.size; i++) {
        uint8_t c = path.data[i];
        if ((c >= 'A' && c <= 'Z') || c == ',')
            return refuse(runner, "a field mask with a path that JSON cannot say");
        if (c == '_') {
            c = i + 1 < path.size ? path.data[++i] : 0;
            if (c < 'a' || c > 'z')
                return refuse(runner, "a field mask with a path that JSON cannot say");
            c = (uint8_t)(c - 'a' + 'A');
        }
        if (c < ' ' || c == '"' || c == '\\')
            return refuse(runner, "a field mask with a path that is none");
        buffer_add_byte(out, c);
    }
    return utf8_valid(path) || refuse(runner, "a string that is not valid UTF-8");
}

static bool mask_to_json(Runner *runner, Bytes message)
{
    bool first = true;
    WireReader reader = wire_reader(message);
    buffer_add_byte(runner->out, '"');
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number != 1 || f.type != WIRE_LENGTH)
            continue;
        if (!first)
            buffer_add_byte(runner->out, ',');
        first = false;
        if (!path_to_json(runner, f.bytes))
            return false;
    }
    buffer_add_byte(runner->out, '"');
    return !reader.bad || malformed(runner);
}

/* ---- Wrappers: {1: value} -------------------------------------------------------------------- */

static bool wrapper_from_json(Runner *runner, const MessageType *type, const JsonNode *node)
{
    const FieldType *field = &type->fields[0];
    Value value;
    if (json_scalar(runner, field->kind, field->enumeration, node, &value) != JSON_SCALAR_OK)
        return false;
    if (!value_is_zero(field->kind, value)) {
        wire_add_tag(runner->out, field->number, kind_wire_type(field->kind));
        put_wire_scalar(runner->out, field->kind, value);
    }
    return true;
}

static bool wrapper_to_json(Runner *runner, const MessageType *type, Bytes message)
{
    const FieldType *field = &type->fields[0];
    Value value = {0};
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);) {
        uint64_t tag;
        const uint8_t *end = f.record.data + f.record.size;
        if (f.number == field->number && f.type == kind_wire_type(field->kind) &&
            !wire_scalar(runner, field->kind, field->check_utf8,
                         wire_varint(f.record.data, end, &tag), end, &value))
            return false;
    }
    if (reader.bad)
        return malformed(runner);
    return put_json_scalar(runner, field->kind, field->enumeration, value);
}

/* ---- Struct, Value and ListValue ------------------------------------------------------------- */

static bool value_from_json(Runner *runner, const JsonNode *node);

/* Writes a length-delimited field, with the content from `write`. */
static bool nested(Runner *runner, uint32_t number, const JsonNode *node,
                   bool (*write)(Runner *, const JsonNode *))
{
    Buffer *out = runner->out;
    wire_add_tag(out, number, WIRE_LENGTH);
    size_t reserved = length_begin(out, node->text.size), content = out->size;
    if (!deeper(runner) || !write(runner, node))
        return false;
    runner->depth--;
    length_end(out, content, reserved);
    return true;
}

/* An entry of Struct.fields. */
static bool member_from_json(Runner *runner, const JsonNode *member)
{
    wire_add_bytes(runner->out, 1, member->name);
    return nested(runner, 2, member, value_from_json) ||
           run_failed_in(runner, arena_text(runner->arena, bytes_cut_text(member->name, 80)));
}

static bool has_duplicate(Runner *runner, const JsonNode *object, bool *found_out);

static bool struct_from_json(Runner *runner, const JsonNode *node)
{
    bool twice = false;
    if (node->kind != JSON_OBJECT)
        return refuse(runner, "a Struct is an object");
    if (!has_duplicate(runner, node, &twice))
        return false;
    if (twice)
        return refuse(runner, "a member is given twice");
    for (const JsonNode *member = node->first; member; member = member->next) {
        if (!run_count_element(runner) || !nested(runner, 1, member, member_from_json))
            return false;
    }
    return true;
}

static bool list_from_json(Runner *runner, const JsonNode *node)
{
    uint32_t index = 0;
    if (node->kind != JSON_ARRAY)
        return refuse(runner, "a ListValue is an array");
    for (const JsonNode *item = node->first; item; item = item->next, index++) {
        if (!run_count_element(runner) || !nested(runner, 1, item, value_from_json))
            return run_failed_at(runner, index);
    }
    return true;
}

static bool number_from_json(Runner *runner, const JsonNode *node)
{
    Value value;
    if (json_scalar(runner, KIND_DOUBLE, NULL, node, &value) != JSON_SCALAR_OK)
        return false;
    wire_add_tag(runner->out, VALUE_NUMBER, WIRE_FIXED64);
    put_wire_scalar(runner->out, KIND_DOUBLE, value);
    return true;
}

static bool value_from_json(Runner *runner, const JsonNode *node)
{
    switch (node->kind) {
    case JSON_NULL: wire_add_number(runner->out, VALUE_NULL, 0); return true;
    case JSON_FALSE: wire_add_number(runner->out, VALUE_BOOL, 0); return true;
    case JSON_TRUE: wire_add_number(runner->out, VALUE_BOOL, 1); return true;
    case JSON_NUMBER: return number_from_json(runner, node);
    case JSON_STRING:
    case JSON_TEXT: wire_add_bytes(runner->out, VALUE_STRING, node->text); return true;
    case JSON_ARRAY: return nested(runner, VALUE_LIST, node, list_from_json);
    case JSON_OBJECT: return nested(runner, VALUE_STRUCT, node, struct_from_json);
    }
    return false;
}

static bool value_to_json(Runner *runner, Bytes message);
static bool struct_to_json(Runner *runner, Bytes message);

static bool list_to_json(Runner *runner, Bytes message)
{
    bool first = true;
    WireReader reader = wire_reader(message);
    buffer_add_byte(runner->out, '[');
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number != 1 || f.type != WIRE_LENGTH)
            continue;
        if (!first)
            buffer_add_byte(runner->out, ',');
        first = false;
        if (!run_count_element(runner) || !value_to_json(runner, f.bytes))
            return false;
    }
    buffer_add_byte(runner->out, ']');
    return !reader.bad || malformed(runner);
}

static bool number_to_json(Runner *runner, uint64_t bits)
{
    Value value = {.u = bits};
    if (!isfinite(value.d))
        return refuse(runner, "a Value whose number JSON cannot say");
    return put_json_scalar(runner, KIND_DOUBLE, NULL, value);
}

/* The last member of the oneof counts; all pieces of a Struct or list are merged. Without a member
   it is null. */
static bool value_to_json(Runner *runner, Bytes message)
{
    WireField last = {.number = VALUE_NULL};
    Value pieces = {.data = NULL, .size = 0};
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);) {
        static const WireType types[] = {WIRE_GROUP_END, WIRE_VARINT, WIRE_FIXED64, WIRE_LENGTH,
                                         WIRE_VARINT,    WIRE_LENGTH, WIRE_LENGTH};
        if (f.number > VALUE_LIST || f.type != types[f.number])
            continue;
        if (f.number != last.number)
            pieces.size = 0;
        last = f;
        if ((f.number == VALUE_STRUCT || f.number == VALUE_LIST) &&
            !wire_join(runner, &pieces, f.bytes))
            return false;
    }
    if (reader.bad)
        return malformed(runner);
    if (!deeper(runner))
        return false;
    bool ok = true;
    switch (last.number) {
    case VALUE_NUMBER: ok = number_to_json(runner, last.value); break;
    case VALUE_STRING:
        ok = put_json_scalar(runner, KIND_STRING, NULL, value_of_bytes(last.bytes));
        break;
    case VALUE_BOOL: buffer_add_text(runner->out, last.value ? "true" : "false"); break;
    case VALUE_STRUCT: ok = struct_to_json(runner, value_bytes(pieces)); break;
    case VALUE_LIST: ok = list_to_json(runner, value_bytes(pieces)); break;
    default: buffer_add_text(runner->out, "null"); break;
    }
    runner->depth--;
    return ok;
}

/* Of entries with the same key the last one counts, so entries are collected and sorted by key,
   then by position. */
typedef struct Member {
    Bytes key;
    Value value; /* a message */
    size_t place;
} Member;

static int compare_members(const Member *a, const Member *b)
{
    int order = bytes_compare(a->key, b->key);
    return order ? order : (a->place > b->place) - (a->place < b->place);
}

static void sift_down(Member *heap, size_t root, size_t n)
{
    for (size_t child; (child = root * 2 + 1) < n; root = child) {
        if (child + 1 < n && compare_members(&heap[child], &heap[child + 1]) < 0)
            child++;
        if (compare_members(&heap[root], &heap[child]) >= 0)
            return;
        Member moved = heap[root];
        heap[root] = heap[child];
        heap[child] = moved;
    }
}

/* Heap sort: needs no memory, and O(n log n) for any input. */
static void sort_members(Member *members, size_t n)
{
    for (size_t i = n / 2; i > 0; i--)
        sift_down(members, i - 1, n);
    for (size_t end = n; end > 1; end--) {
        Member largest = members[0];
        members[0] = members[end - 1];
        members[end - 1] = largest;
        sift_down(members, 0, end - 1);
    }
}

static bool has_duplicate(Runner *runner, const JsonNode *object, bool *found_out)
{
    Member *members = arena_array(runner->arena, Member, object->count);
    size_t n = 0;
    if (!members)
        return run_out_of_memory(runner);
    for (const JsonNode *child = object->first; child; child = child->next, n++)
        members[n] = (Member){.key = child->name, .place = n};
    sort_members(members, n);
    *found_out = false;
    for (size_t i = 1; i < n; i++)
        *found_out |= bytes_equal(members[i - 1].key, members[i].key);
    return true;
}

static bool read_member(Runner *runner, Bytes entry, Member *member)
{
    WireReader reader = wire_reader(entry);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_LENGTH)
            member->key = f.bytes;
        else if (f.number == 2 && f.type == WIRE_LENGTH &&
                 !wire_join(runner, &member->value, f.bytes))
            return false;
    }
    return !reader.bad || malformed(runner);
}

static bool read_members(Runner *runner, Bytes message, Buffer *members)
{
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);) {
        Member member = {.place = members->size};
        if (f.number != 1 || f.type != WIRE_LENGTH)
            continue;
        if (!run_count_element(runner) || !read_member(runner, f.bytes, &member))
            return false;
        buffer_add(members, &member, sizeof(member));
    }
    if (members->full)
        return run_out_of_memory(runner);
    return !reader.bad || malformed(runner);
}

static bool struct_to_json(Runner *runner, Bytes message)
{
    Buffer *out = runner->out, list = buffer_in(runner->arena);
    if (!read_members(runner, message, &list))
        return false;
    Member *members = (Member *)(void *)list.data;
    size_t n = list.size / sizeof(Member);
    sort_members(members, n);
    size_t start = out->size;
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && bytes_equal(members[i].key, members[i + 1].key))
            continue;
        buffer_add_byte(out, ',');
        if (!put_json_scalar(runner, KIND_STRING, NULL, value_of_bytes(members[i].key)))
            return false;
        buffer_add_byte(out, ':');
        if (!value_to_json(runner, value_bytes(members[i].value)))
            return false;
    }
    if (out->size == start)
        buffer_add_byte(out, ',');
    if (!out->full)
        out->data[start] = '{';
    buffer_add_byte(out, '}');
    return true;
}

/* ---- All of them ----------------------------------------------------------------------------- */

bool well_known_read(Runner *runner, const MessageType *type, const JsonNode *node)
{
    switch (type->well_known) {
    case WELL_KNOWN_TIMESTAMP:
    case WELL_KNOWN_DURATION: return time_from_json(runner, type, node);
    case WELL_KNOWN_FIELD_MASK: return mask_from_json(runner, node);
    case WELL_KNOWN_STRUCT: return struct_from_json(runner, node);
    case WELL_KNOWN_VALUE: return value_from_json(runner, node);
    case WELL_KNOWN_LIST_VALUE: return list_from_json(runner, node);
    case WELL_KNOWN_WRAPPER: return wrapper_from_json(runner, type, node);
    case WELL_KNOWN_ANY:
    case WELL_KNOWN_EMPTY:
    case WELL_KNOWN_NONE: break;
    }
    return refuse(runner, "a type without a JSON of its own");
}

bool well_known_write(Runner *runner, const MessageType *type, Bytes message)
{
    switch (type->well_known) {
    case WELL_KNOWN_TIMESTAMP:
    case WELL_KNOWN_DURATION: return time_to_json(runner, type, message);
    case WELL_KNOWN_FIELD_MASK: return mask_to_json(runner, message);
    case WELL_KNOWN_STRUCT: return struct_to_json(runner, message);
    case WELL_KNOWN_VALUE: return value_to_json(runner, message);
    case WELL_KNOWN_LIST_VALUE: return list_to_json(runner, message);
    case WELL_KNOWN_WRAPPER: return wrapper_to_json(runner, type, message);
    case WELL_KNOWN_ANY:
    case WELL_KNOWN_EMPTY:
    case WELL_KNOWN_NONE: break;
    }
    return refuse(runner, "a type without a JSON of its own");
}
