/*
 * Date: points in time as text, for people and header fields.
 *
 * Seconds count from 1970-01-01T00:00:00Z without leap seconds; the calendar is the proleptic
 * Gregorian one in UTC. Plain functions, any thread, no locale and no time zone of the machine.
 */
#ifndef BASE_DATE_H
#define BASE_DATE_H

#include "base/bytes.h"

/* A calendar time in UTC. */
typedef struct CivilTime {
    int64_t year;             /* astronomical: 0 is 1 BC */
    int month, day;           /* from 1 */
    int hour, minute, second; /* from 0 */
    int weekday;              /* 0 Sunday; not read by date_to_seconds */
} CivilTime;

/* Days from 1970-01-01. Month and day must exist. */
int64_t date_to_days(int64_t year, int month, int day);

/* The year, month, day and weekday of a day; the time of day is left 0. */
CivilTime date_from_days(int64_t days);

int64_t date_to_seconds(const CivilTime *time);
CivilTime date_from_seconds(int64_t seconds);

/* How many days the month has; 0 when there is no such month. */
int date_month_days(int64_t year, int month);

/* "Jan" to "Dec", of 1 to 12. */
const char *date_month_name(int month);

enum {
    DATE_DAY_SIZE = 10,     /* "2026-03-01" */
    DATE_HTTP_SIZE = 29,    /* "Sun, 06 Nov 1994 08:49:37 GMT" */
    DATE_RFC3339_SIZE = 30, /* "2026-03-01T12:00:00.123456789Z" */
};

/* HTTP-date in its one preferred form (RFC 9110 section 5.6.7), for years 0 to 9999. No NUL. */
void date_write_http(int64_t seconds, char out[DATE_HTTP_SIZE]);

/* Any of the three forms of HTTP-date; a year of two digits is the one nearest to `now`'s century
   that is not more than 50 years ahead. False when it is none of them. */
bool date_read_http(Bytes text, int64_t now, int64_t *seconds_out);

/* RFC 3339 in UTC with 0, 3, 6 or 9 digits of `nanos` as needed, for years 0 to 9999. No NUL;
   returns the size. */
size_t date_write_rfc3339(int64_t seconds, int32_t nanos, char out[DATE_RFC3339_SIZE]);

/* RFC 3339 date-time with any offset and up to 9 digits of a second. A leap second (":60") is
   refused. Letters T and Z in upper case only, as protobuf's JSON wants it. */
bool date_read_rfc3339(Bytes text, int64_t *seconds_out, int32_t *nanos_out);

/* "2026-03-01", the day in UTC, for years 0 to 9999. No NUL. */
void date_write_day(int64_t seconds, char out[DATE_DAY_SIZE]);

/* "2026-03-01": midnight UTC of that day. */
bool date_read_day(Bytes text, int64_t *seconds_out);

#endif
