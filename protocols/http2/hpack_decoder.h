/*
 * HpackDecoder: reads header blocks (RFC 7541), field by field.
 *
 * Names and values are not copied if they are in memory already: in the static table, in the
 * dynamic table, or without Huffman coding in the block. They are checked once, when they are read;
 * an entry of the dynamic table stores the result. Part of its connection.
 */
#ifndef PROTOCOLS_HPACK_DECODER_H
#define PROTOCOLS_HPACK_DECODER_H

#include "base/arena.h"
#include "protocols/http2/hpack_static.h"
#include "protocols/http2/hpack_table.h"

/* Bytes of an encoded name or value; a longer one is a connection error. */
enum { HPACK_STRING_MOST = 65536 };

typedef struct HpackDecoder {
    HpackTable table;
} HpackDecoder;

/* A header block, or the part of it that was received. The fields that are read from it are valid
   until hpack_decoder_begin for the next block, and as long as the arena and, with `whole`, the
   bytes of the block. */
typedef struct HpackBlock {
    Bytes rest;    /* not read yet */
    bool whole;    /* the block is complete in `rest`: fields may point into it */
    bool begun;    /* a field was read: a table size update is no longer allowed (section 4.2) */
    Arena *arena;  /* without limit */
    uint8_t *room; /* free memory of the arena */
    size_t room_size;
} HpackBlock;

typedef struct HpackField {
    Bytes name, value;
    uint8_t token; /* HpackToken */
    uint8_t flaws; /* HpackFlaw */
} HpackField;

typedef enum HpackOutcome {
    HPACK_FIELD,
    HPACK_END,     /* nothing is left */
    HPACK_PARTIAL, /* the rest is not a complete field */
    HPACK_BROKEN,  /* COMPRESSION_ERROR, which ends the connection */
} HpackOutcome;

void hpack_decoder_init(HpackDecoder *decoder);
void hpack_decoder_deinit(HpackDecoder *decoder);

/* To be called before each block: fields of the previous one become invalid. */
static inline void hpack_decoder_begin(HpackDecoder *decoder)
{
    hpack_table_settle(&decoder->table);
}

/* Reads the next field; `field_out` is set with HPACK_FIELD. After HPACK_PARTIAL the caller appends
   the next part to `rest` and calls again. */
HpackOutcome hpack_decode(HpackDecoder *decoder, HpackBlock *block, HpackField *field_out);

#endif
