/*
 * FairQueue: those who wait for something that is given out one by one, fair between clients.
 *
 *      client A   wait, wait, wait, wait        given out: A B C A B A A
 *      client B   wait, wait
 *      client C   wait
 *
 * Clients take turns, and the waits of one client come in their order: who has many waits does not
 * make others wait longer. A wait is embedded in its owner, and costs O(log clients) to add.
 *
 * On one loop, its thread only. All zeros: empty.
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
    void *clients;    /* those who wait, by address (tsearch) */
    FairClient *turn; /* whose turn it is; a ring */
    FairWait *oldest, *youngest;
    uint32_t n, n_clients;
} FairQueue;

/* Whose wait it is: an IPv4 address, or the first 64 bits of an IPv6 one, which one client has the
   rest of (RFC 6177). All without an address are one client. */
IpAddress fair_client_of(const IpAddress *address);

/* `wait` does not wait. `client` is of fair_client_of. `since`: now. */
void fair_queue_add(FairQueue *queue, FairWait *wait, const IpAddress *client, int64_t since);

/* Takes it out; whose turn it is stays, unless it was the client's last. */
void fair_queue_remove(FairQueue *queue, FairWait *wait);

/* Takes out the one whose turn it is; then it is the next client's turn. NULL: nobody waits. */
FairWait *fair_queue_take(FairQueue *queue);

/* Who has to leave when the queue is too long: the last wait of a client with the most of them;
   where each client has one, the youngest. NULL: nobody waits. */
FairWait *fair_queue_most(const FairQueue *queue);

static inline bool fair_waits(const FairWait *wait)
{
    return wait->client != NULL;
}

#endif
