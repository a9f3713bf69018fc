/* Maps into the output. What protobuf says twice, JSON may say once only: the last one counts. */
#include "adapters/run/put.h"
#include "adapters/text/json_bytes.h"

enum { FEW = 8 };

typedef struct Entry {
    Value key, value;
    bool replaced; /* by one behind it */
} Entry;

typedef struct Entries {
    Entry *items;
    size_t n;
    FieldKind key;
} Entries;

static bool same_key(const Entries *e, uint32_t a, uint32_t b)
{
    Value x = e->items[a].key, y = e->items[b].key;
    return kind_is_bytes(e->key) ? bytes_equal(value_bytes(x), value_bytes(y)) : x.u == y.u;
}

static int compare_keys(const Entries *e, uint32_t a, uint32_t b)
{
    Value x = e->items[a].key, y = e->items[b].key;
    if (kind_is_bytes(e->key))
        return bytes_compare(value_bytes(x), value_bytes(y));
    return (x.u > y.u) - (x.u < y.u);
}

/* Merge sort of indexes: stable, and its cost does not depend on what a peer sends. */
static void merge(const Entries *e, const uint32_t *from, uint32_t *to, size_t middle, size_t end)
{
    size_t left = 0, right = middle;
    for (size_t i = 0; i < end; i++) {
        bool take_left =
            left < middle && (right >= end || compare_keys(e, from[left], from[right]) <= 0);
        to[i] = take_left ? from[left++] : from[right++];
    }
}

static const uint32_t *sort_entries(const Entries *e, uint32_t *order, uint32_t *other)
{
    for (size_t i = 0; i < e->n; i++)
        order[i] = (uint32_t)i;
    for (size_t width = 1; width < e->n; width *= 2) {
        for (size_t at = 0; at < e->n; at += 2 * width) {
            size_t left = e->n - at;
            size_t size = left < 2 * width ? left : 2 * width;
            merge(e, order + at, other + at, width < size ? width : size, size);
        }
        uint32_t *sorted = other;
        other = order;
        order = sorted;
    }
    return order;
}

/* Few entries are compared each with each. */
static void mark_few(Entries *e, bool *any_out)
{
    for (uint32_t later = 1; later < e->n; later++) {
        for (uint32_t i = 0; i < later; i++) {
            if (!e->items[i].replaced && same_key(e, i, later))
                e->items[i].replaced = *any_out = true;
        }
    }
}

static bool mark_replaced(Runner *runner, Entries *e, bool *any_out)
{
    if (e->n <= FEW) {
        mark_few(e, any_out);
        return true;
    }
    uint32_t *room = arena_array(runner->arena, uint32_t, e->n * 2);
    if (!room)
        return run_out_of_memory(runner);
    const uint32_t *order = sort_entries(e, room, room + e->n);
    for (size_t i = 1; i < e->n; i++) {
        if (same_key(e, order[i - 1], order[i]))
            e->items[order[i - 1]].replaced = *any_out = true;
    }
    return true;
}

static bool read_entries(Runner *runner, ListReader *reader, Entries *e)
{
    Buffer items = buffer_in(runner->arena);
    Value key, value;
    while (map_next(reader, &key, &value)) {
        if (!buffer_reserve(&items, sizeof(Entry) * FEW))
            break;
        *(Entry *)(void *)(items.data + items.size) = (Entry){key, value, false};
        items.size += sizeof(Entry);
    }
    if (items.full)
        return run_out_of_memory(runner);
    *e = (Entries){.items = (Entry *)(void *)items.data,
                   .n = items.size / sizeof(Entry),
                   .key = reader->shape->key};
    return !reader->failed;
}

static bool put_entry_value(Runner *runner, const PlanOp *op, const FieldType *field, Value value)
{
    if (op->program)
        return program_run(runner, op->program, value);
    if (op->json)
        return (field->kind == KIND_STRING &&
                json_add_plain(runner->out, value.data, value.size)) ||
               put_json_scalar(runner, field->kind, field->enumeration, value);
    put_wire_scalar(runner->out, field->kind, value);
    return true;
}

