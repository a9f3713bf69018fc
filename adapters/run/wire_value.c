/* One scalar off the wire. https://protobuf.dev/programming-guides/encoding/ */
#include "adapters/run/scan.h"

const uint8_t *wire_malformed(Runner *runner)
{
    run_fail(runner, &FAULT_BAD_MESSAGE, "the protobuf bytes are not well-formed");
    return NULL;
}

const uint8_t *wire_bad_text(Runner *runner)
{
    run_fail(runner, &FAULT_BAD_VALUE, "a string that is not valid UTF-8");
    return NULL;
}

static inline uint32_t little_endian_32(const uint8_t *at)
{
    uint32_t raw;
    memcpy(&raw, at, 4);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap32(raw) : raw;
}

const uint8_t *wire_scalar(Runner *runner, FieldKind kind, bool check_utf8, const uint8_t *at,
                           const uint8_t *end, Value *value_out)
{
    uint64_t raw;
    switch (kind) {
    case KIND_DOUBLE:
    case KIND_FIXED64:
    case KIND_SFIXED64:
        if (end - at < 8)
            return wire_malformed(runner);
        value_out->u = wire_fixed64(at);
        return at + 8;
    case KIND_FLOAT:
    case KIND_FIXED32:
        if (end - at < 4)
            return wire_malformed(runner);
        value_out->u = little_endian_32(at);
        return at + 4;
    case KIND_SFIXED32:
        if (end - at < 4)
            return wire_malformed(runner);
        value_out->i = (int32_t)little_endian_32(at);
        return at + 4;
    case KIND_STRING:
    case KIND_BYTES:
    case KIND_MESSAGE:
        at = wire_varint(at, end, &raw);
        if (!at || raw > (uint64_t)(end - at))
            return wire_malformed(runner);
        *value_out = (Value){.data = at, .size = (size_t)raw};
        if (check_utf8 && !text_is_valid(at, (size_t)raw))
            return wire_bad_text(runner);
        return at + raw;
    default:
        at = wire_varint(at, end, &raw);
        if (!at)
            return wire_malformed(runner);
        *value_out = value_of_wire(kind, raw);
        return at;
    }
}

bool wire_join(Runner *runner, Value *whole, Bytes more)
{
    if (whole->size == 0) {
        *whole = value_of_bytes(more);
        return true;
    }
    uint8_t *joined = arena_alloc(runner->arena, whole->size + more.size);
    if (!joined)
        return run_out_of_memory(runner);
    memcpy(joined, whole->data, whole->size);
    if (more.size)
        memcpy(joined + whole->size, more.data, more.size);
    *whole = (Value){.data = joined, .size = whole->size + more.size};
    return true;
}

/* ---- Packed lists ---------------------------------------------------------------------------- */

static size_t count_varints(const uint8_t *at, const uint8_t *end)
{
    size_t n = 0, size = 0;
    while (at < end) {
        if (size == 0 && end - at >= 8 &&
            wire_varint_ends(wire_fixed64(at)) == UINT64_C(0x8080808080808080)) {
            at += 8;
            n += 8;
        } else if (*at++ < 0x80) {
            n++;
            size = 0;
        } else if (++size == WIRE_VARINT_MAX) {
            return SIZE_MAX;
        }
    }
    return size ? SIZE_MAX : n;
}

size_t packed_count(FieldKind kind, Bytes list)
{
    WireType type = kind_wire_type(kind);
    if (type == WIRE_VARINT)
        return count_varints(list.data, list.data + list.size);
    size_t size = type == WIRE_FIXED64 ? 8 : 4;
    return list.size % size ? SIZE_MAX : list.size / size;
}
