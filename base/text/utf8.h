/* UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. Any thread. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/bytes.h"

bool utf8_valid(Bytes text);

/* The number of bytes at the start that are valid and complete characters. */
size_t utf8_valid_prefix(Bytes text);

/* Adds the text with U+FFFD for each byte that is not part of a valid character. */
void utf8_add_repaired(Buffer *out, Bytes text);

/* Adds one character. A code point that UTF-8 cannot hold becomes U+FFFD. */
void utf8_add_character(Buffer *out, uint32_t code_point);

#endif
