#include "gateway/loop/socket.h"

#include "base/arena.h"
#include "gateway/loop/loop_internal.h"
#include "gateway/loop/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    COPY_MAX = 64 * 1024, /* cleartext bytes copied at most if the kernel does not accept them */
    WRITES_MAX = 1024 * 1024,   /* pending bytes with TLS: a peer may cause TLS responses (key
                                   updates) without reading */
    REST_MAX = 8 * 1024 * 1024, /* read at most after a failed write: more than the kernel keeps */
    TOLD_OFTEN = 8,       /* watching it costs more than two system calls that end and begin it */
    KEEPALIVE_DELAY = 60, /* seconds without data until the kernel sends keep-alive probes */
};

/* A copy of bytes that the kernel did not accept at once. */
typedef struct SocketWrite {
    uv_write_t request;
    Socket *socket;
    size_t size;
    uint8_t data[];
} SocketWrite;

static Socket *socket_of(LoopWork *work)
{
    return (Socket *)((char *)work - offsetof(Socket, later));
}

static void stop_reading(Socket *socket)
{
    if (socket->reading)
        uv_read_stop(&socket->uv.stream);
    socket->reading = socket->unwatched = false;
}

/* The connection is broken, detected in a callback of the loop: notifies the owner now. */
static void socket_fail(Socket *socket, Result why)
{
    if (socket->state >= SOCKET_LOST)
        return;
    stop_reading(socket);
    socket->state = SOCKET_LOST;
    socket->events->on_lost(socket, why);
}

/* The same, detected within a call of the owner: notifies it later in this turn. */
static void socket_break(Socket *socket, int error)
{
    if (socket->state >= SOCKET_LOST)
        return;
    stop_reading(socket);
    socket->state = SOCKET_LOST;
    socket->error = error;
    loop_defer(socket->loop, &socket->later);
}

static Result system_error(Socket *socket, int error, const char *doing)
{
    return FAIL(loop_scratch(socket->loop), FAULT_SYSTEM, "%s: %s", doing, uv_strerror(error));
}

/* Within a call of the owner: the peer takes no more. What a server has sent before is still read,
   later in this turn: it may have responded, and closed, while its client was still sending. */
static void write_failed(Socket *socket, int error)
{
    if (socket->state != SOCKET_OPEN || !socket->dialed || socket->paused) {
        socket_break(socket, error);
        return;
    }
    socket->error = error;
    socket->shut = true;
    socket->wants_writable = false;
    loop_defer(socket->loop, &socket->later);
}

/* Nothing that is written from now on reaches the peer. */
static bool is_broken(const Socket *socket)
{
    return socket->state >= SOCKET_LOST || socket->error;
}

static void tell_writable(Socket *socket)
{
    if (socket_busy(socket) || !socket->wants_writable)
        return;
    socket->wants_writable = false;
    socket->events->on_writable(socket);
}

static void on_written(uv_write_t *request, int status)
{
    SocketWrite *write = (SocketWrite *)request;
    Socket *socket = write->socket;
    loop_enter(socket->loop);
    socket->n_writes--;
    if (status >= 0)
        socket->write_bytes -= (uint32_t)write->size;
    free(write);
    if (socket->state >= SOCKET_LOST)
        return;
    if (status < 0)
        write_failed(socket, status);
    else
        tell_writable(socket);
}

/* Copies up to `limit` bytes of the vectors, after the first `skip` bytes, and starts writing
   them. */
