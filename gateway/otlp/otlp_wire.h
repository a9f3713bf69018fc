/*
 * How messages of OpenTelemetry's protocol are written: fields, attributes, and messages within
 * messages, straight into a Buffer. A generated encoder would need an object for each attribute.
 * Numbers of fields are below 16 in all of its messages, so that a tag is one byte.
 *
 * Inlined, so that what is known of a key is computed once for all: it is half of what a span
 * costs. Texts are cut to OTLP_TEXT_MOST bytes; they are valid UTF-8, or are made so by
 * otlp_add_any_text. Where there is no memory, the Buffer is `full`. Pure; any thread.
 */
#ifndef GATEWAY_OTLP_WIRE_H
#define GATEWAY_OTLP_WIRE_H

#include "adapters/schema/wire.h"
#include "base/result.h"

enum { OTLP_TEXT_MOST = 1024 };

/* common.proto: KeyValue, AnyValue, ArrayValue and KeyValueList. */
enum {
    OTLP_KEY = 1,
    OTLP_VALUE = 2,
    OTLP_STRING = 1,
    OTLP_BOOL = 2,
    OTLP_INT = 3,
    OTLP_DOUBLE = 4,
    OTLP_ARRAY = 5,
    OTLP_MAP = 6,
    OTLP_VALUES = 1, /* of ArrayValue and KeyValueList */
};

#define OTLP_INLINED static inline __attribute__((always_inline))
#define OTLP_WORD(literal) bytes(literal, sizeof(literal) - 1)

OTLP_INLINED uint8_t otlp_tag(uint32_t number, WireType type)
{
    return (uint8_t)(number << 3 | type);
}

/* ---- Into room that was reserved ------------------------------------------------------------- */

/* The size of a field with so many bytes. */
OTLP_INLINED size_t otlp_size(size_t payload)
{
    return 1 + wire_varint_size(payload) + payload;
}

OTLP_INLINED uint8_t *otlp_put_head(uint8_t *at, uint32_t number, size_t payload)
{
    *at++ = otlp_tag(number, WIRE_LENGTH);
    return wire_put_varint(at, payload);
}

OTLP_INLINED uint8_t *otlp_put_field(uint8_t *at, uint32_t number, Bytes payload)
{
    at = otlp_put_head(at, number, payload.size);
    memcpy(at, payload.data, payload.size);
    return at + payload.size;
}

/* ---- Fields ---------------------------------------------------------------------------------- */

/* Nothing if it is empty, as everywhere in proto3. */
static inline void otlp_add_field(Buffer *out, uint32_t number, Bytes payload)
{
    if (payload.size && buffer_reserve(out, otlp_size(payload.size)))
        out->size = (size_t)(otlp_put_field(out->data + out->size, number, payload) - out->data);
}

static inline void otlp_add_head(Buffer *out, uint32_t number, size_t payload)
{
    if (buffer_reserve(out, 1 + WIRE_VARINT_MAX))
        out->size = (size_t)(otlp_put_head(out->data + out->size, number, payload) - out->data);
}

static inline void otlp_add_varint(Buffer *out, uint32_t number, uint64_t value)
{
    if (!buffer_reserve(out, 1 + WIRE_VARINT_MAX))
        return;
    uint8_t *at = out->data + out->size;
    *at++ = otlp_tag(number, WIRE_VARINT);
    out->size = (size_t)(wire_put_varint(at, value) - out->data);
}

OTLP_INLINED void otlp_add_fixed64(Buffer *out, uint32_t number, uint64_t value)
{
    if (!buffer_reserve(out, 9))
        return;
    uint8_t *at = out->data + out->size;
    *at++ = otlp_tag(number, WIRE_FIXED64);
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> 8 * i);
    out->size += 9;
}

static inline void otlp_add_double(Buffer *out, uint32_t number, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    otlp_add_fixed64(out, number, bits);
}

/* A message of unknown length, which has room for up to 2 MiB, whatever it is. Returns what
   otlp_end wants. */
static inline size_t otlp_begin(Buffer *out, uint32_t number)
{
    uint8_t head[4] = {otlp_tag(number, WIRE_LENGTH)};
    buffer_add(out, head, sizeof head);
    return out->size;
}

static inline void otlp_end(Buffer *out, size_t from)
{
    if (out->full)
        return;
    size_t size = out->size - from;
    CHECK(size < 1 << 21);
    out->data[from - 3] = (uint8_t)(size | 0x80);
    out->data[from - 2] = (uint8_t)(size >> 7 | 0x80);
    out->data[from - 1] = (uint8_t)(size >> 14);
}

/* An id of `digits` digits in lower case, as bytes; what is no digit gives some number. */
OTLP_INLINED void otlp_add_id(Buffer *out, uint32_t number, const char *hex, size_t digits)
{
    uint8_t id[16];
    for (size_t i = 0; i < digits / 2; i++) {
        unsigned char high = (unsigned char)hex[2 * i], low = (unsigned char)hex[2 * i + 1];
        id[i] = (uint8_t)(((high & 15) + (high >> 6) * 9) << 4 | ((low & 15) + (low >> 6) * 9));
    }
    otlp_add_field(out, number, bytes(id, digits / 2));
}

/* ---- Attributes: in the field `number`, where they have a value ------------------------------ */

OTLP_INLINED size_t otlp_attribute_size(Bytes key, size_t value)
{
    return otlp_size(otlp_size(key.size) + otlp_size(value));
}

/* `value`: the size of an AnyValue, which follows. */
OTLP_INLINED uint8_t *otlp_put_key(uint8_t *at, uint32_t number, Bytes key, size_t value)
{
    at = otlp_put_head(at, number, otlp_size(key.size) + otlp_size(value));
    at = otlp_put_field(at, OTLP_KEY, key);
    return otlp_put_head(at, OTLP_VALUE, value);
}

OTLP_INLINED void otlp_add_text(Buffer *out, uint32_t number, Bytes key, Bytes text)
{
    text = bytes_cut_text(text, OTLP_TEXT_MOST);
    size_t value = otlp_size(text.size);
    if (!text.size || !buffer_reserve(out, otlp_attribute_size(key, value)))
        return;
    uint8_t *at = otlp_put_key(out->data + out->size, number, key, value);
    out->size = (size_t)(otlp_put_field(at, OTLP_STRING, text) - out->data);
}

OTLP_INLINED void otlp_add_number(Buffer *out, uint32_t number, Bytes key, uint64_t value)
{
    size_t size = 1 + wire_varint_size(value);
    if (!buffer_reserve(out, otlp_attribute_size(key, size)))
        return;
    uint8_t *at = otlp_put_key(out->data + out->size, number, key, size);
    *at++ = otlp_tag(OTLP_INT, WIRE_VARINT);
    out->size = (size_t)(wire_put_varint(at, value) - out->data);
}

#endif
