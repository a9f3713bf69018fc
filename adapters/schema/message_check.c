#include "adapters/schema/message_check.h"

#include "adapters/schema/kinds.h"
#include "base/text/utf8.h"

typedef struct Check {
    size_t left; /* bytes that may still be looked at */
    uint32_t depth;
} Check;

static MessageCheck check_message(Check *check, const MessageType *type, Bytes message);

static bool pay(Check *check, size_t cost)
{
    bool has = cost <= check->left;
    check->left -= has ? cost : check->left;
    return has;
}

static MessageCheck check_packed(FieldKind kind, Bytes list)
{
    uint64_t ignored;
    const uint8_t *at = list.data, *end = list.data + list.size;
    switch (kind_wire_type(kind)) {
    case WIRE_FIXED32: return list.size % 4 ? MESSAGE_CHECK_NOT_WIRE : MESSAGE_CHECK_VALID;
    case WIRE_FIXED64: return list.size % 8 ? MESSAGE_CHECK_NOT_WIRE : MESSAGE_CHECK_VALID;
    case WIRE_VARINT:
        while (at && at < end)
            at = wire_varint(at, end, &ignored);
        return at ? MESSAGE_CHECK_VALID : MESSAGE_CHECK_NOT_WIRE;
    case WIRE_LENGTH:
    case WIRE_GROUP:
    case WIRE_GROUP_END: break;
    }
    return MESSAGE_CHECK_NOT_WIRE;
}

static MessageCheck check_inside(Check *check, const MessageType *type, Bytes message)
{
    if (check->depth == 0)
        return MESSAGE_CHECK_TOO_DEEP;
    check->depth--;
    MessageCheck found = check_message(check, type, message);
    check->depth++;
    return found;
}

static MessageCheck check_field(Check *check, const FieldType *field, const WireField *f)
{
    if (f->type == WIRE_LENGTH && field->repeated && kind_may_be_packed(field->kind))
        return check_packed(field->kind, f->bytes);
    if (f->type != kind_wire_type(field->kind))
        return MESSAGE_CHECK_NOT_WIRE;
    if (kind_is_message(field->kind))
        return check_inside(check, field->message, f->bytes);
    bool is_valid = field->kind != KIND_STRING || utf8_valid(f->bytes);
    return is_valid ? MESSAGE_CHECK_VALID : MESSAGE_CHECK_NOT_UTF8;
}

/* What is looked at of a field now: messages within it are paid for by their fields. A group is
   searched for its end first. */
static size_t cost_of(const FieldType *field, const WireField *f)
{
    bool is_skipped = f->type == WIRE_LENGTH &&
                      (!field || field->kind == KIND_BYTES || field->kind == KIND_MESSAGE);
    return is_skipped ? f->record.size - f->bytes.size : f->record.size;
}

/* Only of the first 64 fields: those behind are taken to be there. */
static uint64_t bit_of(const FieldType *field)
{
    return field->index < 64 ? UINT64_C(1) << field->index : 0;
}

static MessageCheck check_required(Check *check, const MessageType *type, uint64_t seen)
{
    if (type->proto3)
        return MESSAGE_CHECK_VALID;
    if (!pay(check, type->n_fields))
        return MESSAGE_CHECK_TOO_LONG;
    for (uint32_t i = 0; i < type->n_fields; i++)
        if (type->fields[i].required && bit_of(&type->fields[i]) & ~seen)
            return MESSAGE_CHECK_INCOMPLETE;
    return MESSAGE_CHECK_VALID;
}

/* The type of the wire is in the first byte of a tag. */
static bool is_long_group(const Check *check, const WireReader *reader)
{
    return reader->at < reader->end && (*reader->at & 7) == WIRE_GROUP &&
           (size_t)(reader->end - reader->at) > check->left;
}

static MessageCheck check_message(Check *check, const MessageType *type, Bytes message)
{
    WireReader reader = wire_reader(message);
    uint64_t seen = 0;
    for (WireField f; !is_long_group(check, &reader) && wire_next(&reader, &f);) {
        const FieldType *field = message_field_by_number(type, f.number);
        if (!pay(check, cost_of(field, &f)))
            return MESSAGE_CHECK_TOO_LONG;
        seen |= field ? bit_of(field) : 0;
        MessageCheck found = field ? check_field(check, field, &f) : MESSAGE_CHECK_VALID;
        if (found != MESSAGE_CHECK_VALID)
            return found;
    }
    if (reader.bad)
        return MESSAGE_CHECK_NOT_WIRE;
    return reader.at < reader.end ? MESSAGE_CHECK_TOO_LONG : check_required(check, type, seen);
}

MessageCheck message_check(const MessageType *type, Bytes message, uint32_t depth, size_t most)
{
    Check check = {.left = most, .depth = depth};
    return check_message(&check, type, message);
}