static size_t write_copy(Socket *socket, const struct iovec *vectors, int n, size_t skip,
                         size_t limit)
{
    SocketWrite *write = malloc(sizeof(*write) + limit);
    CHECK(write);
    write->socket = socket;
    write->size = 0;
    for (int i = 0; i < n && write->size < limit; i++) {
        size_t size = vectors[i].iov_len;
        if (skip >= size) {
            skip -= size;
            continue;
        }
        size -= skip;
        if (size > limit - write->size)
            size = limit - write->size;
        memcpy(write->data + write->size, (uint8_t *)vectors[i].iov_base + skip, size);
        write->size += size;
        skip = 0;
    }

    size_t size = write->size;
    uv_buf_t buffer = uv_buf_init((char *)write->data, (unsigned)size);
    int error = uv_write(&write->request, &socket->uv.stream, &buffer, 1, on_written);
    if (error) {
        free(write);
        write_failed(socket, error);
        return 0;
    }
    socket->n_writes++;
    socket->write_bytes += (uint32_t)size;
    return size;
}

static size_t total_of(const struct iovec *vectors, int n)
{
    size_t total = 0;
    for (int i = 0; i < n; i++)
        total += vectors[i].iov_len;
    return total;
}

/* Sends the vectors. Of the bytes that the kernel does not accept, at most `copy_max` are
   copied. */
static size_t write_some(Socket *socket, const struct iovec *vectors, int n, size_t copy_max)
{
    size_t total = total_of(vectors, n), sent = 0;
    if (!socket_busy(socket)) {
        _Static_assert(sizeof(uv_buf_t) == sizeof(struct iovec), "libuv's buffers are vectors");
        int r = uv_try_write(&socket->uv.stream, (const uv_buf_t *)vectors, (unsigned)n);
        if (r < 0 && r != UV_EAGAIN) {
            write_failed(socket, r);
            return 0;
        }
        sent = r < 0 ? 0 : (size_t)r;
    }
    if (sent < total) {
        size_t rest = total - sent;
        sent += write_copy(socket, vectors, n, sent, rest < copy_max ? rest : copy_max);
    }
    return sent;
}

/* Sends the content of the cipher buffer, which is always accepted completely. */
static void send_cipher(Socket *socket)
{
    LoopPrivate *p = socket->loop->private;
    size_t size = p->cipher_size;
    p->cipher_size = 0;
    if (size == 0 || is_broken(socket))
        return;
    if (socket->write_bytes + size > WRITES_MAX) {
        socket_break(socket, UV_ENOBUFS);
        return;
    }
    struct iovec vector = {p->cipher_buffer, size};
    write_some(socket, &vector, 1, size);
}

size_t socket_write(Socket *socket, const struct iovec *vectors, int n)
{
    if (socket->state != SOCKET_OPEN || socket->shut)
        return 0;
    size_t taken = 0;
    if (!socket_busy(socket)) {
        if (socket->tls) {
            int error = tls_encrypt(socket, vectors, n, &taken);
            send_cipher(socket);
            if (error)
                socket_break(socket, UV_EPROTO);
            if (is_broken(socket))
                taken = 0; /* it was encrypted, and not sent */
        } else {
            taken = write_some(socket, vectors, n, COPY_MAX);
        }
    }
    socket->wants_writable |= socket_busy(socket);
    if (taken < total_of(vectors, n) && !is_broken(socket)) {
        socket->wants_writable = true;
        if (!socket_busy(socket)) /* only the limit of one turn was reached */
            loop_defer(socket->loop, &socket->later);
    }
    return taken;
}

static void socket_ready(Socket *socket)
{
    socket->state = SOCKET_OPEN;
    socket->events->on_ready(socket);
}

/* False: the socket is not open (yet, or any more). */
static bool handshake(Socket *socket)
{
    bool done = false;
    Result r = tls_handshake(socket, &done);
    send_cipher(socket); /* also an alert */
    if (failed(r)) {
        socket_fail(socket, r);
        return false;
    }
    if (done && socket->state == SOCKET_HANDSHAKE)
        socket_ready(socket);
    return socket->state == SOCKET_OPEN;
}

/* Starts TLS, or tells the owner that the socket is ready. */
static void socket_serve(Socket *socket)
{
    socket->state = socket->tls ? SOCKET_HANDSHAKE : SOCKET_OPEN;
    if (socket->state == SOCKET_OPEN)
        socket_ready(socket);
    else
        handshake(socket);
}

