/*
 * HpackDecoder: reads header blocks (RFC 7541), field by field.
 *
 * Names and values are not copied when they stand somewhere already: in the static table, in the
 * dynamic one, or uncompressed in the block. Their rules are checked once, when they are read; an
 * entry of the table keeps what was found. Part of its connection.
 */
#ifndef PROTOCOLS_HPACK_DECODER_H
#define PROTOCOLS_HPACK_DECODER_H

#include "base/arena.h"
#include "protocols/http2/hpack_static.h"
#include "protocols/http2/hpack_table.h"

/* A longer name or value, encoded, ends the connection. */
enum { HPACK_STRING_MOST = 65536 };

typedef struct HpackDecoder {
    HpackTable table;
} HpackDecoder;

/* A block, or as much of it as has come. What is read from it is valid until the decoder begins
   with the next block, and as long as the arena and, with `whole`, the bytes of the block. */
typedef struct HpackBlock {
    Bytes rest;    /* not read yet */
    bool whole;    /* all of the block is here: what stands in it need not be copied */
    bool begun;    /* a field was read: the table cannot be resized any more (section 4.2) */
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
    HPACK_PARTIAL, /* what is left is not a whole field */
    HPACK_BROKEN,  /* COMPRESSION_ERROR: the connection cannot go on */
} HpackOutcome;

void hpack_decoder_init(HpackDecoder *decoder);
void hpack_decoder_deinit(HpackDecoder *decoder);

/* The next block begins. */
static inline void hpack_decoder_begin(HpackDecoder *decoder)
{
    hpack_table_settle(&decoder->table);
}

HpackOutcome hpack_decode(HpackDecoder *decoder, HpackBlock *block, HpackField *field_out);

#endif
