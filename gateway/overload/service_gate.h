/*
 * ServiceGate: through which the attempts of one service pass on their way to an instance.
 *
 *      attempt -> breaker closed? -> a place free? -> [ in flight ] -> gate_leave
 *                      | no              | no
 *                      v                 v
 *                 BREAKER_OPEN        waits, clients in turn; in the end SERVICE_FULL
 *
 * A stream leaves when its response has begun, and has a place for a short time only. While several
 * clients call, none has more than its share of the places (place_shares.h); streams do not count.
 *
 * There is one for each service with `breaker` or `concurrency`, in each loop; it is found by the
 * service's name, so that it stays over reloads. While it refuses calls with SERVICE_FULL, and for
 * some seconds more, that is an act of the healing. The loop's thread only, but for the metrics.
 */
#ifndef GATEWAY_SERVICE_GATE_H
#define GATEWAY_SERVICE_GATE_H

#include "gateway/config/config.h"
#include "gateway/loop/fair_queue.h"
#include "gateway/loop/loop.h"
#include "gateway/overload/place_shares.h"
#include "gateway/policy/breaker.h"
#include "gateway/telemetry/exposition.h"

typedef struct ServiceGate ServiceGate;

/* What an attempt has while it is in flight. All zeros: it has not entered. */
typedef struct GatePass {
    ServiceGate *gate;
    PlaceHolder *holder; /* who has the place: its client; NULL: it is not counted */
    BreakerTicket ticket;
    bool stream;
    uint32_t slice; /* of a stream: when it started */
} GatePass;

/* Waits for a place. Embedded in its owner. */
typedef struct GateWait {
    /* There is one, taken for *pass; or `why` has failed, and is valid during the call. Called from
       the loop, once; it may free its owner. */
    void (*on_ready)(struct GateWait *wait, GatePass pass, Result why);
    /* private */
    FairWait place;
    ServiceGate *gate;
    bool stream;
} GateWait;

/* Whether the service has one. */
static inline bool service_is_guarded(const Service *service)
{
    return service->breaker || service->concurrency;
}

typedef struct GateQuestion {
    const Service *service;
    const IpAddress *client; /* who takes turns */
    bool stream;             /* it may last: StreamStarts */
    bool apart;     /* the breaker is neither asked nor told: it goes where others do not */
    GateWait *wait; /* NULL: it does not wait */
} GateQuestion;

/*
 * Whether the attempt may be made: pass->gate is set. Else, without a failure, it waits, and
 * on_ready follows. Faults, in the arena: BREAKER_OPEN, SERVICE_FULL. *retry_after_out: then
 * seconds.
 */
MUST_USE Result gate_enter(Loop *loop, const GateQuestion *question, Arena *arena,
                           GatePass *pass_out, uint32_t *retry_after_out);

/* Does not wait any more: on_ready is not called. Does nothing if it does not wait. */
void gate_cancel(GateWait *wait);

/* The attempt has ended, or as a stream it goes well: its first message has come. `took`:
   nanoseconds of a unary one that went well; else 0. Does nothing for a pass of zeros; it is one
   afterwards. */
void gate_leave(Loop *loop, GatePass *pass, BreakerOutcome outcome, int64_t took);

/* The loop has another config: what a service has no longer has no effect any more, and no act of
   the healing. */
void gates_use_config(Loop *loop);

/* MetricsWriter: the places of all services with `concurrency`, in all loops. */
void gates_metrics_write(Exposition *e, void *unused);

/* After all calls of the loop. */
void gates_free(Loop *loop);

#endif
