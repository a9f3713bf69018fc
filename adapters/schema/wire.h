/*
 * WireReader: reads protobuf's wire format, field by field, from borrowed bytes.
 *
 * For load time and for small messages; the plans have their own faster reader. It uses no schema:
 * a length-delimited field is returned as its bytes, a group as the bytes between its two tags.
 * Strict: field number 0, overlong varints, unbalanced groups and truncated input all set `bad`.
 * https://protobuf.dev/programming-guides/encoding/
 */
#ifndef ADAPTERS_WIRE_H
#define ADAPTERS_WIRE_H

#include "base/bytes.h"

typedef enum WireType {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_LENGTH = 2,
    WIRE_GROUP = 3,
    WIRE_GROUP_END = 4,
    WIRE_FIXED32 = 5,
} WireType;

enum {
    WIRE_GROUP_DEPTH = 100,       /* groups within groups that are skipped */
    WIRE_MAX_NUMBER = 0x1fffffff, /* the largest field number */
    WIRE_TAG_MAX = 5,             /* bytes of a tag */
    WIRE_VARINT_MAX = 10,         /* of any varint */
};

typedef struct WireReader {
    const uint8_t *at, *end;
    bool bad;
} WireReader;

typedef struct WireField {
    uint32_t number;
    WireType type;
    uint64_t value; /* VARINT, FIXED32, FIXED64 */
    Bytes bytes;    /* LENGTH: the payload; GROUP: the bytes between the tags */
    Bytes record;   /* the whole field, with its tag */
} WireField;

static inline WireReader wire_reader(Bytes from)
{
    return (WireReader){from.data, from.data ? from.data + from.size : NULL, false};
}

/* Reads one varint at *at; NULL if it is truncated or longer than ten bytes. */
const uint8_t *wire_varint_slow(const uint8_t *at, const uint8_t *end, uint64_t *value_out);

/* Eight bytes in the wire's order. */
static inline uint64_t wire_fixed64(const uint8_t *at)
{
    uint64_t raw;
    memcpy(&raw, at, 8);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(raw) : raw;
}

/* The same where at least one byte is there. */
static inline const uint8_t *wire_varint_here(const uint8_t *at, const uint8_t *end,
                                              uint64_t *value_out)
{
    if (__builtin_expect(*at < 0x80, 1)) {
        *value_out = *at;
        return at + 1;
    }
    if (end - at >= 2 && at[1] < 0x80) {
        *value_out = (uint64_t)(at[0] & 0x7f) | (uint64_t)at[1] << 7;
        return at + 2;
    }
    return wire_varint_slow(at, end, value_out);
}

static inline const uint8_t *wire_varint(const uint8_t *at, const uint8_t *end, uint64_t *value_out)
{
    return at < end ? wire_varint_here(at, end, value_out) : NULL;
}

/* The last bytes of varints among eight bytes: their high bits. */
static inline uint64_t wire_varint_ends(uint64_t eight)
{
    return ~eight & UINT64_C(0x8080808080808080);
}

static inline const uint8_t *wire_skip_varint(const uint8_t *at, const uint8_t *end)
{
    uint64_t ends = end - at >= 8 ? wire_varint_ends(wire_fixed64(at)) : 0, ignored;
    return ends ? at + (__builtin_ctzll(ends) >> 3) + 1 : wire_varint(at, end, &ignored);
}

/* Skips the value after a tag, a group to its end tag. NULL if it is malformed. */
const uint8_t *wire_skip(const uint8_t *at, const uint8_t *end, uint32_t number, WireType type);

/* Skips a group after its start tag; its payload ends at *payload_end_out. */
const uint8_t *wire_skip_group(const uint8_t *at, const uint8_t *end, uint32_t number,
                               const uint8_t **payload_end_out);

/* The next field. False at the end, and if the bytes are bad. */
bool wire_next(WireReader *reader, WireField *field_out);

/* The text, bytes or message of the last field with this number, as protobuf requires; BYTES_NONE
   if there is none. Fields after bad bytes are ignored. */
Bytes wire_find_bytes(Bytes message, uint32_t number);

/* An item of a message set: what is in its group 1, {2: the extension's number, 3: its message} in
   any order. Of what is there twice the first counts. */
typedef struct WireSetItem {
    uint32_t number; /* 0: it is missing */
    Bytes message;   /* data NULL: it is missing */
} WireSetItem;

WireSetItem wire_set_item(Bytes group);

static inline size_t wire_varint_size(uint64_t value)
{
    return (size_t)(64 - __builtin_clzll(value | 1) + 6) / 7;
}

/* Writes a varint of at most ten bytes; returns the position after it. */
static inline uint8_t *wire_put_varint(uint8_t *to, uint64_t value)
{
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

static inline uint64_t wire_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t wire_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

void wire_add_varint(Buffer *out, uint64_t value);
void wire_add_tag(Buffer *out, uint32_t number, WireType type);
void wire_add_bytes(Buffer *out, uint32_t number, Bytes payload);   /* tag, length, payload */
void wire_add_number(Buffer *out, uint32_t number, uint64_t value); /* tag, varint; also when 0 */

#endif
