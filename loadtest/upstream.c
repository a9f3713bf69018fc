/*
 * A service that costs next to nothing, for load tests: HTTP/1.1 and HTTP/2 in clear on one port.
 *
 *   upstream PORT GRPC_MESSAGE_FILE JSON_FILE [everywhere] [NAME=FILE | NAME:FILE | NAME]...
 *
 * Requests whose path ends with "/NAME", or that have a field "x-reply: NAME", get the file as it
 * is (with "=": in gRPC it begins with five bytes), each of its gRPC messages in a write of its own
 * (with ":"), or what they sent. Otherwise gRPC requests get the message of the first file, and all
 * others the text of the second as application/json; and those whose path ends with "/Watch" or
 * "/Lookup" are never answered. "everywhere": at all addresses of the machine. One thread, epoll;
 * it says "ready" on stdout.
 */
#include "base/arena.h"
#include "loadtest/beside/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_EVENTS = 256, REPLIES = 32, DRIPS = 64 /* in a turn of the loop */ };

typedef enum ReplyKind { WHOLE, DRIPPING, ECHO, SILENT } ReplyKind;

typedef struct Reply {
    const char *name; /* of paths that end with "/" and it */
    ReplyKind kind;
    Bytes body;
} Reply;

typedef struct Request Request;

typedef struct Client {
    Wire wire;         /* its engine is NULL until the first byte */
    Request *dripping; /* list of those whose messages are sent one by one */
} Client;

struct Request {
    Client *client;
    HttpStream *stream;
    const Reply *reply;
    Bytes left;     /* of a dripping one */
    uint8_t *heard; /* what it sent, for an echo; owned */
    size_t n_heard, room;
    Request *next; /* in the list of those */
    bool grpc;
};

static Reply grpc_reply, json_reply, no_reply = {.kind = SILENT};
static Reply replies[REPLIES];
static int n_replies;
static Arena *arena;
static HttpLimits limits;
static int poll_fd;

/* ---- Answers --------------------------------------------------------------------------------- */

static void request_free(Request *request)
{
    free(request->heard);
    free(request);
}

static void send_head(const Request *request, int64_t size)
{
    HttpHead head = {.status = 200, .content_length = size, .fields = fields_in(arena)};
    const char *type = request->grpc ? "application/grpc" : "application/json";
    fields_add(&head.fields, bytes_of("content-type"), bytes_of(type));
    http_stream_send_head(request->stream, &head, false);
}

static void send_end(Request *request)
{
    Fields trailers = fields_in(arena);
    fields_add(&trailers, bytes_of("grpc-status"), bytes_of("0"));
    http_stream_send_end(request->stream, request->grpc ? &trailers : NULL);
    http_stream_release(request->stream);
    arena_reset(arena);
    request_free(request);
}

static void send_whole(Request *request, Bytes body)
{
    send_head(request, request->grpc ? -1 : (int64_t)body.size);
    http_stream_send_body(request->stream, body);
    send_end(request);
}

static void answer(Request *request)
{
    Bytes body = request->reply->body;
    switch (request->reply->kind) {
    case SILENT: return;
    case ECHO: send_whole(request, bytes(request->heard, request->n_heard)); return;
    case DRIPPING:
        send_head(request, -1);
        request->left = body;
        request->next = request->client->dripping;
        request->client->dripping = request;
        return;
    case WHOLE: send_whole(request, body);
    }
}

static bool is_named(Bytes path, const char *name)
{
    Bytes end = bytes_of(name);
    return path.size > end.size && path.data[path.size - end.size - 1] == '/' &&
           bytes_end_with(path, name);
}

static const Reply *reply_of(const HttpHead *head, bool grpc)
{
    Bytes wanted = fields_get(&head->fields, "x-reply");
    for (int i = 0; i < n_replies; i++)
        if (wanted.size ? bytes_are(wanted, replies[i].name)
                        : is_named(head->path, replies[i].name))
            return &replies[i];
    if (is_named(head->path, "Watch") || is_named(head->path, "Lookup"))
        return &no_reply;
    return grpc ? &grpc_reply : &json_reply;
}

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    Request *request = owner;
    request->grpc = bytes_start_with(fields_get(&head->fields, "content-type"), "application/grpc");
    request->reply = reply_of(head, request->grpc);
    if (end)
        answer(request);
}

static void hear(Request *request, Bytes piece)
{
    if (request->n_heard + piece.size > request->room) {
        request->room = 2 * (request->n_heard + piece.size);
        request->heard = realloc(request->heard, request->room);
        CHECK(request->heard);
    }
    memcpy(request->heard + request->n_heard, piece.data, piece.size);
    request->n_heard += piece.size;
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Request *request = owner;
    if (request->reply->kind == ECHO)
        hear(request, piece);
    http_stream_consume(stream, piece.size);
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    answer(owner);
}

static void on_drain(void *owner, HttpStream *stream)
{
}

