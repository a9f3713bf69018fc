/* Reads one field of a message that the run created or selected. */
#include "adapters/run/convert.h"

#include "adapters/run/scan.h"

typedef struct Member {
    Conversion *c;
    const FieldType *field;
    Buffer items; /* list: Values; map: alternating keys and values; message: its pieces */
    Value value;
    bool found;
} Member;

static bool is_message_field(const FieldType *field)
{
    return kind_is_message(field->kind);
}

/* Whether the record is of another member of the field's oneof: the last one in the message unsets
   the others. */
static bool unsets(const FieldType *field, uint32_t number)
{
    const FieldType *other = field->oneof ? message_field_by_number(field->parent, number) : NULL;
    return other && other->oneof == field->oneof;
}

/* A value that a closed enum does not have counts as an unknown field. */
static bool is_known(const FieldType *field, Value value)
{
    return !field->enumeration || !field->enumeration->closed ||
           enum_value_by_number(field->enumeration, (int32_t)value.i);
}

static bool add(Member *m, Value value)
{
    if (!is_known(m->field, value))
        return true;
    m->found = true;
    m->value = value;
    if (m->field->repeated)
        buffer_add(&m->items, &value, sizeof value);
    return !m->field->repeated || run_count_element(m->c->runner);
}

static bool read_record(Member *m, const WireField *f);
static Value member_value(Member *m);

static bool read_packed(Member *m, Bytes payload)
{
    const uint8_t *at = payload.data, *end = payload.data + payload.size;
    Value value;
    while (at < end) {
        if (!(at = wire_scalar(m->c->runner, m->field->kind, false, at, end, &value)) ||
            !add(m, value))
            return false;
    }
    return true;
}

/* The last value of one of an entry's two fields, or its zero. */
static bool read_half(Member *m, Bytes entry, uint32_t number, Value *value_out)
{
    const FieldType *field = message_field_by_number(m->field->message, number);
    Member half = {.c = m->c, .field = field, .items = buffer_in(m->items.arena)};
    WireReader reader = wire_reader(entry);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == number && !read_record(&half, &f))
            return false;
    }
    *value_out = member_value(&half);
    return !reader.bad ||
           run_fail(m->c->runner, &FAULT_BAD_MESSAGE, "the protobuf bytes are not well-formed");
}

static bool read_entry(Member *m, Bytes entry)
{
    Value halves[2];
    if (!read_half(m, entry, 1, &halves[0]) || !read_half(m, entry, 2, &halves[1]))
        return false;
    m->found = true;
    buffer_add(&m->items, halves, sizeof halves);
    return run_count_element(m->c->runner);
}

static bool read_message(Member *m, Bytes message)
{
    if (m->field->map)
        return read_entry(m, message);
    if (m->field->repeated)
        return add(m, value_of_bytes(message));
    m->found = true;
    buffer_add_bytes(&m->items, message); /* pieces of one message are merged by its reader */
    return true;
}

static bool read_record(Member *m, const WireField *f)
{
    const FieldType *field = m->field;
    bool text = kind_is_bytes(field->kind);
    uint64_t tag;
    Value value = {.u = 0, .size = 0};
    if (f->type != kind_wire_type(field->kind))
        return f->type != WIRE_LENGTH || !field->repeated || text || is_message_field(field) ||
               read_packed(m, f->bytes);
    if (is_message_field(field))
        return read_message(m, f->bytes);
    const uint8_t *end = f->record.data + f->record.size;
    return wire_scalar(m->c->runner, field->kind, field->check_utf8,
                       wire_varint(f->record.data, end, &tag), end, &value) &&
           add(m, value);
}

static Value member_value(Member *m)
{
    if (m->field->repeated)
        return (Value){.items = (const Value *)(const void *)m->items.data,
                       .size = m->items.size / sizeof(Value)};
    return is_message_field(m->field) ? value_of_bytes(buffer_bytes(&m->items)) : m->value;
}

bool convert_member(Conversion *c)
{
    Member m = {.c = c, .field = c->converter->value, .items = buffer_in(c->runner->arena)};
    WireReader reader = wire_reader(value_bytes(c->args[0]));
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == m.field->number) {
            if (!read_record(&m, &f))
                return false;
        } else if (unsets(m.field, f.number)) {
            m.found = false;
            m.items.size = 0;
        }
    }
    if (reader.bad)
        return run_fail(c->runner, &FAULT_BAD_MESSAGE, "the protobuf bytes are not well-formed");
    if (m.items.full)
        return run_out_of_memory(c->runner);
    c->value = member_value(&m);
    c->absent = !m.found || (!m.field->repeated && !m.field->presence &&
                             value_is_zero(m.field->kind, c->value));
    return true;
}
