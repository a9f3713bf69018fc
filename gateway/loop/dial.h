/*
 * Dial: a connection to one of several addresses, as RFC 8305 ("Happy Eyeballs") has it.
 *
 *      address 1  |------------------------- (no answer)          closed
 *      address 2       |--- refused
 *      address 3           |----- connected                       on_connected
 *                 0    250 ms
 *
 * The addresses are tried in the order given. The next one is begun DIAL_DELAY after the one before
 * it, or at once when one fails. The first that is connected wins, the others
 * are closed. Nothing bounds it in time: the owner frees it when it takes too long.
 *
 * On one loop, its thread only.
 */
#ifndef GATEWAY_DIAL_H
#define GATEWAY_DIAL_H

#include "base/net/ip.h"
#include "gateway/loop/loop.h"

typedef struct Dial Dial;

#define DIAL_DELAY (250 * MILLISECOND)

enum { DIAL_MOST = 64 }; /* addresses; the rest is left out */

typedef enum DialState {
    DIAL_WAITING,   /* not begun */
    DIAL_BEGUN,     /* neither connected nor failed */
    DIAL_OVERTAKEN, /* begun, and closed because another one was connected first */
    DIAL_FAILED,
    DIAL_CONNECTED,
} DialState;

typedef struct DialEvents {
    /* The descriptor is the owner's now; `which` counts the addresses from 0. */
    void (*on_connected)(void *owner, Dial *dial, int fd, uint32_t which);
    /* All have failed, and no more will be added: SYSTEM, for the last one. Valid during the event.
     */
    void (*on_failed)(void *owner, Dial *dial, Result why);
} DialEvents;

/* Events come from the loop only, never from within a function called here; the owner may free the
   dial in them. `descriptors` bounds the descriptors' numbers (descriptors.h); 0: nothing does. */
Dial *dial_new(Loop *loop, uint32_t descriptors, const DialEvents *events, void *owner);

/* Adds addresses, behind those that are there. `more`: this is not the last time. */
void dial_add(Dial *dial, const IpAddress *addresses, uint32_t n, uint16_t port, bool more);

/* Adds the unix socket at this path, as the last one. */
void dial_add_path(Dial *dial, const char *path);

/* After on_connected, when what is behind the address was of no use: goes on with those that were
   not begun. False: there is none. */
bool dial_go_on(Dial *dial);

/* Some were not begun. */
bool dial_has_more(const Dial *dial);

uint32_t dial_size(const Dial *dial);
DialState dial_state(const Dial *dial, uint32_t which);
const IpAddress *dial_address(const Dial *dial, uint32_t which); /* not known: the unix socket */

/* What is under way is closed, and nothing fires any more. NULL is fine. */
void dial_free(Dial *dial);

#endif
