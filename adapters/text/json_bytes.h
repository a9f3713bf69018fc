/*
 * JSON's strings, eight bytes at a time.
 *
 * Inline, for the hot paths: json.c and the code that writes values.
 */
#ifndef ADAPTERS_JSON_BYTES_H
#define ADAPTERS_JSON_BYTES_H

#include "base/bytes.h"

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* The high bit of each byte that is not plain: a quote, backslash, control character or part of
   non-ASCII. The subtractions borrow only out of a byte that is a hit itself, so the lowest is
   true. */
static inline uint64_t json_hits(uint64_t eight)
{
    return (((eight ^ EACH_BYTE('"')) - EACH_BYTE(1)) | ((eight ^ EACH_BYTE('\\')) - EACH_BYTE(1)) |
            (eight - EACH_BYTE(' ')) | eight) &
           EACH_BYTE(0x80);
}

/* Copies the text and checks it at the same time. False if it is not plain. */
static inline bool json_copy_plain(uint8_t *to, const uint8_t *from, size_t size)
{
    uint64_t eight, hits = 0;
    uint32_t low, high;
    if (size >= 8) {
        for (size_t i = 0; i + 8 <= size; i += 8) {
            memcpy(&eight, from + i, 8);
            memcpy(to + i, &eight, 8);
            hits |= json_hits(eight);
        }
        memcpy(&eight, from + size - 8, 8);
        memcpy(to + size - 8, &eight, 8);
        return (hits | json_hits(eight)) == 0;
    }
    if (size >= 4) {
        memcpy(&low, from, 4);
        memcpy(&high, from + size - 4, 4);
        memcpy(to, &low, 4);
        memcpy(to + size - 4, &high, 4);
        return json_hits((uint64_t)high << 32 | low) == 0;
    }
    eight = EACH_BYTE('a');
    for (size_t i = 0; i < size; i++) {
        to[i] = from[i];
        eight = eight << 8 | from[i];
    }
    return json_hits(eight) == 0;
}

/* Adds the text in quotes, if it is plain; false, and nothing is added, if it is not or the buffer
   is full. */
static inline bool json_add_plain(Buffer *out, const uint8_t *text, size_t size)
{
    if (!buffer_reserve(out, size + 2))
        return false;
    uint8_t *to = out->data + out->size;
    if (!json_copy_plain(to + 1, text, size))
        return false;
    to[0] = to[size + 1] = '"';
    out->size += size + 2;
    return true;
}

#undef EACH_BYTE

#endif
