/*
 * Refusals: requests for the admin interface that were refused: all are counted, and logged as
 * `admin_refused` at a limited rate, so that nobody can fill the log.
 *
 *      n = 0 ...... n = most ............... one minute after the first
 *      each is logged   the rest is counted  `suppressed` is logged, if any; n = 0
 *
 * Each listener has its own: one that is flooded hides nothing at another. Used on the thread of
 * its listener. Time is passed in: clock_now.
 */
#ifndef GATEWAY_REFUSALS_H
#define GATEWAY_REFUSALS_H

#include "base/bytes.h"
#include "gateway/telemetry/exposition.h"

typedef enum RefusalReason {
    REFUSED_STRANGER, /* another user at the unix socket */
    REFUSED_NO_PROOF,
    REFUSED_ROLE,
    REFUSED_ORIGIN,      /* a web page of another site that wants to act */
    REFUSED_HOST,        /* a name that a web page may have made resolve to this machine */
    REFUSED_CERTIFICATE, /* in the TLS handshake: there is no request */
    REFUSED_PASSWORD,
    REFUSED_GUESSES, /* passwords of an address that has sent too many wrong ones */
    REFUSED_BUSY,    /* too many passwords are to be checked */
    REFUSALS
} RefusalReason;

/* All is borrowed. */
typedef struct Refusal {
    RefusalReason reason;
    Bytes verb, path; /* may be empty */
    Bytes peer;       /* "192.0.2.7:5000"; may be empty */
    const char *who;  /* the operator, or the user at the socket; NULL: unknown */
    const char *text; /* what the response says */
} Refusal;

/* Zeros are a good beginning. */
typedef struct Refusals {
    int64_t began; /* the first one that is logged of this minute; n 0: there is none */
    uint32_t n;    /* of this minute */
    uint32_t suppressed;
} Refusals;

/* Counts one, and logs it unless `most` were logged in this minute. */
void refusals_add(Refusals *refusals, const Refusal *refusal, uint32_t most, int64_t now);

/* Ends the minute if it is over: tells how many were not logged. To be called now and then. */
void refusals_look(Refusals *refusals, int64_t now);

/* Ends the minute in any case. */
void refusals_end(Refusals *refusals);

/* A MetricsWriter: the counts of all listeners. Any thread. */
void refusals_metrics_write(Exposition *e, void *unused);

#endif
