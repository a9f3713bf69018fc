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
    Value *values;        /* frame's */
    uint64_t *set;        /* frame's */
    bool ascii;           /* the outermost message has no other bytes */
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

static inline void end_run(Scan *s, const uint8_t *record)
{
    if (s->run)
        pass_run(s, record);
}

/* A whole record, which was found good, to the output. */
static inline __attribute__((always_inline)) const uint8_t *
pass_record(Scan *s, const ScanField *field, const uint8_t *record, const uint8_t *at,
            const uint8_t *behind)
{
    if (field->keeps_tag) {
        s->run = s->run ? s->run : record;
        return behind;
    }
    end_run(s, record);
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

#endif
