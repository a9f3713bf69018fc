#include "gateway/listen/bind.h"

#include "base/arena.h"
#include "gateway/handover/handover.h"
#include "gateway/listen/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096, KEEPALIVE_DELAY = 60 /* seconds */ };

/* The process that listens at the socket; 0: nobody that can be asked. */
static pid_t listener_of(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct ucred peer = {.pid = 0};
    socklen_t size = sizeof peer;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof name) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        peer.pid = 0;
    if (fd >= 0)
        close(fd);
    return peer.pid;
}

static const char *hint_of_file(Arena *arena, const char *path)
{
    pid_t pid = listener_of(path);
    return pid ? arena_printf(arena,
                              " (the process %ld listens there; end it, or name another file)",
                              (long)pid)
               : " (remove the file, if nobody needs it, or name another one)";
}

static const char *hint_of(Arena *arena, const Address *address, int error)
{
    if (error == EADDRINUSE && address->path)
        return hint_of_file(arena, address->path);
    if (error == EADDRINUSE)
        return arena_printf(arena, " (ss -ltnp 'sport = :%u' shows by whom; or another port)",
                            address->port);
    return error == EACCES && !address->path
               ? " (low ports need CAP_NET_BIND_SERVICE: AmbientCapabilities= of systemd, or root "
                 "with sandbox and user)"
               : "";
}

static Result system_error(Arena *arena, const char *doing, const ListenerConfig *listener)
{
    int error = errno;
    const Address *address = &listener->address;
    return FAIL(arena, FAULT_SYSTEM, "%s%s%s %s: %s%s", listener->place ? listener->place : "",
                listener->place ? ": " : "", doing, address->text, strerror(error),
                hint_of(arena, address, error));
}

static BoundSocket *bound_new(Arena *arena, const ListenerConfig *listener, uint32_t n_loops)
{
    BoundSocket *bound = arena_make(arena, BoundSocket);
    CHECK(bound);
    bound->listener = listener;
    bound->fds = arena_array(arena, int, n_loops);
    CHECK(bound->fds);
    for (uint32_t i = 0; i < n_loops; i++)
        bound->fds[i] = -1;
    return bound;
}

void bind_close(BoundSocket *sockets, uint32_t n_loops)
{
    for (BoundSocket *s = sockets; s; s = s->next) {
        for (uint32_t i = 0; i < n_loops; i++) {
            if (s->fds[i] >= 0)
                close(s->fds[i]);
            s->fds[i] = -1;
        }
    }
}

/* ---- TCP ------------------------------------------------------------------------------------- */

/* An IPv6 socket also accepts IPv4, unless the config has its own IPv4 listener on the port. */
static bool wants_v6_only(const Config *config, const Address *address)
{
    for (uint32_t i = 0; i < config->n_listeners; i++) {
        const Address *other = &config->listeners[i].address;
        if (other->host && other->port == address->port && !strchr(other->host, ':'))
            return true;
    }
    return false;
}

static bool set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* Accepted connections inherit these options. */
static bool set_options(int fd, int family, bool v6_only)
{
    return set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
           set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) &&
           (family != AF_INET6 || set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6_only)) &&
           set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
           set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
           set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_DELAY);
}

static int open_tcp(const struct addrinfo *info, bool v6_only)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (!set_options(fd, info->ai_family, v6_only) ||
        bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/*
 * With SO_REUSEPORT a second process of the same user could bind our port, too, without an error.
 * So each address is first bound without the option, to check that it is free.
 */
static bool is_free(const struct addrinfo *info, bool v6_only)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool is = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
              (info->ai_family != AF_INET6 || set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6_only)) &&
              bind(fd, info->ai_addr, info->ai_addrlen) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return is;
}

/* ---- Sockets of the process before (handover.h) ---------------------------------------------- */

/* A descriptor for each loop that has none: others share their socket with it. */
static Result share(Arena *arena, const ListenerConfig *listener, int *fds, uint32_t n_loops)
{
    for (uint32_t i = 1; i < n_loops; i++) {
        if (fds[i] < 0)
            fds[i] = fcntl(fds[i - 1], F_DUPFD_CLOEXEC, 0);
        if (fds[i] < 0)
            return system_error(arena, "duplicating the socket of", listener);
    }
    return OK;
}

/*
 * Takes what listens at the address already, one socket for each loop. If the process before had
 * more loops, the loops have several each: else nobody would accept the clients that the kernel
 * gives to the others. With none, fds[0] stays -1.
 */
