/*
 * Supervised: a gateway that the supervisor runs, and the line by which a supervisor that replaces
 * itself tells its own successor of it:
 *
 *      child CHANNEL PID CRASH ROLE BEGAN SERVED
 *
 * Plain values.
 */
#ifndef GATEWAY_SUPERVISED_H
#define GATEWAY_SUPERVISED_H

#include "gateway/handover/roll.h"

#include <sys/types.h>

typedef enum Role {
    ROLE_NONE,      /* the place is free */
    ROLE_STARTING,  /* takes the place of one that has ended, or is the first */
    ROLE_SERVING,   /* takes calls */
    ROLE_SUCCESSOR, /* has to prove that it can; another one serves */
    ROLE_DRAINING,  /* ends its calls; another one serves */
    ROLES,
} Role;

enum { SUPERVISED_WHY = 256 };

typedef struct Supervised {
    Role role;
    pid_t pid;
    int channel;    /* -1: it has closed it */
    int crash;      /* the file for its backtrace */
    int64_t began;  /* monotonic nanoseconds, as all that follow */
    int64_t served; /* since then it serves; 0: not yet */
    int64_t alive;  /* its last sign of life */
    int64_t killed; /* when it was told to end, because it did not answer; 0: it was not */
    bool left;      /* it ends in order */
    char why[SUPERVISED_WHY]; /* what it said before it ended */
} Supervised;

/* Adds the line to a file. False: it could not be written. */
bool supervised_write(const Supervised *child, int file);

/* Reads the line. False: it is no such line, and `child_out` is not to be used. */
bool supervised_read(const RollLine *line, Supervised *child_out);

#endif
