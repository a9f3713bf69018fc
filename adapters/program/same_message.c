#include "adapters/program/same_message.h"

#include "adapters/program/value.h"

/* Iterates over the values of one field, packed or not. */
typedef struct Walk {
    const FieldType *field;
    WireReader message, packed;
    bool in_packed;
} Walk;

static Walk walk(const FieldType *field, Bytes message)
{
    return (Walk){.field = field, .message = wire_reader(message)};
}

/* Reads the next number of a packed record. */
static bool packed_next(Walk *w, WireField *value_out)
{
    const uint8_t *at = w->packed.at, *end = w->packed.end;
    WireType type = kind_wire_type(w->field->kind);
    size_t size = type == WIRE_FIXED64 ? 8 : 4;
    if (at == end)
        return w->in_packed = false;
    if (type == WIRE_VARINT) {
        w->packed.at = wire_varint(at, end, &value_out->value);
        return w->packed.at || (w->in_packed = false);
    }
    if ((size_t)(end - at) < size)
        return w->in_packed = false;
    value_out->value = 0;
    for (size_t i = 0; i < size; i++)
        value_out->value |= (uint64_t)at[i] << (8 * i);
    w->packed.at = at + size;
    return true;
}

static bool walk_next(Walk *w, WireField *value_out)
{
    WireType own = kind_wire_type(w->field->kind);
    for (;;) {
        if (w->in_packed && packed_next(w, value_out))
            return true;
        if (!wire_next(&w->message, value_out))
            return false;
        if (value_out->number != w->field->number)
            continue;
        if (value_out->type == own)
            return true;
        if (value_out->type == WIRE_LENGTH && w->field->repeated) {
            w->packed = wire_reader(value_out->bytes);
            w->in_packed = true;
        }
    }
}

static bool values_same(const FieldType *field, const WireField *a, const WireField *b)
{
    if (field->message)
        return messages_same(field->message, a->bytes, b->bytes);
    if (kind_is_bytes(field->kind))
        return bytes_equal(a->bytes, b->bytes);
    return value_of_wire(field->kind, a->value).u == value_of_wire(field->kind, b->value).u;
}

static bool lists_same(const FieldType *field, Bytes a, Bytes b)
{
    Walk one = walk(field, a), other = walk(field, b);
    WireField x, y;
    while (walk_next(&one, &x)) {
        if (!walk_next(&other, &y) || !values_same(field, &x, &y))
            return false;
    }
    return !walk_next(&other, &y);
}

static uint32_t count(const FieldType *field, Bytes message)
{
    Walk w = walk(field, message);
    WireField value;
    uint32_t n = 0;
    while (walk_next(&w, &value))
        n++;
    return n;
}

static bool has_entry(const FieldType *field, Bytes message, const WireField *entry)
{
    Walk w = walk(field, message);
    WireField other;
    while (walk_next(&w, &other)) {
        if (values_same(field, entry, &other))
            return true;
    }
    return false;
}

/* In any order. */
static bool maps_same(const FieldType *field, Bytes a, Bytes b)
{
    Walk w = walk(field, a);
    WireField entry;
    if (count(field, a) != count(field, b))
        return false;
    while (walk_next(&w, &entry)) {
        if (!has_entry(field, b, &entry))
            return false;
    }
    return true;
}

/* The last value of a single field. A message in several records is not merged: no serializer
   writes one. */
static bool last_value(const FieldType *field, Bytes message, WireField *value_out)
{
    Walk w = walk(field, message);
    WireField value;
    bool found = false;
    *value_out = (WireField){0};
    while (walk_next(&w, &value)) {
        *value_out = value;
        found = true;
    }
    return found;
}

static bool singles_same(const FieldType *field, Bytes a, Bytes b)
{
    WireField x, y;
    bool in_a = last_value(field, a, &x), in_b = last_value(field, b, &y);
    if (field->presence && in_a != in_b)
        return false;
    if (field->message && (count(field, a) > 1 || count(field, b) > 1))
        return false;
    return (!in_a && !in_b) || values_same(field, &x, &y);
}

bool messages_same(const MessageType *type, Bytes a, Bytes b)
{
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const FieldType *field = &type->fields[i];
        bool same = field->map        ? maps_same(field, a, b)
                    : field->repeated ? lists_same(field, a, b)
                                      : singles_same(field, a, b);
        if (!same)
            return false;
    }
    return true;
}