static Result take_over(Arena *arena, const ListenerConfig *listener,
                        const struct sockaddr *address, socklen_t size, uint32_t n_loops,
                        BoundSocket *bound)
{
    uint32_t n = 0;
    for (int fd; (fd = handover_take_socket(address, size, listener->address.text)) >= 0;) {
        if (n > 0 && n % n_loops == 0) {
            BoundSocket *more = bound_new(arena, listener, n_loops);
            more->next = bound->next;
            bound->next = more;
            bound = more;
        }
        bound->fds[n++ % n_loops] = fd;
        bound->taken = true;
    }
    return n && n < n_loops ? share(arena, listener, bound->fds, n_loops) : OK;
}

/* The supervisor keeps what was bound for the one after this process. */
static void keep_sockets(Arena *arena, const BoundSocket *list, const ListenerConfig *listener,
                         uint32_t n_loops)
{
    uint32_t n = 0;
    for (const BoundSocket *s = list; s; s = s->next)
        n += s->listener == listener ? n_loops : 0;
    int *fds = arena_array(arena, int, n);
    CHECK(fds || !n);
    n = 0;
    for (const BoundSocket *s = list; s; s = s->next)
        for (uint32_t i = 0; i < n_loops && s->listener == listener; i++)
            if (s->fds[i] >= 0)
                fds[n++] = s->fds[i];
    handover_keep_sockets(listener->address.text, fds, n);
}

/* ---- TCP: binding ---------------------------------------------------------------------------- */

static Result open_tcp_address(Arena *arena, const ListenerConfig *listener,
                               const struct addrinfo *info, bool v6_only, uint32_t n_loops,
                               BoundSocket *bound)
{
    if (!is_free(info, v6_only))
        return system_error(arena, "listening on", listener);
    for (uint32_t i = 0; i < n_loops; i++) {
        bound->fds[i] = open_tcp(info, v6_only);
        if (bound->fds[i] < 0)
            return system_error(arena, "listening on", listener);
        /* Port 0: all sockets get the port that was assigned to the first. */
        socklen_t size = info->ai_addrlen;
        if (getsockname(bound->fds[i], info->ai_addr, &size) != 0)
            return system_error(arena, "resolving the address of", listener);
    }
    return OK;
}

static Result bind_tcp_address(Arena *arena, const Config *config, const ListenerConfig *listener,
                               const struct addrinfo *info, uint32_t n_loops, BoundSocket *bound)
{
    bool v6_only = info->ai_family == AF_INET6 && wants_v6_only(config, &listener->address);
    Result r = take_over(arena, listener, info->ai_addr, info->ai_addrlen, n_loops, bound);
    if (failed(r) || bound->fds[0] >= 0)
        return r;
    return open_tcp_address(arena, listener, info, v6_only, n_loops, bound);
}

static Result bind_tcp(Arena *arena, const Config *config, const ListenerConfig *listener,
                       uint32_t n_loops, BoundSocket **list)
{
    const Address *address = &listener->address;
    char port[8];
    snprintf(port, sizeof(port), "%u", address->port);
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *infos = NULL;
    /* May block on name servers. No loop is blocked: at the start none runs yet, and a reload binds
       on its own thread (reload.c). */
    int error = getaddrinfo(address->host, port, &hints, &infos);
    if (error)
        return FAIL(arena, FAULT_BAD_CONFIG, "resolving %s: %s", address->text,
                    gai_strerror(error));

    Result r = OK;
    for (struct addrinfo *info = infos; info && !failed(r); info = info->ai_next) {
        BoundSocket *bound = bound_new(arena, listener, n_loops);
        bound->next = *list;
        *list = bound;
        r = bind_tcp_address(arena, config, listener, info, n_loops, bound);
    }
    freeaddrinfo(infos);
    return r;
}

/* ---- Unix sockets ---------------------------------------------------------------------------- */

/* Removes the file of a socket that an earlier process left: it refuses connections. */
static void remove_stale(const struct sockaddr_un *name)
{
    struct stat info;
    if (lstat(name->sun_path, &info) != 0 || !S_ISSOCK(info.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)name, sizeof(*name)) != 0 && errno == ECONNREFUSED)
        unlink(name->sun_path);
    close(fd);
}

/* Without its file nobody finds a socket, also one that was taken over. */
static bool has_file(const struct sockaddr_un *name)
{
    struct stat info;
    return lstat(name->sun_path, &info) == 0 && S_ISSOCK(info.st_mode);
}

/* The file that bind creates gets the mode of the socket, so it is private from the beginning; one
   whose rights are said is nobody's until it has them. */
