/*
 * ShedReply: the response to calls that a loop refuses while it is overloaded.
 *
 * It costs less than the head of the request: it is encoded once for each dialect, and again after
 * a moment, with another time to come back. It has no request id, and no fields for pages of other
 * origins. The loop's thread only.
 */
#ifndef GATEWAY_SHED_REPLY_H
#define GATEWAY_SHED_REPLY_H

#include "gateway/loop/loop.h"
#include "protocols/dialect/dialect.h"

/* Valid during this turn. NULL: it cannot be written. */
const HttpReady *shed_reply(Loop *loop, Dialect dialect);

/* At the loop's end. */
void shed_replies_free(Loop *loop);

#endif
