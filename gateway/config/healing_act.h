/*
 * HealingAct: the ways in which the gateway works around what is broken, each with its limit.
 *
 * Here and not in gateway/healing, since the config has their limits and telemetry their counts.
 */
#ifndef GATEWAY_HEALING_ACT_H
#define GATEWAY_HEALING_ACT_H

#include <stdbool.h>
#include <stdint.h>

typedef enum HealingAct {
    HEALING_EJECT,     /* an instance that fails more often than others gets no calls */
    HEALING_CHECK,     /* an instance that fails its checks gets no calls */
    HEALING_BREAKER,   /* a breaker is open */
    HEALING_RECONNECT, /* an instance cannot be reached: connects are tried again */
    HEALING_RESTART,   /* a gateway that crashed is started again */
    /* Of single calls. */
    HEALING_RETRY, /* a call is sent again */
    HEALING_HEDGE, /* a call is sent to a second instance, since the first is slow */
    HEALING_SHED,  /* a call is refused, so that others are answered */
    HEALING_OLDER, /* another version answers in place of the one that cannot */
    HEALING_CELL,  /* an instance of another cell answers */
    /* Of services. */
    HEALING_SCHEMA,    /* a schema comes from a file, since no instance tells it */
    HEALING_DISCOVERY, /* the last list of instances is used, since there is no newer one */
    HEALING_ALL_USED,  /* instances that fail are used, since too many do, or no others are left */
    /* By hand. */
    HEALING_MANUAL, /* an operator ejects, drains or pins */
    HEALING_ACTS
} HealingAct;

/* How often an act may happen to one service before it is too often. */
typedef struct HealingLimit {
    int64_t per;      /* nanoseconds: in any time of this length ... */
    uint32_t at_most; /* so many, */
    uint32_t percent; /* or so many for each hundred of the service's calls in that time, or of its
                         instances (healing_act_is_of_calls), whichever is more */
    bool stop;        /* while there are more, no further one is done */
} HealingLimit;

/* Whether it happens to single calls; else to instances, or to services as a whole. */
static inline bool healing_act_is_of_calls(HealingAct act)
{
    return act >= HEALING_RETRY && act <= HEALING_CELL;
}

/* What was counted for a service by now. */
typedef struct HealingFigures {
    uint64_t calls;
    uint32_t instances;
    uint64_t acts[HEALING_ACTS]; /* those of single calls */
} HealingFigures;

#endif
