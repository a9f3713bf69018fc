/*
 * Spellings: durations, sizes and dates in the format of configs. Pure functions; any thread.
 *
 * Each returns false if the text is malformed or does not fit.
 */
#ifndef ADAPTERS_SPELLING_H
#define ADAPTERS_SPELLING_H

#include "base/bytes.h"

/* "2s", "1h30m", "1.5s", "250ms", "0"; units d, h, m, s, ms, us, ns. In nanoseconds. */
bool spelling_duration(Bytes text, int64_t *nanoseconds_out);

/* "4MiB", "64KiB", "1GB", "500"; B, KiB, MiB, GiB by 1024, kB, MB, GB by 1000. */
bool spelling_size(Bytes text, uint64_t *bytes_out);

/* "2026-03-01" (midnight UTC) or RFC 3339, "2026-03-01T12:30:00Z". In nanoseconds since
   1970-01-01T00:00:00Z. */
bool spelling_date(Bytes text, int64_t *nanoseconds_out);

/* The shortest spelling that means the same. */
void spelling_add_duration(Buffer *out, int64_t nanoseconds);
void spelling_add_size(Buffer *out, uint64_t size);

#endif
