/* Reads protobuf's wire format into the slots of a frame.
   https://protobuf.dev/programming-guides/encoding/ */
#include "adapters/run/scan_wire.h"

/* ---- Fields ---------------------------------------------------------------------------------- */

/* Handles a record without a field, as UnknownFields specifies. */
static bool take_unknown(Scan *s, uint32_t number, Bytes record)
{
    switch (s->runner->unknown) {
    case UNKNOWN_REFUSE:
        return run_fail(s->runner, &FAULT_UNKNOWN_FIELD, "%s has no field with the number %u",
                        s->table->type->full_name, number);
    case UNKNOWN_KEEP:
        if (s->frame->unknown) {
            buffer_add_bytes(s->frame->unknown, record);
            return true;
        }
        break;
    case UNKNOWN_COUNT: break;
    }
    s->runner->report->n_unknown++;
    return true;
}

static void clear_table(Frame *frame, const ScanTable *table);

static void clear_field(Frame *frame, const ScanField *field)
{
    if (field->slot != NO_SLOT)
        frame_clear(frame, field->slot);
    if (field->inside)
        clear_table(frame, field->inside);
}

/* The recursion is as deep as the paths out of which the mapping moves fields. */
static void clear_table(Frame *frame, const ScanTable *table)
{
    for (uint32_t i = 0; i < table->type->n_fields; i++)
        clear_field(frame, &table->fields[i]);
}

/* Setting a member of a oneof unsets the one that was set before. */
static void choose(Scan *s, const ScanField *field)
{
    uint16_t *chosen = &s->frame->oneof_chosen[field->oneof - 1];
    uint16_t index = (uint16_t)(field->field->index + 1);
    if (*chosen && *chosen != index)
        clear_field(s->frame, &s->table->fields[*chosen - 1]);
    *chosen = index;
}

static bool append_message(Scan *s, const ScanField *field, Bytes more)
{
    Value *value = &s->frame->values[field->slot];
    if (!frame_has(s->frame, field->slot)) {
        *value = value_of_bytes(more);
        frame_set(s->frame, field->slot);
        return true;
    }
    return wire_join(s->runner, value, more);
}

static inline bool keep_message(Scan *s, const ScanField *field, Bytes message)
{
    if (field->oneof)
        choose(s, field);
    return field->slot == NO_SLOT || append_message(s, field, message);
}

static inline bool go_deeper(Runner *runner)
{
    if (runner->depth == runner->max_depth)
        return run_fail(runner, &FAULT_TOO_DEEP, "nested deeper than allowed (limits.depth)");
    runner->depth++;
    return true;
}

static bool take_message(Scan *s, const ScanField *field, Bytes message)
{
    if (!keep_message(s, field, message))
        return false;
    if (!field->inside)
        return true;
    if (!go_deeper(s->runner))
        return false;
    bool ok = scan_wire(s->runner, field->inside, s->frame, message);
    s->runner->depth--;
    return ok;
}

/* Whether a closed enum (proto2) does not have the number, which makes it an unknown field. */
static bool is_unknown_enum(const FieldType *field, Value value)
{
    return field->kind == KIND_ENUM && field->enumeration->closed &&
           !enum_value_by_number(field->enumeration, (int32_t)value.i);
}

static const uint8_t *take_scalar(Scan *s, const ScanField *field, const uint8_t *record,
                                  const uint8_t *at)
{
    Value value;
    at = wire_scalar(s->runner, field->field->kind, field->check_utf8, at, s->end, &value);
    if (!at) {
        run_failed_in(s->runner, field->field->name);
        return NULL;
    }
    if (is_unknown_enum(field->field, value))
        return take_unknown(s, field->field->number, bytes(record, (size_t)(at - record))) ? at
                                                                                           : NULL;
    if (field->oneof)
        choose(s, field);
    if (field->slot == NO_SLOT)
        return at;
    s->frame->values[field->slot] = value;
    if (!field->field->presence && value_is_zero(field->field->kind, value))
        frame_clear(s->frame, field->slot);
    else
        frame_set(s->frame, field->slot);
    return at;
}

/* ---- Repeated fields ------------------------------------------------------------------------- */