Bytes map_key_text(Runner *runner, FieldKind kind, Value key)
{
    if (kind == KIND_STRING)
        return value_bytes(key);
    if (kind == KIND_BOOL)
        return bytes_of(key.u ? "true" : "false");
    bool is_signed = kind == KIND_INT32 || kind == KIND_INT64 || kind == KIND_SINT32 ||
                     kind == KIND_SINT64 || kind == KIND_SFIXED32 || kind == KIND_SFIXED64;
    return bytes_of(is_signed ? arena_printf(runner->arena, "%lld", (long long)key.i)
                              : arena_printf(runner->arena, "%llu", (unsigned long long)key.u));
}

/* JSON's member names are strings, whatever the key is. */
static bool put_json_key(Runner *runner, FieldKind kind, Value key)
{
    if (kind == KIND_STRING)
        return json_add_plain(runner->out, key.data, key.size) ||
               put_json_scalar(runner, kind, NULL, key);
    buffer_add_byte(runner->out, '"');
    buffer_add_bytes(runner->out, map_key_text(runner, kind, key));
    buffer_add_byte(runner->out, '"');
    return true;
}

static bool put_json_map(Runner *runner, const PlanOp *op, const Entries *e)
{
    const FieldType *key = message_field_by_number(op->put->field->message, 1);
    const FieldType *value = message_field_by_number(op->put->field->message, 2);
    Buffer *out = runner->out;
    size_t before = out->size;
    put_name(out, op->put, 0);
    size_t start = out->size;
    for (size_t i = 0; i < e->n; i++) {
        if (e->items[i].replaced)
            continue;
        buffer_add_byte(out, ',');
        if (!put_json_key(runner, key->kind, e->items[i].key))
            return false;
        buffer_add_byte(out, ':');
        if (!put_entry_value(runner, op, value, e->items[i].value))
            return run_failed_at_key(runner, map_key_text(runner, key->kind, e->items[i].key));
    }
    if (out->size == start)
        return put_nothing(runner, op, before);
    if (!out->full)
        out->data[start] = '{';
    buffer_add_byte(out, '}');
    return true;
}

bool put_map_entry(Runner *runner, const PlanOp *op, Value key, Value value)
{
    Buffer *out = runner->out;
    const FieldType *key_type = message_field_by_number(op->put->field->message, 1);
    const FieldType *value_type = message_field_by_number(op->put->field->message, 2);
    buffer_add_bytes(out, op->put->name);
    size_t reserved = length_begin(out, 1), content = out->size;
    wire_add_tag(out, 1, kind_wire_type(key_type->kind));
    put_wire_scalar(out, key_type->kind, key);
    wire_add_tag(out, 2, kind_wire_type(value_type->kind));
    size_t value_reserved = op->program ? length_begin(out, 1) : 0, start = out->size;
    if (!put_entry_value(runner, op, value_type, value))
        return run_failed_at_key(runner, map_key_text(runner, key_type->kind, key));
    if (op->program)
        length_end(out, start, value_reserved);
    length_end(out, content, reserved);
    return true;
}

/* Between protobuf and protobuf nothing has to be told apart. */
static bool stream_map(Runner *runner, const PlanOp *op, ListReader *reader)
{
    Value key, value;
    while (map_next(reader, &key, &value)) {
        if (!put_map_entry(runner, op, key, value))
            return false;
    }
    return !reader->failed;
}

bool put_map(Runner *runner, const PlanOp *op, ListReader *reader)
{
    Entries e = {0};
    bool replaced = false;
    if (!op->json && !reader->from_json)
        return stream_map(runner, op, reader);
    if (!read_entries(runner, reader, &e) || !mark_replaced(runner, &e, &replaced))
        return false;
    if (replaced && reader->from_json)
        return run_fail(runner, &FAULT_BAD_VALUE, "a key is given twice");
    if (op->json)
        return put_json_map(runner, op, &e);
    for (size_t i = 0; i < e.n; i++) {
        if (!put_map_entry(runner, op, e.items[i].key, e.items[i].value))
            return false;
    }
    return true;
}
