/*
 * TicketKeys: the keys under which TLS sessions are sealed into tickets, which clients keep and
 * show when they come back.
 *
 *      age     0           period       2 periods      3 periods
 *              | seals, opens | only opens, and a new ticket follows | gone
 *
 * So a ticket is good for two periods or more after it was made, and nobody who gets a key later
 * can read sessions that are older than three. Plain values without a lock; pure: the time and the
 * random numbers are passed in.
 */
#ifndef GATEWAY_TICKET_KEYS_H
#define GATEWAY_TICKET_KEYS_H

#include "base/bytes.h"

enum {
    TICKET_NAME = 16, /* bytes of the name of a key, which each ticket begins with */
    TICKET_SECRET = 32,
    TICKET_RANDOM = TICKET_NAME + 2 * TICKET_SECRET, /* random bytes that make a key */
    TICKET_KEYS = 3,
};

typedef struct TicketKey {
    int64_t made; /* wall time in nanoseconds */
    uint8_t name[TICKET_NAME];
    uint8_t cipher[TICKET_SECRET]; /* AES-256 */
    uint8_t mac[TICKET_SECRET];    /* HMAC-SHA-256 */
} TicketKey;

typedef struct TicketKeys {
    uint32_t n; /* those that are made; the newest first */
    TicketKey keys[TICKET_KEYS];
} TicketKeys;

/* Whether a new key is to be made: there is none, or the newest has served for `period`
   (nanoseconds), or is from the future, because the clock was set back. */
bool ticket_keys_are_due(const TicketKeys *keys, int64_t now, int64_t period);

/* Makes a new key of TICKET_RANDOM random bytes. */
void ticket_keys_add(TicketKeys *keys, int64_t now, const uint8_t *random);

/* Wipes keys that are three periods old. */
void ticket_keys_forget(TicketKeys *keys, int64_t now, int64_t period);

/* The key of the name (TICKET_NAME bytes); NULL: there is none, or not any more. */
const TicketKey *ticket_keys_find(const TicketKeys *keys, const uint8_t *name);

/* For the process that takes over, and back. False: they are no keys, and nothing is changed. */
void ticket_keys_write(const TicketKeys *keys, Buffer *out);
bool ticket_keys_read(Bytes text, TicketKeys *keys);

#endif
