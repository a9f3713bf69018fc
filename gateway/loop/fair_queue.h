/*
 * FairQueue: a queue of waits that is fair between clients.
 *
 *      client A   wait, wait, wait, wait        taken: A B C A B A A
 *      client B   wait, wait
 *      client C   wait
 *
 * Clients take turns, and the waits of one client keep their order. A client with many waits does
 * not delay the others. A wait is embedded in its owner; adding one costs O(log clients).
 *
 * One thread at a time. All zeros: empty.
 */
#ifndef GATEWAY_FAIR_QUEUE_H
#define GATEWAY_FAIR_QUEUE_H

#include "base/net/ip.h"

typedef struct FairClient FairClient; /* fair_queue.c */
typedef struct FairWait FairWait;

struct FairWait {
    FairClient *client;        /* NULL: it does not wait */
    FairWait *before, *behind; /* of the same client */
    FairWait *older, *younger; /* of all */
    int64_t since;
};

typedef struct FairQueue {
    void *clients;    /* clients with waits, by address (tsearch) */
    FairClient *turn; /* the client whose turn it is; a ring */
    FairWait *oldest, *youngest;
    uint32_t n, n_clients;
} FairQueue;

/* The client of an address: an IPv4 address, or the first 64 bits of an IPv6 address, since a
   client may use the whole /64 (RFC 6177). All peers without an address are one client. */
IpAddress fair_client_of(const IpAddress *address);

/* `wait` does not wait. `client` is of fair_client_of. `since`: now. */
void fair_queue_add(FairQueue *queue, FairWait *wait, const IpAddress *client, int64_t since);

/* Removes it. The turn stays where it is, unless this was the client's last wait. */
void fair_queue_remove(FairQueue *queue, FairWait *wait);

/* Removes and returns the first wait of the client whose turn it is; the turn passes to the next
   client. NULL: the queue is empty. */
FairWait *fair_queue_take(FairQueue *queue);

/* The one that fair_queue_take would return. NULL: the queue is empty. */
FairWait *fair_queue_next(const FairQueue *queue);

/* As fair_queue_take, of the first client, from the turn on, that may be served. NULL: there is
 * none. */
FairWait *fair_queue_take_from(FairQueue *queue, bool (*may)(void *owner, const IpAddress *client),
                               void *owner);

/* The wait to remove when the queue is too long: the last one of a client with the most waits; if
   each client has one, the youngest. NULL: the queue is empty. */
FairWait *fair_queue_most(const FairQueue *queue);

static inline bool fair_waits(const FairWait *wait)
{
    return wait->client != NULL;
}

#endif
