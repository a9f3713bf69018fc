/*
 * Client: the caller that is a stream of an HTTP connection, in whatever dialect it speaks.
 *
 * Owned by its exchange: it begins with client_accept and goes when both sides have ended.
 */
#ifndef GATEWAY_CLIENT_H
#define GATEWAY_CLIENT_H

#include "base/net/ip.h"
#include "gateway/loop/loop.h"
#include "protocols/http/http.h"

/* What is known of the client's connection; outlives the exchanges that it brought. */
typedef struct ClientConnection ClientConnection;
typedef struct Client Client; /* client_internal.h */
struct ClientConnection {
    Loop *loop;
    const char *peer;     /* "127.0.0.1:52314", "unix"; behind a PROXY header, as that says */
    const char *listener; /* the address that it came in by */
    const char *identity; /* subject of the client's certificate, verified; or NULL */
    IpAddress address;    /* the peer's */
    bool unnamed;         /* passed on by a PROXY header that does not say whose it is: nobody's */
    bool secure;
    bool trusted; /* it may speak for others, by the config of this generation: */
    uint64_t generation;
    Client *clients;      /* the callers of these: */
    uint32_t n_exchanges; /* that look at this */
    void (*on_unused)(
        ClientConnection *client); /* their number became 0; may be NULL. May free it */
};

/* For HttpConnectionEvents.on_stream of the server side: an exchange begins, whose caller attaches
   itself to the stream. `began`: when the first byte of the request came, by the loop's clock. */
void client_accept(ClientConnection *connection, HttpStream *stream, int64_t began);

/* Ends the calls of the connection: each client is told, in its dialect, as far as it still can
   be. `why` has failed, and is copied. Returns how many there were. A connection whose socket is
   closed may be gone afterwards: on_unused. */
uint32_t client_end_all(ClientConnection *connection, Result why);

#endif
