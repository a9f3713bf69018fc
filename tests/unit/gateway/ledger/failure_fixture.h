/*
 * A row of the ledger with something in each of its members, for tests of what is kept.
 */
#ifndef TESTS_UNIT_GATEWAY_LEDGER_FAILURE_FIXTURE_H
#define TESTS_UNIT_GATEWAY_LEDGER_FAILURE_FIXTURE_H

#include "gateway/tally/failure_table.h"

#define NOON (INT64_C(1772366400) * SECOND)

/* Counts `n` failures with that cause. Returns the row. */
static inline FailureRow *fixture_failures(FailureTable *table, const char *cause, int n)
{
    Failure failure = {
        .key = {.side = SIDE_UPSTREAM,
                .fault = &FAULT_UPSTREAM_DOWN,
                .code = CODE_UNAVAILABLE,
                .route = bytes_of("orders"),
                .method = bytes_of("shop.orders.v1.Orders/Get"),
                .client_version = bytes_of("v1"),
                .served_version = bytes_of("v3"),
                .cause = bytes_of(cause)},
        .impact = IMPACT_HIGH,
        .client = 1,
        .instance = bytes_of("127.0.0.1:7001"),
        .request_id = bytes_of("id-\"1\""),
        .record = bytes_of("{\"client\":\"ada\",\"n\":[1,{}]}"),
    };
    for (int i = 0; i < n; i++) {
        failure.at = NOON + i * SECOND;
        failure.client = (uint64_t)i;
        failure.outcome = i % 3;
        failure_table_add(table, &failure);
    }
    return failure_table_find(table, failure_fingerprint(&failure.key));
}

#endif
