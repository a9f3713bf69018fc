/*
 * ManualActs: what operators have done to instances and services by hand, and until when.
 *
 * There is one act of a kind for an address or a service: a new one replaces it. Pure: no loop, no
 * lock, and time is passed in: monotonic nanoseconds, and for those who read it the wall time.
 */
#ifndef GATEWAY_MANUAL_ACTS_H
#define GATEWAY_MANUAL_ACTS_H

#include "base/bytes.h"
#include "base/result.h"

enum { MANUAL_ACTS_MOST = 1000 };

typedef enum ManualKind {
    MANUAL_EJECT, /* the instances at an address get no calls */
    MANUAL_DRAIN, /* the same, since somebody wants to stop them */
    MANUAL_PIN,   /* the calls of a service go to a version or a build only */
    MANUAL_KINDS
} ManualKind;

typedef struct ManualAct {
    struct ManualAct *next;
    ManualKind kind;
    const char *target;   /* the address; of a pin the service */
    const char *to;       /* of a pin: the version or build; else "" */
    const char *who, *by; /* the operator, and how that was proved */
    const char *why;      /* "": not said */
    int64_t since, until; /* monotonic */
    int64_t since_wall;
    bool drained; /* of a drain: no call runs there any more, as was told */
} ManualAct;

/* Zeros are none. */
typedef struct ManualActs {
    ManualAct *first; /* newest first */
    uint32_t n;
} ManualActs;

/* "eject", "drain", "pin". */
const char *manual_kind_name(ManualKind kind);

/* Copies the texts. False: there are MANUAL_ACTS_MOST already. */
bool manual_acts_add(ManualActs *acts, const ManualAct *act);

/* NULL: there is none. */
const ManualAct *manual_acts_find(const ManualActs *acts, ManualKind kind, const char *target);

/* Takes it out; the caller frees it by manual_act_free. NULL: there is none. */
ManualAct *manual_acts_lift(ManualActs *acts, ManualKind kind, const char *target);

/* The same for one whose time is over. */
ManualAct *manual_acts_expire(ManualActs *acts, int64_t now);

void manual_act_free(ManualAct *act); /* NULL is allowed */

/* When the next one ends; INT64_MAX: there is none. */
int64_t manual_acts_next(const ManualActs *acts);

/* Adds them as a JSON array, newest first: for operators, with the time that is left. */
void manual_acts_write(const ManualActs *acts, int64_t now, Buffer *out);

/* The same for another process on this machine, and there. Those whose time is over are left out.
   Fault: INTERNAL. */
void manual_acts_keep(const ManualActs *acts, Buffer *out);
MUST_USE Result manual_acts_restore(ManualActs *acts, Arena *arena, Bytes kept, int64_t now);

void manual_acts_clear(ManualActs *acts);

#endif
