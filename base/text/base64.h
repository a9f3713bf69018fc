/*
 * Base64 (RFC 4648 sections 4 and 5). Plain functions; any thread.
 *
 * Reading takes both alphabets, padded or not, because protobuf's JSON, gRPC's "-bin" metadata and
 * Connect all ask for that. It is strict otherwise: no blanks, no stray byte, padding only at the
 * end and of the right length. Bits left over in the last character are not looked at (protobuf's
 * own conformance suite sends "-_").
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

/* Adds the bytes that `text` stands for. False when it is not base64; nothing is added then. An
   arena at its limit shows in out->full. */
bool base64_decode(Buffer *out, Bytes text) __attribute__((warn_unused_result));

/* The 6 bits of one character of either alphabet, or a number above 63 when it is none. */
uint8_t base64_value(uint8_t character);

#endif
