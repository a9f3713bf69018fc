/*
 * Socket: a stream of bytes to a peer: TCP or a unix socket, in clear or under TLS.
 *
 * Embedded in its owner, on one loop, its thread only. It holds no buffer while nothing waits to be
 * sent: it reads into the loop's buffer, and copies what the kernel does not accept at once, at
 * most SOCKET_WRITE_MAX bytes.
 *
 *      socket_open, socket_connect
 *          -> (on_preamble) -> on_ready -> on_read..., on_writable... -> on_eof
 *              \___________________________________________________\___> on_lost
 *      socket_close -> on_closed: only then may the owner's memory be freed
 *
 * Events come from the loop only, never from within a function called here. The owner may call any
 * function from within an event, including socket_close. After on_lost the only event is on_closed.
 * A server may respond and close while its client is still sending: when a write of a connected
 * socket (socket_connect) fails, what has arrived is read before it is lost.
 */
#ifndef GATEWAY_SOCKET_H
#define GATEWAY_SOCKET_H

#include "base/bytes.h"
#include "base/net/ip.h"
#include "gateway/loop/loop.h"
#include "gateway/loop/read_order.h"
#include "gateway/tls/certificate_names.h"

typedef struct ssl_st SSL; /* OpenSSL's */
typedef struct ssl_ctx_st SSL_CTX;
typedef struct Socket Socket;

enum { SOCKET_WRITE_MAX = 256 * 1024 };

typedef struct SocketEvents {
    /* Connected; with TLS, the handshake is done: protocol and peer are known. */
    void (*on_ready)(Socket *socket);
    /* Bytes came in, valid during the event. */
    void (*on_read)(Socket *socket, Bytes input);
    /* The peer has ended its side; the gateway's side continues. */
    void (*on_eof)(Socket *socket);
    /* Everything that socket_write accepted was sent. Only after socket_write accepted less than
       given. */
    void (*on_writable)(Socket *socket);
    /* Broken: SYSTEM or TLS, valid during the event. The owner closes it. */
    void (*on_lost)(Socket *socket, Result why);
    /* The owner may free or reuse the memory. */
    void (*on_closed)(Socket *socket);
    /* For bytes that precede everything else, also TLS. NULL: there are none. Returns the rest of
       the input; `*done_out`: the preamble is complete, and the rest belongs to what follows. The
       owner may close the socket. */
    Bytes (*on_preamble)(Socket *socket, Bytes input, bool *done_out);
} SocketEvents;

typedef enum SocketState {
    SOCKET_FRESH, /* opened; the next state begins later in this turn */
    SOCKET_PREAMBLE,
    SOCKET_HANDSHAKE,
    SOCKET_OPEN,
    SOCKET_LOST,    /* on_lost was or will be called */
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
    SSL *tls;          /* NULL: cleartext */
    LoopWork later;    /* delivers events of what happened within a call */
    int error;         /* libuv's error, if it is lost, or if it is as soon as the rest is read */
    uint32_t n_writes; /* pending */
    uint32_t write_bytes; /* in them, and in those that failed */
    SocketState state;
    uint32_t read_most; /* bytes of one read; 0: as many as fit into the loop's buffer */
    bool dialed;        /* by socket_connect */
    bool reading, paused, eof, shut, wants_writable;
    uint8_t rank;        /* in which it is read while the loop is crowded: ReadRank */
    uint8_t client;      /* whose it is: sender_of */
    uint8_t waits;       /* in this rank of the loop's order; READ_URGENT: it does not */
    uint8_t n_told;      /* while it waits: so often the kernel has said that it has input; */
    bool unwatched;      /* after that it is not asked */
    bool floods;         /* its reads bring many calls each */
    uint32_t wait_place; /* while it waits */
};

/* Takes over a connected file descriptor, with TLS as the server if `tls` is not NULL (a reference
   is taken). on_ready or on_lost follows. Options of TCP are inherited from the listening
   socket. */
void socket_open(Socket *socket, Loop *loop, const SocketEvents *events, int fd, bool tcp,
                 SSL_CTX *tls);

/* TLS settings for a peer. */
typedef struct SocketPeer {
    SSL_CTX *tls;     /* NULL: cleartext */
    const char *name; /* for SNI and, without a SPIFFE id, verification; a host name or an IP
                         address */
    const char *alpn; /* the only protocol offered: "h2"; NULL: none */
} SocketPeer;

/* Takes over a file descriptor that was connected (dial.h), with TLS as the client if peer->tls is
   not NULL. on_ready or on_lost follows. All is copied. */
void socket_connect(Socket *socket, Loop *loop, const SocketEvents *events, int fd, bool tcp,
                    const SocketPeer *peer);

/*
 * Sends. Returns how many bytes were accepted, from the front: sent, or copied and pending. If that
 * is less than given, or bytes are pending, on_writable follows.
 */
size_t socket_write(Socket *socket, const struct iovec *vectors, int n);

/* Whether copied bytes are pending. */
static inline bool socket_busy(const Socket *socket)
{
    return socket->n_writes > 0;
}

/* How many bytes were copied and have not been sent, which a lost socket will not send any more.
   With TLS, in encrypted form. */
static inline size_t socket_unsent(const Socket *socket)
{
    return socket->write_bytes;
}

/* From now on one read takes at most so many bytes, which the owner may follow by a pause; 0: as
   many as fit into the loop's buffer. */
static inline void socket_read_most(Socket *socket, uint32_t most)
{
    socket->read_most = most;
}

/* In which rank it is read while the loop is crowded; READ_URGENT, as at first: as it comes. */
static inline void socket_rank(Socket *socket, ReadRank rank)
{
    socket->rank = rank;
}

/* Whose it is: sender_of. */
static inline void socket_is_of(Socket *socket, uint8_t client)
{
    socket->client = client;
}

/* Whether its last read has brought many calls, so that less is read at a time. */
static inline void socket_floods(Socket *socket, bool floods)
{
    socket->floods = floods;
}

/* For the loop's order: it has input, of which a piece is read. */
typedef struct ReadNow {
    uint32_t bytes;
    bool more; /* there may be more, or nobody would tell; and it is to be read */
} ReadNow;
ReadNow socket_read_now(Socket *socket);

/* Pauses and resumes reading. */
void socket_pause(Socket *socket);
void socket_resume(Socket *socket);

/* Ends the gateway's side after everything accepted was sent: TLS close_notify, FIN. Reading
   continues. */
void socket_shutdown(Socket *socket);

/* Unsent bytes are lost. May be called twice. */
void socket_close(Socket *socket);

/* After on_eof: whether the peer has left altogether, as far as it is known: its host has reset the
   connection, which it does when something is sent. */
bool socket_is_reset(Socket *socket);

/* After on_ready: the protocol negotiated by ALPN, or empty. */
Bytes socket_alpn(const Socket *socket);

/* After on_ready: the names in the peer's verified certificate, which the caller frees with free();
   NULL when there is none. */
CertificateNames *socket_peer_names(const Socket *socket);

/* "127.0.0.1:52314", "[::1]:443", or "unix" for a peer without an IP address. The port in host
   order. */
enum { SOCKET_NAME_SIZE = 64 };
void socket_peer_name(const IpAddress *ip, uint16_t port, char name[SOCKET_NAME_SIZE]);
void socket_address_name(const struct sockaddr *address, char name[SOCKET_NAME_SIZE]);

#endif
