/*
 * Put: values and fields to the end of the output, as protobuf or as JSON.
 *
 * Where the output has no room for more, nothing is written and Buffer.full is set; plan_run looks
 * at that in the end. So only what can go wrong besides is bool (runner.h).
 */
#ifndef ADAPTERS_PUT_H
#define ADAPTERS_PUT_H

#include "adapters/run/list.h"

/* Copies up to 64 bytes without a call of memcpy; the fewest most quickly. */
static inline __attribute__((always_inline)) void copy_bytes(uint8_t *to, const uint8_t *from,
                                                             size_t size)
{
    uint64_t first, last;
    uint32_t first_half, last_half;
    if (size < 4) {
        if (!size)
            return;
        uint8_t middle = from[size / 2], end = from[size - 1];
        to[0] = from[0];
        to[size / 2] = middle;
        to[size - 1] = end;
    } else if (size <= 8) {
        memcpy(&first_half, from, 4);
        memcpy(&last_half, from + size - 4, 4);
        memcpy(to, &first_half, 4);
        memcpy(to + size - 4, &last_half, 4);
    } else if (size <= 16) {
        memcpy(&first, from, 8);
        memcpy(&last, from + size - 8, 8);
        memcpy(to, &first, 8);
        memcpy(to + size - 8, &last, 8);
    } else if (size <= 64) {
        memcpy(to, from, 16);
        if (size > 32) {
            memcpy(to + 16, from + 16, 16);
            memcpy(to + size - 32, from + size - 32, 16);
        }
        memcpy(to + size - 16, from + size - 16, 16);
    } else {
        memcpy(to, from, size);
    }
}

/* The name of a field, and room for `more` bytes behind it. False: there is no room. */
static inline bool put_name(Buffer *out, const PutField *put, size_t more)
{
    if (!buffer_reserve(out, put->name.size + NAME_PADDING + more))
        return false;
    uint8_t *to = out->data + out->size;
    if (put->name.size <= 8)
        memcpy(to, put->name.data, 8);
    else if (__builtin_expect(put->name.size <= NAME_PADDING, 1))
        memcpy(to, put->name.data, NAME_PADDING);
    else
        memcpy(to, put->name.data, put->name.size);
    out->size += put->name.size;
    return true;
}

/* put.c: a value without its field's name. To protobuf also a message, as its bytes; to JSON no
   message. `enumeration` is NULL but for KIND_ENUM. False: a fault is noted in the runner. */
void put_wire_scalar(Buffer *out, FieldKind kind, Value value);
bool put_json_scalar(Runner *runner, FieldKind kind, const EnumType *enumeration, Value value);

/* A map's key as the name of a JSON member, unescaped. Borrowed from `key`, or in the runner's
   arena; empty also when that arena is full. */
Bytes map_key_text(Runner *runner, FieldKind kind, Value key);

/* put_ops.c: operations that write one field. */

/* PUT_DEFAULT, and any PUT_ whose slot is not set: writes nothing, or the value that stands for
   unset. False: the field is required, and a fault is noted. */
bool put_unset(Runner *runner, const PlanOp *op);

/* The same after something was written from the offset `before` on, which is taken off again. */
bool put_nothing(Runner *runner, const PlanOp *op, size_t before);

/* PUT_VALUE. */
bool put_value(Runner *runner, const PlanOp *op, const Frame *frame);

/* PUT_MESSAGE; PUT_LIST, PUT_PACKED, PUT_MESSAGES and PUT_MAP. */
bool put_message(Runner *runner, const Program *program, const PlanOp *op, Frame *frame);
bool put_list_of(Runner *runner, const Program *program, const PlanOp *op, Frame *frame);

/* One message through op->program, with its name. json_source: it is a node. */
bool put_one_message(Runner *runner, const PlanOp *op, bool json_source, Value message);

/* The same of a message that is known not to be the same on both sides. */
bool put_converted(Runner *runner, const PlanOp *op, bool json_source, Value message);

/* pass_wire.c: whether the program (often_same) makes of the message the same bytes. Counts the
   elements then, and only then. False: run it. */
bool message_is_same(Runner *runner, const Program *program, Value message);

/* put_map.c: KEYED, of a list of entries, and LISTED, of a map, both made by the run. */
bool map_of_entries(Runner *runner, const PlanOp *op, Value entries, Value *map_out);
bool map_as_list(Runner *runner, const PlanOp *op, Value map, Value *list_out);

/* All that the reader has; and one entry, to protobuf. */
bool put_map(Runner *runner, const PlanOp *op, ListReader *reader);
bool put_map_entry(Runner *runner, const PlanOp *op, Value key, Value value);

/* ---- Messages whose length comes first, to protobuf ------------------------------------------ */

/* Leaves room for a length that is not known yet, as much as `guess` would need; returns how
   much. */
static inline size_t length_begin(Buffer *out, size_t guess)
{
    size_t reserved = wire_varint_size(guess);
    if (buffer_reserve(out, 10))
        out->size += reserved;
    return reserved;
}

/* Puts the length there: of what was written since the offset `content`, behind the room. */
void length_end_slow(Buffer *out, size_t content, size_t reserved);

static inline void length_end(Buffer *out, size_t content, size_t reserved)
{
    size_t size = out->size - content;
    if (reserved == 1 && size < 0x80 && !out->full)
        out->data[content - 1] = (uint8_t)size;
    else
        length_end_slow(out, content, reserved);
}

#endif
