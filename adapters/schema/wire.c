#include "adapters/schema/wire.h"

/* Joins up to eight groups of seven bits: in pairs, then fours, then eights. */
static uint64_t join_sevens(uint64_t eight)
{
    eight &= UINT64_C(0x7f7f7f7f7f7f7f7f);
    eight = (eight & UINT64_C(0x007f007f007f007f)) | (eight & UINT64_C(0x7f007f007f007f00)) >> 1;
    eight = (eight & UINT64_C(0x00003fff00003fff)) | (eight & UINT64_C(0x3fff00003fff0000)) >> 2;
    return (eight & UINT64_C(0x0fffffff)) | (eight & UINT64_C(0x0fffffff00000000)) >> 4;
}

const uint8_t *wire_varint_slow(const uint8_t *at, const uint8_t *end, uint64_t *value_out)
{
    uint64_t value = 0, eight = end - at >= 8 ? wire_fixed64(at) : 0;
    uint64_t ends = end - at >= 8 ? wire_varint_ends(eight) : 0;
    if (ends) {
        *value_out = join_sevens(eight & (ends ^ (ends - 1)));
        return at + (__builtin_ctzll(ends) >> 3) + 1;
    }
    const uint8_t *last = end - at < WIRE_VARINT_MAX ? end : at + WIRE_VARINT_MAX;
    for (unsigned shift = 0; at < last; shift += 7) {
        uint8_t byte = *at++;
        value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (byte < 0x80) {
            *value_out = value;
            return at;
        }
    }
    return NULL;
}

static const uint8_t *read_tag(const uint8_t *at, const uint8_t *end, uint32_t *number_out,
                               WireType *type_out)
{
    uint64_t tag;
    const uint8_t *start = at;
    at = wire_varint(at, end, &tag);
    if (!at || tag > UINT32_MAX || tag >> 3 == 0 || at - start > WIRE_TAG_MAX)
        return NULL;
    *number_out = (uint32_t)(tag >> 3);
    *type_out = (WireType)(tag & 7);
    return at;
}

static const uint8_t *skip_length(const uint8_t *at, const uint8_t *end)
{
    uint64_t size;
    at = wire_varint(at, end, &size);
    return at && size <= (uint64_t)(end - at) ? at + size : NULL;
}

static const uint8_t *skip_fixed(const uint8_t *at, const uint8_t *end, ptrdiff_t size)
{
    return end - at >= size ? at + size : NULL;
}

/* Skips a value that is not a group. */
static const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end, WireType type)
{
    uint64_t ignored;
    switch (type) {
    case WIRE_VARINT: return wire_varint(at, end, &ignored);
    case WIRE_FIXED64: return skip_fixed(at, end, 8);
    case WIRE_LENGTH: return skip_length(at, end);
    case WIRE_FIXED32: return skip_fixed(at, end, 4);
    case WIRE_GROUP:
    case WIRE_GROUP_END: break;
    }
    return NULL;
}

/* The open groups are on the C stack, because their depth is limited. */
const uint8_t *wire_skip_group(const uint8_t *at, const uint8_t *end, uint32_t number,
                               const uint8_t **payload_end_out)
{
    uint32_t open[WIRE_GROUP_DEPTH];
    unsigned depth = 0;
    open[depth++] = number;
    while (depth) {
        WireType type;
        *payload_end_out = at;
        at = read_tag(at, end, &number, &type);
        if (!at)
            return NULL;
        if (type == WIRE_GROUP) {
            if (depth == WIRE_GROUP_DEPTH)
                return NULL;
            open[depth++] = number;
        } else if (type == WIRE_GROUP_END) {
            if (open[--depth] != number)
                return NULL;
        } else if (!(at = skip_plain(at, end, type))) {
            return NULL;
        }
    }
    return at;
}

const uint8_t *wire_skip(const uint8_t *at, const uint8_t *end, uint32_t number, WireType type)
{
    const uint8_t *payload_end;
    return type == WIRE_GROUP ? wire_skip_group(at, end, number, &payload_end)
                              : skip_plain(at, end, type);
}

static uint64_t read_little_endian(const uint8_t *at, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static const uint8_t *read_length(const uint8_t *at, const uint8_t *end, WireField *field)
{
    at = wire_varint(at, end, &field->value);
    if (!at || field->value > (uint64_t)(end - at))
        return NULL;
    field->bytes = bytes(at, (size_t)field->value);
    return at + field->value;
}

static const uint8_t *read_group(const uint8_t *at, const uint8_t *end, WireField *field)
{
    const uint8_t *payload_end, *behind = wire_skip_group(at, end, field->number, &payload_end);
    if (behind)
        field->bytes = bytes(at, (size_t)(payload_end - at));
    return behind;
}

static const uint8_t *read_fixed(const uint8_t *at, const uint8_t *end, unsigned size,
                                 WireField *field)
{
    const uint8_t *behind = skip_fixed(at, end, size);
    if (behind)
        field->value = read_little_endian(at, size);
    return behind;
}

/* Reads the value after the tag; returns the position after it. */
static const uint8_t *read_value(const uint8_t *at, const uint8_t *end, WireField *field)
{
    switch (field->type) {
    case WIRE_VARINT: return wire_varint(at, end, &field->value);
    case WIRE_FIXED64: return read_fixed(at, end, 8, field);
    case WIRE_FIXED32: return read_fixed(at, end, 4, field);
    case WIRE_LENGTH: return read_length(at, end, field);
    case WIRE_GROUP: return read_group(at, end, field);
    case WIRE_GROUP_END: break;
    }
    return NULL;
}

bool wire_next(WireReader *reader, WireField *field_out)
{
    if (reader->at == reader->end)
        return false;

    const uint8_t *start = reader->at, *payload, *behind = NULL;
    *field_out = (WireField){0};
    payload = read_tag(start, reader->end, &field_out->number, &field_out->type);
    if (payload)
        behind = read_value(payload, reader->end, field_out);
    if (!behind) {
        reader->bad = true;
        return false;
    }
    field_out->record = bytes(start, (size_t)(behind - start));
    reader->at = behind;
    return true;
}

Bytes wire_find_bytes(Bytes message, uint32_t number)
{
    Bytes found = BYTES_NONE;
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == number && f.type == WIRE_LENGTH)
            found = f.bytes;
    }
    return found;
}

WireSetItem wire_set_item(Bytes group)
{
    WireSetItem item = {0, BYTES_NONE};
    WireReader reader = wire_reader(group);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 2 && f.type == WIRE_VARINT && !item.number)
            item.number = (uint32_t)f.value;
        else if (f.number == 3 && f.type == WIRE_LENGTH && !item.message.data)
            item.message = f.bytes;
    }
    return item;
}

void wire_add_varint(Buffer *out, uint64_t value)
{
    if (buffer_reserve(out, 10))
        out->size = (size_t)(wire_put_varint(out->data + out->size, value) - out->data);
}

void wire_add_tag(Buffer *out, uint32_t number, WireType type)
{
    wire_add_varint(out, (uint64_t)number << 3 | type);
}

void wire_add_bytes(Buffer *out, uint32_t number, Bytes payload)
{
    wire_add_tag(out, number, WIRE_LENGTH);
    wire_add_varint(out, payload.size);
    buffer_add_bytes(out, payload);
}

void wire_add_number(Buffer *out, uint32_t number, uint64_t value)
{
    wire_add_tag(out, number, WIRE_VARINT);
    wire_add_varint(out, value);
}
