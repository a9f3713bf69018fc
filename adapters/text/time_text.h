/*
 * Times as text: RFC 3339 timestamps, protobuf's durations, civil dates.
 *
 * The ranges are protobuf's: years 1 to 9999, durations of at most 10,000 years. Plain functions;
 * any thread.
 */
#ifndef ADAPTERS_TIME_TEXT_H
#define ADAPTERS_TIME_TEXT_H

#include "base/bytes.h"

enum { TIME_TEXT_MAX = 48 }; /* room for any of the texts written here */

#define TIMESTAMP_MIN (-INT64_C(62135596800)) /* 0001-01-01T00:00:00Z */
#define TIMESTAMP_MAX INT64_C(253402300799)   /* 9999-12-31T23:59:59Z */
#define DURATION_MAX INT64_C(315576000000)    /* seconds, either way */

typedef struct TimeParts {
    int64_t seconds;
    int32_t nanos; /* of a timestamp never negative; of a duration with the sign of the seconds */
} TimeParts;

typedef struct CivilDate {
    int32_t year, month, day;
} CivilDate;

bool timestamp_in_range(TimeParts time);
bool duration_in_range(TimeParts time);

/* "2026-03-01T10:00:20.021Z", also with an offset. */
bool timestamp_read(Bytes text, TimeParts *time_out);
/* The time must be in range. Returns the size. */
size_t timestamp_write(uint8_t *to, TimeParts time);

/* "-1.5s" */
bool duration_read(Bytes text, TimeParts *time_out);
size_t duration_write(uint8_t *to, TimeParts time);

/* "2026-03-01"; the date must exist. */
bool date_read(Bytes text, CivilDate *date_out);
size_t date_write(uint8_t *to, CivilDate date);
bool date_is_real(CivilDate date);

/* Days since 1970-01-01, in the Gregorian calendar. The date is real. */
int64_t civil_date_to_days(CivilDate date);
CivilDate civil_date_from_days(int64_t days);

#endif
