/*
 * SenderShares: which clients send more than others, so that theirs is read after that of the
 * others.
 *
 * A client is one of SENDERS numbers, made of its address: few share one. What was read of each
 * counts, half as much after each HALF_TIME. Who has had more than a quarter above the average of
 * those that send is over its share. So one that floods has what the others leave, on however many
 * connections it does so; a client that is alone is never over.
 *
 * Of one thread. No clock: time is passed in. All zeros: nobody has sent anything.
 */
#ifndef BASE_SENDER_SHARES_H
#define BASE_SENDER_SHARES_H

#include "base/clock.h"
#include "base/net/ip.h"

enum { SENDERS = 256 };

#define SENDER_HALF_TIME (50 * MILLISECOND)

typedef struct SenderShares {
    uint32_t bytes[SENDERS]; /* of late */
    uint64_t total;
    uint32_t n_clients; /* that have sent something of late */
    int64_t halved_at;
} SenderShares;

/* The number of a client. `seed`: another one for each user, so that nobody can choose an address
   to share the number of another client everywhere. */
uint8_t sender_of(const IpAddress *address, uint64_t seed);

/* So much was read of it: at most 64 KiB at a time. */
void sender_shares_add(SenderShares *shares, uint8_t client, uint32_t bytes, int64_t now);

bool sender_shares_is_over(const SenderShares *shares, uint8_t client);

#endif
