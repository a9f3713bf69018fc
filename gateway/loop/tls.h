/*
 * The TLS engine of a Socket: OpenSSL without sockets of its own. For socket.c only.
 *
 * It reads from the loop's cipher_in and writes into the loop's cipher buffer, which socket.c
 * empties after every call. So no connection holds a TLS buffer.
 */
#ifndef GATEWAY_TLS_H
#define GATEWAY_TLS_H

#include "gateway/loop/socket.h"

typedef enum TlsOutcome {
    TLS_MORE, /* the buffer is full: call again */
    TLS_WAIT, /* all input was read */
    TLS_END,  /* the peer has ended its side */
    TLS_BROKEN,
} TlsOutcome;

/* 0, or a libuv error. */
int tls_accept(Socket *socket, SSL_CTX *context);
int tls_connect(Socket *socket, const SocketPeer *peer);
void tls_free(Socket *socket);

/* The Result lives as long as the loop's turn. */
MUST_USE Result tls_handshake(Socket *socket, bool *done_out);

TlsOutcome tls_decrypt(Socket *socket, uint8_t *room, size_t size, size_t *size_out,
                       Result *why_out);

/* Encrypts at most SOCKET_WRITE_MAX bytes of the vectors, in records of at most 16 KiB. Returns 0,
   or -1 when the engine failed. */
int tls_encrypt(Socket *socket, const struct iovec *vectors, int n, size_t *taken_out);

/* Sends close_notify. */
void tls_close(Socket *socket);

#endif
