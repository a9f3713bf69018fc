/*
 * Numbers as text, in the format of protobuf's JSON.
 *
 * Reading is exact: an integer may be written with a point or an exponent as long as its value is
 * whole ("1.0", "1e3"), and nothing is rounded silently into range. Plain functions; any thread.
 */
#ifndef ADAPTERS_NUMBER_TEXT_H
#define ADAPTERS_NUMBER_TEXT_H

#include "base/bytes.h"

enum { NUMBER_TEXT_MAX = 32 }; /* room for any of the texts written here */

/* Each writes to `to` and returns the size. */
size_t number_write_u64(uint8_t *to, uint64_t number);
size_t number_write_i64(uint8_t *to, int64_t number);

/* The shortest of %.15g and %.17g (%.6g ... %.9g) that reads back the same, and is not above a
   float's range. Finite numbers only. */
size_t number_write_double(uint8_t *to, double number);
size_t number_write_float(uint8_t *to, float number);

/* Is the whole text a number by JSON's grammar (RFC 8259 section 6), however large? */
bool number_is_json(Bytes text);

/* JSON's grammar of numbers, the whole text. False if it is not a number, not whole or out of
   range. */
bool number_read_i64(Bytes text, int64_t *number_out);
bool number_read_u64(Bytes text, uint64_t *number_out);

/* JSON's grammar of numbers, the whole text. False if it is not a number, or too large. */
bool number_read_double(Bytes text, double *number_out);
bool number_read_float(Bytes text, float *number_out);

#endif
