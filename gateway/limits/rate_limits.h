/*
 * RateLimits: how much each client may do, of all loops of the process.
 *
 *      call known (version, client) --> rate_limits_admit -----> within all of its limits, or
 * RATE_LIMITED request complete             --> rate_limits_admit_cost   those whose cost is in the
 * request bytes and messages pass      --> rate_limits_charge       owed beyond what was admitted
 *      call over                    --> rate_limits_leave        what was in progress
 *
 * Limits with a name keep their buckets over reloads, and over upgrades (limit_blob.h). Of several
 * gateways each has a share of every rate (limit_shares.h). Belongs to the main thread, but for the
 * calls above, which are of any loop, and for what says so.
 */
#ifndef GATEWAY_RATE_LIMITS_H
#define GATEWAY_RATE_LIMITS_H

#include "gateway/config/config.h"
#include "gateway/identity/identity.h"
#include "gateway/limits/limit_hot.h"
#include "gateway/limits/limit_table.h"
#include "gateway/limits/rate.h"
#include "gateway/telemetry/exposition.h"

typedef struct RateLimits RateLimits;

RateLimits *rate_limits_new(void);
void rate_limits_free(RateLimits *limits); /* NULL is allowed. After all loops */

/* The limits of this config from now on, before any loop has it. The table is made with the first
   one that has limits. Borrows nothing. */
void rate_limits_use(RateLimits *limits, Config *config);

/* A successor gets what clients have used; what the process before has handed on is taken over. */
void rate_limits_hand_on(RateLimits *limits);

/* The part of each rate that this gateway has, of RATE_WHOLE; at first all of it. Any thread. */
void rate_limits_share(RateLimits *limits, uint32_t share);

/* ---- Calls ----------------------------------------------------------------------------------- */

/* Who calls what. */
typedef struct LimitCall {
    const MethodLimits *limits; /* of the method or route */
    const Identity *identity;
    const IpAddress *address; /* of a client without an identity */
    Bytes shown;              /* the client as it may be recorded; empty: its address is */
    int64_t now;              /* monotonic nanoseconds */
    int64_t wall;
    Arena *arena; /* of the call */
} LimitCall;

/* One limit that the call meets. */
typedef struct LimitTicket {
    const MethodLimit *of;
    LimitPart part;
    bool later; /* what the call costs is in its request */
    uint64_t key;
    LimitSlot *place; /* counted in progress; NULL: not */
} LimitTicket;

/* What a call has of its limits, in its arena. */
typedef struct LimitPass {
    uint64_t messages, bytes; /* that were charged */
    uint32_t n;
    bool flows; /* messages or bytes are charged */
    bool costs; /* some are for later */
    LimitTicket tickets[];
} LimitPass;

/* Why a call is refused, beside the failure. */
typedef struct LimitRefusal {
    uint32_t retry_after; /* seconds, at least 1 */
    bool quiet;           /* enough such refusals were recorded of late: this one is counted only */
} LimitRefusal;

/* Fault: RATE_LIMITED, in the arena of the call; then it has taken nothing. *pass_out: NULL if
   nothing more is to be done for the call, also then. */
MUST_USE Result rate_limits_admit(RateLimits *limits, const LimitCall *call, LimitPass **pass_out,
                                  LimitRefusal *refusal_out);

/* `cost` says what the call costs by the field of an item. Likewise; what it took before stays
 * taken. */
typedef uint64_t LimitCostOf(void *owner, const MethodLimit *item);
MUST_USE Result rate_limits_admit_cost(RateLimits *limits, const LimitCall *call, LimitPass *pass,
                                       LimitCostOf *cost, void *owner, LimitRefusal *refusal_out);

/* The call has passed so many messages and bytes in all. Whether one of its limits is owed too
   much: a stream is to end. */
bool rate_limits_charge(RateLimits *limits, LimitPass *pass, uint64_t messages, uint64_t bytes,
                        int64_t now);

/* Whether anybody has guessed wrong of late. */
bool rate_limits_guessed(const RateLimits *limits, int64_t now);
/* Guesses: limits by address that only failures are counted in (`call->limits`: AccessConfig's
   guesses). Whether there may be another guess: RATE_LIMITED, likewise. It takes nothing. */
MUST_USE Result rate_limits_admit_guess(RateLimits *limits, const LimitCall *call,
                                        LimitRefusal *refusal_out);
/* It was wrong. */
void rate_limits_count_guess(RateLimits *limits, const LimitCall *call);

/* It is over. `pass` may be NULL. */
void rate_limits_leave(LimitPass *pass);

/* Where the call stands with a limit: for limit_fields.h. */
typedef struct LimitStanding {
    uint64_t left; /* units that can be taken now */
    int64_t wait;  /* nanoseconds until the bucket is full; of none left until there is one */
} LimitStanding;
LimitStanding rate_limits_standing(RateLimits *limits, const LimitTicket *ticket, int64_t now);

/* ---- Seeing ---------------------------------------------------------------------------------- */

/* One JSON object: who is refused most now. Any thread. */
void rate_limits_write(RateLimits *limits, int64_t wall, Buffer *out);

/* MetricsWriter. Any thread. */
void rate_limits_metrics_write(Exposition *e, void *limits);

#endif
