#include "loadtest/beside/wire.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 18, TLS_WRITE_SIZE = 1 << 16, VECTORS = 64 };

static uint8_t input[READ_SIZE];

void wire_on_output(void *owner, HttpConnection *connection)
{
    ((Wire *)owner)->wants_output = true;
}

HttpLimits wire_limits(void)
{
    HttpLimits limits = http_limits_default;
    limits.streams = 1 << 20;
    limits.resets_per_second = limits.control_frames = UINT32_MAX;
    limits.queue_high = UINT32_MAX;
    return limits;
}

void wire_raise_file_limit(void)
{
    struct rlimit files;
    CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
    files.rlim_cur = files.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
}

static void watch(Wire *wire, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = wire};
    CHECK(epoll_ctl(wire->poll_fd, operation, wire->fd, &event) == 0);
}

void wire_init(Wire *wire, int poll_fd, int fd)
{
    *wire = (Wire){.fd = fd, .poll_fd = poll_fd};
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    watch(wire, EPOLL_CTL_ADD, EPOLLIN);
}

bool wire_connect(Wire *wire, int poll_fd, uint16_t port, uint32_t from)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(from)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    CHECK(from == 0 || bind(fd, (struct sockaddr *)&name, sizeof name) == 0);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name.sin_port = htons(port);
    if (connect(fd, (struct sockaddr *)&name, sizeof name) != 0) {
        close(fd);
        return false;
    }
    wire_init(wire, poll_fd, fd);
    return true;
}

void wire_secure(Wire *wire, SSL_CTX *context, const char *alpn)
{
    uint8_t protocols[16];
    size_t size = strlen(alpn);
    protocols[0] = (uint8_t)size;
    memcpy(protocols + 1, alpn, size);
    wire->tls = SSL_new(context);
    CHECK(wire->tls && SSL_set_fd(wire->tls, wire->fd) == 1);
    CHECK(SSL_set_alpn_protos(wire->tls, protocols, (unsigned)size + 1) == 0);
    SSL_set_tlsext_host_name(wire->tls, "localhost");
    SSL_set1_host(wire->tls, "localhost");
    SSL_set_connect_state(wire->tls);
}

/* ---- Sending --------------------------------------------------------------------------------- */

/* As writev: -1 with EAGAIN. */
static ssize_t write_tls(Wire *wire, const struct iovec *vectors, int n)
{
    static uint8_t output[TLS_WRITE_SIZE];
    size_t size = 0, sent;
    for (int i = 0; i < n && size < sizeof output; i++) {
        size_t room = sizeof output - size;
        size_t part = vectors[i].iov_len < room ? vectors[i].iov_len : room;
        memcpy(output + size, vectors[i].iov_base, part);
        size += part;
    }
    int told = SSL_write_ex(wire->tls, output, size, &sent);
    if (told == 1)
        return (ssize_t)sent;
    int error = SSL_get_error(wire->tls, told);
    errno = error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? EAGAIN : EPIPE;
    return -1;
}

static bool is_over(const Wire *wire)
{
    HttpPhase phase = http_connection_phase(wire->http);
    return phase == HTTP_CLOSING || phase == HTTP_CLOSED;
}

/* In a handshake that waits for the peer, the rest is sent after its next bytes. */
static void block(Wire *wire)
{
    wire->wants_output = true;
    if (wire->tls && SSL_want_read(wire->tls))
        return;
    wire->blocked = true;
    watch(wire, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

bool wire_flush(Wire *wire)
{
    if (wire->blocked)
        return true;
    wire->wants_output = false;
    for (;;) {
        struct iovec vectors[VECTORS];
        int n = http_connection_output(wire->http, vectors, VECTORS);
        if (n == 0)
            return !is_over(wire);
        ssize_t sent = wire->tls ? write_tls(wire, vectors, n) : writev(wire->fd, vectors, n);
        if (sent < 0 && errno == EAGAIN) {
            block(wire);
            return true;
        }
        if (sent < 0)
            return false;
        http_connection_sent(wire->http, (size_t)sent);
    }
}

void wire_wake(Wire *wire)
{
    if (wire->blocked)
        return;
    wire->blocked = wire->wants_output = true; /* it only seems so */
    watch(wire, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

/* ---- Receiving ------------------------------------------------------------------------------- */

static bool feed(Wire *wire, size_t size)
{
    Result r = http_connection_feed(wire->http, bytes(input, size), clock_now());
    return !failed(r);
}

static bool read_tls(Wire *wire)
{
    size_t size;
    int told;
    while ((told = SSL_read_ex(wire->tls, input, sizeof input, &size)) == 1)
        if (!feed(wire, size))
            return false;
    return SSL_get_error(wire->tls, told) == SSL_ERROR_WANT_READ;
}

static bool read_clear(Wire *wire)
{
    ssize_t size = read(wire->fd, input, sizeof input);
    if (size < 0)
        return errno == EAGAIN;
    return size > 0 && feed(wire, (size_t)size);
}

bool wire_ready(Wire *wire, uint32_t events)
{
    if (wire->blocked && events & EPOLLOUT) {
        watch(wire, EPOLL_CTL_MOD, EPOLLIN);
        wire->blocked = false;
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        bool good = wire->tls ? read_tls(wire) : read_clear(wire);
        if (!good)
            return false;
    }
    return !wire->wants_output || wire_flush(wire);
}

void wire_close(Wire *wire)
{
    if (wire->http) {
        http_connection_lost(wire->http, OK);
        http_connection_free(wire->http);
    }
    if (wire->tls) {
        SSL_shutdown(wire->tls);
        SSL_free(wire->tls);
    }
    close(wire->fd);
}

Bytes wire_read_file(const char *path)
{
    FILE *file = fopen(path, "rbe");
    if (!file) {
        perror(path);
        exit(1);
    }
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    uint8_t *text = malloc(size + 1);
    CHECK(text);
    rewind(file);
    CHECK(fread(text, 1, size, file) == size);
    fclose(file);
    return bytes(text, size);
}
