#include "adapters/text/time_text.h"

#include "adapters/text/number_text.h"
#include "base/text/date.h"

enum { SECONDS_PER_DAY = 86400, NANOS_PER_SECOND = 1000000000 };

/* ---- Dates ----------------------------------------------------------------------------------- */

int64_t civil_date_to_days(CivilDate date)
{
    return date_to_days(date.year, date.month, date.day);
}

CivilDate civil_date_from_days(int64_t days)
{
    CivilTime day = date_from_days(days);
    return (CivilDate){.year = (int32_t)day.year, .month = day.month, .day = day.day};
}

bool date_is_real(CivilDate date)
{
    return date.year >= 1 && date.year <= 9999 && date.day >= 1 &&
           date.day <= date_month_days(date.year, date.month);
}

/* ---- Reading --------------------------------------------------------------------------------- */

typedef struct Cursor {
    const uint8_t *at, *end;
} Cursor;

static Cursor cursor(Bytes text)
{
    return (Cursor){text.data, text.data ? text.data + text.size : NULL};
}

static bool take(Cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != (uint8_t)wanted)
        return false;
    c->at++;
    return true;
}

/* Exactly n digits. */
static bool take_digits(Cursor *c, int n, int32_t *number_out)
{
    *number_out = 0;
    for (; n > 0; n--, c->at++) {
        if (c->at == c->end || (uint8_t)(*c->at - '0') > 9)
            return false;
        *number_out = *number_out * 10 + (*c->at - '0');
    }
    return true;
}

/* Up to nine digits after the point, in nanoseconds. */
static bool take_fraction(Cursor *c, int32_t *nanos_out)
{
    int digits = 0;
    *nanos_out = 0;
    for (; c->at < c->end && (uint8_t)(*c->at - '0') <= 9; c->at++, digits++) {
        if (digits == 9)
            return false;
        *nanos_out = *nanos_out * 10 + (*c->at - '0');
    }
    for (int i = digits; i < 9; i++)
        *nanos_out *= 10;
    return digits > 0;
}

static bool take_date(Cursor *c, CivilDate *date)
{
    return take_digits(c, 4, &date->year) && take(c, '-') && take_digits(c, 2, &date->month) &&
           take(c, '-') && take_digits(c, 2, &date->day) && date_is_real(*date);
}

bool date_read(Bytes text, CivilDate *date_out)
{
    Cursor c = cursor(text);
    return take_date(&c, date_out) && c.at == c.end;
}

/* "Z", or "+hh:mm" */
static bool take_offset(Cursor *c, int32_t *seconds_out)
{
    int32_t hours, minutes;
    *seconds_out = 0;
    if (take(c, 'Z'))
        return true;
    bool behind = take(c, '-');
    if (!behind && !take(c, '+'))
        return false;
    if (!take_digits(c, 2, &hours) || !take(c, ':') || !take_digits(c, 2, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *seconds_out = (hours * 60 + minutes) * (behind ? -60 : 60);
    return true;
}

bool timestamp_in_range(TimeParts time)
{
    return time.seconds >= TIMESTAMP_MIN && time.seconds <= TIMESTAMP_MAX && time.nanos >= 0 &&
           time.nanos < NANOS_PER_SECOND;
}

bool timestamp_read(Bytes text, TimeParts *time_out)
{
    Cursor c = cursor(text);
    CivilDate date;
    int32_t hour, minute, second, nanos = 0, offset;
    if (!take_date(&c, &date) || !take(&c, 'T') || !take_digits(&c, 2, &hour) || !take(&c, ':') ||
        !take_digits(&c, 2, &minute) || !take(&c, ':') || !take_digits(&c, 2, &second) ||
        hour > 23 || minute > 59 || second > 59)
        return false;
    if (take(&c, '.') && !take_fraction(&c, &nanos))
        return false;
    if (!take_offset(&c, &offset) || c.at != c.end)
        return false;
    *time_out = (TimeParts){
        .seconds = civil_date_to_days(date) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second -
                   offset,
        .nanos = nanos,
    };
    return timestamp_in_range(*time_out);
}

bool duration_in_range(TimeParts time)
{
    return time.seconds >= -DURATION_MAX && time.seconds <= DURATION_MAX &&
           time.nanos > -NANOS_PER_SECOND && time.nanos < NANOS_PER_SECOND &&
           (time.seconds >= 0 || time.nanos <= 0) && (time.seconds <= 0 || time.nanos >= 0);
}

bool duration_read(Bytes text, TimeParts *time_out)
{
    Cursor c = cursor(text);
    bool negative = take(&c, '-');
    const uint8_t *digits = c.at;
    int64_t seconds = 0;
    int32_t nanos = 0;
    for (; c.at < c.end && (uint8_t)(*c.at - '0') <= 9; c.at++) {
        seconds = seconds * 10 + (*c.at - '0');
        if (seconds > DURATION_MAX)
            return false;
    }
    if (c.at == digits || (take(&c, '.') && !take_fraction(&c, &nanos)))
        return false;
    if (!take(&c, 's') || c.at != c.end)
        return false;
    *time_out = negative ? (TimeParts){-seconds, -nanos} : (TimeParts){seconds, nanos};
    return duration_in_range(*time_out);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static uint8_t *put_digits(uint8_t *to, uint32_t number, int n)
{
    for (int i = n - 1; i >= 0; i--, number /= 10)
        to[i] = (uint8_t)('0' + number % 10);
    return to + n;
}

/* Writes no digits, three, six or nine. */
static uint8_t *put_fraction(uint8_t *to, uint32_t nanos)
{
    if (nanos == 0)
        return to;
    *to++ = '.';
    if (nanos % 1000000 == 0)
        return put_digits(to, nanos / 1000000, 3);
    return nanos % 1000 == 0 ? put_digits(to, nanos / 1000, 6) : put_digits(to, nanos, 9);
}

static uint8_t *put_date(uint8_t *to, CivilDate date)
{
    to = put_digits(to, (uint32_t)date.year, 4);
    *to++ = '-';
    to = put_digits(to, (uint32_t)date.month, 2);
    *to++ = '-';
    return put_digits(to, (uint32_t)date.day, 2);
}

size_t date_write(uint8_t *to, CivilDate date)
{
    return (size_t)(put_date(to, date) - to);
}

size_t timestamp_write(uint8_t *to, TimeParts time)
{
    int64_t days = time.seconds / SECONDS_PER_DAY - (time.seconds % SECONDS_PER_DAY < 0);
    uint32_t second = (uint32_t)(time.seconds - days * SECONDS_PER_DAY);
    uint8_t *at = put_date(to, civil_date_from_days(days));
    *at++ = 'T';
    at = put_digits(at, second / 3600, 2);
    *at++ = ':';
    at = put_digits(at, second / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, second % 60, 2);
    at = put_fraction(at, (uint32_t)time.nanos);
    *at++ = 'Z';
    return (size_t)(at - to);
}

size_t duration_write(uint8_t *to, TimeParts time)
{
    bool negative = time.seconds < 0 || time.nanos < 0;
    uint64_t seconds = (uint64_t)(time.seconds < 0 ? -time.seconds : time.seconds);
    uint8_t *at = to;
    *at = '-';
    at += negative;
    at += number_write_u64(at, seconds);
    at = put_fraction(at, (uint32_t)(time.nanos < 0 ? -time.nanos : time.nanos));
    *at++ = 's';
    return (size_t)(at - to);
}
