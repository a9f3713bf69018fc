#include "gateway/certificates/renewal_decision.h"

bool renewal_is_due(RenewalState *state, uint64_t stamp)
{
    if (stamp == state->in_use) {
        state->failed = 0;
        state->told = false;
        return false;
    }
    return !(state->told && stamp == state->failed);
}

RenewalDecision renewal_decide(RenewalState *state, uint64_t before, uint64_t after, bool fits)
{
    if (before != after)
        return RENEWAL_WAIT;
    if (fits) {
        *state = (RenewalState){.in_use = after};
        return RENEWAL_TAKE;
    }
    bool again = state->failed == after;
    state->failed = after;
    state->told = again;
    return again ? RENEWAL_TELL : RENEWAL_WAIT;
}
