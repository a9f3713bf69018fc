/* Writes maps; makes maps from lists, and lists from maps. protobuf may repeat a key, of which the
   last entry counts; JSON must have it only once. */
#include "adapters/run/put.h"
#include "adapters/text/json_bytes.h"

enum { FEW = 8 };

typedef struct Entry {
    Value key, value;
    bool replaced; /* by a later one with the same key */
} Entry;

typedef struct Entries {
    Entry *items;
    size_t n;
    FieldKind key;
} Entries;

static bool kind_is_signed(FieldKind kind)
{
    return kind == KIND_INT32 || kind == KIND_INT64 || kind == KIND_SINT32 || kind == KIND_SINT64 ||
           kind == KIND_SFIXED32 || kind == KIND_SFIXED64;
}

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
    return kind_is_signed(e->key) ? (x.i > y.i) - (x.i < y.i) : (x.u > y.u) - (x.u < y.u);
}

/* Merge sort of indexes: stable, and O(n log n) for any input. */
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

/* For few entries: compares each pair. */
static void mark_few(Entries *e, bool *any_out)
{
    for (uint32_t later = 1; later < e->n; later++) {
        for (uint32_t i = 0; i < later; i++) {
            if (!e->items[i].replaced && same_key(e, i, later))
                e->items[i].replaced = *any_out = true;
        }
    }
}

/* The indexes of the entries, sorted by key. NULL: out of memory. */
static const uint32_t *order_of(Runner *runner, const Entries *e)
{
    uint32_t *room = arena_array(runner->arena, uint32_t, e->n * 2);
    if (!room)
        run_out_of_memory(runner);
    return room ? sort_entries(e, room, room + e->n) : NULL;
}

static bool mark_replaced(Runner *runner, Entries *e, bool *any_out)
{
    if (e->n <= FEW) {
        mark_few(e, any_out);
        return true;
    }
    const uint32_t *order = order_of(runner, e);
    for (size_t i = 1; order && i < e->n; i++) {
        if (same_key(e, order[i - 1], order[i]))
            e->items[order[i - 1]].replaced = *any_out = true;
    }
    return order;
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
    return bytes_of(kind_is_signed(kind)
                        ? arena_printf(runner->arena, "%lld", (long long)key.i)
                        : arena_printf(runner->arena, "%llu", (unsigned long long)key.u));
}

/* Writes a key as the name of a JSON member, which is always a string. */
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

/* Protobuf to protobuf, duplicate keys are kept as they are. */
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

/* ---- Lists of messages with a key ------------------------------------------------------------ */

static bool parse_entries(Runner *runner, const ElementShape *shape, Value list, Entries *e)
{
    *e = (Entries){.items = arena_array(runner->arena, Entry, list.size), .key = shape->key};
    if (!e->items)
        return run_out_of_memory(runner);
    for (; e->n < list.size; e->n++) {
        Entry *entry = &e->items[e->n];
        entry->replaced = false;
        if (!map_read_entry(runner, shape, value_bytes(list.items[e->n]), &entry->key,
                            &entry->value))
            return run_failed_at(runner, (uint32_t)e->n);
    }
    return true;
}

/* Whether the entries that are left are in the order of their keys, in which a list comes back. */
static bool are_in_order(const Entries *e)
{
    uint32_t before = 0;
    bool any = false;
    for (uint32_t i = 0; i < e->n; i++) {
        if (e->items[i].replaced)
            continue;
        if (any && compare_keys(e, before, i) > 0)
            return false;
        before = i;
        any = true;
    }
    return true;
}

bool map_of_entries(Runner *runner, const PlanOp *op, Value entries, Value *map_out)
{
    Entries e;
    bool replaced = false;
    if (!parse_entries(runner, op->shape, entries, &e) || !mark_replaced(runner, &e, &replaced))
        return false;
    Value *items = arena_array(runner->arena, Value, 2 * e.n);
    if (!items)
        return run_out_of_memory(runner);
    if (op->order && !are_in_order(&e))
        run_loss(runner, op->order);
    *map_out = (Value){.items = items};
    for (size_t i = 0; i < e.n; i++) {
        if (e.items[i].replaced && op->loud)
            return run_fail(runner, &FAULT_CANNOT_CONVERT,
                            "the key is there twice, and a map has it once") ||
                   run_failed_at(runner, (uint32_t)i);
        if (e.items[i].replaced && op->loss)
            run_loss(runner, op->loss);
        if (e.items[i].replaced)
            continue;
        items[map_out->size++] = e.items[i].key;
        items[map_out->size++] = e.items[i].value;
    }
    return true;
}

static Bytes entry_bytes(Runner *runner, const ElementShape *shape, const Entry *entry)
{
    Buffer out = buffer_in(runner->arena);
    wire_add_varint(&out, shape->key_tag);
    put_wire_scalar(&out, shape->key, entry->key);
    wire_add_varint(&out, shape->value_tag);
    put_wire_scalar(&out, shape->kind, entry->value);
    return out.full ? BYTES_NONE : buffer_bytes(&out);
}

/* Makes a message of the list from one entry. */
static bool list_entry(Runner *runner, const PlanOp *op, const Entry *entry, Value *item_out)
{
    Bytes message = entry_bytes(runner, op->shape, entry), made;
    if (!message.data)
        return run_out_of_memory(runner);
    if (!program_make(runner, op->program, value_of_bytes(message), &made))
        return run_failed_at_key(runner, map_key_text(runner, op->shape->key, entry->key));
    *item_out = value_of_bytes(made);
    return true;
}

bool map_as_list(Runner *runner, const PlanOp *op, Value map, Value *list_out)
{
    Entries e = {.n = map.size / 2, .key = op->shape->key};
    Value *items = arena_array(runner->arena, Value, e.n);
    e.items = arena_array(runner->arena, Entry, e.n);
    if (!items || !e.items)
        return run_out_of_memory(runner);
    for (size_t i = 0; i < e.n; i++)
        e.items[i] = (Entry){map.items[2 * i], map.items[2 * i + 1], false};
    const uint32_t *order = order_of(runner, &e);
    *list_out = (Value){.items = items};
    for (size_t i = 0; order && i < e.n; i++) {
        bool replaced = i + 1 < e.n && same_key(&e, order[i], order[i + 1]);
        if (!replaced && !list_entry(runner, op, &e.items[order[i]], &items[list_out->size++]))
            return false;
    }
    return order;
}
