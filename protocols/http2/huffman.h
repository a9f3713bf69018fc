/*
 * The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B). Plain functions, any thread.
 */
#ifndef PROTOCOLS_HUFFMAN_H
#define PROTOCOLS_HUFFMAN_H

#include "base/bytes.h"

/* No code is shorter than five bits: room for what a text of `size` bytes may become. */
static inline size_t huffman_decoded_most(size_t size)
{
    return size * 8 / 5;
}

/* Writes the decoded text at `out`, which has room for huffman_decoded_most. False when the text is
   malformed: the code of the end, or a padding that is not its beginning or longer than seven
   bits. */
bool huffman_decode(Bytes text, uint8_t *out, size_t *size_out);

/* How many bytes huffman_encode will write. */
size_t huffman_size(Bytes text);

/* Writes the encoded text and returns its end. */
uint8_t *huffman_encode(uint8_t *at, Bytes text);

#endif