static bool add_run(Scan *s, const ScanField *field, WireRun run)
{
    WireRun *added = arena_alloc(s->runner->arena, sizeof(WireRun));
    if (!added)
        return run_out_of_memory(s->runner);
    *added = run;
    Value *value = &s->frame->values[field->slot];
    if (frame_has(s->frame, field->slot)) {
        value->last->next = added;
        value->last = added;
    } else {
        *value = (Value){.run = added, .last = added};
        frame_set(s->frame, field->slot);
    }
    return true;
}

static const uint8_t *take_packed(Scan *s, const ScanField *field, const uint8_t *at)
{
    uint64_t size;
    at = wire_varint(at, s->end, &size);
    if (!at || size > (uint64_t)(s->end - at))
        return wire_malformed(s->runner);
    if (size && field->slot != NO_SLOT && !add_run(s, field, (WireRun){.at = at, .end = at + size}))
        return NULL;
    return at + size;
}

/* Whether the next record begins with these bytes of a tag. */
static inline bool has_tag(const uint8_t *at, const uint8_t *end, const uint8_t *tag, size_t size)
{
    if ((size_t)(end - at) <= size || at[0] != tag[0])
        return false;
    for (size_t i = 1; i < size; i++) {
        if (at[i] != tag[i])
            return false;
    }
    return true;
}

/* Takes all consecutive records that have the same tag as this one. */
static const uint8_t *take_records(Scan *s, const ScanField *field, uint32_t tag,
                                   const uint8_t *record, const uint8_t *at)
{
    size_t tag_size = (size_t)(at - record);
    WireRun run = {.at = record, .tag = tag, .tag_size = (uint8_t)tag_size};
    bool delimited = (tag & 7) == WIRE_LENGTH;
    for (;;) {
        if (delimited && at < s->end && *at < 0x80 && s->end - at > *at)
            at += *at + 1;
        else if (!(at = wire_skip(at, s->end, tag >> 3, (WireType)(tag & 7))))
            return wire_malformed(s->runner);
        if (!has_tag(at, s->end, record, tag_size))
            break;
        at += tag_size;
    }
    run.end = at;
    return field->slot == NO_SLOT || add_run(s, field, run) ? at : NULL;
}

/* ---- Messages -------------------------------------------------------------------------------- */

static const uint8_t *skip_unknown(Scan *s, uint32_t tag, const uint8_t *record, const uint8_t *at)
{
    at = wire_skip(at, s->end, tag >> 3, (WireType)(tag & 7));
    if (!at)
        return wire_malformed(s->runner);
    return take_unknown(s, tag >> 3, bytes(record, (size_t)(at - record))) ? at : NULL;
}

static const uint8_t *take_delimited(Scan *s, const ScanField *field, const uint8_t *at)
{
    uint64_t size;
    at = wire_varint(at, s->end, &size);
    if (!at || size > (uint64_t)(s->end - at))
        return wire_malformed(s->runner);
    if (take_message(s, field, bytes(at, (size_t)size)))
        return at + size;
    run_failed_in(s->runner, field->field->name);
    return NULL;
}

static const uint8_t *take_group(Scan *s, const ScanField *field, const uint8_t *at)
{
    const uint8_t *payload_end;
    const uint8_t *behind = wire_skip_group(at, s->end, field->field->number, &payload_end);
    if (!behind)
        return wire_malformed(s->runner);
    if (take_message(s, field, bytes(at, (size_t)(payload_end - at))))
        return behind;
    run_failed_in(s->runner, field->field->name);
    return NULL;
}

static const uint8_t *take_field(Scan *s, const ScanField *field, uint32_t tag,
                                 const uint8_t *record, const uint8_t *at)
{
    const FieldType *type = field->field;
    WireType written = (WireType)(tag & 7), expected = kind_wire_type(type->kind);
    bool packed = type->repeated && written == WIRE_LENGTH && kind_may_be_packed(type->kind);
    if (written != expected && !packed)
        return skip_unknown(s, tag, record, at);
    if (field->pass)
        return pass_other_form(s, field, tag, record, at);
    if (type->repeated)
        return packed ? take_packed(s, field, at) : take_records(s, field, tag, record, at);
    if (type->kind == KIND_GROUP)
        return take_group(s, field, at);
    return type->kind == KIND_MESSAGE ? take_delimited(s, field, at)
                                      : take_scalar(s, field, record, at);
}

