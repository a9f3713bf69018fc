/*
 * A service that costs next to nothing, for load tests: HTTP/1.1 and HTTP/2 in clear on one port.
 *
 *   upstream PORT GRPC_MESSAGE_FILE JSON_FILE
 *
 * Every gRPC request is answered with the message of the first file, every other one with the text
 * of the second as application/json; requests whose path ends with "/Watch" or "/Lookup" are never
 * answered. One thread, epoll; it says "ready" on stdout.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "protocols/http/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_EVENTS = 256, READ_SIZE = 1 << 16, VECTORS = 64 };

typedef struct Client {
    int fd;
    HttpConnection *http; /* NULL until the first byte */
    bool wants_output;
} Client;

/* What is known of one request. */
typedef struct Request {
    bool grpc, silent;
} Request;

static Bytes grpc_reply, json_reply;
static Arena *arena;
static HttpLimits limits;
static int poll_fd;

/* ---- Answers --------------------------------------------------------------------------------- */

static void send_grpc(HttpStream *stream)
{
    HttpHead head = {.status = 200, .content_length = -1, .fields = fields_in(arena)};
    Fields trailers = fields_in(arena);
    fields_add(&head.fields, bytes_of("content-type"), bytes_of("application/grpc"));
    fields_add(&trailers, bytes_of("grpc-status"), bytes_of("0"));
    http_stream_send_head(stream, &head, false);
    http_stream_send_body(stream, grpc_reply);
    http_stream_send_end(stream, &trailers);
}

static void send_json(HttpStream *stream)
{
    HttpHead head = {
        .status = 200, .content_length = (int64_t)json_reply.size, .fields = fields_in(arena)};
    fields_add(&head.fields, bytes_of("content-type"), bytes_of("application/json"));
    http_stream_send_head(stream, &head, false);
    http_stream_send_body(stream, json_reply);
    http_stream_send_end(stream, NULL);
}

static void answer(HttpStream *stream, Request *request)
{
    if (request->silent)
        return;
    if (request->grpc)
        send_grpc(stream);
    else
        send_json(stream);
    http_stream_release(stream);
    arena_reset(arena);
    free(request);
}

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    Request *request = owner;
    request->grpc = bytes_start_with(fields_get(&head->fields, "content-type"), "application/grpc");
    request->silent = bytes_end_with(head->path, "/Watch") || bytes_end_with(head->path, "/Lookup");
    if (end)
        answer(stream, request);
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    http_stream_consume(stream, piece.size);
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    answer(stream, owner);
}

static void on_drain(void *owner, HttpStream *stream)
{
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    http_stream_release(stream);
    free(owner);
}

static const HttpStreamEvents stream_events = {on_head, on_body, on_end, on_drain, on_reset};

static void on_stream(void *owner, HttpConnection *connection, HttpStream *stream,
                      const HttpHead *head)
{
    Request *request = calloc(1, sizeof *request);
    CHECK(request);
    http_stream_attach(stream, &stream_events, request);
}

static void on_output(void *owner, HttpConnection *connection)
{
    ((Client *)owner)->wants_output = true;
}

static const HttpConnectionEvents connection_events = {.on_stream = on_stream,
                                                       .on_output = on_output};

/* ---- Connections ----------------------------------------------------------------------------- */

static void watch(int operation, int fd, uint32_t events, void *data)
{
    struct epoll_event event = {.events = events, .data.ptr = data};
    CHECK(epoll_ctl(poll_fd, operation, fd, &event) == 0);
}

static void client_close(Client *client)
{
    if (client->http) {
        http_connection_lost(client->http, FAIL(arena, FAULT_CANCELLED, "the client left"));
        http_connection_free(client->http);
        arena_reset(arena);
    }
    close(client->fd);
    free(client);
}

/* False when the connection is over. */
static bool client_flush(Client *client)
{
    client->wants_output = false;
    for (;;) {
        struct iovec vectors[VECTORS];
        int n = http_connection_output(client->http, vectors, VECTORS);
        if (n == 0)
            break;
        ssize_t sent = writev(client->fd, vectors, n);
        if (sent < 0 && errno == EAGAIN) {
            watch(EPOLL_CTL_MOD, client->fd, EPOLLIN | EPOLLOUT, client);
            return true;
        }
        if (sent < 0)
            return false;
        http_connection_sent(client->http, (size_t)sent);
    }
    HttpPhase phase = http_connection_phase(client->http);
    return phase != HTTP_CLOSING && phase != HTTP_CLOSED;
}

static void client_read(Client *client)
{
    static uint8_t input[READ_SIZE];
    ssize_t n = read(client->fd, input, sizeof input);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        client_close(client);
        return;
    }
    if (!client->http)
        client->http = input[0] == 'P' && input[1] == 'R'
                           ? http2_server_new(&limits, false, &connection_events, client)
                           : http1_server_new(&limits, false, &connection_events, client);
    Result r = http_connection_feed(client->http, bytes(input, (size_t)n), clock_now());
    bool over = failed(r);
    if (client->wants_output)
        over |= !client_flush(client);
    if (over)
        client_close(client);
}

static void client_ready(Client *client, uint32_t events)
{
    if (events & EPOLLOUT) {
        watch(EPOLL_CTL_MOD, client->fd, EPOLLIN, client);
        if (!client_flush(client)) {
            client_close(client);
            return;
        }
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        client_read(client);
}

static void accept_all(int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        Client *client = calloc(1, sizeof *client);
        CHECK(client);
        client->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        watch(EPOLL_CTL_ADD, fd, EPOLLIN, client);
    }
}

/* ---- The process ----------------------------------------------------------------------------- */

static Bytes read_file(const char *path)
{
    FILE *file = fopen(path, "rbe");
    if (!file) {
        perror(path);
        exit(1);
    }
    static uint8_t text[2][READ_SIZE];
    static int n;
    uint8_t *into = text[n++];
    size_t size = fread(into, 1, READ_SIZE, file);
    fclose(file);
    return bytes(into, size);
}

/* The message with the five bytes that gRPC has before it. */
static Bytes frame(Bytes message)
{
    static uint8_t framed[READ_SIZE + 5];
    uint32_t size = htonl((uint32_t)message.size);
    memcpy(framed + 1, &size, sizeof size);
    memcpy(framed + 5, message.data, message.size);
    return bytes(framed, message.size + 5);
}

static int listen_on(uint16_t port, in_addr_t address)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
    name.sin_addr.s_addr = htonl(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&name, sizeof name) != 0 || listen(fd, 4096) != 0) {
        perror("listening");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: upstream PORT GRPC_MESSAGE_FILE JSON_FILE [everywhere]\n");
        return 2;
    }
    grpc_reply = frame(read_file(argv[2]));
    json_reply = read_file(argv[3]);
    arena = arena_new(ARENA_UNLIMITED);
    limits = http_limits_default;
    limits.streams = 1 << 20;
    limits.resets_per_second = limits.control_frames = UINT32_MAX;

    int listener = listen_on((uint16_t)atoi(argv[1]), argc == 5 ? INADDR_ANY : INADDR_LOOPBACK);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    CHECK(poll_fd >= 0);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[MAX_EVENTS];
        int n = epoll_wait(poll_fd, events, MAX_EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                client_ready(events[i].data.ptr, events[i].events);
            else
                accept_all(listener);
        }
    }
}
