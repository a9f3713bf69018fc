/*
 * Listener: a socket on which one loop accepts clients. ListenerSet: all listeners of one loop.
 *
 * Listeners change with the config: one whose address stays keeps its socket, and so the
 * connections that wait in its queue. The loop's thread only.
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
    int spare; /* a reserved descriptor, closed if there is no other, to accept and close a client
                */
    bool held; /* they do not accept yet */
} ListenerSet;

void listeners_init(ListenerSet *set, Loop *loop, ConnectionSet *connections);

/* Applies the config: takes this loop's descriptors out of `sockets`, and keeps the listeners that
   it already has. Listeners that are not in the config are closed, after the clients in their queue
   were accepted. */
void listeners_apply(ListenerSet *set, const Config *config, BoundSocket *sockets);

/* Before the first is opened: all wait, and their clients in their queues, until they are released.
   Once. */
void listeners_hold(ListenerSet *set);
void listeners_release(ListenerSet *set);

/* Closes all. */
void listeners_close(ListenerSet *set);

#endif
