/*
 * HpackEncoder: writes header blocks (RFC 7541), field by field.
 *
 * What does not change from head to head is in the dynamic table after the first one, and is a
 * single byte from then on. Values that seldom repeat come in when they do: they would push out the
 * others. Only what goes into the table is compressed: a value that is written once costs more to
 * compress, here and at the peer, than to send. Part of its connection.
 */
#ifndef PROTOCOLS_HPACK_ENCODER_H
#define PROTOCOLS_HPACK_ENCODER_H

#include "protocols/http2/hpack_static.h"
#include "protocols/http2/hpack_table.h"

enum {
    HPACK_FIELD_EXTRA = 16, /* a field is never longer than its name, its value and these */
    HPACK_BEGIN_MOST = 12,  /* nor what stands before the first one */
    HPACK_BUCKETS = 64,
    HPACK_SEEN = 16,
};

typedef struct HpackEncoder {
    HpackTable table;
    uint16_t *buckets;         /* numbers of the latest entries, by hash; NULL: no entry yet */
    uint32_t seen[HPACK_SEEN]; /* hashes of fields that were not put into the table */
    uint32_t lowest;           /* limit of the table since the latest head */
    bool resized;              /* the peer does not know the limit yet */
} HpackEncoder;

void hpack_encoder_init(HpackEncoder *encoder);
void hpack_encoder_deinit(HpackEncoder *encoder);

/* The peer's SETTINGS_HEADER_TABLE_SIZE. */
void hpack_encoder_limit(HpackEncoder *encoder, uint32_t limit);

/* Where the encoder is, to come back to when a head is not sent after all. */
typedef struct HpackMark {
    uint32_t added, n, size, end;
    bool resized;
} HpackMark;

HpackMark hpack_encoder_mark(const HpackEncoder *encoder);

/* False: it cannot come back: entries were evicted since, or the peer would not be told of a new
   limit. */
bool hpack_encoder_rewind(HpackEncoder *encoder, const HpackMark *mark);

/* Each writes at `at` and returns the end. */
uint8_t *hpack_encode_begin(HpackEncoder *encoder, uint8_t *at);

/* Any field, with its name in lower case. */
uint8_t *hpack_encode(HpackEncoder *encoder, uint8_t *at, Bytes name, Bytes value);

/* A field whose name is that of the static entry `known`. */
uint8_t *hpack_encode_known(HpackEncoder *encoder, uint8_t *at, uint32_t known, Bytes value);

/* An entry of the static table, name and value. */
static inline uint8_t *hpack_encode_static(uint8_t *at, uint32_t index)
{
    *at = (uint8_t)(0x80 | index);
    return at + 1;
}

#endif
