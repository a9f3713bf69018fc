/*
 * JobOwners: the processes that execute jobs, as one of them sees the others.
 *
 * Each shows that it lives by a number in its row that changes with each renewal. One whose number
 * has not changed for its lease, by our own monotonic clock, is dead. Clocks of others are never
 * read. Pure: times are passed in, in nanoseconds.
 *
 * A name is that of one process. A gateway that has started anew may know that the one before it is
 * gone, and need not wait.
 */
#ifndef GATEWAY_JOB_OWNERS_H
#define GATEWAY_JOB_OWNERS_H

#include "base/bytes.h"

typedef struct JobOwner {
    struct JobOwner *next;
    int64_t beat, lease;
    int64_t since; /* that we see this beat */
    bool listed;
    bool gone; /* it is mourned: dead, unless its beat changes */
    Bytes name;
    uint8_t text[];
} JobOwner;

typedef struct JobOwners {
    JobOwner *first;
    char *self; /* is never dead for itself; NULL: nobody */
    char *late; /* known to be gone, until the first list has ended; NULL: nobody */
} JobOwners;

/* Copies the name. */
void job_owners_set_self(JobOwners *owners, Bytes name);

/* If the first list has this one, it is dead at once. Before it. Copies the name. */
void job_owners_mourn(JobOwners *owners, Bytes name);

/* A row of the list that was read at `now`. */
void job_owners_see(JobOwners *owners, Bytes name, int64_t beat, int64_t lease, int64_t now);

/* The list has ended: whoever was not in it is forgotten. */
void job_owners_listed(JobOwners *owners);

/* The next dead one behind `from`; NULL: the first one. NULL: there is none. */
const JobOwner *job_owners_dead(const JobOwners *owners, const JobOwner *from, int64_t now);

void job_owners_free(JobOwners *owners);

#endif