static void end_of_input(Socket *socket)
{
    if (socket->eof)
        return;
    socket->eof = true;
    stop_reading(socket);
    socket->events->on_eof(socket);
}

static void decrypt_all(Socket *socket)
{
    LoopPrivate *p = socket->loop->private;
    if (socket->state == SOCKET_HANDSHAKE && !handshake(socket))
        return;

    TlsOutcome outcome = TLS_MORE;
    while (outcome == TLS_MORE && socket->state == SOCKET_OPEN) {
        size_t size = 0;
        Result why = OK;
        outcome = tls_decrypt(socket, p->plain_buffer, LOOP_PLAIN_SIZE, &size, &why);
        send_cipher(socket); /* answers to key updates; alerts */
        if (size > 0)
            socket->events->on_read(socket, bytes(p->plain_buffer, size)); /* may close it */
        if (socket->state != SOCKET_OPEN)
            return;
        if (outcome == TLS_BROKEN)
            socket_fail(socket, why);
        else if (outcome == TLS_END)
            end_of_input(socket);
    }
}

static void read_cipher(Socket *socket, Bytes input)
{
    LoopPrivate *p = socket->loop->private;
    p->cipher_of = socket;
    p->cipher_in = input;
    decrypt_all(socket); /* may close the socket */
    p->cipher_of = NULL;
}

/* One from an instance that has urgent responses, while others wait: each is sent as soon as it is
   read, in place of after all. Of requests many share one write to an instance. */
static bool is_hurried(const Socket *socket)
{
    return socket->dialed && !socket->rank && loop_is_crowded(socket->loop);
}

static uv_buf_t buffer_of(const Socket *socket, uint32_t most)
{
    bool least = socket->read_most && socket->read_most < most;
    return uv_buf_init((char *)socket->loop->private->read_buffer,
                       least ? socket->read_most : most);
}

static bool waits(Socket *socket)
{
    ReadOrder *order = &socket->loop->order;
    if (!order->urgent_at)
        return false; /* there has never been an urgent call */
    loop_enter(socket->loop);
    return read_order_waits(order, socket, socket->loop->now);
}

/* Without a buffer libuv reads nothing, and tells it again in the next turn. */
static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer_out)
{
    Socket *socket = handle->data;
    (void)suggested;
    *buffer_out = socket->rank && waits(socket)
                      ? uv_buf_init(NULL, 0)
                      : buffer_of(socket, is_hurried(socket) ? READ_SOME : LOOP_READ_SIZE);
}

static void read_input(Socket *socket, Bytes input)
{
    if (socket->state == SOCKET_PREAMBLE) {
        bool done = false;
        input = socket->events->on_preamble(socket, input, &done); /* may close it */
        if (!done || socket->state != SOCKET_PREAMBLE)
            return;
        socket_serve(socket);
        if (input.size == 0 || socket->state >= SOCKET_LOST)
            return;
    }
    if (socket->tls)
        read_cipher(socket, input);
    else
        socket->events->on_read(socket, input);
}

/* It waits for its turn, and has input. Who waits for long is not watched, until it has no input
 * when it is its turn. */
static void told_again(Socket *socket)
{
    if (socket->n_told < TOLD_OFTEN)
        socket->n_told++;
    if (socket->n_told < TOLD_OFTEN)
        return;
    uv_read_stop(&socket->uv.stream);
    socket->unwatched = true;
}

static void on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    Socket *socket = stream->data;
    Loop *loop = socket->loop;
    bool hurried = is_hurried(socket);
    if (n == UV_ENOBUFS)
        told_again(socket);
    if (n == 0 || n == UV_ENOBUFS || socket->state >= SOCKET_LOST)
        return;
    loop_enter(loop);
    if (n == UV_EOF && !socket->tls) {
        end_of_input(socket);
    } else if (n == UV_EOF) {
        /* Without close_notify the data may have been truncated by an attacker (RFC 8446 section
           6.1). */
        socket_fail(
            socket,
            FAIL(loop_scratch(socket->loop), FAULT_TLS, "the peer closed the connection %s",
                 socket->state == SOCKET_OPEN ? "without close_notify" : "during the handshake"));
    } else if (n < 0) {
        socket_fail(socket, system_error(socket, (int)n, "receiving"));
    } else {
        read_input(socket, bytes(buffer->base, (size_t)n));
    }
    if (hurried)
        loop_run_work(loop);
}

