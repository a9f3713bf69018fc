#include "gateway/job/job_field.h"

#include "adapters/schema/kinds.h"

#include <inttypes.h>

/* Replaces what was found before; a path is as deep as the config says. */
static void find(const FieldType *const *path, Bytes message, WireField *found)
{
    WireReader reader = wire_reader(message);
    WireField field;
    while (wire_next(&reader, &field)) {
        if (field.number != path[0]->number)
            continue;
        if (!path[1])
            *found = field;
        else if (field.type == WIRE_LENGTH || field.type == WIRE_GROUP)
            find(path + 1, field.bytes, found);
    }
}

static const FieldType *last_of(const FieldType *const *path)
{
    while (path[1])
        path++;
    return *path;
}

/* False: it is not set, or is not of its type. */
static bool read_field(const FieldType *const *path, Bytes message, WireField *found)
{
    *found = (WireField){.number = 0};
    find(path, message, found);
    return found->number && found->type == kind_wire_type(last_of(path)->kind);
}

static int64_t number_of(FieldKind kind, uint64_t value)
{
    switch (kind) {
    case KIND_SINT32:
    case KIND_SINT64: return wire_unzigzag(value);
    case KIND_BOOL: return value != 0;
    case KIND_INT32:
    case KIND_ENUM:
    case KIND_SFIXED32: return (int32_t)value;
    case KIND_UINT32:
    case KIND_FIXED32: return (uint32_t)value;
    case KIND_INT64:
    case KIND_UINT64:
    case KIND_FIXED64:
    case KIND_SFIXED64:
    case KIND_DOUBLE:
    case KIND_FLOAT:
    case KIND_STRING:
    case KIND_BYTES:
    case KIND_GROUP:
    case KIND_MESSAGE: break;
    }
    return (int64_t)value;
}

static bool is_one_of(const JobCondition *condition, const WireField *field, FieldKind kind)
{
    for (uint32_t i = 0; i < condition->n; i++)
        if (condition->texts ? bytes_equal(field->bytes, condition->texts[i])
                             : number_of(kind, field->value) == condition->numbers[i])
            return true;
    return false;
}

bool job_condition_holds(const JobCondition *condition, Bytes message)
{
    WireField field;
    if (!read_field(condition->path, message, &field))
        field = (WireField){.number = 0};
    return is_one_of(condition, &field, last_of(condition->path)->kind) != condition->unless;
}

void job_field_text(const FieldType *const *path, Bytes message, Buffer *out)
{
    WireField field;
    FieldKind kind = last_of(path)->kind;
    if (!read_field(path, message, &field))
        return;
    if (kind == KIND_STRING)
        buffer_add_bytes(out, field.bytes);
    else if (!number_of(kind, field.value))
        return; /* written or not, it is the same */
    else if (kind == KIND_UINT64 || kind == KIND_FIXED64)
        buffer_printf(out, "%" PRIu64, field.value);
    else
        buffer_printf(out, "%" PRId64, number_of(kind, field.value));
}
