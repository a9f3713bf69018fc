#include "adapters/text/ratio.h"

#include <float.h>
#include <math.h>

__extension__ typedef unsigned __int128 Unsigned;

static const double exactly_whole = 9007199254740992.0; /* 2^53: a double has each up to here */
static const double exactly_whole_float = 16777216.0;   /* 2^24: so has a float */

static int leading_zeros(Unsigned number)
{
    uint64_t high = (uint64_t)(number >> 64);
    return high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)number | 1);
}

/* The double nearest to number / over. A quotient that is not whole gets one more bit, as the sum
   of all that follow, so that it is rounded once. */
static double nearest_quotient(Unsigned number, uint64_t over)
{
    if (number <= (Unsigned)exactly_whole && over <= (uint64_t)exactly_whole)
        return (double)(uint64_t)number / (double)over;
    int shift = leading_zeros(number);
    Unsigned shifted = number << shift, quotient = shifted / over;
    return ldexp((double)(quotient | (shifted % over != 0)), -shift);
}

double ratio_nearest(Wide number, Ratio ratio, bool single)
{
    Unsigned magnitude = (Unsigned)(number < 0 ? -number : number) * (Unsigned)ratio.times;
    double nearest = nearest_quotient(magnitude, (uint64_t)ratio.over);
    nearest = single ? (double)(float)nearest : nearest;
    return number < 0 ? -nearest : nearest;
}

static bool becomes(Wide whole, Ratio ratio, bool single, double number)
{
    Ratio inverse = {ratio.over, ratio.times};
    return ratio_nearest(whole, inverse, single) == number;
}

/* The usual case: a product far from where the kind has no halves, so that only one whole number
   can become the same floating one. */
static bool is_plain(double magnitude, Ratio ratio, bool single, RatioWhole *whole)
{
    double product = magnitude * (double)ratio.times / (double)ratio.over;
    if (!(product < (single ? exactly_whole_float : exactly_whole) / 4))
        return false;
    whole->nearest = whole->cut = (Wide)nearbyint(product);
    return whole->exact = becomes(whole->nearest, ratio, single, magnitude);
}

/* numerator / denominator */
static RatioWhole divided(Unsigned numerator, Unsigned denominator)
{
    Unsigned whole = numerator / denominator, rest = numerator % denominator;
    return (RatioWhole){.cut = (Wide)whole,
                        .nearest = (Wide)(whole + (rest && rest >= denominator - rest))};
}

/* With all digits: a double is a whole number times a power of 2. */
static bool divide(double magnitude, Ratio ratio, RatioWhole *whole)
{
    int exponent;
    double fraction = frexp(magnitude, &exponent);
    Unsigned numerator = (Unsigned)ldexp(fraction, DBL_MANT_DIG) * (Unsigned)ratio.times;
    Unsigned denominator = (Unsigned)ratio.over;
    exponent -= DBL_MANT_DIG;
    if (exponent >= leading_zeros(numerator))
        return numerator == 0; /* at least 2^127, over less than 2^63 */
    if (-exponent >= leading_zeros(denominator)) {
        *whole = (RatioWhole){0}; /* below 2^116, over at least 2^127 */
        return true;
    }
    if (exponent > 0)
        numerator <<= exponent;
    else
        denominator <<= -exponent;
    *whole = divided(numerator, denominator);
    return true;
}

bool ratio_whole(double number, Ratio ratio, bool single, RatioWhole *whole_out)
{
    double magnitude = fabs(number);
    *whole_out = (RatioWhole){0};
    if (!isfinite(number))
        return false;
    if (!is_plain(magnitude, ratio, single, whole_out)) {
        if (!divide(magnitude, ratio, whole_out))
            return false;
        whole_out->exact = becomes(whole_out->nearest, ratio, single, magnitude);
    }
    if (number < 0) {
        whole_out->nearest = -whole_out->nearest;
        whole_out->cut = -whole_out->cut;
    }
    return true;
}
