/* The state of manual.h: for manual.c and manual_order.c only. */
#ifndef GATEWAY_MANUAL_INTERNAL_H
#define GATEWAY_MANUAL_INTERNAL_H

#include "gateway/healing/manual.h"
#include "gateway/instances/instance_set.h"

/* The config that was applied last; NULL: none was. */
const Config *manual_config(void);

bool manual_has_address(const InstanceSet *set, const char *address);

/* The first service with an instance at the address; NULL: there is none. */
const Service *manual_service_at(const char *address);

/* The instances that a pin to this version or build leaves. */
uint32_t manual_count_pinned(const InstanceSet *set, const char *to);

/* From now on, in place of one of the same kind and target. Fault: BAD_VALUE (there are too
   many). */
MUST_USE Result manual_begin(Arena *arena, const ManualAct *act);

/* False: there was none. `by` is the operator; NULL: its time is over. manual_changed follows. */
bool manual_lift(ManualKind kind, const char *target, const char *by);

/* Applies the acts again. */
void manual_changed(void);

#endif
