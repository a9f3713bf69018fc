/*
 * Scan: where the reader of protobuf's wire format stands in one message.
 *
 * Most fields go into slots (scan_wire.c). Those that the target has just as the source has them go
 * straight to the output, while they are read (pass_wire.c): neighbours in one piece, and when the
 * target gives the field another number, with another tag. Inside these two files only.
 */
#ifndef ADAPTERS_SCAN_WIRE_H
#define ADAPTERS_SCAN_WIRE_H

#include "adapters/run/put.h"

enum { MOST_OPEN = 8 };

/* A message inside of which the scan is, because fields of that have slots in the same frame. */
typedef struct OpenScan {
    const ScanField *field;       /* that it is in */
    const ScanTable *outer_table; /* of the message that has that field */
    const uint8_t *outer_end;
} OpenScan;

typedef struct Scan {
    Runner *runner;
    const ScanTable *table;
    Frame *frame;
    const uint8_t *start; /* of the outermost message */
    const uint8_t *end;   /* of the innermost one */
    const uint8_t *run;   /* from here on records are still to be written as they are, or NULL:
                             only of the outermost one */
    uint32_t n_open;
    OpenScan open[MOST_OPEN]; /* the innermost last */
} Scan;

/* Writes the run, which ends in front of `record`, and begins no other. */
void pass_run(Scan *s, const uint8_t *record);

/* Adds this field to the fault that the runner noted; of a list, with the index of the element at
   `record`. Always NULL, for the caller to return. */
const uint8_t *pass_failed(Scan *s, const ScanField *field, const uint8_t *record);

/* An element through its program, a map's entry, and a list that is packed where it should not be,
   or loose where it should be packed. The place behind the record; NULL for a fault. */
const uint8_t *pass_message(Scan *s, const ScanField *field, const uint8_t *record,
                            const uint8_t *at);
const uint8_t *pass_entry(Scan *s, const ScanField *field, const uint8_t *record,
                          const uint8_t *at);
const uint8_t *pass_other_form(Scan *s, const ScanField *field, uint32_t tag, const uint8_t *record,
                               const uint8_t *at);

/* A number that is not the same in the target, into its slot. */
const uint8_t *pass_unfitting(Scan *s, const ScanField *field, const uint8_t *record,
                              const uint8_t *at);

/* A packed list; its elements are counted. */
const uint8_t *pass_packed(Scan *s, const ScanField *field, const uint8_t *record,
                           const uint8_t *at);

/* A whole record, which was found good, to the output. */
static inline const uint8_t *pass_record(Scan *s, const ScanField *field, const uint8_t *record,
                                         const uint8_t *at, const uint8_t *behind)
{
    if (field->keeps_tag) {
        s->run = s->run ? s->run : record;
        return behind;
    }
    if (s->run)
        pass_run(s, record);
    const PlanOp *op = field->pass;
    Buffer *out = s->runner->out;
    size_t size = (size_t)(behind - at);
    if (buffer_reserve(out, sizeof(op->tag) + size)) {
        uint8_t *to = out->data + out->size;
        memcpy(to, &op->tag, sizeof(op->tag));
        copy_bytes(to + op->tag_size, at, size);
        out->size += op->tag_size + size;
    }
    return behind;
}

/* A number that goes straight if it is the same in the target. One that is not waits in its slot,
   unless the field comes again. */
static inline const uint8_t *pass_fitting(Scan *s, const ScanField *field, const uint8_t *record,
                                          const uint8_t *at)
{
    uint64_t raw;
    const uint8_t *behind = wire_varint(at, s->end, &raw);
    if (!behind || !op_fits(field->pass, raw))
        return pass_unfitting(s, field, record, at);
    frame_clear(s->frame, field->slot);
    return pass_record(s, field, record, at, behind);
}

/* One field behind its tag; `read` is its own. */
static inline __attribute__((always_inline)) const uint8_t *
pass_field(Scan *s, ScanRead read, const ScanField *field, const uint8_t *record, const uint8_t *at)
{
    const uint8_t *behind = NULL;
    uint64_t size;
    switch (read) {
    case PASS_VARINT: behind = wire_skip_varint(at, s->end); break;
    case PASS_FIXED_64: behind = s->end - at >= 8 ? at + 8 : NULL; break;
    case PASS_FIXED_32: behind = s->end - at >= 4 ? at + 4 : NULL; break;
    case PASS_BYTES: {
        const uint8_t *text = wire_varint(at, s->end, &size);
        if (!text || size > (uint64_t)(s->end - text))
            break;
        behind = text + size;
        if (field->check_utf8 && !text_is_valid(text, (size_t)size)) {
            wire_bad_text(s->runner);
            return pass_failed(s, field, record);
        }
        break;
    }
    case PASS_PACKED: return pass_packed(s, field, record, at);
    case PASS_MESSAGE: return pass_message(s, field, record, at);
    case PASS_ENTRY: return pass_entry(s, field, record, at);
    case PASS_FITTING: return pass_fitting(s, field, record, at);
    default: break;
    }
    if (!behind)
        return wire_malformed(s->runner);
    if (field->field->repeated && !run_count_element(s->runner))
        return pass_failed(s, field, record);
    return pass_record(s, field, record, at, behind);
}

#endif
