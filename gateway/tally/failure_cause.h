/*
 * FailureCause: what a fingerprint says of why something failed: a text that no client chooses, for
 * else a client could make as many kinds of failures as it likes, and put what it likes before
 * operators.
 *
 *   a mistake of a client,      the text of the fault, and the path of the field, as far as the
 *   or a message that is wrong  schema has it: "a value does not fit its field: order.total_cents"
 *   all else                    the innermost text without its particulars (cause.h): "connecting
 *                               to *: connection refused"
 *
 * What a service says of its own failures may quote a client all the same; therefore the number of
 * causes is bounded (failure_table.h). The full text is in the records of samples only. Any thread.
 */
#ifndef GATEWAY_FAILURE_CAUSE_H
#define GATEWAY_FAILURE_CAUSE_H

#include "gateway/tally/cause.h"
#include "gateway/telemetry/telemetry.h"

enum { FAILURE_PATH_DEPTH = 8 /* names of a path; messages may contain themselves */ };

/* Writes to `out`, without NUL; returns the size. `side` is the responsible one, `why` has failed,
   and `served` is the version at which it did; NULL: of none. */
size_t failure_cause_write(const CallRecord *record, const Version *served, FaultSide side,
                           Result why, char out[CAUSE_SIZE]);

#endif
