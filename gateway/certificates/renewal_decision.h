/*
 * RenewalDecision: what is done about files of certificates that are looked at again and again.
 *
 *      look   stamp       read               decision
 *      1      as before   -                  nothing
 *      2      another     does not fit       wait: they may be half written
 *      3      another     fits               take
 *      2      another     does not fit       wait
 *      3      the same    does not fit       tell, once
 *
 * A stamp is a number that changes with the files (renewal.h). Pure; any thread.
 */
#ifndef GATEWAY_RENEWAL_DECISION_H
#define GATEWAY_RENEWAL_DECISION_H

#include <stdbool.h>
#include <stdint.h>

typedef struct RenewalState {
    uint64_t in_use; /* the stamp of what is shown */
    uint64_t failed; /* of what does not fit, by the last look; 0: nothing */
    bool told;       /* and that was told */
} RenewalState;

typedef enum RenewalDecision {
    RENEWAL_NOTHING,
    RENEWAL_WAIT,
    RENEWAL_TAKE,
    RENEWAL_TELL,
} RenewalDecision;

/* Whether the files are to be read. What was put back as it was is forgotten. */
bool renewal_is_due(RenewalState *state, uint64_t stamp);

/* They were read: `after`: the stamp behind it, which is another one if they changed meanwhile. */
RenewalDecision renewal_decide(RenewalState *state, uint64_t before, uint64_t after, bool fits);

#endif
