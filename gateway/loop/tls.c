#include "gateway/loop/tls.h"

#include "base/arena.h"
#include "gateway/loop/loop_internal.h"
#include "gateway/tls/spiffe.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* Bytes of a record; with room for its header and tag. */
enum { RECORD_SIZE = LOOP_RECORD_SIZE, RECORD_ROOM = RECORD_SIZE + 512 };

/* In place of ERR_clear_error, which clears sixteen places with or without errors in them: it would
   be a tenth of what a small record costs. */
static void forget_errors(void)
{
    if (ERR_peek_error())
        ERR_clear_error();
}

/* What OpenSSL reads from and writes to; of one connection. */
typedef struct Pipe {
    Socket *socket;
    uint8_t *held; /* goes out before what is written next; or NULL */
    size_t held_size;
} Pipe;

static Pipe *pipe_of(const Socket *socket)
{
    return BIO_get_data(SSL_get_rbio(socket->tls));
}

static int bio_read(BIO *bio, char *out, int size)
{
    Socket *socket = ((Pipe *)BIO_get_data(bio))->socket;
    LoopPrivate *p = socket->loop->private;
    BIO_clear_retry_flags(bio);
    if (p->cipher_of != socket || p->cipher_in.size == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = (size_t)size < p->cipher_in.size ? (size_t)size : p->cipher_in.size;
    memcpy(out, p->cipher_in.data, n);
    p->cipher_in = bytes(p->cipher_in.data + n, p->cipher_in.size - n);
    return (int)n;
}

static void add_cipher(LoopPrivate *p, const void *data, size_t size)
{
    memcpy(p->cipher_buffer + p->cipher_size, data, size);
    p->cipher_size += size;
}

static void drop_held(Pipe *pipe)
{
    OPENSSL_free(pipe->held);
    pipe->held = NULL;
    pipe->held_size = 0;
}

static int bio_write(BIO *bio, const char *data, int size)
{
    Pipe *pipe = BIO_get_data(bio);
    LoopPrivate *p = pipe->socket->loop->private;
    BIO_clear_retry_flags(bio);
    if (pipe->held_size + (size_t)size > LOOP_CIPHER_SIZE - p->cipher_size) {
        BIO_set_retry_write(bio);
        return -1;
    }
    if (pipe->held) {
        add_cipher(p, pipe->held, pipe->held_size);
        drop_held(pipe);
    }
    add_cipher(p, data, (size_t)size);
    return size;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio)
{
    Pipe *pipe = OPENSSL_zalloc(sizeof *pipe);
    BIO_set_data(bio, pipe);
    BIO_set_init(bio, 1);
    return pipe != NULL;
}

static int bio_destroy(BIO *bio)
{
    Pipe *pipe = BIO_get_data(bio);
    if (pipe)
        drop_held(pipe);
    OPENSSL_free(pipe);
    return 1;
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "passerelle");
    CHECK(bio_method);
    BIO_meth_set_read(bio_method, bio_read);
    BIO_meth_set_write(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_control);
    BIO_meth_set_create(bio_method, bio_create);
    BIO_meth_set_destroy(bio_method, bio_destroy);
}

__attribute__((destructor)) static void free_bio_method(void)
{
    BIO_meth_free(bio_method);
}

static int tls_new(Socket *socket, SSL_CTX *context)
{
    static uv_once_t once = UV_ONCE_INIT;
    uv_once(&once, make_bio_method);

    SSL *tls = SSL_new(context);
    BIO *bio = BIO_new(bio_method);
    if (!tls || !bio) {
        SSL_free(tls);
        BIO_free(bio);
        return UV_ENOMEM;
    }
    ((Pipe *)BIO_get_data(bio))->socket = socket;
    SSL_set_bio(tls, bio, bio);
    SSL_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_set_options(tls, SSL_OP_NO_RENEGOTIATION);
    socket->tls = tls;
    return 0;
}

int tls_accept(Socket *socket, SSL_CTX *context)
{
    int error = tls_new(socket, context);
    if (!error)
        SSL_set_accept_state(socket->tls);
    return error;
}

