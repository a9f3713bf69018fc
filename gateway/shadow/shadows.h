/*
 * Shadows: the copies of one loop's calls: which are made, and when they must stop.
 *
 *      call, ended ---> admitted? ---> copy ---> its response ---> finding ---> book, ledger
 *                          no: counted
 *
 * A copy is refused at once if its route has no more of them in this second or at this time, or if
 * the loop has much to do; it never waits. What it needs is in an arena of its own, which the
 * memory budget may refuse. One loop, its thread only.
 */
#ifndef GATEWAY_SHADOWS_H
#define GATEWAY_SHADOWS_H

#include "gateway/call/exchange.h"
#include "gateway/shadow/shadow_book.h"

typedef struct Shadows Shadows;

/* For loop->shadows. The book outlives it. Never NULL. */
Shadows *shadows_open(Loop *loop, ShadowBook *book);
ShadowPort *shadows_port(Shadows *shadows);

/* No more copies: those that run are cancelled, or end without being counted. */
void shadows_stop(Shadows *shadows);

/* After loop_deinit. NULL is allowed. */
void shadows_free(Shadows *shadows);

#endif
