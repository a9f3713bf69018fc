/*
 * Ratios: whole numbers of one unit as floating numbers of another, and back: milliseconds as
 * seconds.
 *
 * A whole number becomes the floating number that is nearest to it, times `times`, over `over`.
 * Back, a floating number stands for the whole number that it is nearest to, if that one becomes
 * the same floating number: 1001 over 1000 is 1.001, and 1.001 times 1000 is 1001, although no
 * double is 1.001. Nothing is rounded on the way. Plain functions; any thread.
 */
#ifndef ADAPTERS_RATIO_H
#define ADAPTERS_RATIO_H

#include "base/bytes.h"

__extension__ typedef __int128 Wide;

typedef struct Ratio {
    int64_t times, over; /* both at least 1, and one of them 1 */
} Ratio;

/* The floating number nearest to number * times / over; `single`: a float. The product must be
   below 2^127. */
double ratio_nearest(Wide number, Ratio ratio, bool single);

typedef struct RatioWhole {
    bool exact;   /* `nearest` becomes the same floating number by the inverse ratio */
    Wide nearest; /* half away from zero */
    Wide cut;     /* towards zero */
} RatioWhole;

/* The whole number for number * times / over. False: it is not finite, or 2^64 and more. */
bool ratio_whole(double number, Ratio ratio, bool single, RatioWhole *whole_out);

#endif
