/*
 * Scan: reads a source message into a frame of slots, and single values from the source.
 *
 * Values borrow from the message. Pointers into protobuf bytes are NULL if these are malformed; the
 * runner then has the fault.
 */
#ifndef ADAPTERS_SCAN_H
#define ADAPTERS_SCAN_H

#include "adapters/run/runner.h"
#include "base/text/utf8.h"

/* scan_wire.c, scan_json.c: one message. Bytes and nodes must live as long as the frame is used. */
bool scan_wire(Runner *runner, const ScanTable *table, Frame *frame, Bytes message);
bool scan_json(Runner *runner, const ScanTable *table, Frame *frame, const JsonNode *node);

/* ---- Values from JSON ------------------------------------------------------------------------ */

/* The result of reading a scalar from JSON. BAD: the runner has the fault. UNKNOWN_ENUM: the enum
   has no such value, and unknown ones are not refused: the caller counts it. */
typedef enum JsonScalar { JSON_SCALAR_OK, JSON_SCALAR_BAD, JSON_SCALAR_UNKNOWN_ENUM } JsonScalar;

/* `enumeration`: of KIND_ENUM; else ignored. */
JsonScalar json_scalar(Runner *runner, FieldKind kind, const EnumType *enumeration,
                       const JsonNode *node, Value *value_out);

/* ---- Values from protobuf -------------------------------------------------------------------- */

/* Records that the bytes are malformed. Always NULL. */
const uint8_t *wire_malformed(Runner *runner);

/* The same for a string that is not UTF-8. */
const uint8_t *wire_bad_text(Runner *runner);

/* Joins the pieces of one message: their concatenated bytes mean the same. *whole has the pieces so
   far; its size is 0 if there are none. */
bool wire_join(Runner *runner, Value *whole, Bytes more);

/* The number of values in a packed list; SIZE_MAX if it is malformed (without a fault in the
   runner). */
size_t packed_count(FieldKind kind, Bytes list);

/* Reads a scalar, or the bytes of a message, after the tag; returns the position after it. */
const uint8_t *wire_scalar(Runner *runner, FieldKind kind, bool check_utf8, const uint8_t *at,
                           const uint8_t *end, Value *value_out);

/* Whether it is UTF-8. Fast for short strings and ASCII, the fastest for a few letters of it. */
static inline bool text_is_valid(const uint8_t *text, size_t size)
{
    uint64_t bits = 0, eight;
    uint32_t four;
    if (size < 4) {
        if (size)
            bits = text[0] | text[size / 2] | text[size - 1];
    } else if (size < 8) {
        memcpy(&four, text, 4);
        bits = four;
        memcpy(&four, text + size - 4, 4);
        bits |= four;
    } else {
        for (size_t i = 0; i + 8 <= size; i += 8) {
            memcpy(&eight, text + i, 8);
            bits |= eight;
        }
        memcpy(&eight, text + size - 8, 8);
        bits |= eight;
    }
    return (bits & UINT64_C(0x8080808080808080)) == 0 || utf8_valid(bytes(text, size));
}

#endif
