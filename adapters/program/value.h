/*
 * Value: one field of a message, or what an operation made, while a plan runs; and constants of
 * plans. Whoever holds one knows its kind and its Form. It owns nothing: bytes, nodes and items are
 * the message's, the run's arena's, or the plan's.
 */
#ifndef ADAPTERS_VALUE_H
#define ADAPTERS_VALUE_H

#include "adapters/schema/kinds.h"
#include "adapters/text/json.h"

/*
 * One value. What it is, is known when the plan is compiled:
 *   integers, bool, enum: i or u, extended to 64 bits; double: d; float: its 32 bits in u
 *   string, bytes: data, size
 *   message, FORM_SOURCE, from protobuf and FORM_WIRE: data, size: its fields as bytes
 *   message, FORM_SOURCE, from JSON: node
 *   list or map, FORM_SOURCE, from protobuf: run, last; from JSON: node
 *   list, FORM_VALUES: items, size; map, FORM_VALUES: keys and values in turn, size: of both
 */
typedef struct Value {
    union {
        int64_t i;
        uint64_t u;
        double d;
        const uint8_t *data;
        const JsonNode *node;
        struct WireRun *run;
        const struct Value *items;
    };
    union {
        size_t size;
        struct WireRun *last;
    };
} Value;

typedef enum Form {
    FORM_SOURCE, /* still where it was read */
    FORM_WIRE, /* a message as protobuf bytes that the run made; as a list, FORM_VALUES of those */
    FORM_VALUES, /* a list that the run made */
} Form;

static inline Bytes value_bytes(Value v)
{
    return bytes(v.data, v.size);
}

static inline Value value_of_bytes(Bytes b)
{
    return (Value){.data = b.data, .size = b.size};
}

static inline float value_float(Value v)
{
    uint32_t bits = (uint32_t)v.u;
    float number;
    memcpy(&number, &bits, sizeof(number));
    return number;
}

static inline Value value_of_float(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof(bits));
    return (Value){.u = bits};
}

/* A varint, or what is in a fixed number of bytes, as a value of this kind; not of text or
   messages. */
static inline Value value_of_wire(FieldKind kind, uint64_t raw)
{
    switch (kind) {
    case KIND_INT32:
    case KIND_SFIXED32:
    case KIND_ENUM: return (Value){.i = (int32_t)(uint32_t)raw};
    case KIND_UINT32: return (Value){.u = (uint32_t)raw};
    case KIND_BOOL: return (Value){.u = raw != 0};
    case KIND_SINT32: return (Value){.i = (int32_t)wire_unzigzag((uint32_t)raw)};
    case KIND_SINT64: return (Value){.i = wire_unzigzag(raw)};
    default: return (Value){.u = raw};
    }
}

/* Zero, or empty: what a field without presence is when unset. -0.0 is not zero. */
static inline bool value_is_zero(FieldKind kind, Value v)
{
    return kind_is_bytes(kind) ? v.size == 0 : v.u == 0;
}

#endif
