#include "adapters/text/number_text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Writing --------------------------------------------------------------------------------- */

static const char two_digits[] = "00010203040506070809101112131415161718192021222324252627282930313"
                                 "233343536373839404142434445464748"
                                 "49505152535455565758596061626364656667686970717273747576777879808"
                                 "182838485868788899091929394959697"
                                 "9899";

static size_t count_digits(uint64_t number)
{
    static const uint64_t powers[] = {
        0,
        UINT64_C(10),
        UINT64_C(100),
        UINT64_C(1000),
        UINT64_C(10000),
        UINT64_C(100000),
        UINT64_C(1000000),
        UINT64_C(10000000),
        UINT64_C(100000000),
        UINT64_C(1000000000),
        UINT64_C(10000000000),
        UINT64_C(100000000000),
        UINT64_C(1000000000000),
        UINT64_C(10000000000000),
        UINT64_C(100000000000000),
        UINT64_C(1000000000000000),
        UINT64_C(10000000000000000),
        UINT64_C(100000000000000000),
        UINT64_C(1000000000000000000),
        UINT64_C(10000000000000000000),
    };
    /* 1233 / 4096 is slightly more than log10(2). */
    size_t about = (size_t)((64 - __builtin_clzll(number | 1)) * 1233) >> 12;
    return about + (number >= powers[about]);
}

size_t number_write_u64(uint8_t *to, uint64_t number)
{
    if (number < 10) {
        to[0] = (uint8_t)('0' + number);
        return 1;
    }
    size_t size = count_digits(number), at = size;
    while (number >= 100) {
        at -= 2;
        memcpy(to + at, two_digits + number % 100 * 2, 2);
        number /= 100;
    }
    if (number >= 10)
        memcpy(to, two_digits + number * 2, 2);
    else
        to[0] = (uint8_t)('0' + number);
    return size;
}

size_t number_write_i64(uint8_t *to, int64_t number)
{
    if (number >= 0)
        return number_write_u64(to, (uint64_t)number);
    *to = '-';
    return 1 + number_write_u64(to + 1, -(uint64_t)number);
}

/* Integers below 10^digits, which %g writes as plain digits. -0.0 is not one. */
static bool is_short_whole(double number, double limit)
{
    return number > -limit && number < limit && (double)(int64_t)number == number &&
           !(number == 0 && signbit(number));
}

/* `scaled` / 10^places, whose last digit is not zero. */
static size_t write_places(uint8_t *to, bool negative, uint64_t scaled, unsigned places)
{
    static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    size_t size = negative;
    to[0] = '-';
    size += number_write_u64(to + size, scaled / powers[places]);
    to[size++] = '.';
    uint64_t fraction = scaled % powers[places];
    for (unsigned i = places; i > 0; i--, fraction /= 10)
        to[size + i - 1] = (uint8_t)('0' + fraction % 10);
    return size + places;
}

/* Fast path for fractions with few digits, which one division restores exactly. A decimal of up to
   15 digits (float: 6) that reads as `number` is also the result of printing it with that many
   digits. Returns 0 if it does not apply. */
static size_t write_fraction(uint8_t *to, double number, double limit, bool is_float)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    double magnitude = fabs(number);
    for (unsigned places = 1; magnitude >= 1e-4 && places <= 6; places++) {
        double scaled = magnitude * powers[places];
        if (scaled >= limit)
            return 0;
        uint64_t whole = (uint64_t)(scaled + 0.5);
        double back = (double)whole / powers[places];
        if (is_float ? (float)back == (float)magnitude : back == magnitude)
            return write_places(to, number < 0, whole, places);
    }
    return 0;
}

size_t number_write_double(uint8_t *to, double number)
{
    if (is_short_whole(number, 1e15))
        return number_write_i64(to, (int64_t)number);
    size_t written = write_fraction(to, number, 1e15, false);
    if (written)
        return written;
    char text[NUMBER_TEXT_MAX];
    int size = snprintf(text, sizeof(text), "%.15g", number);
    if (strtod(text, NULL) != number)
        size = snprintf(text, sizeof(text), "%.17g", number);
    memcpy(to, text, (size_t)size);
    return (size_t)size;
}

