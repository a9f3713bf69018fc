/*
 * Muting: an acknowledged kind of failures is shown behind all others until it changes.
 *
 *   a new instance     it is seen at an instance that it was not seen at before
 *   more often         more than `rate` times as many failures in an hour as in the hour before it
 *                      was acknowledged (which count as one at least)
 *   came back          there was none for `pause` or longer, and then one
 *
 * Another version, route or leg is another kind anyway. What has changed stays so until it is
 * acknowledged again. Each gateway compares with what it knew itself when it learned of the
 * annotation: other gateways have other instances and other rates. Plain functions.
 */
#ifndef GATEWAY_MUTING_H
#define GATEWAY_MUTING_H

#include "gateway/ledger/annotations.h"
#include "gateway/tally/failure_table.h"

typedef struct MutingRules {
    uint32_t rate; /* at least 2 */
    int64_t pause; /* nanoseconds, an hour at least */
} MutingRules;

/* Takes notice of what was said of the row, and of what has changed since; the row counts as
   changed then. `annotation` may be NULL. */
void muting_notice(FailureRow *row, const Annotation *annotation, const MutingRules *rules,
                   int64_t wall);

/* As was noticed last. `annotation` may be NULL. */
bool muting_is_muted(const FailureRow *row, const Annotation *annotation);

/* "new instance", "more often", "came back"; NULL: nothing has changed. */
const char *muting_change(const FailureRow *row, const Annotation *annotation);

#endif
