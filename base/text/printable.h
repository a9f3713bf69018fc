/*
 * Printable text: what others wrote, for a terminal or one line of a list.
 *
 * Control characters are written as escapes (\x1b, \u009b, \U000e0041), also those that change the
 * direction of text, and what is not seen, such as spaces without width; what is not UTF-8 becomes
 * U+FFFD. So a name cannot move the cursor, hide a line or pass for another one. Any thread.
 */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include "base/bytes.h"

/* Adds a text as one line: \n and \t are escaped, too. */
void printable_add(Buffer *out, Bytes text);

/* The same for several lines: \n and \t stay. */
void printable_add_lines(Buffer *out, Bytes text);

#endif