static bool is_ip(const char *name)
{
    unsigned char address[16];
    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

int tls_connect(Socket *socket, const SocketPeer *peer)
{
    int error = tls_new(socket, peer->tls);
    if (error)
        return error;
    SSL_set_connect_state(socket->tls);
    if (peer->name) {
        bool by_name = !spiffe_expected(peer->tls);
        if ((by_name && !SSL_set1_host(socket->tls, peer->name)) ||
            (!is_ip(peer->name) && !SSL_set_tlsext_host_name(socket->tls, peer->name)))
            return UV_EINVAL;
    }
    if (peer->alpn) {
        uint8_t wish[32];
        size_t size = strlen(peer->alpn);
        CHECK(size < sizeof(wish));
        wish[0] = (uint8_t)size;
        memcpy(wish + 1, peer->alpn, size);
        if (SSL_set_alpn_protos(socket->tls, wish, (unsigned)size + 1) != 0)
            return UV_ENOMEM;
    }
    return 0;
}

void tls_free(Socket *socket)
{
    SSL_free(socket->tls);
    socket->tls = NULL;
}

static Result tls_error(Socket *socket, const char *doing)
{
    Arena *arena = loop_scratch(socket->loop);
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    long verified = SSL_get_verify_result(socket->tls);
    if (verified != X509_V_OK)
        return FAIL(arena, FAULT_TLS, "%s: %s: %s", doing,
                    reason ? reason : "the peer's certificate is not trusted",
                    verified == X509_V_ERR_APPLICATION_VERIFICATION
                        ? "it does not have the SPIFFE id of the config"
                        : X509_verify_cert_error_string(verified));
    return FAIL(arena, FAULT_TLS, "%s: %s", doing,
                reason ? reason : "the peer aborted the handshake or the connection");
}

/* A server of TLS 1.3 ends the handshake with a ticket, which nobody waits for: it goes out in one
   packet with what is written next, mostly the response. */
static void hold_ticket(Socket *socket)
{
    LoopPrivate *p = socket->loop->private;
    Pipe *pipe = pipe_of(socket);
    if (socket->dialed || p->cipher_size == 0 || SSL_version(socket->tls) != TLS1_3_VERSION)
        return;
    pipe->held = OPENSSL_memdup(p->cipher_buffer, p->cipher_size);
    if (!pipe->held)
        return; /* it goes out now */
    pipe->held_size = p->cipher_size;
    p->cipher_size = 0;
}

Result tls_handshake(Socket *socket, bool *done_out)
{
    forget_errors();
    int r = SSL_do_handshake(socket->tls);
    *done_out = r == 1;
    if (r == 1) {
        hold_ticket(socket);
        return OK;
    }
    int error = SSL_get_error(socket->tls, r);
    if (error == SSL_ERROR_WANT_READ)
        return OK;
    return tls_error(socket, "TLS handshake");
}

/* To try once more would only tell the same, for a twentieth of what a small call costs. */
static bool is_all_read(const Socket *socket)
{
    return socket->loop->private->cipher_in.size == 0 && !SSL_has_pending(socket->tls);
}

TlsOutcome tls_decrypt(Socket *socket, uint8_t *room, size_t size, size_t *size_out,
                       Result *why_out)
{
    *size_out = 0;
    forget_errors();
    while (*size_out < size) {
        size_t n;
        int r = SSL_read_ex(socket->tls, room + *size_out, size - *size_out, &n);
        if (r == 1) {
            *size_out += n;
            if (is_all_read(socket))
                return TLS_WAIT;
            continue;
        }
        int error = SSL_get_error(socket->tls, r);
        if (error == SSL_ERROR_WANT_READ)
            return TLS_WAIT;
        if (error == SSL_ERROR_ZERO_RETURN)
            return TLS_END;
        *why_out = tls_error(socket, "decrypting");
        return TLS_BROKEN;
    }
    return TLS_MORE;
}

static bool encrypt_record(Socket *socket, const uint8_t *data, size_t size)
{
    size_t n;
    return SSL_write_ex(socket->tls, data, size, &n) == 1 && n == size;
}

/*
 * Small vectors are gathered, so that many frames share a record; a vector that fills a whole
 * record is encrypted without a copy.
 */
int tls_encrypt(Socket *socket, const struct iovec *vectors, int n, size_t *taken_out)
{
    LoopPrivate *p = socket->loop->private;
    size_t gathered = 0;
    *taken_out = 0;
    forget_errors();
    for (int i = 0; i < n; i++) {
        const uint8_t *at = vectors[i].iov_base;
        size_t left = vectors[i].iov_len;
        while (left > 0) {
            if (p->cipher_size + RECORD_ROOM > LOOP_CIPHER_SIZE)
                return 0;
            size_t piece = left < RECORD_SIZE - gathered ? left : RECORD_SIZE - gathered;
            if (piece == RECORD_SIZE) {
                if (!encrypt_record(socket, at, piece))
                    return -1;
                *taken_out += piece;
            } else {
                memcpy(p->record_buffer + gathered, at, piece);
                gathered += piece;
            }
            at += piece;
            left -= piece;
            if (gathered == RECORD_SIZE) {
                if (!encrypt_record(socket, p->record_buffer, gathered))
                    return -1;
                *taken_out += gathered;
                gathered = 0;
            }
        }
    }
    if (gathered > 0 && !encrypt_record(socket, p->record_buffer, gathered))
        return -1;
    *taken_out += gathered;
    return 0;
}

void tls_close(Socket *socket)
{
    forget_errors();
    SSL_shutdown(socket->tls); /* the result does not matter: the connection ends */
    forget_errors();
}

Bytes socket_alpn(const Socket *socket)
{
    const unsigned char *name = NULL;
    unsigned size = 0;
    if (socket->tls)
        SSL_get0_alpn_selected(socket->tls, &name, &size);
    return bytes(name, size);
}

CertificateNames *socket_peer_names(const Socket *socket)
{
    X509 *certificate = socket->tls ? SSL_get0_peer_certificate(socket->tls) : NULL;
    if (!certificate || SSL_get_verify_result(socket->tls) != X509_V_OK)
        return NULL;
    return certificate_names_read(certificate);
}
