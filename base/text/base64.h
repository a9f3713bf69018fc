/*
 * Base64 (RFC 4648 sections 4 and 5). Plain functions; any thread.
 *
 * Reading accepts both alphabets, padded or not, as protobuf's JSON, gRPC's "-bin" metadata and
 * Connect require. It is strict otherwise: no blanks, no other bytes, padding only at the end and
 * of the right length. Unused bits of the last character are ignored (protobuf's conformance suite
 * sends "-_").
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/bytes.h"

typedef enum Base64Alphabet {
    BASE64_STANDARD, /* + and / */
    BASE64_URL,      /* - and _ */
} Base64Alphabet;

/* Adds the text for `from`, with "=" at its end when `padded`. */
void base64_encode(Buffer *out, Bytes from, Base64Alphabet alphabet, bool padded);

/* Adds the decoded bytes. False if `text` is not base64; nothing is added then. At the arena's
   limit, out->full is set. */
bool base64_decode(Buffer *out, Bytes text) __attribute__((warn_unused_result));

/* Whether bits of the last character of such a text are set that are in no byte: "42" reads as "4w"
   does. */
bool base64_has_unused_bits(Bytes text);

/* The 6 bits of one character of either alphabet, or a number above 63 if it is in neither. */
uint8_t base64_value(uint8_t character);

#endif