static bool set_mode(int fd, const ListenerConfig *listener)
{
    if (listener->rights)
        return fchmod(fd, 0) == 0;
    return !listener->private || fchmod(fd, S_IRUSR | S_IWUSR) == 0;
}

/* It does not listen yet. */
static int open_unix(const struct sockaddr_un *name, const ListenerConfig *listener)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (!set_mode(fd, listener) || bind(fd, (const struct sockaddr *)name, sizeof(*name)) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static Result give_rights(Arena *arena, const ListenerConfig *listener)
{
    return listener->rights ? socket_file_give(arena, &listener->address, listener->rights) : OK;
}

static Result bind_unix(Arena *arena, const ListenerConfig *listener, uint32_t n_loops,
                        BoundSocket **list)
{
    const Address *address = &listener->address;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(address->path) >= sizeof(name.sun_path))
        return FAIL(arena, FAULT_BAD_CONFIG,
                    "the path of %s is longer than the %zu bytes allowed for a Unix socket",
                    address->text, sizeof(name.sun_path) - 1);
    strcpy(name.sun_path, address->path);

    BoundSocket *bound = bound_new(arena, listener, n_loops);
    bound->next = *list;
    *list = bound;
    Result r = has_file(&name) ? take_over(arena, listener, (struct sockaddr *)&name, sizeof name,
                                           n_loops, bound)
                               : OK;
    if (failed(r))
        return r;
    if (bound->fds[0] >= 0)
        return give_rights(arena, listener);
    remove_stale(&name);
    bound->fds[0] = open_unix(&name, listener);
    if (bound->fds[0] < 0)
        return system_error(arena, "listening on", listener);
    r = give_rights(arena, listener);
    if (failed(r))
        return r;
    if (listen(bound->fds[0], BACKLOG) != 0)
        return system_error(arena, "listening on", listener);
    return share(arena, listener, bound->fds, n_loops);
}

/* Closes what was opened, and removes the files of Unix sockets. */
static void undo(BoundSocket *list, uint32_t n_loops)
{
    for (BoundSocket *s = list; s; s = s->next) {
        if (s->listener->address.path && s->fds[0] >= 0 && !s->taken)
            unlink(s->listener->address.path);
    }
    bind_close(list, n_loops);
}

/* Binds the Unix sockets (`in_files`), or all others. */
static Result bind_all(Arena *arena, const Config *config, const Config *running, uint32_t n_loops,
                       bool in_files, BoundSocket **list)
{
    Result r = OK;
    for (uint32_t i = 0; i < config->n_listeners && !failed(r); i++) {
        const ListenerConfig *listener = &config->listeners[i];
        bool in_file = listener->address.path != NULL;
        if (in_file != in_files || config_listener(running, listener->address.text))
            continue;
        r = in_file ? bind_unix(arena, listener, n_loops, list)
                    : bind_tcp(arena, config, listener, n_loops, list);
    }
    return r;
}

/* Of sockets that stay. */
static Result change_rights(Arena *arena, const Config *config, const Config *running)
{
    Result r = OK;
    for (uint32_t i = 0; i < config->n_listeners && !failed(r); i++)
        if (config_listener(running, config->listeners[i].address.text))
            r = give_rights(arena, &config->listeners[i]);
    return r;
}

/* Unix sockets are bound last, after all name lookups: a process that is ended during a lookup
   leaves no file. */
Result bind_listeners(Arena *arena, const Config *config, const Config *running, uint32_t n_loops,
                      BoundSocket **sockets_out)
{
    BoundSocket *list = NULL;
    *sockets_out = NULL;
    Result r = bind_all(arena, config, running, n_loops, false, &list);
    if (!failed(r))
        r = bind_all(arena, config, running, n_loops, true, &list);
    if (!failed(r))
        r = change_rights(arena, config, running);
    if (failed(r)) {
        undo(list, n_loops);
        return r;
    }
    for (uint32_t i = 0; i < config->n_listeners; i++)
        if (!config_listener(running, config->listeners[i].address.text))
            keep_sockets(arena, list, &config->listeners[i], n_loops);
    *sockets_out = list;
    return OK;
}

void bind_forget(const Config *config, const Config *kept)
{
    for (uint32_t i = 0; i < config->n_listeners; i++) {
        const Address *address = &config->listeners[i].address;
        if (handover_shared() || config_listener(kept, address->text))
            continue;
        handover_keep_sockets(address->text, NULL, 0);
        if (address->path)
            unlink(address->path);
    }
}
