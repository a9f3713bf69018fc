/* Decimal numbers as text, where printf would cost more than the work around it. Any thread. */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

enum { DECIMAL_SIZE = 20 }; /* digits of the largest number */

/* Writes the digits, without NUL; returns how many. `out` has room for DECIMAL_SIZE. */
size_t decimal_write(uint64_t number, char *out);

#endif
