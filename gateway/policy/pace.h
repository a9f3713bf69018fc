/*
 * Pace: how often a connection is read while its loop refuses calls.
 *
 * What is not read waits with the client's kernel, and then with the client, and costs the gateway
 * nothing. So a connection most of whose calls are refused rests before it is read again, twice as
 * long each time; and half as long when most are admitted:
 *
 *      read: 20 calls, 15 refused | rests 2 ms | read: 18, 12 refused | rests 4 ms | ...
 *
 * In the end about as much is read as can be done. Only a piece is read at a time, so that what is
 * admitted comes in small parts. Where nothing is, all is read and refused after the longest rest,
 * so that nobody waits much longer than that to hear of it.
 *
 * One connection's; no lock. No clock and no chance: random numbers are passed in. All zeros: it
 * does not rest.
 */
#ifndef GATEWAY_PACE_H
#define GATEWAY_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { PACE_PIECE = 1024 /* bytes: some 20 small calls */ };

typedef struct Pace {
    int64_t rest;               /* nanoseconds, with some chance; 0: it does not rest */
    uint32_t admitted, refused; /* calls that the present read has brought */
    bool hopeless;              /* it rests for the longest time, and nothing was admitted */
} Pace;

/* A call has arrived. */
static inline void pace_count(Pace *pace, bool admitted)
{
    pace->admitted += admitted;
    pace->refused += !admitted;
}

/* All that was read is done. Returns the nanoseconds until the next read, at most `most`; 0: it may
   be at once. A read without calls, as of a body, is not followed by a rest. `random`: any. */
int64_t pace_next(Pace *pace, int64_t most, uint64_t random);

/* How many bytes to read next; 0: as many as there are. */
uint32_t pace_piece(const Pace *pace);

#endif