static void request_unlist(Request *request)
{
    Request **at = &request->client->dripping;
    while (*at && *at != request)
        at = &(*at)->next;
    if (*at)
        *at = request->next;
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    Request *request = owner;
    request_unlist(request);
    http_stream_release(stream);
    request_free(request);
}

static const HttpStreamEvents stream_events = {on_head, on_body, on_end, on_drain, on_reset};

static void on_stream(void *owner, HttpConnection *connection, HttpStream *stream,
                      const HttpHead *head)
{
    Request *request = calloc(1, sizeof *request);
    CHECK(request);
    *request = (Request){.client = owner, .stream = stream};
    http_stream_attach(stream, &stream_events, request);
}

static const HttpConnectionEvents connection_events = {.on_stream = on_stream,
                                                       .on_output = wire_on_output};

/* ---- Connections ----------------------------------------------------------------------------- */

/* The first bytes tell which HTTP it is. */
static bool client_knows_http(Client *client)
{
    char first[2];
    ssize_t n = recv(client->wire.fd, first, sizeof first, MSG_PEEK);
    if (n < 0)
        return errno == EAGAIN;
    if (n == 0)
        return false;
    client->wire.http = n == 2 && memcmp(first, "PR", 2) == 0
                            ? http2_server_new(&limits, false, &connection_events, client)
                            : http1_server_new(&limits, false, &connection_events, client);
    return true;
}

/* The next gRPC message. */
static void drip(Request *request)
{
    uint32_t size;
    memcpy(&size, request->left.data + 1, sizeof size);
    Bytes message = bytes_slice(request->left, 0, 5 + ntohl(size));
    request->left = bytes_slice(request->left, message.size, request->left.size - message.size);
    http_stream_send_body(request->stream, message);
    if (request->left.size > 0)
        return;
    request_unlist(request);
    send_end(request);
}

/* The first that has nothing to send yet: what the other side has no room for would be sent
   together with what follows. */
static Request *next_dripping(const Client *client)
{
    Request *request = client->dripping;
    while (request && http_stream_queued(request->stream) > 0)
        request = request->next;
    return request;
}

/* False: the connection is over. */
static bool client_drip(Client *client)
{
    Request *request;
    for (int i = 0; i < DRIPS && (request = next_dripping(client)); i++) {
        drip(request);
        if (!wire_flush(&client->wire))
            return false;
    }
    if (next_dripping(client))
        wire_wake(&client->wire);
    return true;
}

static void client_close(Client *client)
{
    wire_close(&client->wire);
    arena_reset(arena);
    free(client);
}

static bool client_serve(Client *client, uint32_t events)
{
    if (!client->wire.http && !client_knows_http(client))
        return false;
    return !client->wire.http || (wire_ready(&client->wire, events) && client_drip(client));
}

static void accept_all(int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        Client *client = calloc(1, sizeof *client);
        CHECK(client);
        wire_init(&client->wire, poll_fd, fd);
    }
}

/* ---- The process ----------------------------------------------------------------------------- */

/* With the five bytes that gRPC has before it. */
static Bytes frame(Bytes message)
{
    uint8_t *framed = calloc(1, message.size + 5);
    uint32_t size = htonl((uint32_t)message.size);
    CHECK(framed);
    memcpy(framed + 1, &size, sizeof size);
    memcpy(framed + 5, message.data, message.size);
    return bytes(framed, message.size + 5);
}

static void add_reply(char *text)
{
    char *separator = strpbrk(text, "=:");
    CHECK(n_replies < REPLIES);
    Reply *reply = &replies[n_replies++];
    *reply = (Reply){.name = text, .kind = ECHO};
    if (!separator)
        return;
    reply->kind = *separator == '=' ? WHOLE : DRIPPING;
    *separator = '\0';
    reply->body = wire_read_file(separator + 1);
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
    if (argc < 4) {
        fputs("usage: upstream PORT GRPC_MESSAGE_FILE JSON_FILE [everywhere] [REPLY]...\n", stderr);
        return 2;
    }
    bool everywhere = argc > 4 && strcmp(argv[4], "everywhere") == 0;
    grpc_reply.body = frame(wire_read_file(argv[2]));
    json_reply.body = wire_read_file(argv[3]);
    for (int i = everywhere ? 5 : 4; i < argc; i++)
        add_reply(argv[i]);
    arena = arena_new(ARENA_UNLIMITED);
    limits = wire_limits();

    int listener = listen_on((uint16_t)atoi(argv[1]), everywhere ? INADDR_ANY : INADDR_LOOPBACK);
    struct epoll_event event = {.events = EPOLLIN};
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    CHECK(poll_fd >= 0 && epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &event) == 0);
    wire_raise_file_limit();
    signal(SIGPIPE, SIG_IGN);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[MAX_EVENTS];
        int n = epoll_wait(poll_fd, events, MAX_EVENTS, -1);
        for (int i = 0; i < n; i++) {
            Client *client = events[i].data.ptr;
            if (!client)
                accept_all(listener);
            else if (!client_serve(client, events[i].events))
                client_close(client);
        }
    }
}
