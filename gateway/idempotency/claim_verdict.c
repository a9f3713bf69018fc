#include "gateway/idempotency/claim_verdict.h"

ClaimVerdict claim_decide(const ClaimQuestion *question)
{
    switch (question->likeness) {
    case LIKENESS_OTHER: return CLAIM_REUSED;
    case LIKENESS_UNKNOWN: return CLAIM_UNCERTAIN;
    case LIKENESS_SAME: break;
    }
    switch (question->state) {
    case CLAIM_DONE: return question->kept ? CLAIM_REPLAY : CLAIM_UNREADABLE;
    case CLAIM_RUNNING:
        if (!question->overdue)
            return CLAIM_IN_USE;
        break;
    case CLAIM_UNKNOWN: break;
    }
    return question->honoured ? CLAIM_AGAIN : CLAIM_UNCERTAIN;
}

const Fault *claim_fault(ClaimVerdict verdict)
{
    switch (verdict) {
    case CLAIM_REPLAY:
    case CLAIM_AGAIN: return NULL;
    case CLAIM_REUSED: return &FAULT_IDEMPOTENCY_KEY_REUSED;
    case CLAIM_IN_USE: return &FAULT_IDEMPOTENCY_KEY_IN_USE;
    case CLAIM_UNCERTAIN: return &FAULT_IDEMPOTENCY_OUTCOME_UNKNOWN;
    case CLAIM_UNREADABLE: return &FAULT_IDEMPOTENCY_RESPONSE_GONE;
    }
    return NULL;
}

ClaimEnd claim_end_of_failure(bool effect, bool honoured)
{
    return effect && !honoured ? CLAIM_END_UNKNOWN : CLAIM_END_RELEASE;
}

ClaimEnd claim_end_of_code(Code code, bool honoured)
{
    switch (code) {
    /* The service says that it has not executed it, and that it may be sent again: by a client that
       comes later, with other credentials, or after the call that was in its way. */
    case CODE_ABORTED:
    case CODE_RESOURCE_EXHAUSTED:
    case CODE_UNAUTHENTICATED: return CLAIM_END_RELEASE;
    /* It does not say how far it came. */
    case CODE_CANCELLED:
    case CODE_DEADLINE_EXCEEDED:
    case CODE_UNAVAILABLE: return claim_end_of_failure(true, honoured);
    case CODE_OK:
    case CODE_UNKNOWN:
    case CODE_INVALID_ARGUMENT:
    case CODE_NOT_FOUND:
    case CODE_ALREADY_EXISTS:
    case CODE_PERMISSION_DENIED:
    case CODE_FAILED_PRECONDITION:
    case CODE_OUT_OF_RANGE:
    case CODE_UNIMPLEMENTED:
    case CODE_INTERNAL:
    case CODE_DATA_LOSS:
    case CODE_COUNT: break;
    }
    return CLAIM_END_KEEP;
}
