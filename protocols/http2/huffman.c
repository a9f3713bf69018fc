#include "protocols/http2/huffman.h"

#include <endian.h>

typedef struct HuffmanCode {
    uint32_t code;
    uint8_t bits;
} HuffmanCode;

/* What the first bits of a text begin with; `bits` 0: a longer code. */
typedef struct HuffmanShort {
    uint8_t symbol, bits;
} HuffmanShort;

/* The codes of one length. */
typedef struct HuffmanRange {
    uint32_t end;   /* of its codes, as 30 bits */
    uint32_t first; /* its first code */
    uint16_t bits;
    uint16_t place; /* of its first symbol in long_symbols */
} HuffmanRange;

enum { END_OF_TEXT = 256, LONGEST_BITS = 30 };

#include "protocols/http2/huffman_tables.inc"

/* The next bits of a text, from the top. Below them are zeros. */
typedef struct Bits {
    const uint8_t *at, *end;
    uint64_t next;
    unsigned n;
} Bits;

static inline void refill(Bits *bits)
{
    if (bits->end - bits->at >= 8) {
        uint64_t word;
        memcpy(&word, bits->at, sizeof word);
        unsigned whole = (64 - bits->n) / 8;
        uint64_t more = be64toh(word) >> bits->n;
        bits->at += whole;
        bits->n += 8 * whole;
        bits->next |= bits->n < 64 ? more & ~(UINT64_MAX >> bits->n) : more;
        return;
    }
    while (bits->n <= 56 && bits->at < bits->end) {
        bits->next |= (uint64_t)*bits->at++ << (56 - bits->n);
        bits->n += 8;
    }
}

/* A code of more than SHORT_BITS. False: it is not complete. */
static bool find_long(const Bits *bits, unsigned *symbol_out, unsigned *bits_out)
{
    uint32_t code = (uint32_t)(bits->next >> (64 - LONGEST_BITS));
    const HuffmanRange *range = ranges;
    while (code >= range->end)
        range++;
    if (range->bits > bits->n)
        return false;
    *bits_out = range->bits;
    *symbol_out =
        long_symbols[range->place + (code >> (LONGEST_BITS - range->bits)) - range->first];
    return true;
}

static bool is_padding(const Bits *bits)
{
    return bits->n < 8 && bits->next >> (64 - 8) == (0xffu << (8 - bits->n) & 0xff);
}

bool huffman_decode(Bytes text, uint8_t *out, size_t *size_out)
{
    Bits bits = {.at = text.data, .end = text.data + text.size};
    uint8_t *to = out;
    for (;;) {
        if (bits.n < LONGEST_BITS)
            refill(&bits);
        HuffmanShort found = short_codes[bits.next >> (64 - SHORT_BITS)];
        unsigned symbol = found.symbol, used = found.bits;
        if (used > bits.n || (used == 0 && !find_long(&bits, &symbol, &used)))
            break;
        if (symbol == END_OF_TEXT)
            return false;
        *to++ = (uint8_t)symbol;
        bits.next <<= used;
        bits.n -= used;
    }
    *size_out = (size_t)(to - out);
    return is_padding(&bits);
}

size_t huffman_size(Bytes text)
{
    size_t bits = 0;
    for (size_t i = 0; i < text.size; i++)
        bits += codes[text.data[i]].bits;
    return (bits + 7) / 8;
}

uint8_t *huffman_encode(uint8_t *at, Bytes text)
{
    uint64_t next = 0;
    unsigned n = 0;
    for (size_t i = 0; i < text.size; i++) {
        HuffmanCode code = codes[text.data[i]];
        next = next << code.bits | code.code;
        n += code.bits;
        for (; n >= 8; n -= 8)
            *at++ = (uint8_t)(next >> (n - 8));
    }
    if (n)
        *at++ = (uint8_t)(next << (8 - n) | 0xff >> n);
    return at;
}
