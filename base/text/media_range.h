/*
 * MediaRange: one element of an Accept field, or of any list of its form (RFC 9110 sections 5.6.1,
 * 5.6.6, 12.4.2 and 12.5.1):
 *
 *     application/json;version=2;q=0.5, text/plain;note="a, b"
 *
 * Commas and semicolons in quoted strings are not separators. Empty elements are skipped. All
 * results borrow from the field; plain functions, any thread.
 */
#ifndef BASE_MEDIA_RANGE_H
#define BASE_MEDIA_RANGE_H

#include "base/bytes.h"

enum { QUALITY_MOST = 1000 };

typedef struct MediaRange {
    Bytes type;       /* "application/json", without blanks around it; may be empty */
    Bytes parameters; /* the rest, including q: for media_parameter */
    unsigned quality; /* in thousandths: QUALITY_MOST without a q, 0 where q is no number */
} MediaRange;

/* Removes the next element from the front of *list. False if none is left. */
bool media_range_next(Bytes *list, MediaRange *range_out);

/* The value of a parameter, without its quotes, escapes not resolved; data NULL: there is no such
   parameter. `name` is in lower case; the comparison ignores case. */
Bytes media_parameter(Bytes parameters, const char *name);

#endif
