/* Whose mistake the failure of a call is. */
#include "gateway/telemetry/counters.h"
#include "gateway/telemetry/telemetry.h"

static FaultSide side_of(const Fault *fault, Code code)
{
    bool callers = fault == &FAULT_UPSTREAM_STATUS && code_is_callers(code);
    return callers ? SIDE_CLIENT : fault->side;
}

FaultSide telemetry_side(const CallRecord *r)
{
    return side_of(r->why.error->fault, r->status.code);
}

bool call_key_is_mistake(const CallKey *key)
{
    const Fault *fault = key->fault ? fault_table[key->fault - 1] : &FAULT_UPSTREAM_STATUS;
    return side_of(fault, key->code) == SIDE_CLIENT;
}
