/*
 * Manual: what operators do to instances and services by hand: eject, drain, pin, each until a
 * time.
 *
 *      order --> ManualActs --> bars of instances (instances.h), which picking obeys
 *                     |    \--> healing: an event, a count, an entry of the list
 *                     +-- time is over, or lifted: the same in reverse
 *
 * The acts stay over a reload: they are applied to whatever instances there are. One state for the
 * process. The main thread only, except for manual_write.
 */
#ifndef GATEWAY_MANUAL_H
#define GATEWAY_MANUAL_H

#include "base/result.h"
#include "gateway/config/config.h"
#include "gateway/healing/manual_acts.h"

#include <uv.h>

/* From here on acts end when their time is over, and the metrics tell of them. Those of the process
   before this one go on (handover.h). */
void manual_start(uv_loop_t *loop);

/* Acts end no more: before the loop ends. */
void manual_stop(void);

/* Forgets all acts, and the metrics tell no more. */
void manual_forget(void);

/* Applies the acts to the instances of this config: whenever services have new instances, before
   any loop has them. Borrows the config until the next call. */
void manual_apply(const Config *config);

/* What an operator wants. All is borrowed. */
typedef struct ManualOrder {
    Bytes word; /* "eject", "drain", "return", "pin", "unpin" */
    Bytes
        query; /* "address=10.0.0.7:7001&for=10m"; of pin and unpin "service=orders&to=v2&for=1h" */
    const char *who, *by;
    Bytes why; /* may be empty */
} ManualOrder;

/*
 * Does it, on the config that was applied last, and adds the answer, a JSON object. `subject_out`:
 * what it was done to and for how long, as text, for the audit. Faults: BAD_VALUE (the query is
 * wrong), UNKNOWN_PATH (there is no such instance, service, version or build).
 */
MUST_USE Result manual_order(const ManualOrder *order, Arena *arena, Buffer *answer,
                             const char **subject_out);

/* Adds the acts as a JSON array. Any thread. */
void manual_write(Buffer *out);

#endif
