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

static inline bool keep_message(Scan *s, const ScanField *field, Bytes message)
{
    if (field->oneof)
        choose(s, field);
    if (field->slot == NO_SLOT)
        return true;
    Value *value = &s->values[field->slot];
    if (slot_is_set(s->set, field->slot))
        return wire_join(s->runner, value, message);
    *value = value_of_bytes(message);
    slot_set(s->set, field->slot);
    return true;
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
    s->values[field->slot] = value;
    if (value.u || field->presence)
        slot_set(s->set, field->slot);
    else
        slot_clear(s->set, field->slot);
}

static inline __attribute__((always_inline)) bool
is_ignored(const ScanField *field, const uint8_t *text, const uint8_t *behind)
{
    return (size_t)(behind - text) == field->ignored->size &&
           bytes_are_at(text, value_bytes(*field->ignored));
}

static inline void keep_bytes(Scan *s, const ScanField *field, Bytes text, bool ignored)
{
    s->values[field->slot] = value_of_bytes(text);
    if ((text.size || field->presence) && !ignored)
        slot_set(s->set, field->slot);
    else
        slot_clear(s->set, field->slot);
}

/* A message whose fields have slots in this frame: the scan continues inside it. NULL: a fault. */
static inline __attribute__((always_inline)) const uint8_t *
open_message(Scan *s, const ScanField *field, const uint8_t *at)
{
    uint64_t size;
    if (s->n_open == MOST_OPEN)
        return take_delimited(s, field, at);
    at = wire_varint_here(at, s->end, &size);
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

/* The end of a text or bytes behind a tag. NULL: malformed; with a fault in the runner: not UTF-8.
 */
static inline __attribute__((always_inline)) const uint8_t *
behind_text(Scan *s, const ScanField *field, const uint8_t *at, const uint8_t **text_out)
{
    uint64_t size;
    const uint8_t *text = wire_varint_here(at, s->end, &size);
    if (!text || size > (uint64_t)(s->end - text))
        return NULL;
    *text_out = text;
    bool good = s->ascii || !field->check_utf8 || text_is_valid(text, (size_t)size);
    return good ? text + size : wire_bad_text(s->runner);
}

/* A text that is not UTF-8 is a fault of its field, another malformed record one of the message. */
static const uint8_t *take_failed(Scan *s, const ScanField *field, const uint8_t *record)
{
    return s->runner->fault ? pass_failed(s, field, record) : wire_malformed(s->runner);
}

static const uint8_t *take_any(Scan *s, const uint8_t *record);

/* Takes a record, of which `at` is behind the tag, and in front of another byte: into the slot of
   the field, to the output, or both. Returns the position after it, or inside it if it is a message
   that was opened. */
static inline __attribute__((always_inline)) const uint8_t *
take(Scan *s, const ScanField *field, const uint8_t *record, const uint8_t *at)
{
    const uint8_t *behind = NULL, *text;
    uint64_t raw;
    switch ((ScanRead)field->read) {
    case READ_VARINT_64:
        if ((behind = wire_varint_here(at, s->end, &raw)))
            keep_number(s, field, (Value){.u = raw});
        break;
    case READ_VARINT_32:
        if ((behind = wire_varint_here(at, s->end, &raw)))
            keep_number(s, field, (Value){.i = (int32_t)(uint32_t)raw});
        break;
    case READ_VARINT_U32:
        if ((behind = wire_varint_here(at, s->end, &raw)))
            keep_number(s, field, (Value){.u = (uint32_t)raw});
        break;
    case READ_BOOL:
        if ((behind = wire_varint_here(at, s->end, &raw)))
            keep_number(s, field, (Value){.u = raw != 0});
        break;
    case READ_FIXED_64:
        if (s->end - at >= 8) {
            keep_number(s, field, (Value){.u = wire_fixed64(at)});
            behind = at + 8;
        }
        break;
    case READ_BYTES:
        if ((behind = behind_text(s, field, at, &text)))
            keep_bytes(s, field, bytes(text, (size_t)(behind - text)), false);
        break;
    case READ_UNLESS:
        if ((behind = behind_text(s, field, at, &text)))
            keep_bytes(s, field, bytes(text, (size_t)(behind - text)),
                       is_ignored(field, text, behind));
        break;
    case PASS_BYTES: behind = behind_text(s, field, at, &text); break;
    case PASS_VARINT: behind = wire_skip_varint(at, s->end); break;
    case PASS_FIXED_64: behind = s->end - at >= 8 ? at + 8 : NULL; break;
    case PASS_FIXED_32: behind = s->end - at >= 4 ? at + 4 : NULL; break;
    case PASS_FITTING:
        behind = wire_varint_here(at, s->end, &raw);
        if (!behind || !op_fits(field->pass, raw))
            return pass_unfitting(s, field, record, at);
        slot_clear(s->set, field->slot);
        break;
    case PASS_PACKED: return pass_packed(s, field, record, at);
    case PASS_MESSAGE: return pass_message(s, field, record, at);
    case PASS_ENTRY: return pass_entry(s, field, record, at);
    case READ_MESSAGE: end_run(s, record); return open_message(s, field, at);
    case READ_RECORDS: end_run(s, record); return take_records(s, field, field->tag, record, at);
    case READ_PACKED: end_run(s, record); return take_packed(s, field, at);
    case READ_OTHER:
        end_run(s, record);
        behind = take_unusual(s, field, field->tag, record, at);
        return field->pass && behind ? pass_record(s, field, record, at, behind) : behind;
    case READ_TAG: return take_any(s, record);
    default: __builtin_unreachable();
    }
    if (!behind)
        return take_failed(s, field, record);
    if (!field->pass) {
        end_run(s, record);
        return behind;
    }
    if (field->counts && !run_count_element(s->runner))
        return pass_failed(s, field, record);
    return pass_record(s, field, record, at, behind);
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
    if (usual && at < s->end)
        return take(s, field, record, at);
    if (usual && field->read != READ_OTHER)
        return wire_malformed(s->runner);
    end_run(s, record);
    return take_unusual(s, field, (uint32_t)tag, record, at);
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

/* A message of a few bytes that are all ASCII, so that its texts need not be looked at. */
static inline bool is_short_ascii(Bytes message)
{
    const uint8_t *at = message.data;
    size_t size = message.size;
    if (size < 8 || size > 32)
        return false;
    uint64_t bits = bytes_word(at) | bytes_word(at + size - 8);
    if (size > 16)
        bits |= bytes_word(at + 8) | bytes_word(at + size - 16);
    return !(bits & UINT64_C(0x8080808080808080));
}

static inline __attribute__((always_inline)) bool scan(Runner *runner, const ScanTable *table,
                                                       Frame *frame, Bytes message)
{
    static const uint8_t nothing[1];
    const uint8_t *at = message.data ? message.data : nothing;
    uint32_t before = runner->n_mistakes;
    Scan s;
    s.runner = runner;
    s.table = table;
    s.frame = frame;
    s.values = frame->values;
    s.set = frame->set;
    s.ascii = is_short_ascii(message);
    s.start = at;
    s.end = at + message.size;
    s.run = NULL;
    s.n_open = 0;
    for (;;) {
        const uint8_t *record = at;
        if (__builtin_expect(at + 1 < s.end, 1)) {
            const ScanField *field = s.table->fields + s.table->by_tag[*at] - 1;
            at = take(&s, field, record, at + 1);
        } else if (at < s.end) {
            at = take_any(&s, at);
        } else if (s.n_open) {
            close_message(&s);
        } else {
            break;
        }
        if (!at && !(at = leave_record(&s, before, record)))
            return fail_inside(&s);
    }
    end_run(&s, at);
    return run_ends_well(runner, before);
}

bool scan_wire(Runner *runner, const ScanTable *table, Frame *frame, Bytes message)
{
    return scan(runner, table, frame, message);
}

bool run_wire(Runner *runner, const Program *program, Bytes message)
{
    Frame frame;
    if (!frame_open(runner, program, &frame))
        return false;
    bool ok = scan(runner, program->scan, &frame, message) && run_ops(runner, program, &frame);
    frame_close(runner, &frame);
    return ok;
}
