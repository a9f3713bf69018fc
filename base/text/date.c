#include "base/text/date.h"

enum { DAY = 86400, HOUR = 3600, MINUTE = 60 };

static const char weekday_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Years are counted from 1 March, so that the leap day is the last one of its year; an era is the
   400 years after which the calendar repeats. */
enum { ERA_YEARS = 400, ERA_DAYS = 146097, DAYS_TO_1970 = 719468 };

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

const char *date_month_name(int month)
{
    return month_names[month - 1];
}

int64_t date_to_days(int64_t year, int month, int day)
{
    if (month <= 2)
        year--;
    int64_t era = floor_divide(year, ERA_YEARS);
    int64_t year_of_era = year - era * ERA_YEARS;
    int64_t month_from_march = (month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - DAYS_TO_1970;
}

CivilTime date_from_days(int64_t days)
{
    int64_t shifted = days + DAYS_TO_1970;
    int64_t era = floor_divide(shifted, ERA_DAYS);
    int64_t day_of_era = shifted - era * ERA_DAYS;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    int64_t weekday = (days + 4) % 7; /* 1970-01-01 was a Thursday */
    return (CivilTime){
        .year = year_of_era + era * ERA_YEARS + (month <= 2),
        .month = month,
        .day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
        .weekday = (int)(weekday < 0 ? weekday + 7 : weekday),
    };
}

int64_t date_to_seconds(const CivilTime *time)
{
    return date_to_days(time->year, time->month, time->day) * DAY + time->hour * HOUR +
           time->minute * MINUTE + time->second;
}

CivilTime date_from_seconds(int64_t seconds)
{
    int64_t days = floor_divide(seconds, DAY);
    int second_of_day = (int)(seconds - days * DAY);
    CivilTime time = date_from_days(days);
    time.hour = second_of_day / HOUR;
    time.minute = second_of_day % HOUR / MINUTE;
    time.second = second_of_day % MINUTE;
    return time;
}

int date_month_days(int64_t year, int month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12)
        return 0;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static char *write_digits(char *at, int64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return at + digits;
}

static char *write_chars(char *at, const char *text, size_t size)
{
    memcpy(at, text, size);
    return at + size;
}

static char *write_clock(char *at, const CivilTime *time)
{
    at = write_digits(at, time->hour, 2);
    *at++ = ':';
    at = write_digits(at, time->minute, 2);
    *at++ = ':';
    return write_digits(at, time->second, 2);
}

void date_write_http(int64_t seconds, char out[DATE_HTTP_SIZE])
{
    CivilTime time = date_from_seconds(seconds);
    char *at = write_chars(out, weekday_names[time.weekday], 3);
    at = write_chars(at, ", ", 2);
    at = write_digits(at, time.day, 2);
    *at++ = ' ';
    at = write_chars(at, month_names[time.month - 1], 3);
    *at++ = ' ';
    at = write_digits(at, time.year, 4);
    *at++ = ' ';
    at = write_clock(at, &time);
    write_chars(at, " GMT", 4);
}

static char *write_day(char *at, const CivilTime *time)
{
    at = write_digits(at, time->year, 4);
    *at++ = '-';
    at = write_digits(at, time->month, 2);
    *at++ = '-';
    return write_digits(at, time->day, 2);
}

void date_write_day(int64_t seconds, char out[DATE_DAY_SIZE])
{
    CivilTime time = date_from_seconds(seconds);
    write_day(out, &time);
}

size_t date_write_rfc3339(int64_t seconds, int32_t nanos, char out[DATE_RFC3339_SIZE])
{
    CivilTime time = date_from_seconds(seconds);
    char *at = write_day(out, &time);
    *at++ = 'T';
    at = write_clock(at, &time);
    if (nanos) {
        *at++ = '.';
        at = nanos % 1000000 == 0 ? write_digits(at, nanos / 1000000, 3)
             : nanos % 1000 == 0  ? write_digits(at, nanos / 1000, 6)
                                  : write_digits(at, nanos, 9);
    }
    *at++ = 'Z';
    return (size_t)(at - out);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Takes exactly `digits` digits. False: they are missing; *number_out is not set. */
static bool take_digits(Bytes *text, int digits, int *number_out)
{
    int number = 0;
    if (text->size < (size_t)digits)
        return false;
    for (int i = 0; i < digits; i++) {
        unsigned digit = (unsigned)text->data[i] - '0';
        if (digit > 9)
            return false;
        number = number * 10 + (int)digit;
    }
    *text = bytes_slice(*text, (size_t)digits, text->size);
    *number_out = number;
    return true;
}

static bool take_text(Bytes *text, const char *expected)
{
    if (!bytes_start_with(*text, expected))
        return false;
    *text = bytes_slice(*text, strlen(expected), text->size);
    return true;
}

static bool take_name(Bytes *text, const char (*names)[4], int n, int *index_out)
{
    for (int i = 0; i < n; i++) {
        if (take_text(text, names[i])) {
            *index_out = i;
            return true;
        }
    }
    return false;
}

static bool take_month(Bytes *text, int *month_out)
{
    int index;
    if (!take_name(text, month_names, 12, &index))
        return false;
    *month_out = index + 1;
    return true;
}

static bool take_clock(Bytes *text, CivilTime *time)
{
    return take_digits(text, 2, &time->hour) && take_text(text, ":") &&
           take_digits(text, 2, &time->minute) && take_text(text, ":") &&
           take_digits(text, 2, &time->second);
}

static bool exists(const CivilTime *time)
{
    return time->day >= 1 && time->day <= date_month_days(time->year, time->month) &&
           time->hour < 24 && time->minute < 60 && time->second < 60;
}

static bool take_year(Bytes *text, CivilTime *time)
{
    int year;
    if (!take_digits(text, 4, &year))
        return false;
    time->year = year;
    return true;
}

static bool take_day(Bytes *text, CivilTime *time)
{
    return take_year(text, time) && take_text(text, "-") && take_digits(text, 2, &time->month) &&
           take_text(text, "-") && take_digits(text, 2, &time->day);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool read_imf(Bytes text, CivilTime *time)
{
    return take_name(&text, weekday_names, 7, &time->weekday) && take_text(&text, ", ") &&
           take_digits(&text, 2, &time->day) && take_text(&text, " ") &&
           take_month(&text, &time->month) && take_text(&text, " ") && take_year(&text, time) &&
           take_text(&text, " ") && take_clock(&text, time) && take_text(&text, " GMT") &&
           text.size == 0;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT". The year has two digits: see whole_year. */
static bool read_rfc850(Bytes text, CivilTime *time)
{
    size_t comma = bytes_find(text, ',');
    Bytes weekday = bytes_slice(text, 0, comma);
    int two_digits;
    text = bytes_slice(text, comma, text.size);
    if (weekday.size < strlen("Monday") || !bytes_end_with(weekday, "day") ||
        !take_name(&weekday, weekday_names, 7, &time->weekday) || !take_text(&text, ", ") ||
        !take_digits(&text, 2, &time->day) || !take_text(&text, "-") ||
        !take_month(&text, &time->month) || !take_text(&text, "-") ||
        !take_digits(&text, 2, &two_digits))
        return false;
    time->year = two_digits;
    return take_text(&text, " ") && take_clock(&text, time) && take_text(&text, " GMT") &&
           text.size == 0;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool read_asctime(Bytes text, CivilTime *time)
{
    if (!take_name(&text, weekday_names, 7, &time->weekday) || !take_text(&text, " ") ||
        !take_month(&text, &time->month) || !take_text(&text, " "))
        return false;
    if (!take_digits(&text, take_text(&text, " ") ? 1 : 2, &time->day))
        return false;
    return take_text(&text, " ") && take_clock(&text, time) && take_text(&text, " ") &&
           take_year(&text, time) && text.size == 0;
}

static int64_t whole_year(int64_t two_digits, int64_t now)
{
    int64_t this_year = date_from_seconds(now).year;
    int64_t year = this_year - this_year % 100 + two_digits;
    return year > this_year + 50 ? year - 100 : year;
}

bool date_read_http(Bytes text, int64_t now, int64_t *seconds_out)
{
    CivilTime time = {0};
    if (!read_imf(text, &time) && !read_asctime(text, &time)) {
        if (!read_rfc850(text, &time))
            return false;
        time.year = whole_year(time.year, now);
    }
    if (!exists(&time))
        return false;
    *seconds_out = date_to_seconds(&time);
    return true;
}

/* ".123", one to nine digits; or nothing. */
static bool take_fraction(Bytes *text, int32_t *nanos_out)
{
    *nanos_out = 0;
    if (!take_text(text, "."))
        return true;
    int digits = 0, digit;
    while (digits < 9 && take_digits(text, 1, &digit)) {
        *nanos_out = *nanos_out * 10 + digit;
        digits++;
    }
    if (digits == 0)
        return false;
    for (; digits < 9; digits++)
        *nanos_out *= 10;
    return true;
}

/* "Z" or "+01:30": the seconds by which local time is ahead. */
static bool take_offset(Bytes *text, int *offset_out)
{
    int hours, minutes, sign;
    *offset_out = 0;
    if (take_text(text, "Z"))
        return true;
    if (take_text(text, "+"))
        sign = 1;
    else if (take_text(text, "-"))
        sign = -1;
    else
        return false;
    if (!take_digits(text, 2, &hours) || !take_text(text, ":") || !take_digits(text, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *offset_out = sign * (hours * HOUR + minutes * MINUTE);
    return true;
}

bool date_read_rfc3339(Bytes text, int64_t *seconds_out, int32_t *nanos_out)
{
    CivilTime time = {0};
    int offset;
    if (!take_day(&text, &time) || !take_text(&text, "T") || !take_clock(&text, &time) ||
        !take_fraction(&text, nanos_out) || !take_offset(&text, &offset) || text.size != 0 ||
        !exists(&time))
        return false;
    *seconds_out = date_to_seconds(&time) - offset;
    return true;
}

bool date_read_day(Bytes text, int64_t *seconds_out)
{
    CivilTime time = {0};
    if (!take_day(&text, &time) || text.size != 0 || !exists(&time))
        return false;
    *seconds_out = date_to_seconds(&time);
    return true;
}