static const uint8_t *take_set_item(Scan *s, const uint8_t *record, const uint8_t *at)
{
    const uint8_t *payload_end, *behind = wire_skip_group(at, s->end, 1, &payload_end);
    if (!behind)
        return wire_malformed(s->runner);
    WireSetItem item = wire_set_item(bytes(at, (size_t)(payload_end - at)));
    const FieldType *type =
        item.number ? message_field_by_number(s->table->type, item.number) : NULL;
    bool ok = type && !type->repeated && kind_is_message(type->kind) && item.message.data
                  ? take_message(s, &s->table->fields[type->index], item.message)
                  : take_unknown(s, item.number, bytes(record, (size_t)(behind - record)));
    return ok ? behind : NULL;
}

static inline const ScanField *find_field(const ScanTable *table, uint32_t number)
{
    const MessageType *type = table->type;
    if (__builtin_expect(number < type->by_number_n, 1)) {
        uint32_t index = type->by_number[number];
        return index ? &table->fields[index - 1] : NULL;
    }
    const FieldType *field = message_field_by_number(type, number);
    return field ? &table->fields[field->index] : NULL;
}

/* All records other than the common cases. */
static const uint8_t *take_unusual(Scan *s, const ScanField *field, uint32_t tag,
                                   const uint8_t *record, const uint8_t *at)
{
    if (s->table->type->message_set && tag == (1 << 3 | WIRE_GROUP))
        return take_set_item(s, record, at);
    return field ? take_field(s, field, tag, record, at) : skip_unknown(s, tag, record, at);
}

static inline void keep_number(Scan *s, const ScanField *field, Value value)
{
    s->frame->values[field->slot] = value;
    if (value.u || field->presence)
        frame_set(s->frame, field->slot);
    else
        frame_clear(s->frame, field->slot);
}

static inline const uint8_t *take_bytes(Scan *s, const ScanField *field, const uint8_t *at)
{
    uint64_t size;
    at = wire_varint(at, s->end, &size);
    if (!at || size > (uint64_t)(s->end - at))
        return wire_malformed(s->runner);
    if (field->check_utf8 && !text_is_valid(at, (size_t)size)) {
        wire_bad_text(s->runner);
        run_failed_in(s->runner, field->field->name);
        return NULL;
    }
    s->frame->values[field->slot] = (Value){.data = at, .size = (size_t)size};
    if (size || field->presence)
        frame_set(s->frame, field->slot);
    else
        frame_clear(s->frame, field->slot);
    return at + size;
}

/* A message whose fields have slots in this frame: the scan continues inside it. NULL: a fault. */
static inline const uint8_t *open_message(Scan *s, const ScanField *field, const uint8_t *at)
{
    uint64_t size;
    if (s->n_open == MOST_OPEN)
        return take_delimited(s, field, at);
    at = wire_varint(at, s->end, &size);
    if (!at || size > (uint64_t)(s->end - at))
        return wire_malformed(s->runner);
    if (!keep_message(s, field, bytes(at, (size_t)size)) ||
        (field->inside && !go_deeper(s->runner))) {
        run_failed_in(s->runner, field->field->name);
        return NULL;
    }
    if (!field->inside)
        return at + size;
    s->open[s->n_open++] = (OpenScan){field, s->table, s->end};
    s->table = field->inside;
    s->end = at + size;
    return at;
}

static inline void close_message(Scan *s)
{
    const OpenScan *open = &s->open[--s->n_open];
    s->table = open->outer_table;
    s->end = open->outer_end;
    s->runner->depth--;
}

