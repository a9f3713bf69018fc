/*
 * Baggage: members of the W3C field `baggage`, which services pass on with what they call.
 *
 *      baggage: user=ada, passerelle-candidates=5f.9c;a=b
 *
 * Texts that break its grammar are neither repaired nor refused, since services may have one of
 * their own: a member is what is between two commas, and is found by its name.
 *
 * https://www.w3.org/TR/baggage/
 */
#ifndef GATEWAY_BAGGAGE_H
#define GATEWAY_BAGGAGE_H

#include "base/fields.h"
#include "gateway/config/baggage_config.h"
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

/* For how many more members, and bytes with commas, there is room: of all fields of a request. */
typedef struct BaggageRoom {
    uint32_t members;
    size_t bytes;
} BaggageRoom;

/* The members at the start of the list that have room, whole, of which there is less then.
   Borrowed; size 0: none of them. Empty members need no room but that of their commas. */
Bytes baggage_within(Bytes list, BaggageRoom *room);

/* What is recorded of a request's baggage: a value for each name of the config that it has,
   decoded, valid UTF-8, and not empty. */
typedef struct BaggageNotes {
    uint32_t n;
    struct {
        const char *name; /* the config's */
        Bytes value;
    } items[];
} BaggageNotes;

/* In the arena. NULL: it has none of the names, or the arena is full. */
const BaggageNotes *baggage_note(const Fields *fields, const BaggageConfig *config, Arena *arena);

#endif
