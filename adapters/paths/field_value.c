#include "adapters/paths/field_value.h"

#include "adapters/schema/kinds.h"
#include "adapters/text/number_text.h"
#include "base/text/base64.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* ---- Finding --------------------------------------------------------------------------------- */

/* The last field with this number, as protobuf requires. */
static bool find_last(Bytes message, const FieldType *field, WireField *found_out)
{
    WireReader reader = wire_reader(message);
    WireField each;
    bool found = false;
    while (wire_next(&reader, &each)) {
        if (each.number != field->number)
            continue;
        *found_out = each;
        found = true;
    }
    return found && !reader.bad;
}

bool field_find(const FieldType *const *path, Bytes message, WireField *found_out)
{
    for (; path[1]; path++)
        message = wire_find_bytes(message, (*path)->number);
    return message.data && find_last(message, *path, found_out) &&
           (found_out->type != WIRE_LENGTH || found_out->bytes.size > 0);
}

/* ---- As a text ------------------------------------------------------------------------------- */

bool field_has_text(const FieldType *field)
{
    return !field->repeated && !field->map && !field->message;
}

Bytes field_number_text(FieldKind kind, uint64_t value, char out[FIELD_NUMBER_SIZE])
{
    int64_t number = (int64_t)value;
    switch (kind) {
    case KIND_UINT64:
    case KIND_FIXED64:
        return bytes(out, (size_t)snprintf(out, FIELD_NUMBER_SIZE, "%" PRIu64, value));
    case KIND_UINT32:
    case KIND_FIXED32: number = (uint32_t)value; break;
    case KIND_INT32:
    case KIND_ENUM:
    case KIND_SFIXED32: number = (int32_t)value; break;
    case KIND_SINT32: number = wire_unzigzag((uint32_t)value); break;
    case KIND_SINT64: number = wire_unzigzag(value); break;
    default: break;
    }
    return bytes(out, (size_t)snprintf(out, FIELD_NUMBER_SIZE, "%" PRId64, number));
}

static void add_float(Buffer *out, FieldKind kind, uint64_t value)
{
    uint8_t text[NUMBER_TEXT_MAX];
    uint32_t half = (uint32_t)value;
    float narrow;
    double number;
    memcpy(&narrow, &half, sizeof narrow);
    memcpy(&number, &value, sizeof number);
    if (kind == KIND_FLOAT)
        number = narrow;
    if (isnan(number))
        buffer_add_text(out, "NaN");
    else if (isinf(number))
        buffer_add_text(out, number < 0 ? "-Infinity" : "Infinity");
    else
        buffer_add(out, text,
                   kind == KIND_FLOAT ? number_write_float(text, narrow)
                                      : number_write_double(text, number));
}

static void add_number(Buffer *out, const FieldType *field, uint64_t value)
{
    char text[FIELD_NUMBER_SIZE];
    const EnumValue *name =
        field->enumeration ? enum_value_by_number(field->enumeration, (int32_t)value) : NULL;
    if (field->kind == KIND_DOUBLE || field->kind == KIND_FLOAT)
        add_float(out, field->kind, value);
    else if (field->kind == KIND_BOOL)
        buffer_add_text(out, value ? "true" : "false");
    else if (name)
        buffer_add_text(out, name->name);
    else
        buffer_add_bytes(out, field_number_text(field->kind, value, text));
}

void field_value_add(Buffer *out, const FieldType *field, const WireField *found, size_t most)
{
    if (found->type != kind_wire_type(field->kind))
        return;
    if (field->kind == KIND_STRING)
        buffer_add_bytes(out, bytes_cut_text(found->bytes, most));
    else if (field->kind == KIND_BYTES)
        base64_encode(out, bytes_slice(found->bytes, 0, most), BASE64_STANDARD, true);
    else
        add_number(out, field, found->value);
}
