/*
 * Baggage: members of the W3C field `baggage`, which services pass on with what they call.
 *
 *      baggage: user=ada, passerelle-candidates=5f.9c;a=b
 *
 * Texts that break its grammar are not repaired: a member is found by its name, up to the next
 * comma.
 */
#ifndef GATEWAY_BAGGAGE_H
#define GATEWAY_BAGGAGE_H

#include "base/fields.h"
#include "gateway/config/rollout_config.h"

/* The gateway's own member: of which rollouts the client of the request at the edge has the
   candidate. From others than trusted proxies it is removed. */
#define BAGGAGE_FIELD "baggage"
#define BAGGAGE_CANDIDATES ROLLOUT_MEMBER

/* The value of the first member with this name, without properties. data NULL: there is none. */
Bytes baggage_find(const Fields *fields, const char *name);

/* The list without members of this name: the same where it has none; else in the arena. data NULL:
   the arena is full; size 0: nothing is left. */
Bytes baggage_without(Bytes list, const char *name, Arena *arena);

#endif
