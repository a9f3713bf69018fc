#include "gateway/remote/admin_link.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/net/ip.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct AdminLink {
    Arena *arena;
    int fd;
    int64_t deadline;
    SSL_CTX *context; /* NULL: no TLS, as the next one */
    SSL *tls;
    bool shows_certificate;
    void (*on_pipe)(int); /* what SIGPIPE did before; OpenSSL writes without MSG_NOSIGNAL */
};

/* ---- Waiting --------------------------------------------------------------------------------- */

static Result system_error(AdminLink *link, const char *doing, int error)
{
    return FAIL(link->arena, FAULT_SYSTEM, "%s%s%s", doing, *doing ? ": " : "", strerror(error));
}

static Result wait_for(AdminLink *link, short events)
{
    struct pollfd poll_fd = {.fd = link->fd, .events = events};
    for (;;) {
        int64_t left = link->deadline - clock_now();
        if (left <= 0)
            return system_error(link, "", ETIMEDOUT);
        int n = poll(&poll_fd, 1, (int)(left / MILLISECOND) + 1);
        if (n > 0)
            return OK;
        if (n < 0 && errno != EINTR)
            return system_error(link, "waiting", errno);
    }
}

/* ---- Connecting ------------------------------------------------------------------------------ */

static Result connect_socket(AdminLink *link, int family, const struct sockaddr *name,
                             socklen_t size)
{
    link->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (link->fd < 0)
        return system_error(link, "opening a socket", errno);
    int error = connect(link->fd, name, size) == 0 ? 0 : errno;
    Result r = OK;
    if (error == EINPROGRESS) {
        socklen_t error_size = sizeof error;
        r = wait_for(link, POLLOUT);
        if (!failed(r) && getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &error_size) != 0)
            error = errno;
    }
    if (!failed(r) && error)
        r = system_error(link, "", error);
    if (failed(r)) {
        close(link->fd);
        link->fd = -1;
    }
    return r;
}

static Result connect_unix(AdminLink *link, const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof name.sun_path)
        return system_error(link, "", ENAMETOOLONG);
    strcpy(name.sun_path, path);
    return connect_socket(link, AF_UNIX, (struct sockaddr *)&name, sizeof name);
}

/* To the first address of the host that answers. */
static Result connect_tcp(AdminLink *link, const AdminAddress *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *infos = NULL;
    int error = getaddrinfo(address->host, address->port, &hints, &infos);
    if (error)
        return FAIL(link->arena, FAULT_SYSTEM, "%s has no address: %s", address->host,
                    gai_strerror(error));
    Result r = OK;
    for (struct addrinfo *info = infos; info && link->fd < 0; info = info->ai_next)
        r = connect_socket(link, info->ai_family, info->ai_addr, info->ai_addrlen);
    freeaddrinfo(infos);
    return r;
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static Result untrusted(AdminLink *link, long verdict)
{
    const char *why = X509_verify_cert_error_string(verdict);
    switch (verdict) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return FAIL(link->arena, FAULT_TLS,
                    "the gateway's certificate is of another authority: %s; --ca names the "
                    "authorities to trust",
                    why);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return FAIL(link->arena, FAULT_TLS, "the gateway's certificate is for another name: %s",
                    why);
    }
    return FAIL(link->arena, FAULT_TLS, "the gateway's certificate is not valid: %s", why);
}

/* What the gateway says about ours is an alert. */
static bool is_about_our_certificate(int reason)
{
    switch (reason - SSL_AD_REASON_OFFSET) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_DECRYPT_ERROR: return true;
    }
    return false;
}

/* A server may end without an alert, or before we could read it. */
static Result broken_off(AdminLink *link)
{
    return FAIL(link->arena, FAULT_TLS, "it broke off: it may %s",
                link->shows_certificate ? "not accept our certificate"
                                        : "want a certificate of the operator, --cert and --key");
}

static Result tls_error(AdminLink *link, int error)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code), system = errno;
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    long verdict = SSL_get_verify_result(link->tls);
    if (error == SSL_ERROR_SYSCALL && code == 0 && (system == 0 || system == ECONNRESET))
        return broken_off(link);
    if (error == SSL_ERROR_SYSCALL && code == 0)
        return system_error(link, "", system);
    if (ERR_GET_LIB(code) != ERR_LIB_SSL)
        return FAIL(link->arena, FAULT_TLS, "TLS: %s", text ? text : "no reason given");
    if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return broken_off(link);
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK)
        return untrusted(link, verdict);
    if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_PACKET_LENGTH_TOO_LONG)
        return FAIL(link->arena, FAULT_TLS,
                    "there is no TLS: write http:// instead of https://, if that is meant");
    if (reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED ||
        reason == SSL_R_SSLV3_ALERT_NO_CERTIFICATE)
        return FAIL(link->arena, FAULT_TLS,
                    "the gateway wants a certificate of the operator: --cert and --key");
    if (is_about_our_certificate(reason))
        return FAIL(link->arena, FAULT_TLS, "the gateway does not accept our certificate: %s",
                    text);
    return FAIL(link->arena, FAULT_TLS, "TLS: %s", text ? text : "no reason given");
}

