/*
 * The id of a job: a ULID (github.com/ulid/spec) in lower case: 48 bits of its time in milliseconds
 * and 80 bits of chance, in base 32. Sortable by time, and nobody can guess it. Pure.
 */
#ifndef GATEWAY_JOB_ID_H
#define GATEWAY_JOB_ID_H

#include "base/bytes.h"
#include "base/random.h"

enum {
    JOB_ID_SIZE = 26,
    JOB_ID_CHANCE = 10, /* random bytes in it */
};

/* `wall`: nanoseconds since 1970. The text ends with a NUL. */
void job_id_make(int64_t wall, const uint8_t chance[JOB_ID_CHANCE], char id_out[JOB_ID_SIZE + 1]);

/* The same, with chance of `random`. */
void job_id_new(Random *random, int64_t wall, char id_out[JOB_ID_SIZE + 1]);

/* Of the job that the schedule of a definition begins at that time: the same one in all gateways,
   so that it is accepted once. */
void job_id_of_time(Bytes definition, int64_t wall, char id_out[JOB_ID_SIZE + 1]);

/* Whether it may be one, so that other texts are refused without asking the store. */
bool job_id_is_valid(Bytes id);

#endif
