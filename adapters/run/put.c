/* Writes values to the output, as protobuf and as JSON. */
#include "adapters/run/put.h"

#include "adapters/text/number_text.h"
#include "base/text/base64.h"
#include "base/text/utf8.h"

#include <math.h>

/* ---- Protobuf -------------------------------------------------------------------------------- */

static void put_fixed(Buffer *out, uint64_t value, size_t size)
{
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
        value = __builtin_bswap64(value) >> (64 - 8 * size);
    buffer_add(out, &value, size);
}

static inline void put_varint(Buffer *out, uint64_t value)
{
    if (buffer_reserve(out, 10))
        out->size = (size_t)(wire_put_varint(out->data + out->size, value) - out->data);
}

static inline void put_delimited(Buffer *out, Value value)
{
    if (!buffer_reserve(out, value.size + 10))
        return;
    uint8_t *to = wire_put_varint(out->data + out->size, value.size);
    copy_bytes(to, value.data, value.size);
    out->size = (size_t)(to - out->data) + value.size;
}

void put_wire_scalar(Buffer *out, FieldKind kind, Value value)
{
    switch (kind) {
    case KIND_STRING:
    case KIND_BYTES:
    case KIND_MESSAGE: put_delimited(out, value); break;
    case KIND_INT32:
    case KIND_INT64:
    case KIND_UINT32:
    case KIND_UINT64:
    case KIND_BOOL:
    case KIND_ENUM: put_varint(out, value.u); break;
    case KIND_SINT32:
    case KIND_SINT64: put_varint(out, wire_zigzag(value.i)); break;
    case KIND_DOUBLE:
    case KIND_FIXED64:
    case KIND_SFIXED64: put_fixed(out, value.u, 8); break;
    case KIND_FLOAT:
    case KIND_FIXED32:
    case KIND_SFIXED32: put_fixed(out, value.u, 4); break;
    case KIND_GROUP: buffer_add(out, value.data, value.size); break;
    }
}

void length_end_slow(Buffer *out, size_t content, size_t reserved)
{
    size_t size = out->size - content, needed = wire_varint_size(size);
    if (out->full)
        return;
    if (needed != reserved) {
        if (!buffer_reserve(out, 10))
            return;
        memmove(out->data + content - reserved + needed, out->data + content, size);
        out->size = out->size - reserved + needed;
    }
    wire_put_varint(out->data + content - reserved, size);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_json_signed(Buffer *out, int64_t number)
{
    if (buffer_reserve(out, NUMBER_TEXT_MAX))
        out->size += number_write_i64(out->data + out->size, number);
}

static void put_json_unsigned(Buffer *out, uint64_t number)
{
    if (buffer_reserve(out, NUMBER_TEXT_MAX))
        out->size += number_write_u64(out->data + out->size, number);
}

/* JavaScript's numbers cannot hold 64-bit integers, so JSON has them as strings. */
static void put_json_quoted(Buffer *out, bool negative, uint64_t magnitude)
{
    if (!buffer_reserve(out, NUMBER_TEXT_MAX))
        return;
    uint8_t *to = out->data + out->size;
    *to++ = '"';
    *to = '-';
    to += negative;
    to += number_write_u64(to, magnitude);
    *to++ = '"';
    out->size = (size_t)(to - out->data);
}

static void put_json_not_finite(Buffer *out, double number)
{
    buffer_add_text(out, isnan(number) ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
}

static void put_json_double(Buffer *out, double number)
{
    if (!isfinite(number))
        put_json_not_finite(out, number);
    else if (buffer_reserve(out, NUMBER_TEXT_MAX))
        out->size += number_write_double(out->data + out->size, number);
}

static void put_json_float(Buffer *out, float number)
{
    if (!isfinite(number))
        put_json_not_finite(out, (double)number);
    else if (buffer_reserve(out, NUMBER_TEXT_MAX))
        out->size += number_write_float(out->data + out->size, number);
}

static bool put_json_text(Runner *runner, Bytes text)
{
    return json_write_checked(runner->out, text) ||
           run_fail(runner, &FAULT_BAD_VALUE, "a string that is not valid UTF-8");
}

static void put_json_enum(Runner *runner, const EnumType *type, int32_t number)
{
    Buffer *out = runner->out;
    const EnumValue *value =
        runner->set->options.enums_as_numbers ? NULL : enum_value_by_number(type, number);
    if (type->is_null_value && number == 0) {
        buffer_add_text(out, "null");
    } else if (value) {
        buffer_add_byte(out, '"');
        buffer_add_text(out, value->name);
        buffer_add_byte(out, '"');
    } else {
        put_json_signed(out, number);
    }
}

static void put_json_bytes(Buffer *out, Bytes bytes)
{
    buffer_add_byte(out, '"');
    base64_encode(out, bytes, BASE64_STANDARD, true);
    buffer_add_byte(out, '"');
}

bool put_json_scalar(Runner *runner, FieldKind kind, const EnumType *enumeration, Value value)
{
    Buffer *out = runner->out;
    switch (kind) {
    case KIND_STRING: return put_json_text(runner, value_bytes(value));
    case KIND_INT32:
    case KIND_SINT32:
    case KIND_SFIXED32: put_json_signed(out, value.i); break;
    case KIND_UINT32:
    case KIND_FIXED32: put_json_unsigned(out, value.u); break;
    case KIND_INT64:
    case KIND_SINT64:
    case KIND_SFIXED64: put_json_quoted(out, value.i < 0, value.i < 0 ? -value.u : value.u); break;
    case KIND_UINT64:
    case KIND_FIXED64: put_json_quoted(out, false, value.u); break;
    case KIND_DOUBLE: put_json_double(out, value.d); break;
    case KIND_FLOAT: put_json_float(out, value_float(value)); break;
    case KIND_BOOL: buffer_add_text(out, value.u ? "true" : "false"); break;
    case KIND_BYTES: put_json_bytes(out, value_bytes(value)); break;
    case KIND_ENUM: put_json_enum(runner, enumeration, (int32_t)value.i); break;
    case KIND_MESSAGE:
    case KIND_GROUP: break;
    }
    return true;
}