/* `reading` may be set already. */
static void watch(Socket *socket)
{
    int error = uv_read_start(&socket->uv.stream, give_buffer, on_input);
    socket->reading = !error;
    socket->unwatched = false;
    if (error)
        socket_break(socket, error);
}

ReadNow socket_read_now(Socket *socket)
{
    socket->n_told = 0;
    uv_os_fd_t fd;
    if (!socket->reading || uv_fileno(&socket->uv.handle, &fd))
        return (ReadNow){.more = false};
    uv_buf_t buffer = buffer_of(socket, socket->floods ? READ_FEW : READ_SOME);
    ssize_t n = read(fd, buffer.base, buffer.len);
    int error = n < 0 ? uv_translate_sys_error(errno) : 0;
    if (error != UV_EAGAIN && error != UV_EINTR)
        on_input(&socket->uv.stream, n == 0 ? UV_EOF : error ? error : n, &buffer);
    if (socket->unwatched && (n <= 0 || !socket->rank))
        watch(socket);
    return (ReadNow){.bytes = n > 0 ? (uint32_t)n : 0,
                     .more = socket->reading && (n == (ssize_t)buffer.len || socket->unwatched)};
}

void socket_resume(Socket *socket)
{
    socket->paused = false;
    if (socket->reading || socket->eof || socket->state == SOCKET_FRESH ||
        socket->state >= SOCKET_LOST)
        return;
    watch(socket);
}

void socket_pause(Socket *socket)
{
    socket->paused = true;
    stop_reading(socket);
}

/* The stream is connected. */
static void socket_begin(Socket *socket)
{
    socket->state = socket->events->on_preamble ? SOCKET_PREAMBLE
                    : socket->tls               ? SOCKET_HANDSHAKE
                                                : SOCKET_OPEN;
    if (!socket->paused)
        socket_resume(socket);
    if (socket->state != SOCKET_PREAMBLE && socket->state < SOCKET_LOST)
        socket_serve(socket);
}

/* After a write has failed: what has arrived, which is no more than the kernel keeps, then the
   loss. */
static void read_rest(Socket *socket)
{
    uint8_t *buffer = socket->loop->private->read_buffer;
    uv_os_fd_t fd;
    ssize_t n = uv_fileno(&socket->uv.handle, &fd) == 0 && !socket->eof ? 1 : 0;
    for (size_t left = REST_MAX; n > 0 && left >= LOOP_READ_SIZE; left -= (size_t)n) {
        n = read(fd, buffer, LOOP_READ_SIZE);
        if (n > 0)
            read_input(socket, bytes(buffer, (size_t)n)); /* may close it */
        if (socket->state != SOCKET_OPEN)
            return;
    }
    socket_fail(socket, system_error(socket, socket->error, "sending"));
}

static void run_later(LoopWork *work)
{
    Socket *socket = socket_of(work);
    if (socket->state == SOCKET_FRESH)
        socket_begin(socket);
    else if (socket->state == SOCKET_OPEN && socket->error)
        read_rest(socket);
    else if (socket->state == SOCKET_OPEN)
        tell_writable(socket);
    else if (socket->state == SOCKET_LOST)
        socket->events->on_lost(socket,
                                system_error(socket, socket->error, "using the connection"));
}

static void socket_init(Socket *socket, Loop *loop, const SocketEvents *events, bool tcp)
{
    *socket = (Socket){.loop = loop, .events = events, .later.run = run_later};
    /* Without flags neither creates a descriptor, so neither can fail. */
    if (tcp)
        uv_tcp_init(&loop->uv, &socket->uv.tcp);
    else
        uv_pipe_init(&loop->uv, &socket->uv.pipe, 0);
    socket->uv.handle.data = socket;
}

