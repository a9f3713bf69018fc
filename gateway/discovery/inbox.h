/*
 * Inbox: readings on their way from other threads to the main thread.
 */
#ifndef GATEWAY_INBOX_H
#define GATEWAY_INBOX_H

#include "gateway/discovery/reading.h"

#include <uv.h>

typedef struct Inbox Inbox;

/* `on_reading` gets each reading on the loop's thread, in their order, and owns it. */
Inbox *inbox_new(uv_loop_t *loop, void (*on_reading)(void *owner, Reading *reading), void *owner);

/* Any thread, until inbox_end. Takes the reading. */
void inbox_put(Inbox *inbox, Reading *reading);

/* No reading comes any more; those that wait are dropped. The loop frees the memory. */
void inbox_end(Inbox *inbox);

#endif
