/*
 * Scan: a message of the source into a frame of slots; and single values out of the source.
 *
 * Values borrow from the message. Pointers into protobuf bytes are NULL when these are not
 * well-formed; the fault is noted in the runner then.
 */
#ifndef ADAPTERS_SCAN_H
#define ADAPTERS_SCAN_H

#include "adapters/run/runner.h"
#include "base/text/utf8.h"

/* scan_wire.c, scan_json.c: one message. Bytes and nodes must live as long as the frame is used. */
bool scan_wire(Runner *runner, const ScanTable *table, Frame *frame, Bytes message);
bool scan_json(Runner *runner, const ScanTable *table, Frame *frame, const JsonNode *node);

/* ---- Values from JSON ------------------------------------------------------------------------ */

/* What became of reading a scalar from JSON. BAD: the fault is noted. UNKNOWN_ENUM: the enum has no
   such value, and unknown ones are not refused: the caller counts it. */
typedef enum JsonScalar { JSON_SCALAR_OK, JSON_SCALAR_BAD, JSON_SCALAR_UNKNOWN_ENUM } JsonScalar;

/* `enumeration`: of KIND_ENUM; else ignored. */
JsonScalar json_scalar(Runner *runner, FieldKind kind, const EnumType *enumeration,
                       const JsonNode *node, Value *value_out);

/* ---- Values from protobuf -------------------------------------------------------------------- */

/* Notes that the bytes are no message. Always NULL. */
const uint8_t *wire_malformed(Runner *runner);

/* The same of a string that is not UTF-8. */
const uint8_t *wire_bad_text(Runner *runner);

/* Messages that come in pieces are one: their bytes in a row mean the same. *whole is the pieces so
   far; of size 0 when there are none. */
bool wire_join(Runner *runner, Value *whole, Bytes more);

/* How many values there are in a packed list; SIZE_MAX when it is not well-formed (no fault is
   noted then). */
size_t packed_count(FieldKind kind, Bytes list);

/* Reads a scalar, or the bytes of a message, behind the tag; returns the place behind it. */
const uint8_t *wire_scalar(Runner *runner, FieldKind kind, bool check_utf8, const uint8_t *at,
                           const uint8_t *end, Value *value_out);

/* Is it UTF-8? Strings are mostly ASCII, and mostly short. */
static inline bool text_is_valid(const uint8_t *text, size_t size)
{
    uint64_t bits = 0, eight;
    uint32_t four;
    if (size >= 8) {
        for (size_t i = 0; i + 8 <= size; i += 8) {
            memcpy(&eight, text + i, 8);
            bits |= eight;
        }
        memcpy(&eight, text + size - 8, 8);
        bits |= eight;
    } else if (size >= 4) {
        memcpy(&four, text, 4);
        bits = four;
        memcpy(&four, text + size - 4, 4);
        bits |= four;
    } else if (size) {
        bits = text[0] | text[size / 2] | text[size - 1];
    }
    return (bits & UINT64_C(0x8080808080808080)) == 0 || utf8_valid(bytes(text, size));
}

#endif