size_t number_write_float(uint8_t *to, float number)
{
    if (is_short_whole((double)number, 1e6))
        return number_write_i64(to, (int64_t)number);
    size_t written = write_fraction(to, (double)number, 1e6, true);
    if (written)
        return written;
    char text[NUMBER_TEXT_MAX];
    int size = 0;
    /* The largest number is written with ten digits: rounded to fewer it lies above the range, and
       who reads it as a double, as Python's protobuf does, finds it too large. */
    int least = fabsf(number) == FLT_MAX ? FLT_DIG + 4 : FLT_DIG;
    for (int digits = least; digits <= FLT_DIG + 4; digits++) {
        size = snprintf(text, sizeof(text), "%.*g", digits, (double)number);
        if (strtof(text, NULL) == number)
            break;
    }
    memcpy(to, text, (size_t)size);
    return (size_t)size;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* The parts of -digits[.digits][e[+-]digits]. */
typedef struct Decimal {
    bool negative;
    uint64_t digits; /* the first digits, as many as fit, without the point and leading and trailing
                        zeros */
    uint8_t next_digit; /* the one after them; 0: none */
    unsigned n_digits;  /* number of all digits, counted likewise */
    int64_t exponent;   /* value = digits * 10^exponent, if all digits fit */
} Decimal;

enum {
    FITTING_DIGITS = 19,
    LARGEST_EXPONENT = 100000,
};

static const uint8_t *read_exponent(const uint8_t *at, const uint8_t *end, int64_t *exponent)
{
    bool negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    const uint8_t *start = at;
    int64_t written = 0;
    for (; at < end && (uint8_t)(*at - '0') <= 9; at++) {
        if (written < LARGEST_EXPONENT)
            written = written * 10 + (*at - '0');
    }
    *exponent += negative ? -written : written;
    return at == start ? NULL : at;
}

static void keep_digit(Decimal *d, uint8_t digit)
{
    if (d->n_digits < FITTING_DIGITS)
        d->digits = d->digits * 10 + digit;
    else if (d->n_digits == FITTING_DIGITS)
        d->next_digit = digit;
    d->n_digits++;
}

/* Adds a digit. Zeros are only counted, and added when a later nonzero digit shows that they are
   not trailing. */
static void take_digit(Decimal *d, uint8_t digit, unsigned *zeros, bool fraction)
{
    d->exponent -= fraction;
    if (digit == 0) {
        *zeros += d->n_digits > 0;
        d->exponent += d->n_digits > 0;
        return;
    }
    d->exponent -= *zeros;
    for (; *zeros; --*zeros)
        keep_digit(d, 0);
    keep_digit(d, digit);
}

/* The number grammar of JSON (RFC 8259 section 6). */
static bool read_decimal(Bytes text, Decimal *d)
{
    if (text.size == 0)
        return false;
    const uint8_t *at = text.data, *end = at + text.size, *start;
    unsigned zeros = 0;
    *d = (Decimal){.negative = at < end && *at == '-'};
    at += d->negative;
    start = at;
    for (; at < end && (uint8_t)(*at - '0') <= 9; at++)
        take_digit(d, (uint8_t)(*at - '0'), &zeros, false);
    if (at == start || (*start == '0' && at - start > 1))
        return false;
    if (at < end && *at == '.') {
        start = ++at;
        for (; at < end && (uint8_t)(*at - '0') <= 9; at++)
            take_digit(d, (uint8_t)(*at - '0'), &zeros, true);
        if (at == start)
            return false;
    }
    if (at < end && (*at | 0x20) == 'e' && !(at = read_exponent(at + 1, end, &d->exponent)))
        return false;
    return at == end;
}

bool number_is_json(Bytes text)
{
    Decimal d;
    return read_decimal(text, &d);
}

static bool whole_value(const Decimal *d, uint64_t *value_out)
{
    *value_out = d->digits;
    if (d->digits == 0)
        return true;
    if (d->exponent < 0 || d->n_digits + d->exponent > FITTING_DIGITS + 1)
        return false;
    if (d->n_digits > FITTING_DIGITS) /* by one */
        return !__builtin_mul_overflow(d->digits, 10, value_out) &&
               !__builtin_add_overflow(*value_out, d->next_digit, value_out);
    for (int64_t i = 0; i < d->exponent; i++) {
        if (__builtin_mul_overflow(*value_out, 10, value_out))
            return false;
    }
    return true;
}

/* Up to 19 digits and nothing else, the usual case. */
static bool read_plain(Bytes text, uint64_t *value_out)
{
    if (text.size == 0 || text.size > FITTING_DIGITS || (text.data[0] == '0' && text.size > 1))
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t digit = (uint8_t)(text.data[i] - '0');
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *value_out = value;
    return true;
}

static bool read_magnitude(Bytes text, bool *negative_out, uint64_t *value_out)
{
    Decimal d;
    *negative_out = text.size && text.data[0] == '-';
    Bytes digits = *negative_out ? bytes(text.data + 1, text.size - 1) : text;
    if (read_plain(digits, value_out))
        return true;
    if (digits.size == FITTING_DIGITS + 1 && digits.data[0] != '0' &&
        bytes_to_u64(digits, value_out))
        return true;
    return read_decimal(text, &d) && whole_value(&d, value_out);
}

bool number_read_u64(Bytes text, uint64_t *number_out)
{
    bool negative;
    return read_magnitude(text, &negative, number_out) && (!negative || *number_out == 0);
}

bool number_read_i64(Bytes text, int64_t *number_out)
{
    bool negative;
    uint64_t value;
    if (!read_magnitude(text, &negative, &value) ||
        value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *number_out = (int64_t)(negative ? -value : value);
    return true;
}

/* Exact if both operands fit a double without rounding: one operation, rounded once (Clinger,
   1990). */
static bool exact_double(const Decimal *d, double *number_out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->n_digits > FITTING_DIGITS || d->digits > UINT64_C(1) << 53 || d->exponent > 22 ||
        d->exponent < -22)
        return false;
    double value = (double)d->digits;
    value = d->exponent < 0 ? value / powers[-d->exponent] : value * powers[d->exponent];
    *number_out = d->negative ? -value : value;
    return true;
}

enum {
    LONGEST_NUMBER = 800
}; /* characters; 768 digits distinguish all doubles and the midpoints between them */

/* strtod and strtof need a terminating NUL. `room` has LONGEST_NUMBER bytes; the text must be
   shorter. */
static const char *terminated(Bytes text, char *room)
{
    memcpy(room, text.data, text.size);
    room[text.size] = '\0';
    return room;
}

bool number_read_double(Bytes text, double *number_out)
{
    Decimal d;
    char room[LONGEST_NUMBER];
    if (!read_decimal(text, &d) || text.size >= sizeof(room))
        return false;
    if (exact_double(&d, number_out))
        return true;
    *number_out = strtod(terminated(text, room), NULL);
    return isfinite(*number_out);
}

bool number_read_float(Bytes text, float *number_out)
{
    Decimal d;
    char room[LONGEST_NUMBER];
    if (!read_decimal(text, &d) || text.size >= sizeof(room))
        return false;
    /* An integer up to 2^24 is exact. */
    if (d.exponent == 0 && d.n_digits <= FITTING_DIGITS && d.digits <= 1u << 24)
        *number_out = d.negative ? -(float)d.digits : (float)d.digits;
    else
        *number_out = strtof(terminated(text, room), NULL);
    return isfinite(*number_out);
}
