/*
 * CheckRow: the latest results of an instance's active checks, and whether it is healthy by them.
 *
 * So many failed checks in a row make it unhealthy, so many good ones healthy again; at first it is
 * healthy. Pure. All zeros: nothing was checked.
 */
#ifndef GATEWAY_CHECK_ROW_H
#define GATEWAY_CHECK_ROW_H

#include "base/random.h"
#include "gateway/config/config.h"

typedef enum CheckResult {
    CHECK_GOOD,
    CHECK_UNREACHABLE, /* it cannot be connected to, or broke off */
    CHECK_LATE,        /* it has not responded in time */
    CHECK_REFUSED,     /* it has responded, and is not healthy */
    CHECK_UNDECIDED,   /* the gateway could not ask, since its own connections are all in use */
} CheckResult;

const char *check_result_name(CheckResult result); /* "it has not responded in time" */

typedef struct CheckRow {
    uint32_t good, bad; /* in a row: one of them is 0 */
    bool unhealthy;
} CheckRow;

/* Takes the next result. True: `unhealthy` has changed. */
bool check_row_add(CheckRow *row, const CheckRules *rules, CheckResult result);

/* Whether an instance that responds so is healthy. */
bool check_status_is_good(const CheckRules *rules, unsigned status);

/* Nanoseconds until the first check, and from the begin of a check to that of the next one: at
   random, so that neither instances nor gateways take turns. */
int64_t check_first_wait(const CheckRules *rules, Random *random);
int64_t check_next_wait(const CheckRules *rules, Random *random);

#endif