/* 0, or libuv's error; then the descriptor is closed. */
static int take_over(Socket *socket, Loop *loop, const SocketEvents *events, int fd, bool tcp)
{
    socket_init(socket, loop, events, tcp);
    int error = tcp ? uv_tcp_open(&socket->uv.tcp, fd) : uv_pipe_open(&socket->uv.pipe, fd);
    if (error)
        close(fd);
    return error;
}

static void begin_later(Socket *socket, int error)
{
    if (error)
        socket_break(socket, error);
    else
        loop_defer(socket->loop, &socket->later);
}

void socket_open(Socket *socket, Loop *loop, const SocketEvents *events, int fd, bool tcp,
                 SSL_CTX *tls)
{
    int error = take_over(socket, loop, events, fd, tcp);
    if (!error && tls)
        error = tls_accept(socket, tls);
    begin_later(socket, error);
}

void socket_connect(Socket *socket, Loop *loop, const SocketEvents *events, int fd, bool tcp,
                    const SocketPeer *peer)
{
    int error = take_over(socket, loop, events, fd, tcp);
    socket->dialed = true;
    if (!error && tcp) {
        uv_tcp_nodelay(&socket->uv.tcp, 1);
        uv_tcp_keepalive(&socket->uv.tcp, 1, KEEPALIVE_DELAY);
    }
    if (!error && peer->tls)
        error = tls_connect(socket, peer);
    begin_later(socket, error);
}

static void on_shut(uv_shutdown_t *request, int status)
{
    (void)status; /* an error means that the peer has left: reading reports it */
    free(request);
}

void socket_shutdown(Socket *socket)
{
    if (socket->state != SOCKET_OPEN || socket->shut)
        return;
    if (socket->tls) {
        tls_close(socket);
        send_cipher(socket);
    }
    socket->shut = true;
    uv_shutdown_t *request = malloc(sizeof(*request));
    CHECK(request);
    if (uv_shutdown(request, &socket->uv.stream, on_shut))
        free(request); /* no longer connected */
}

static void on_handle_closed(uv_handle_t *handle)
{
    Socket *socket = handle->data;
    loop_enter(socket->loop);
    tls_free(socket);
    socket->events->on_closed(socket); /* may free it */
}

void socket_close(Socket *socket)
{
    if (socket->state == SOCKET_CLOSING)
        return;
    socket->state = SOCKET_CLOSING;
    socket->reading = socket->unwatched = false;
    if (socket->waits)
        read_order_forget(&socket->loop->order, socket);
    loop_undefer(socket->loop, &socket->later);
    uv_close(&socket->uv.handle, on_handle_closed);
}

bool socket_is_reset(Socket *socket)
{
    struct pollfd look = {.events = 0}; /* errors are always told */
    return uv_fileno(&socket->uv.handle, &look.fd) == 0 && poll(&look, 1, 0) == 1 &&
           look.revents & (POLLERR | POLLHUP);
}

void socket_peer_name(const IpAddress *ip, uint16_t port, char name[SOCKET_NAME_SIZE])
{
    char host[IP_TEXT_SIZE];
    if (!ip->known) {
        snprintf(name, SOCKET_NAME_SIZE, "unix");
        return;
    }
    ip_write(ip, host);
    snprintf(name, SOCKET_NAME_SIZE, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

void socket_address_name(const struct sockaddr *address, char name[SOCKET_NAME_SIZE])
{
    IpAddress ip = ip_of(address);
    uint16_t port = address->sa_family == AF_INET ? ((const struct sockaddr_in *)address)->sin_port
                    : address->sa_family == AF_INET6
                        ? ((const struct sockaddr_in6 *)address)->sin6_port
                        : 0;
    socket_peer_name(&ip, ntohs(port), name);
}
