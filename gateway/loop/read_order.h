/*
 * ReadOrder: which connections are read first in turns that have more input than time.
 *
 * A loop that is crowded reads what is urgent as it comes, and sends what comes of it. All others
 * that have input wait until then, and are read by their rank for the rest of a share of time, a
 * piece of each in turn, those that wait longest first. Who is left waits for the next turn, and
 * costs nothing but being told again by the kernel:
 *
 *      turn  [ urgent ones ] writes [ instances .. | high ... | low . ] writes     left: low low
 *
 * Of connections of the same impact, those of clients that are over their share come last.
 *
 * Of each rank one that has waited for long is read in each turn, so that nobody waits for ever; of
 * instances, one in any case: what has begun takes memory until it ends. It begins when a turn
 * takes long while there are urgent calls, and ends when nobody had to wait for a while. A loop
 * without urgent calls has no order: it reads in the order of the kernel, as many as there are.
 *
 * Embedded in its loop, its thread only. All zeros: nothing waits.
 */
#ifndef GATEWAY_READ_ORDER_H
#define GATEWAY_READ_ORDER_H

#include "base/net/sender_shares.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Loop Loop;
typedef struct Socket Socket;

/* In which order they are read. */
typedef enum ReadRank {
    READ_URGENT,   /* or not known: as it comes */
    READ_INSTANCE, /* responses to calls that are not urgent */
    READ_HIGH,
    READ_HIGH_MORE, /* of clients that are over their share: sender_shares.h */
    READ_LOW,
    READ_LOW_MORE,
    READ_RANKS,
} ReadRank;

enum {
    READ_FEW = 512, /* bytes of one that brings many calls with each read: some 10 small ones */
    READ_SOME = 8 * 1024, /* of others */
};

/* One that has input. */
typedef struct ReadWait {
    Socket *socket; /* NULL: it has left */
    int64_t since;
} ReadWait;

/* Those of a rank, in the order of their coming: a ring. The one in front has not left. */
typedef struct ReadQueue {
    ReadWait *items;
    uint32_t first, n; /* place i is items[i % room]: a place never changes */
    uint32_t room;     /* a power of two, or 0 */
} ReadQueue;

typedef struct ReadOrder {
    ReadQueue ranks[READ_RANKS]; /* the first one stays empty */
    SenderShares shares;
    int64_t urgent_at;     /* when there was an urgent call; 0: never */
    int64_t crowded_until; /* 0: it is not crowded */
    uint32_t n_asked;
} ReadOrder;

/* An urgent call has arrived. */
static inline void read_order_urgent(ReadOrder *order, int64_t now)
{
    order->urgent_at = now;
}

/* A socket whose rank is not READ_URGENT has input. True: it is not to be read now, but by
 * read_order_run. */
bool read_order_waits(ReadOrder *order, Socket *socket, int64_t turn_began);

/* Whether others wait until the urgent ones were read. */
static inline bool read_order_is_crowded(const ReadOrder *order)
{
    return order->crowded_until != 0;
}

/* All that is urgent was read in this turn: reads others. */
void read_order_run(ReadOrder *order, int64_t turn_began);

/* Whether some have input that was not read: the kernel may not tell it again. */
bool read_order_has_left(const ReadOrder *order);

/* Nanoseconds for which the one that has waited longest has done so; 0: nobody waits. */
int64_t read_order_waited(const ReadOrder *order, int64_t now);

/* The socket, which waits, is not to be read any more. */
void read_order_forget(ReadOrder *order, Socket *socket);

void read_order_deinit(ReadOrder *order);

#endif
