/*
 * Listener: a socket on which one loop accepts clients. ListenerSet: all of them of one loop.
 *
 * Listeners come and go with the config: one whose address stays keeps its socket, and so the
 * connections that wait in it. The loop's thread only.
 */
#ifndef GATEWAY_LISTENER_H
#define GATEWAY_LISTENER_H

#include "gateway/listen/bind.h"
#include "gateway/listen/connection.h"

typedef struct Listener Listener;

typedef struct ListenerSet {
    Loop *loop;
    ConnectionSet *connections;
    Listener *first;
    int spare; /* a descriptor given up when there are no others, to send a client away with */
} ListenerSet;

void listeners_init(ListenerSet *set, Loop *loop, ConnectionSet *connections);

/* Listens as the config says: takes this loop's descriptors out of `sockets`, and goes on with
   those that it has already. What the config no longer has is closed, after those who waited there
   were accepted. */
void listeners_apply(ListenerSet *set, const Config *config, BoundSocket *sockets);

/* Closes all. */
void listeners_close(ListenerSet *set);

#endif
