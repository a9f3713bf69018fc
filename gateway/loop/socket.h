/*
 * Socket: a stream of bytes to a peer: TCP or a unix socket, in clear or under TLS.
 *
 * Embedded in its owner, on one loop, its thread only. It holds no buffer while nothing waits to be
 * sent: it reads into the loop's buffer, and what the kernel does not take at once is copied, at
 * most SOCKET_WRITE_MAX bytes.
 *
 *      socket_open or socket_connect -> (on_preamble) -> on_ready -> on_read..., on_writable... ->
 * on_eof
 *                  \________________________________________________________________ on_lost
 *      socket_close -> on_closed: only then may the owner's memory go
 *
 * Events come from the loop only, never from within a function called here. The owner may call any
 * function from within an event, socket_close too. After on_lost nothing comes but on_closed.
 */
#ifndef GATEWAY_SOCKET_H
#define GATEWAY_SOCKET_H

#include "base/bytes.h"
#include "base/net/ip.h"
#include "gateway/loop/loop.h"

typedef struct ssl_st SSL; /* OpenSSL's */
typedef struct ssl_ctx_st SSL_CTX;
typedef struct Socket Socket;

enum { SOCKET_WRITE_MAX = 256 * 1024 };

typedef struct SocketEvents {
    /* Connected; with TLS, the handshake is done: protocol and peer are known. */
    void (*on_ready)(Socket *socket);
    /* Bytes came in, valid during the event. */
    void (*on_read)(Socket *socket, Bytes input);
    /* The peer has ended its side; ours goes on. */
    void (*on_eof)(Socket *socket);
    /* All that was taken by socket_write has gone out. Only after socket_write took less than
       given. */
    void (*on_writable)(Socket *socket);
    /* Broken: SYSTEM or TLS, valid during the event. The owner closes it. */
    void (*on_lost)(Socket *socket, Result why);
    /* The memory is the owner's again. */
    void (*on_closed)(Socket *socket);
    /* What comes before all else, TLS included. NULL where nothing does. Returns what it left of
       the input; `*done_out`: the preamble is over, and what is left belongs to what follows. The
       owner may close the socket. */
    Bytes (*on_preamble)(Socket *socket, Bytes input, bool *done_out);
} SocketEvents;

typedef enum SocketState {
    SOCKET_FRESH, /* taken over; what follows begins later in this turn */
    SOCKET_PREAMBLE,
    SOCKET_HANDSHAKE,
    SOCKET_OPEN,
    SOCKET_LOST,    /* on_lost was or will be said */
    SOCKET_CLOSING, /* socket_close was called */
} SocketState;

struct Socket {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    Loop *loop;
    const SocketEvents *events;
    SSL *tls;             /* NULL: in clear */
    Bytes cipher_in;      /* what the TLS engine may read now, borrowed from the read buffer */
    LoopWork later;       /* tells of what happened within a call from outside */
    int error;            /* libuv's, why it is lost */
    uint32_t n_writes;    /* under way */
    uint32_t write_bytes; /* in them */
    SocketState state;
    bool reading, paused, eof, shut, wants_writable;
};

/* Takes over a connected file descriptor, with TLS as the server when `tls` is there (it takes a
   reference). on_ready or on_lost follows. Options of TCP are inherited from the listening
   socket. */
void socket_open(Socket *socket, Loop *loop, const SocketEvents *events, int fd, bool tcp,
                 SSL_CTX *tls);

/* What to say to a peer. */
typedef struct SocketPeer {
    SSL_CTX *tls;     /* NULL: in clear */
    const char *name; /* to ask for and to verify; a host name or an IP address */
    const char *alpn; /* the one protocol that is wanted: "h2"; NULL: not said */
} SocketPeer;

/* Takes over a file descriptor that was connected (dial.h), with TLS as the client when the peer's
   `tls` is there. on_ready or on_lost follows. All is copied. */
void socket_connect(Socket *socket, Loop *loop, const SocketEvents *events, int fd, bool tcp,
                    const SocketPeer *peer);

/*
 * Sends. Returns how many bytes were taken, from the front: sent, or copied and on their way. When
 * that is less than given, or something is on its way, on_writable follows.
 */
size_t socket_write(Socket *socket, const struct iovec *vectors, int n);

/* Something is still on its way to the kernel. */
static inline bool socket_busy(const Socket *socket)
{
    return socket->n_writes > 0;
}

/* Holds reading back, and goes on with it. */
void socket_pause(Socket *socket);
void socket_resume(Socket *socket);

/* Ends our side once everything taken has gone out: TLS close_notify, FIN. Reading goes on. */
void socket_shutdown(Socket *socket);

/* What has not gone out is lost. Closing twice is once. */
void socket_close(Socket *socket);

/* After on_ready: the protocol agreed on by ALPN, or empty. */
Bytes socket_alpn(const Socket *socket);

/* After on_ready: the subject of the peer's verified certificate, as RFC 2253 spells it, in the
   arena; NULL when there is none. */
const char *socket_peer_subject(const Socket *socket, Arena *arena);

/* "127.0.0.1:52314", "[::1]:443", or "unix" for who has no IP address. The port in host order. */
enum { SOCKET_NAME_SIZE = 64 };
void socket_peer_name(const IpAddress *ip, uint16_t port, char name[SOCKET_NAME_SIZE]);
void socket_address_name(const struct sockaddr *address, char name[SOCKET_NAME_SIZE]);

#endif
