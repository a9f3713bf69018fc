/*
 * Tickets: with which keys this process seals TLS sessions (ticket_keys.h). All listeners and loops
 * share them, each config after a reload, too, and the process that takes over gets them: so a
 * client resumes its session anywhere. A session ends, whatever its time, with the first of what
 * has proved who the client is: a certificate of its chain, or a list of revocations. Any thread.
 */
#ifndef GATEWAY_TICKETS_H
#define GATEWAY_TICKETS_H

#include "base/bytes.h"

typedef struct ssl_ctx_st SSL_CTX; /* OpenSSL's */

/* Sessions of the context can be resumed for so many seconds, by tickets; a key makes tickets for
   half of that. 0: no session can be resumed. Who cannot resume gets no ticket. Before
   connections are made of the context. False: there is no memory. */
bool tickets_use(SSL_CTX *context, uint32_t seconds);

/* For the process that takes over, and what the one before has left; other bytes are ignored. */
void tickets_write(Buffer *out);
void tickets_read(Bytes text);

/* Called, on any thread, when there is a new key. NULL: nobody any more. */
void tickets_told_to(void (*changed)(void));

#endif
