/*
 * Wire: a socket with an HTTP engine on it, in clear or in TLS, for the programs of load tests.
 *
 * It is the first member of what its owner keeps for a connection: the epoll event's pointer is the
 * wire. One thread; the engine's owner is the wire, too (wire_on_output). Failures of the peer are
 * `false`; failures of the test's own (no memory, no file descriptor) end the process.
 */
#ifndef LOADTEST_WIRE_H
#define LOADTEST_WIRE_H

#include "protocols/http/http.h"

#include <openssl/ssl.h>

typedef struct Wire {
    int fd, poll_fd;
    SSL *tls;             /* owned; NULL: in clear */
    HttpConnection *http; /* owned; NULL: not known yet */
    bool wants_output;    /* the engine has some */
    bool blocked;         /* the socket takes no more */
} Wire;

/* HttpConnectionEvents.on_output of an engine whose owner begins with its wire. */
void wire_on_output(void *owner, HttpConnection *connection);

/* Limits of an engine that lets its peer do everything. */
HttpLimits wire_limits(void);

/* The whole file, which stays. What cannot be read ends the process. */
Bytes wire_read_file(const char *path);

/* As many open files as this process may have. */
void wire_raise_file_limit(void);

/* Takes over `fd`, which does not block from now on, and watches it for input. */
void wire_init(Wire *wire, int poll_fd, int fd);

/* Connects to 127.0.0.1, from the address `from` (host order; 0: any). It waits. False: refused. */
MUST_USE bool wire_connect(Wire *wire, int poll_fd, uint16_t port, uint32_t from);

/* From now on it is a client in TLS that says only `alpn` ("h2" or "http/1.1"). */
void wire_secure(Wire *wire, SSL_CTX *context, const char *alpn);

/* Sends what the engine has. False: the connection is over. */
MUST_USE bool wire_flush(Wire *wire);

/* After epoll_wait: receives and sends. False: the connection is over. */
MUST_USE bool wire_ready(Wire *wire, uint32_t events);

/* wire_ready is called again soon, though nothing may come. */
void wire_wake(Wire *wire);

/* Tells the streams that it is lost, closes, and frees what it owns; in TLS it says so first. */
void wire_close(Wire *wire);

#endif
