/*
 * Exchange: one call on its way through the gateway, from the first byte of its head to its record
 * in the log. Owned by itself: it begins with exchange_accept and releases itself when both sides
 * ended.
 */
#ifndef GATEWAY_EXCHANGE_H
#define GATEWAY_EXCHANGE_H

#include "base/net/ip.h"
#include "gateway/loop/loop.h"
#include "protocols/http/http.h"

typedef struct Exchange Exchange;

/* What is known of the client's connection; outlives the exchanges that it brought. */
typedef struct ClientConnection ClientConnection;
struct ClientConnection {
    Loop *loop;
    const char *peer;     /* "127.0.0.1:52314", "unix"; behind a PROXY header, as that says */
    IpAddress address;    /* its address, likewise */
    bool unnamed;         /* passed on by a PROXY header that does not say whose it is: nobody's */
    const char *listener; /* the address that it came in by */
    bool secure;
    const char *identity; /* subject of the client's certificate, verified; or NULL */
    bool trusted;         /* it may speak for others, by the config of this generation: */
    uint64_t generation;
    uint32_t n_exchanges; /* that look at this */
    void (*on_unused)(
        ClientConnection *client); /* their number became 0; may be NULL. May free it */
};

/* For HttpConnectionEvents.on_stream of the server side: the exchange attaches itself to the
   stream. `began`: when the first byte of the request came, by the loop's clock. */
void exchange_accept(ClientConnection *client, HttpStream *stream, int64_t began);

#endif
