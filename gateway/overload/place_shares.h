/*
 * PlaceShares: how many places of a service its clients have, so that one client cannot have all.
 *
 * While calls of several clients come, no client has more than its share of the places; what is
 * left is for the others, however long its calls take. A client that has come alone for SHARE_TIME
 * may have all. Memory: some bytes for each client that has places.
 *
 * Time is passed in: monotonic nanoseconds. Of one thread. All zeros: nobody has any.
 */
#ifndef GATEWAY_PLACE_SHARES_H
#define GATEWAY_PLACE_SHARES_H

#include "base/clock.h"
#include "base/net/ip.h"

#define SHARE_TIME (10 * SECOND)

typedef struct PlaceHolder PlaceHolder; /* a client that has places */

typedef struct PlaceShares {
    void *holders;    /* by address (tsearch) */
    IpAddress latest; /* the client that came last */
    bool any;         /* one has come */
    int64_t mixed_at; /* when another one came before it; 0: never */
} PlaceShares;

/* A call of this client (fair_client_of) has come. */
void place_shares_come(PlaceShares *shares, const IpAddress *client, int64_t now);

/* Whether the client may have one more, where its share is `most`. */
bool place_shares_may(const PlaceShares *shares, const IpAddress *client, uint32_t most,
                      int64_t now);

/* It has one more. Never NULL. */
PlaceHolder *place_shares_take(PlaceShares *shares, const IpAddress *client);

/* One less; with the last one the holder is freed. NULL is allowed. */
void place_shares_give(PlaceShares *shares, PlaceHolder *holder);

#endif
