/* Whose mistake the failure of a call is. */
#include "gateway/telemetry/telemetry.h"

FaultSide telemetry_side(const CallRecord *r)
{
    const Fault *fault = r->why.error->fault;
    bool callers = fault == &FAULT_UPSTREAM_STATUS && code_is_callers(r->status.code);
    return callers ? SIDE_CLIENT : fault->side;
}
