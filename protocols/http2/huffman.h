/*
 * The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B). Plain functions, any thread.
 */
#ifndef PROTOCOLS_HUFFMAN_H
#define PROTOCOLS_HUFFMAN_H

#include "base/bytes.h"

/* The most bytes that `size` encoded bytes can decode to: no code is shorter than five bits. */
static inline size_t huffman_decoded_most(size_t size)
{
    return size * 8 / 5;
}

/* Writes the decoded text at `out`, which has room for huffman_decoded_most. False when the text is
   malformed: it contains EOS, or its padding is longer than seven bits or not a prefix of EOS
   (section 5.2). */
bool huffman_decode(Bytes text, uint8_t *out, size_t *size_out);

/* How many bytes huffman_encode will write. */
size_t huffman_size(Bytes text);

/* Writes the encoded text and returns its end. */
uint8_t *huffman_encode(uint8_t *at, Bytes text);

#endif
