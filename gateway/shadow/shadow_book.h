/*
 * ShadowBook: what the copies of calls have shown, of all loops: how many were compared and how
 * they ended, and the differences, grouped by path and shape, each with its newest sample.
 *
 * Bounded: SHADOW_ROWS_MOST rows, and SHADOW_GROUPS_MOST groups in all; what is beyond is counted
 * in the row. Values of samples come redacted. Any thread.
 */
#ifndef GATEWAY_SHADOW_BOOK_H
#define GATEWAY_SHADOW_BOOK_H

#include "gateway/telemetry/exposition.h"

enum { SHADOW_ROWS_MOST = 1000, SHADOW_GROUPS_MOST = 1000, SHADOW_TEXT_MOST = 200 };

/* How a copy has ended. */
typedef enum ShadowOutcome {
    SHADOW_EQUAL,
    SHADOW_DIFFERENT,
    SHADOW_UNLIKE, /* by the change lists the two cannot be compared: its request or one of the
                      responses has what the other version cannot say */
    SHADOW_FAILED, /* it got no response that can be read */
    SHADOW_OUTCOMES,
} ShadowOutcome;

/* Why a call that was drawn was not copied. */
typedef enum ShadowSkip {
    SHADOW_SKIP_RATE,     /* at_most.per_second */
    SHADOW_SKIP_FLIGHT,   /* at_most.in_flight */
    SHADOW_SKIP_SIZE,     /* at_most.bytes */
    SHADOW_SKIP_LOAD,     /* the gateway has much to do, or little memory, or stops */
    SHADOW_SKIP_INSTANCE, /* none is up, or all have much to do */
    SHADOW_SKIP_SAME,     /* the call itself went where copies go */
    SHADOW_SKIP_MESSAGE,  /* its messages could not be read */
    SHADOW_SKIP_ACCESS,   /* the client may not make the call that would be its copy */
    SHADOW_SKIPS,
} ShadowSkip;

typedef struct ShadowBook ShadowBook;

/* What a row is about. */
typedef struct ShadowSubject {
    const char *service;
    const char *method;  /* "Orders/Get", */
    const char *version; /* of the client */
    const char *target;  /* "v3", "build 3.1.0" */
} ShadowSubject;

typedef struct ShadowDifference {
    const char *path;  /* "orders.total"; "" for the status */
    const char *shape; /* "added", ...; "status"; lives for ever */
    uint32_t n;        /* places in the message */
    Bytes real, shadow;
} ShadowDifference;

typedef struct ShadowResult {
    ShadowOutcome outcome;
    const char *reason; /* FAILED, UNLIKE: the name of a fault, which lives for ever */
    Bytes request_id;
    int64_t at; /* wall time */
    const ShadowDifference *differences;
    uint32_t n;
} ShadowResult;

ShadowBook *shadow_book_new(void);
void shadow_book_free(ShadowBook *book); /* NULL is allowed */

void shadow_book_add(ShadowBook *book, const ShadowSubject *subject, const ShadowResult *result);
void shadow_book_skip(ShadowBook *book, ShadowSkip why);
void shadow_book_begin(ShadowBook *book); /* a copy runs, */
void shadow_book_end(ShadowBook *book);   /* and does not any more */

/* The page, as JSON: docs/shadow.md. `service`: of this one only; empty: of all. */
void shadow_book_write(ShadowBook *book, Bytes service, Buffer *out);

/* A MetricsWriter; `book` is a ShadowBook. */
void shadow_book_metrics(Exposition *e, void *book);

#endif
