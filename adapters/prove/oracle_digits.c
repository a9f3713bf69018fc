/* The oracle's arithmetic: by decimal digits, as on paper. */
#include "adapters/prove/oracle_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 Unsigned;

enum {
    FRACTION = 1100,   /* a double has at most 1,074 digits behind the point */
    MOST_DIGITS = 340, /* before the point: of a double, times 2^63 */
    LONGEST = FRACTION + 2 * MOST_DIGITS,
    QUOTIENT = 100, /* as many decide between neighbouring doubles */
};

/* Digits, of which the last FRACTION are behind the point. */
typedef struct Digits {
    uint8_t digits[LONGEST];
} Digits;

static void multiply(Digits *number, uint64_t times)
{
    Unsigned carry = 0;
    for (int i = LONGEST; i-- > 0;) {
        carry += (Unsigned)number->digits[i] * times;
        number->digits[i] = (uint8_t)(carry % 10);
        carry /= 10;
    }
}

static void divide(Digits *number, uint64_t over)
{
    Unsigned rest = 0;
    for (int i = 0; i < LONGEST; i++) {
        rest = rest * 10 + number->digits[i];
        number->digits[i] = (uint8_t)(rest / over);
        rest %= over;
    }
}

static Digits digits_of(const char *text)
{
    Digits number = {{0}};
    size_t whole = strcspn(text, ".");
    for (size_t i = 0; i < whole; i++)
        number.digits[LONGEST - FRACTION - whole + i] = (uint8_t)(text[i] - '0');
    for (size_t i = whole; text[i] && text[i + 1]; i++)
        number.digits[LONGEST - FRACTION + i - whole] = (uint8_t)(text[i + 1] - '0');
    return number;
}

double oracle_nearest(Wide number, Ratio ratio, bool single)
{
    char text[64 + QUOTIENT];
    Unsigned magnitude = (Unsigned)(number < 0 ? -number : number) * (Unsigned)ratio.times;
    Unsigned whole = magnitude / (Unsigned)ratio.over, rest = magnitude % (Unsigned)ratio.over;
    char *point = text + 60, *at = point;
    do {
        *--at = (char)('0' + whole % 10);
        whole /= 10;
    } while (whole);
    *point++ = '.';
    for (int i = 0; i < QUOTIENT; i++) {
        rest *= 10;
        *point++ = (char)('0' + rest / (Unsigned)ratio.over);
        rest %= (Unsigned)ratio.over;
    }
    *point++ = rest ? '1' : '0';
    *point = 0;
    double nearest = strtod(at, NULL);
    nearest = single ? (double)(float)nearest : nearest;
    return number < 0 ? -nearest : nearest;
}

bool oracle_whole(double number, Ratio ratio, bool single, Wide *nearest_out, Wide *cut_out,
                  bool *exact_out)
{
    char text[FRACTION + MOST_DIGITS];
    Wide cut = 0;
    if (!isfinite(number))
        return false;
    snprintf(text, sizeof text, "%.*f", FRACTION, fabs(number));
    Digits digits = digits_of(text);
    multiply(&digits, (uint64_t)ratio.times);
    divide(&digits, (uint64_t)ratio.over);
    for (int i = 0; i < LONGEST - FRACTION; i++) {
        if (cut > (Wide)1 << 100)
            return false;
        cut = cut * 10 + digits.digits[i];
    }
    Wide nearest = cut + (digits.digits[LONGEST - FRACTION] >= 5);
    Ratio inverse = {ratio.over, ratio.times};
    *exact_out = oracle_nearest(nearest, inverse, single) == fabs(number);
    *nearest_out = number < 0 ? -nearest : nearest;
    *cut_out = number < 0 ? -cut : cut;
    return true;
}