/* Reads one field, after its tag. */
static inline __attribute__((always_inline)) const uint8_t *
take_usual(Scan *s, const ScanField *field, const uint8_t *record, const uint8_t *at)
{
    uint64_t raw;
    if (s->run)
        pass_run(s, record);
    switch ((ScanRead)field->read) {
    case READ_VARINT_64:
        if (!(at = wire_varint(at, s->end, &raw)))
            return wire_malformed(s->runner);
        keep_number(s, field, (Value){.u = raw});
        return at;
    case READ_VARINT_32:
        if (!(at = wire_varint(at, s->end, &raw)))
            return wire_malformed(s->runner);
        keep_number(s, field, (Value){.i = (int32_t)(uint32_t)raw});
        return at;
    case READ_VARINT_U32:
        if (!(at = wire_varint(at, s->end, &raw)))
            return wire_malformed(s->runner);
        keep_number(s, field, (Value){.u = (uint32_t)raw});
        return at;
    case READ_BOOL:
        if (!(at = wire_varint(at, s->end, &raw)))
            return wire_malformed(s->runner);
        keep_number(s, field, (Value){.u = raw != 0});
        return at;
    case READ_FIXED_64:
        if (s->end - at < 8)
            return wire_malformed(s->runner);
        keep_number(s, field, (Value){.u = wire_fixed64(at)});
        return at + 8;
    case READ_BYTES: return take_bytes(s, field, at);
    case READ_MESSAGE: return open_message(s, field, at);
    case READ_RECORDS: return take_records(s, field, field->tag, record, at);
    case READ_PACKED: return take_packed(s, field, at);
    default: return take_unusual(s, field, field->tag, record, at);
    }
}

/* A record whose tag has several bytes, or is not the expected one of its field. */
static const uint8_t *take_any(Scan *s, const uint8_t *record)
{
    uint64_t tag;
    const uint8_t *at = wire_varint(record, s->end, &tag);
    if (!at || tag > UINT32_MAX || tag >> 3 == 0 || at - record > WIRE_TAG_MAX)
        return wire_malformed(s->runner);
    const ScanField *field = find_field(s->table, (uint32_t)(tag >> 3));
    bool usual = field && field->tag == tag;
    if (usual && field->read >= PASS_VARINT)
        return pass_field(s, (ScanRead)field->read, field, record, at);
    if (usual) {
        const uint8_t *behind = take_usual(s, field, record, at);
        return field->pass && behind ? pass_record(s, field, record, at, behind) : behind;
    }
    if (s->run)
        pass_run(s, record);
    return take_unusual(s, field, (uint32_t)tag, record, at);
}

/* Takes the record at `at`. Returns the position after it, or inside it if it is a message that was
   opened. */
static inline const uint8_t *take_record(Scan *s, const uint8_t *at)
{
    const ScanField *field = s->table->fields + s->table->by_tag[*at] - 1;
    ScanRead read = (ScanRead)field->read;
    if (read >= PASS_VARINT)
        return read == READ_TAG ? take_any(s, at) : pass_field(s, read, field, at, at + 1);
    const uint8_t *behind = take_usual(s, field, at, at + 1);
    return field->pass && behind ? pass_record(s, field, at, at + 1, behind) : behind;
}

/* Adds the open messages to the path of the fault. Returns the end of the record, if the run goes
   on there; else NULL. */
static const uint8_t *leave_record(Scan *s, uint32_t before, const uint8_t *record)
{
    uint64_t tag;
    for (uint32_t i = s->n_open; i > 0; i--)
        run_failed_in(s->runner, s->open[i - 1].field->field->name);
    if (!run_goes_on(s->runner, before))
        return NULL;
    s->run = NULL;
    const uint8_t *at = wire_varint(record, s->end, &tag);
    at = at ? wire_skip(at, s->end, (uint32_t)(tag >> 3), (WireType)(tag & 7)) : NULL;
    return at ? at : wire_malformed(s->runner);
}

/* Leaves the depth as it was. */
static bool fail_inside(Scan *s)
{
    while (s->n_open)
        close_message(s);
    return false;
}

bool scan_wire(Runner *runner, const ScanTable *table, Frame *frame, Bytes message)
{
    const uint8_t *at = message.data;
    uint32_t before = runner->n_mistakes;
    Scan s;
    s.runner = runner;
    s.table = table;
    s.frame = frame;
    s.start = at;
    s.end = at ? at + message.size : NULL;
    s.run = NULL;
    s.n_open = 0;
    for (;;) {
        if (at < s.end) {
            const uint8_t *record = at;
            if (!(at = take_record(&s, record)) && !(at = leave_record(&s, before, record)))
                return fail_inside(&s);
        } else if (s.n_open) {
            close_message(&s);
        } else {
            break;
        }
    }
    if (s.run)
        pass_run(&s, at);
    return run_ends_well(runner, before);
}
