/*
 * HpackEncoder: writes header blocks (RFC 7541), field by field.
 *
 * A field that is the same in every head is added to the dynamic table by the first one and takes
 * one or two bytes from then on. Fields whose values seldom repeat are added at their second
 * occurrence only, because they would evict others. Only strings that are added to the table are
 * Huffman-coded: for a string that is written once, coding costs more CPU at both ends than it
 * saves. Part of its connection.
 */
#ifndef PROTOCOLS_HPACK_ENCODER_H
#define PROTOCOLS_HPACK_ENCODER_H

#include "base/fields.h"
#include "protocols/http2/hpack_static.h"
#include "protocols/http2/hpack_table.h"

enum {
    HPACK_FIELD_EXTRA =
        16,                /* an encoded field has at most so many bytes more than name and value */
    HPACK_BEGIN_MOST = 12, /* bytes that hpack_encode_begin writes at most */
    HPACK_BUCKETS = 64,
    HPACK_SEEN = 16,
};

typedef struct HpackEncoder {
    HpackTable table;
    uint16_t *buckets;         /* the number of the latest entry, by hash; NULL: no entry yet */
    uint32_t seen[HPACK_SEEN]; /* hashes of fields that were not put into the table */
    uint32_t lowest;           /* the lowest limit of the table since the latest head */
    bool resized;              /* the next block begins with a table size update */
} HpackEncoder;

void hpack_encoder_init(HpackEncoder *encoder);
void hpack_encoder_deinit(HpackEncoder *encoder);

/* The peer's SETTINGS_HEADER_TABLE_SIZE. */
void hpack_encoder_limit(HpackEncoder *encoder, uint32_t limit);

/* The state of the encoder before a head, to return to if the head is not sent. */
typedef struct HpackMark {
    uint32_t added, n, size, end;
    bool resized;
} HpackMark;

HpackMark hpack_encoder_mark(const HpackEncoder *encoder);

/* False, and nothing is changed: entries were evicted since, or the head had a table size update,
   which the peer would miss. */
bool hpack_encoder_rewind(HpackEncoder *encoder, const HpackMark *mark);

/* Each writes at `at`, where the caller has made room, and returns the end. */
uint8_t *hpack_encode_begin(HpackEncoder *encoder, uint8_t *at);

/* Whether a field may be sent; always the same of the same one. */
typedef bool HpackMay(const Field *field);

/* Any field, with its name in lower case. Nothing is written if it may not be sent. That is asked
   only of what is not in the table from such a field already. `may`: the same for all fields of an
   encoder; NULL: all may. */
uint8_t *hpack_encode(HpackEncoder *encoder, uint8_t *at, const Field *field, HpackMay *may);

/* A field whose name is that of the static entry `known`. */
uint8_t *hpack_encode_known(HpackEncoder *encoder, uint8_t *at, uint32_t known, Bytes value);

/* Any field, as a literal that no table knows and none gets: the same on all connections. */
uint8_t *hpack_encode_alone(uint8_t *at, Bytes name, Bytes value);

/* An entry of the static table, name and value. */
static inline uint8_t *hpack_encode_static(uint8_t *at, uint32_t index)
{
    *at = (uint8_t)(0x80 | index);
    return at + 1;
}

#endif