/* After an operation of OpenSSL that gave `done`: whether it has to be tried again. */
static Result tls_again(AdminLink *link, int done, bool *again_out)
{
    int error = SSL_get_error(link->tls, done);
    *again_out = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    return *again_out ? wait_for(link, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT)
                      : tls_error(link, error);
}

static Result handshake(AdminLink *link)
{
    for (;;) {
        bool again;
        ERR_clear_error();
        errno = 0;
        int done = SSL_connect(link->tls);
        if (done == 1)
            return OK;
        Result r = tls_again(link, done, &again);
        if (failed(r))
            return r;
    }
}

static Result begin_tls(AdminLink *link, const AdminAddress *address, const TlsFiles *files)
{
    IpAddress ip;
    bool is_ip = ip_read(bytes_of(address->host), &ip);
    Result r = tls_client_context(link->arena, files, &link->context);
    if (failed(r)) {
        const Error *error = error_with_field(r);
        return FAIL_FIELD(link->arena, FAULT_BAD_CONFIG, error ? error->field : "", "%s",
                          error_text(link->arena, r));
    }
    link->shows_certificate = files->certificate != NULL;
    link->tls = SSL_new(link->context);
    CHECK(link->tls && SSL_set_fd(link->tls, link->fd) == 1);
    if (SSL_set1_host(link->tls, address->host) != 1 ||
        (!is_ip && SSL_set_tlsext_host_name(link->tls, address->host) != 1))
        return FAIL(link->arena, FAULT_TLS, "%s cannot be the name of a host", address->host);
    return handshake(link);
}

/* ---- The link -------------------------------------------------------------------------------- */

Result admin_link_open(Arena *arena, const AdminAddress *address, const TlsFiles *files,
                       int64_t deadline, AdminLink **link_out)
{
    AdminLink *link = arena_make(arena, AdminLink);
    CHECK(link);
    *link = (AdminLink){.arena = arena, .fd = -1, .deadline = deadline};
    link->on_pipe = signal(SIGPIPE, SIG_IGN);
    Result r = address->path ? connect_unix(link, address->path) : connect_tcp(link, address);
    if (!failed(r) && address->tls)
        r = begin_tls(link, address, files);
    if (failed(r))
        admin_link_close(link);
    *link_out = failed(r) ? NULL : link;
    return r;
}

void admin_link_close(AdminLink *link)
{
    SSL_free(link->tls);
    SSL_CTX_free(link->context);
    if (link->fd >= 0)
        close(link->fd);
    signal(SIGPIPE, link->on_pipe);
}

Result admin_link_send(AdminLink *link, Bytes bytes, size_t *sent_out)
{
    int size = bytes.size < INT32_MAX ? (int)bytes.size : INT32_MAX;
    for (;;) {
        bool again = false;
        ERR_clear_error();
        errno = 0;
        ssize_t n = link->tls ? SSL_write(link->tls, bytes.data, size)
                              : send(link->fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (n > 0) {
            *sent_out = (size_t)n;
            return OK;
        }
        Result r = link->tls         ? tls_again(link, (int)n, &again)
                   : errno == EAGAIN ? wait_for(link, POLLOUT)
                                     : system_error(link, "", errno);
        if (failed(r))
            return r;
    }
}

Result admin_link_receive(AdminLink *link, uint8_t *room, size_t size, size_t *size_out)
{
    for (;;) {
        bool again = false;
        ERR_clear_error();
        errno = 0;
        ssize_t n = link->tls ? SSL_read(link->tls, room, (int)size) : read(link->fd, room, size);
        bool end = link->tls ? SSL_get_error(link->tls, (int)n) == SSL_ERROR_ZERO_RETURN : n == 0;
        if (n > 0 || end) {
            *size_out = end ? 0 : (size_t)n;
            return OK;
        }
        Result r = link->tls         ? tls_again(link, (int)n, &again)
                   : errno == EAGAIN ? wait_for(link, POLLIN)
                                     : system_error(link, "", errno);
        if (failed(r))
            return r;
    }
}

void admin_link_extend(AdminLink *link, int64_t deadline)
{
    link->deadline = deadline;
}

bool admin_link_is_open_to_others(const AdminLink *link)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    IpRange loopback4, loopback6;
    if (link->tls || getpeername(link->fd, (struct sockaddr *)&name, &size) != 0 ||
        name.ss_family == AF_UNIX)
        return false;
    IpAddress peer = ip_of((struct sockaddr *)&name);
    CHECK(ip_range_read(bytes_of("127.0.0.0/8"), &loopback4) &&
          ip_range_read(bytes_of("::1"), &loopback6));
    return !ip_range_has(&loopback4, &peer) && !ip_range_has(&loopback6, &peer);
}
