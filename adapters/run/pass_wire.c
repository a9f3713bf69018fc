/* Fields that are written during the scan, protobuf to protobuf: those that cannot be copied as
   they are. */
#include "adapters/run/scan_wire.h"

void pass_run(Scan *s, const uint8_t *record)
{
    Buffer *out = s->runner->out;
    size_t size = (size_t)(record - s->run);
    if (buffer_reserve(out, size)) {
        copy_bytes(out->data + out->size, s->run, size);
        out->size += size;
    }
    s->run = NULL;
}

/* ---- Faults ---------------------------------------------------------------------------------- */

/* The index of an element is only needed for an error, so it is counted then. */
static uint32_t elements_before(const Scan *s, const FieldType *field, const uint8_t *record)
{
    size_t n = 0;
    WireReader reader = wire_reader(bytes(s->start, (size_t)(record - s->start)));
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == field->number)
            n += f.type == WIRE_LENGTH && kind_may_be_packed(field->kind)
                     ? packed_count(field->kind, f.bytes)
                     : 1;
    }
    return (uint32_t)n;
}

const uint8_t *pass_failed(Scan *s, const ScanField *field, const uint8_t *record)
{
    if (field->field->repeated)
        run_failed_at(s->runner, elements_before(s, field->field, record));
    run_failed_in(s->runner, field->field->name);
    return NULL;
}

/* ---- Numbers that do not fit ----------------------------------------------------------------- */

const uint8_t *pass_unfitting(Scan *s, const ScanField *field, const uint8_t *record,
                              const uint8_t *at)
{
    Value value;
    end_run(s, record);
    at = wire_scalar(s->runner, field->field->kind, field->check_utf8, at, s->end, &value);
    if (!at)
        return NULL;
    s->frame->values[field->slot] = value;
    frame_set(s->frame, field->slot);
    return at;
}

/* ---- Messages and maps ----------------------------------------------------------------------- */

/* Reads a length and the bytes after it. NULL: truncated. */
static inline __attribute__((always_inline)) const uint8_t *
read_delimited(Scan *s, const uint8_t *at, Value *value_out)
{
    uint64_t size;
    at = wire_varint(at, s->end, &size);
    if (!at || size > (uint64_t)(s->end - at)) {
        *value_out = value_of_bytes(BYTES_NONE);
        return wire_malformed(s->runner);
    }
    *value_out = (Value){.data = at, .size = (size_t)size};
    return at + size;
}

/* Behind a record that keeps its tag and has nothing wrong; NULL: it may be another one. */
static inline const uint8_t *skip_same(const ScanField *field, const uint8_t *at,
                                       const uint8_t *end)
{
    uint64_t value;
    switch ((ScanRead)field->read) {
    case PASS_VARINT: return wire_skip_varint(at, end);
    case PASS_FITTING:
        at = wire_varint(at, end, &value);
        return at && op_fits(field->pass, value) ? at : NULL;
    case PASS_FIXED_64: return end - at >= 8 ? at + 8 : NULL;
    case PASS_FIXED_32: return end - at >= 4 ? at + 4 : NULL;
    case PASS_BYTES:
        at = wire_varint(at, end, &value);
        if (!at || value > (uint64_t)(end - at) ||
            (field->check_utf8 && !text_is_valid(at, (size_t)value)))
            return NULL;
        return at + value;
    default: return NULL;
    }
}

static inline __attribute__((always_inline)) bool is_same(Runner *runner, const Program *program,
                                                          Value message)
{
    program_need(runner->set, program);
    if (!program->often_same || runner->depth == runner->max_depth)
        return false;
    const ScanTable *table = program->scan;
    const uint8_t *at = message.data, *end = message.size ? at + message.size : at;
    uint32_t elements = 0;
    while (at != end) {
        const ScanField *field = table->fields + table->by_tag[*at] - 1;
        at = field->keeps_tag ? skip_same(field, at + 1, end) : NULL;
        if (!at)
            return false;
        elements += field->counts;
    }
    if (elements > runner->elements_left)
        return false;
    runner->elements_left -= elements;
    return true;
}

bool message_is_same(Runner *runner, const Program *program, Value message)
{
    return is_same(runner, program, message);
}

