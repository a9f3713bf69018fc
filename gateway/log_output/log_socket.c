#include "gateway/log_output/log_socket.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE = 500 /* milliseconds for a receiver that does not take a message at once */ };

#define CONNECT_PAUSE (1 * SECOND)

/* ---- Where ----------------------------------------------------------------------------------- */

static bool set_path(LogSocket *s, const char *path)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&s->address;
    size_t size = strlen(path);
    if (size >= sizeof address->sun_path)
        return false;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, size + 1);
    s->address_size = sizeof *address;
    return true;
}

static bool set_host(LogSocket *s, const char *host, uint16_t port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&s->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&s->address;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        s->address_size = sizeof *v4;
        return true;
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    s->address_size = sizeof *v6;
    return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1;
}

bool log_socket_init(LogSocket *socket, const LogOutputConfig *config)
{
    *socket = (LogSocket){.stream = config->transport == LOG_BY_TCP,
                          .by_memory = config->to == LOG_TO_JOURNAL,
                          .fd = -1};
    return config->path ? set_path(socket, config->path)
                        : set_host(socket, config->host, config->port);
}

/* ---- Connecting ------------------------------------------------------------------------------ */

void log_socket_close(LogSocket *socket)
{
    if (socket->fd >= 0)
        close(socket->fd);
    socket->fd = -1;
    if (socket->proved)
        socket->next = 0;
    socket->proved = false;
}

/* Whether it takes bytes, now or in a moment. */
static bool wait_for_room(LogSocket *s)
{
    struct pollfd poller = {.fd = s->fd, .events = POLLOUT};
    if (s->stalled)
        return false;
    int ready;
    do
        ready = poll(&poller, 1, PATIENCE);
    while (ready < 0 && errno == EINTR);
    s->stalled = ready <= 0;
    return ready > 0;
}

static bool is_connected(LogSocket *s)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (connect(s->fd, (const struct sockaddr *)&s->address, s->address_size) == 0)
        return true;
    return errno == EINPROGRESS && wait_for_room(s) &&
           getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && !error;
}

static bool open_socket(LogSocket *s)
{
    int64_t now = clock_now();
    if (now < s->next)
        return false;
    s->next = now + CONNECT_PAUSE;
    s->stalled = false;
    s->fd = socket(s->address.ss_family,
                   (s->stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd >= 0 && is_connected(s))
        return true;
    log_socket_close(s);
    return false;
}

/* A receiver that has closed a stream takes what is sent once more, and drops it. */
static bool has_ended(const LogSocket *s)
{
    char byte;
    return s->stream && recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* ---- Sending --------------------------------------------------------------------------------- */

typedef enum Sent { SENT, SENT_NOT, SENT_GONE /* a new connection may take it */ } Sent;

static Sent send_in_memory(LogSocket *s, Bytes message);

static Sent why_not(LogSocket *s, Bytes message, bool begun)
{
    switch (errno) {
    case EMSGSIZE: return s->by_memory ? send_in_memory(s, message) : SENT_NOT;
    case ENOBUFS:
    case EAGAIN: return SENT_NOT;
    default: return begun ? SENT_NOT : SENT_GONE;
    }
}

/* Of a stream, a message that is sent in part ends the connection: what follows would be read as
   the rest of it. */
static Sent send_whole(LogSocket *s, Bytes message)
{
    for (size_t at = 0; at < message.size;) {
        ssize_t n = send(s->fd, message.data + at, message.size - at, MSG_NOSIGNAL);
        if (n >= 0) {
            s->stalled = false;
            s->proved = true;
            at += (size_t)n;
            continue;
        }
        if (errno == EINTR || (errno == EAGAIN && wait_for_room(s)))
            continue;
        Sent sent = why_not(s, message, at > 0);
        if (at)
            log_socket_close(s);
        return sent;
    }
    return SENT;
}

static Sent send_file(LogSocket *s, int file)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct iovec nothing = {NULL, 0};
    struct msghdr message = {.msg_iov = &nothing,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.room};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof file);
    memcpy(CMSG_DATA(head), &file, sizeof file);
    for (;;) {
        if (sendmsg(s->fd, &message, MSG_NOSIGNAL) >= 0)
            return SENT;
        if (errno != EINTR && (errno != EAGAIN || !wait_for_room(s)))
            return SENT_NOT;
    }
}

/* The journal reads a file in memory that nobody can change any more. */
static Sent send_in_memory(LogSocket *s, Bytes message)
{
    int file = memfd_create("passerelle-log", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0)
        return SENT_NOT;
    bool written = write(file, message.data, message.size) == (ssize_t)message.size;
    Sent sent = written && fcntl(file, F_ADD_SEALS,
                                 F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0
                    ? send_file(s, file)
                    : SENT_NOT;
    close(file);
    return sent;
}

bool log_socket_send(LogSocket *s, Bytes message)
{
    if (s->fd >= 0 && has_ended(s))
        log_socket_close(s);
    if (s->fd < 0 && !open_socket(s))
        return false;
    Sent sent = send_whole(s, message);
    if (sent != SENT_GONE)
        return sent == SENT;
    log_socket_close(s); /* the receiver was started again, most likely */
    if (!open_socket(s))
        return false;
    sent = send_whole(s, message);
    if (sent == SENT_GONE)
        log_socket_close(s);
    return sent == SENT;
}
