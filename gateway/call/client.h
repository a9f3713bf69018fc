/*
 * Client: the caller for one stream of an HTTP connection, in any dialect.
 *
 * Owned by its exchange: created by client_accept, freed when both sides have ended.
 */
#ifndef GATEWAY_CLIENT_H
#define GATEWAY_CLIENT_H

#include "base/memory/budget.h"
#include "base/net/ip.h"
#include "gateway/loop/loop.h"
#include "gateway/policy/pace.h"
#include "gateway/tls/certificate_names.h"
#include "protocols/http/http.h"

/* What is needed while the loop sheds. Heap. */
typedef struct ClientRest {
    Pace pace;
    int64_t until;     /* nothing is read until then */
    uint64_t n_others; /* that were refused since the last record */
} ClientRest;

/* The client's connection; outlives its exchanges. */
typedef struct ClientConnection ClientConnection;
typedef struct Client Client;                 /* client_internal.h */
typedef struct ListenerConfig ListenerConfig; /* config.h */
struct ClientConnection {
    Loop *loop;
    const char *peer;     /* "127.0.0.1:52314", "unix"; behind a PROXY header: the address in it */
    const char *listener; /* the address of the listener */
    const CertificateNames *certificate; /* of the peer, verified; or NULL */
    Account *account;                    /* of its client; NULL: nobody's */
    Account *proved; /* of the first client that has proved its name in a call, which has what the
                        connection holds from then on, and what calls hold as they begin. Counted;
                        NULL: none yet, or it is a trusted proxy, whose calls are of many */
    const struct Proof *last_proof; /* Asked.last */
    IpAddress address;              /* the peer's */
    bool unnamed;                   /* the PROXY header gives no client address */
    bool secure;
    bool trusted;         /* it is a trusted proxy, by the config of `generation` */
    bool shed_next;       /* the next call is refused with a record */
    uint8_t highest;      /* impact of its calls of late, and when there was one */
    uint32_t n_exchanges; /* that refer to this */
    int64_t highest_at;
    uint64_t generation;
    const ListenerConfig *heard_on; /* likewise; NULL: look for it */
    ClientRest *rest; /* NULL: the loop has never shed when it had a call. The owner frees it */
    Client *clients;  /* one for each exchange */
    void (*on_unused)(
        ClientConnection *client); /* their number became 0; may be NULL. May free it */
};

/* For HttpConnectionEvents.on_stream of the server side: creates an exchange; its caller becomes
   the owner of the stream. `began`: when the first byte of the request arrived, by the loop's
   clock. */
void client_accept(ClientConnection *connection, HttpStream *stream, int64_t began);

/* While loop->sheds, before client_accept: whether the call is refused. Then it was answered, and
   the stream is released. The few that get a record are refused by client_accept. */
bool client_shed(ClientConnection *connection, HttpStream *stream, const HttpHead *head);

/* Ends the calls of the connection: each gets an error in its dialect, if one can still be sent.
   `why` has failed, and is copied. Returns the number of calls. A connection whose socket is closed
   may be freed afterwards: on_unused. */
uint32_t client_end_all(ClientConnection *connection, Result why);

/* Ends the calls that go on without their client. The connection may be freed before the return. */
void client_drop_all(ClientConnection *connection, Result why);

#endif