const uint8_t *pass_message(Scan *s, const ScanField *field, const uint8_t *record,
                            const uint8_t *at)
{
    Value message;
    const uint8_t *behind = read_delimited(s, at, &message);
    if (!behind)
        return NULL;
    if (!run_count_element(s->runner))
        return pass_failed(s, field, record);
    if (is_same(s->runner, field->pass->program, message))
        return pass_record(s, field, record, at, behind);
    end_run(s, record);
    return put_converted(s->runner, field->pass, false, message) ? behind
                                                                 : pass_failed(s, field, record);
}

static const uint8_t *skip_scalar(uint8_t tag, bool check_utf8, const uint8_t *at,
                                  const uint8_t *end)
{
    uint64_t size;
    switch (tag & 7) {
    case WIRE_VARINT: return wire_skip_varint(at, end);
    case WIRE_FIXED64: return end - at >= 8 ? at + 8 : NULL;
    case WIRE_FIXED32: return end - at >= 4 ? at + 4 : NULL;
    default: break;
    }
    at = wire_varint(at, end, &size);
    if (!at || size > (uint64_t)(end - at) || (check_utf8 && !text_is_valid(at, (size_t)size)))
        return NULL;
    return at + size;
}

/* Whether an entry has its key and its value, which are not converted, and nothing else. */
static bool is_plain_entry(const PlanOp *op, Value entry)
{
    const ElementShape *shape = op->shape;
    const uint8_t *at = entry.data, *end = at + entry.size;
    if (entry.size < 4 || *at != shape->key_tag ||
        (op->program && op->program->style != PROGRAM_COPY))
        return false;
    at = skip_scalar(shape->key_tag, shape->key_check_utf8, at + 1, end);
    return at && at < end && *at == shape->value_tag &&
           skip_scalar(shape->value_tag, shape->check_utf8, at + 1, end) == end;
}

const uint8_t *pass_entry(Scan *s, const ScanField *field, const uint8_t *record, const uint8_t *at)
{
    const PlanOp *op = field->pass;
    Value entry, key, value;
    const uint8_t *behind = read_delimited(s, at, &entry);
    if (!behind)
        return NULL;
    if (!run_count_element(s->runner))
        return pass_failed(s, field, record);
    if (is_plain_entry(op, entry))
        return pass_record(s, field, record, at, behind);
    end_run(s, record);
    if (!map_read_entry(s->runner, op->shape, value_bytes(entry), &key, &value))
        return pass_failed(s, field, record);
    if (put_map_entry(s->runner, op, key, value)) /* a fault names the key */
        return behind;
    run_failed_in(s->runner, field->field->name);
    return NULL;
}

/* ---- Packed lists ---------------------------------------------------------------------------- */

/* Counts the elements of a list; returns the position after it. */
static const uint8_t *count_elements(Scan *s, const ScanField *field, const uint8_t *record,
                                     const uint8_t *at)
{
    Value list;
    const uint8_t *behind = read_delimited(s, at, &list);
    if (!behind)
        return NULL;
    size_t n = packed_count(field->field->kind, value_bytes(list));
    if (n == SIZE_MAX)
        wire_malformed(s->runner);
    else if (run_count_elements(s->runner, n))
        return behind;
    return pass_failed(s, field, record);
}

const uint8_t *pass_packed(Scan *s, const ScanField *field, const uint8_t *record,
                           const uint8_t *at)
{
    const uint8_t *behind = count_elements(s, field, record, at);
    return behind ? pass_record(s, field, record, at, behind) : NULL;
}

/* A list that is packed although declared unpacked, or the reverse: readers must accept both. */
const uint8_t *pass_other_form(Scan *s, const ScanField *field, uint32_t tag, const uint8_t *record,
                               const uint8_t *at)
{
    const uint8_t *behind;
    WireType type = (WireType)(tag & 7);
    if (type == WIRE_LENGTH) {
        behind = count_elements(s, field, record, at);
    } else {
        behind = wire_skip(at, s->end, tag >> 3, type);
        if (!behind)
            wire_malformed(s->runner);
        else if (!run_count_element(s->runner))
            behind = pass_failed(s, field, record);
    }
    if (!behind)
        return NULL;
    end_run(s, record);
    wire_add_tag(s->runner->out, field->pass->put->field->number, type);
    buffer_add(s->runner->out, at, (size_t)(behind - at));
    return behind;
}
