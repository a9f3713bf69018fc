#include "gateway/commands/admin_client.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/admin/admin_action.h"
#include "protocols/http/http.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    PATIENCE_SECONDS = 10,
    ACTION_SECONDS = 60,
    READ_SIZE = 1 << 16,
    BODY_MOST = 64 << 20,
    VECTORS = 16
};

typedef struct Asked {
    Arena *arena;
    unsigned status; /* 0: no response yet */
    Buffer body;
    bool done, broken;
} Asked;

/* ---- The response
 * -------------------------------------------------------------------------------- */

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    ((Asked *)owner)->status = head->status;
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Asked *asked = owner;
    if (asked->body.size + piece.size > BODY_MOST)
        asked->broken = true;
    else
        buffer_add(&asked->body, piece.data, piece.size);
    http_stream_consume(stream, piece.size);
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    ((Asked *)owner)->done = true;
}

static void on_drain(void *owner, HttpStream *stream)
{
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    ((Asked *)owner)->broken = true;
}

static const HttpStreamEvents stream_events = {on_head, on_body, on_end, on_drain, on_reset};

/* ---- The connection
 * ------------------------------------------------------------------------------ */

static void tell(const CommandLine *line, const char *address, const char *why)
{
    fprintf(stderr, "passerelle %s: no gateway answers at %s: %s\n", line->command->name, address,
            why);
}

static int connect_unix(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof name.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(name.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&name, sizeof name) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int connect_tcp(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *infos = NULL;
    int fd = -1;
    if (getaddrinfo(host, port, &hints, &infos) != 0) {
        errno = EHOSTUNREACH;
        return -1;
    }
    for (struct addrinfo *info = infos; info && fd < 0; info = info->ai_next) {
        fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC, info->ai_protocol);
        if (fd >= 0 && connect(fd, info->ai_addr, info->ai_addrlen) != 0) {
            int error = errno;
            close(fd);
            errno = error;
            fd = -1;
        }
    }
    freeaddrinfo(infos);
    return fd;
}

static void be_patient(int fd, int seconds)
{
    struct timeval patience = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static bool flush(HttpConnection *http, int fd)
{
    struct iovec vectors[VECTORS];
    for (int n; (n = http_connection_output(http, vectors, VECTORS)) > 0;) {
        ssize_t sent = writev(fd, vectors, n);
        if (sent <= 0)
            return false;
        http_connection_sent(http, (size_t)sent);
    }
    return true;
}

/* Errors are in errno; 0: the gateway broke off. */
static bool ask(Asked *asked, int fd, const char *verb, const char *path, const Fields *fields)
{
    static const HttpConnectionEvents events = {NULL};
    HttpConnection *http = http1_client_new(&http_limits_default, false, &events, NULL);
    HttpHead head = {.method = bytes_of(verb),
                     .scheme = bytes_of("http"),
                     .authority = bytes_of("localhost"),
                     .path = bytes_of(path),
                     .content_length = -1,
                     .fields = *fields};
    HttpStream *stream = http_stream_open(http, &head, true, &stream_events, asked);
    CHECK(stream);
    uint8_t *input = arena_alloc(asked->arena, READ_SIZE);
    int error = 0;
    while (!asked->done && !asked->broken) {
        ssize_t n = flush(http, fd) ? read(fd, input, READ_SIZE) : -1;
        if (n < 0) {
            error = errno == EAGAIN ? ETIMEDOUT : errno;
            break;
        }
        if (n == 0)
            http_connection_eof(http);
        else if (failed(http_connection_feed(http, bytes(input, (size_t)n), clock_now())))
            asked->broken = true;
        if (n == 0 && !asked->done)
            asked->broken = true;
    }
    http_stream_release(stream);
    http_connection_lost(http, OK);
    http_connection_free(http);
    errno = error;
    return asked->done;
}

/* ---- Asking
 * -------------------------------------------------------------------------------------- */

static const char *address_of(const CommandLine *line)
{
    const char *given = command_option(line, "--admin"), *said = getenv("PASSERELLE_ADMIN");
    return given ? given : said && *said ? said : ADMIN_DEFAULT;
}

/* -1: it cannot be reached; -2: it is no address. */
static int connect_to(const char *address, Arena *arena)
{
    if (strncmp(address, "unix:", 5) == 0)
        return connect_unix(address + 5);
    const char *colon = strrchr(address, ':');
    Bytes host = bytes(address, colon ? (size_t)(colon - address) : 0);
    if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
        host = bytes(host.data + 1, host.size - 2);
    uint64_t port;
    if (!host.size || !bytes_to_u64(bytes_of(colon + 1), &port) || port > UINT16_MAX)
        return -2;
    return connect_tcp(arena_text(arena, host), colon + 1);
}

static int tell_refusal(const CommandLine *line, const Asked *asked)
{
    fprintf(stderr, "passerelle %s: the gateway answers %u: %.*s", line->command->name,
            asked->status, (int)asked->body.size, (const char *)asked->body.data);
    return EXIT_NO;
}

static Fields fields_for(const CommandLine *line, Arena *arena)
{
    Fields fields = fields_in(arena);
    const char *token = getenv("PASSERELLE_TOKEN"), *reason = command_option(line, "--reason");
    if (token && *token)
        fields_add(&fields, bytes_of("authorization"),
                   bytes_of(arena_printf(arena, "Bearer %s", token)));
    if (reason)
        fields_add(&fields, bytes_of(ADMIN_REASON), bytes_of(reason));
    return fields;
}

static int ask_gateway(const CommandLine *line, const char *verb, const char *path, int seconds,
                       Arena *arena, Bytes *body_out)
{
    const char *address = address_of(line);
    int fd = connect_to(address, arena);
    if (fd == -2) {
        fprintf(stderr,
                "passerelle %s: %s is not an address: for example 127.0.0.1:9901 or unix:/run/x\n",
                line->command->name, address);
        return EXIT_USAGE;
    }
    if (fd < 0) {
        tell(line, address, strerror(errno));
        return EXIT_UNREACHED;
    }
    be_patient(fd, seconds);
    Asked asked = {.arena = arena, .body = buffer_in(arena)};
    Fields fields = fields_for(line, arena);
    bool heard = ask(&asked, fd, verb, path, &fields);
    int error = errno;
    close(fd);
    if (!heard) {
        tell(line, address, error ? strerror(error) : "it broke off");
        return EXIT_UNREACHED;
    }
    *body_out = buffer_bytes(&asked.body);
    return asked.status == 200 ? EXIT_WELL : tell_refusal(line, &asked);
}

int admin_get(const CommandLine *line, const char *path, Arena *arena, Bytes *body_out)
{
    return ask_gateway(line, "GET", path, PATIENCE_SECONDS, arena, body_out);
}

int admin_act(const CommandLine *line, const char *path, Arena *arena, Bytes *body_out)
{
    return ask_gateway(line, "POST", path, ACTION_SECONDS, arena, body_out);
}
