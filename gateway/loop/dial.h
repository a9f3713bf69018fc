/*
 * Dial: connects to one of several addresses (RFC 8305, "Happy Eyeballs").
 *
 *      address 1  |------------------------- (no response)        closed
 *      address 2       |--- refused
 *      address 3           |----- connected                       on_connected
 *                 0    250 ms
 *
 * The addresses are tried in the order given. The next connect starts DIAL_DELAY after the previous
 * one, or at once when one fails. The first to succeed is used, the others are closed. There is no
 * timeout: the owner frees the dial if it takes too long.
 *
 * On one loop, its thread only.
 */
#ifndef GATEWAY_DIAL_H
#define GATEWAY_DIAL_H

#include "base/net/ip.h"
#include "gateway/loop/loop.h"

typedef struct Dial Dial;

#define DIAL_DELAY (250 * MILLISECOND)

enum { DIAL_MOST = 64 }; /* addresses; more are ignored */

typedef enum DialState {
    DIAL_WAITING,   /* not begun */
    DIAL_BEGUN,     /* neither connected nor failed */
    DIAL_OVERTAKEN, /* closed because another address was connected first */
    DIAL_FAILED,
    DIAL_CONNECTED,
} DialState;

typedef struct DialEvents {
    /* The descriptor now belongs to the owner; `which` is the index of the address. */
    void (*on_connected)(void *owner, Dial *dial, int fd, uint32_t which);
    /* All connects have failed, and no addresses will be added. Fault: SYSTEM, of the last one.
     * Valid during the event.
     */
    void (*on_failed)(void *owner, Dial *dial, Result why);
} DialEvents;

/* Events come from the loop only, never from within a function called here; the owner may free the
   dial in them. `descriptors`: descriptor numbers must be below this (descriptors.h); 0: no
   bound. */
Dial *dial_new(Loop *loop, uint32_t descriptors, const DialEvents *events, void *owner);

/* Appends addresses. `more`: dial_add will be called again. */
void dial_add(Dial *dial, const IpAddress *addresses, uint32_t n, uint16_t port, bool more);

/* Adds the unix socket at this path, as the last one. */
void dial_add_path(Dial *dial, const char *path);

/* After on_connected, if the connection was unusable: continues with the addresses that were not
   tried. False: there is none. */
bool dial_go_on(Dial *dial);

/* Whether some addresses were not tried. */
bool dial_has_more(const Dial *dial);

uint32_t dial_size(const Dial *dial);
DialState dial_state(const Dial *dial, uint32_t which);
const IpAddress *dial_address(const Dial *dial, uint32_t which); /* unknown: the unix socket */

/* Closes pending connects; no event follows. NULL is allowed. */
void dial_free(Dial *dial);

#endif
