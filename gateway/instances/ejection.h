/*
 * Ejection: which instances of a service are not used for a while, because their calls fail or take
 * long, or because their health checks fail.
 *
 *      calls of all loops --(EJECTION_EVERY)--> judged_observe --> ejections_judge --> barred
 *
 * The last usable instance of a version of the service is not ejected: calls that it fails
 * sometimes would always fail. If all others of a version go down later, those that are ejected or
 * unhealthy are `needed`: they are used all the same.
 *
 * Where a rollout divides the instances into arms, each is compared with those of its own arm only,
 * and the last usable one of an arm is not ejected either: the rollout's judge decides about what
 * differs between the arms, and sees it only if it is used. Health checks count for each, as ever.
 *
 * An instance is ejected if it is an outlier (outlier.h), for the time `first` at first, then for
 * twice as long each time, up to `most`; once it stays in use for `most`, it begins with `first`
 * again.
 *
 * If more than `max_percent` of the instances fail, the cause is not in them, or there is nowhere
 * left to go: then all are used, none is ejected, and the service is said to be `all_used`. That
 * ends when it has been better for ALL_USED_TIME.
 *
 * Pure: time (monotonic nanoseconds) and random numbers are passed in. Of one thread.
 */
#ifndef GATEWAY_EJECTION_H
#define GATEWAY_EJECTION_H

#include "base/clock.h"
#include "base/random.h"
#include "gateway/instances/outlier.h"

#define EJECTION_EVERY (250 * MILLISECOND) /* the time between two looks */
#define ALL_USED_TIME (10 * SECOND)

enum { EJECTION_LOOKS = 8 };

typedef enum EjectionNews {
    EJECTION_NO_NEWS,
    EJECTION_BEGUN,
    EJECTION_ENDED,    /* its time is over: it is used again */
    EJECTION_LIFTED,   /* it is used again because all are, or none may be ejected any more, */
    EJECTION_PARDONED, /* because an operator says so, */
    EJECTION_NEEDED,   /* or because no other one of a version can be used */
} EjectionNews;

/* Whom a rollout of the service sends there. */
typedef enum EjectionArm {
    EJECTION_BASELINE, /* or there is no rollout */
    EJECTION_CANDIDATE,
    EJECTION_ARMS,
} EjectionArm;

/* What is known of one instance. All zeros: nothing. */
typedef struct Judged {
    Sample recent, longer;        /* its calls of the last 2 seconds, and of about the last 30 */
    Sample looks[EJECTION_LOOKS]; /* the parts of `recent`, */
    uint32_t look;                /* of which this is the oldest */
    uint32_t silence;      /* attempts without a response, since it has last responded well: */
    uint32_t silent_looks; /* so many looks ago, at most EJECTION_LOOKS */
    uint32_t row;          /* failures in a row, as of the latest look; 0: it had no calls then */
    uint64_t
        versions;    /* that it serves: a bit each; 0: the service has none. The caller says so, */
    EjectionArm arm; /* of a rollout, */
    bool down;       /* whether it cannot be reached, */
    bool unhealthy;  /* and whether its active checks fail, */
    bool aside; /* and whether it gets no calls for a reason of others: a bar by hand, a breaker */

    int64_t ejected_at, until; /* 0: it is not ejected */
    OutlierReason reason;      /* of the latest ejection, with what was compared: */
    uint32_t reason_row;
    Sample mine, others;
    bool pardoned;       /* an operator ends it: at the next look */
    bool inherited;      /* it was decided by the gateway before this one: nothing was compared */
    uint32_t times;      /* ejections, the time of each of which grew */
    int64_t returned_at; /* the end of the latest one; 0: none */

    bool barred_unhealthy; /* the outcome: its bars */
    bool needed;           /* it would have one, but no other instance of a version can be used */
    EjectionNews news;     /* of the latest ejections_judge */
} Judged;

static inline bool judged_is_ejected(const Judged *judged)
{
    return judged->until != 0;
}

/* What is known of a service. All zeros: nothing. */
typedef struct JudgedService {
    bool no_more_ejected;   /* no others than now: the caller says so, */
    bool no_more_unhealthy; /* also of those that are out because of their checks */
    bool all_used;
    int64_t all_used_until;
    bool changed;       /* `all_used`, by the latest ejections_judge */
    bool some_needed;   /* some are `needed`, or were so in the last ALL_USED_TIME, */
    bool needs_changed; /* and that has changed now */
    int64_t needed_until;
    uint32_t n_bad, n;    /* instances that are out, or should be; and all */
    uint32_t n_unhealthy; /* of the first: by active checks */
    uint32_t n_needed;
} JudgedService;

/* An operator says that the instance works: its ejection ends with the next look, and the next one
   is a first one. False: it is not ejected. */
bool judged_pardon(Judged *judged, int64_t now);

/* The next look, EJECTION_EVERY after the one before: `fresh` are the calls that have ended since,
   `row` is the longest row of failures that they belong to. */
void judged_observe(Judged *judged, const Sample *fresh, uint32_t row);

/* Decides about all instances of a service. */
void ejections_judge(const EjectRules *rules, JudgedService *service, Judged *const *all,
                     uint32_t n, int64_t now, Random *random);

/* How many instances may be out at a time. */
uint32_t ejections_most(const EjectRules *rules, uint32_t n);

#endif
