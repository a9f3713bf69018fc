#include "gateway/tls/tls_context.h"

#include "base/arena.h"
#include "base/file/file.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

/* AEAD with forward secrecy only: the ciphers of TLS 1.2 that RFC 9113 appendix A allows. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

static const unsigned char h2_first[] = "\x02h2\x08http/1.1";
static const unsigned char only_h2[] = "\x02h2";
static const unsigned char only_http1[] = "\x08http/1.1";

/* Why OpenSSL failed: the system error if that was the first, else OpenSSL's last error. */
static const char *reason(Arena *arena)
{
    unsigned long first = ERR_peek_error(), last = ERR_peek_last_error();
    if (ERR_SYSTEM_ERROR(first))
        return arena_string(arena, strerror(ERR_GET_REASON(first)));
    const char *text = last ? ERR_reason_error_string(last) : NULL;
    return arena_string(arena, text ? text : "no reason given");
}

static int choose_http1(SSL *ssl, const unsigned char **out, unsigned char *size,
                        const unsigned char *offered, unsigned offered_size, void *owner)
{
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, size, only_http1, sizeof only_http1 - 1, offered,
                              offered_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *size,
                           const unsigned char *offered, unsigned offered_size, void *owner)
{
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, size, h2_first, sizeof h2_first - 1, offered,
                              offered_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 section 3.2 */
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* A key with a password cannot be used: there is no prompt. */
static int no_password(char *buffer, int size, int writing, void *owner)
{
    return 0;
}

/* OpenSSL reads this file next. */
static Result begin_file(Arena *arena, const char *field, const char *what, const char *path)
{
    file_note_reading(path);
    const char *wrong = file_not_regular(path);
    return wrong ? FAIL_FIELD(arena, FAULT_TLS, field, "reading the %s %s: %s", what, path, wrong)
                 : OK;
}

static Result load_certificate(Arena *arena, SSL_CTX *context, const TlsFiles *files)
{
    if (!files->certificate)
        return OK;
    Result r = begin_file(arena, "certificate", "certificate", files->certificate);
    if (failed(r))
        return r;
    if (SSL_CTX_use_certificate_chain_file(context, files->certificate) != 1)
        return FAIL_FIELD(arena, FAULT_TLS, "certificate", "reading the certificate %s: %s",
                          files->certificate, reason(arena));
    r = begin_file(arena, "key", "key", files->key);
    if (failed(r))
        return r;
    ERR_clear_error();
    if (SSL_CTX_use_PrivateKey_file(context, files->key, SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_check_private_key(context) == 1)
        return OK;
    unsigned long code = ERR_peek_last_error();
    if (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH ||
        ERR_GET_REASON(code) == X509_R_KEY_TYPE_MISMATCH)
        return FAIL_FIELD(arena, FAULT_TLS, "key", "the key %s does not match the certificate %s",
                          files->key, files->certificate);
    return FAIL_FIELD(arena, FAULT_TLS, "key", "reading the key %s: %s", files->key, reason(arena));
}

/* Fails without memory, and where the settings of the system's OpenSSL allow none of our ciphers.
 */
static Result new_context(Arena *arena, const SSL_METHOD *method, SSL_CTX **context_out)
{
    ERR_clear_error();
    SSL_CTX *context = *context_out = SSL_CTX_new(method);
    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, ciphers) != 1)
        return FAIL(arena, FAULT_TLS, "preparing OpenSSL: %s", reason(arena));
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_default_passwd_cb(context, no_password);
    return OK;
}

static Result finish(SSL_CTX *context, Result r, SSL_CTX **context_out)
{
    ERR_clear_error();
    file_note_reading(NULL);
    if (failed(r))
        SSL_CTX_free(context);
    *context_out = failed(r) ? NULL : context;
    return r;
}

static Result ask_client_certificate(Arena *arena, SSL_CTX *context, const TlsFiles *files)
{
    static const unsigned char session_name[] = "passerelle";
    if (!files->authorities)
        return OK;
    Result r = begin_file(arena, "client_ca", "CA certificates", files->authorities);
    if (failed(r))
        return r;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(files->authorities);
    if (!names || SSL_CTX_load_verify_locations(context, files->authorities, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return FAIL_FIELD(arena, FAULT_TLS, "client_ca", "reading the CA certificates %s: %s",
                          files->authorities, reason(arena));
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context,
                       SSL_VERIFY_PEER |
                           (files->certificate_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT),
                       NULL);
    /* Without it, a verified client cannot resume a session. */
    CHECK(SSL_CTX_set_session_id_context(context, session_name, sizeof session_name - 1) == 1);
    return OK;
}

Result tls_server_context(Arena *arena, const TlsFiles *files, SSL_CTX **context_out)
{
    SSL_CTX *context;
    Result r = new_context(arena, TLS_server_method(), &context);
    if (failed(r))
        return finish(context, r, context_out);
    SSL_CTX_set_alpn_select_cb(context, files->http1_only ? choose_http1 : choose_protocol, NULL);
    r = load_certificate(arena, context, files);
    if (!failed(r))
        r = ask_client_certificate(arena, context, files);
    return finish(context, r, context_out);
}

/* Unlike others, this function of OpenSSL returns 0 for success. */
static Result offer_protocol(Arena *arena, SSL_CTX *context, bool http2)
{
    int refused = http2 ? SSL_CTX_set_alpn_protos(context, only_h2, sizeof only_h2 - 1)
                        : SSL_CTX_set_alpn_protos(context, only_http1, sizeof only_http1 - 1);
    return refused ? FAIL(arena, FAULT_TLS, "preparing OpenSSL: %s", reason(arena)) : OK;
}

static Result trust(Arena *arena, SSL_CTX *context, const TlsFiles *files)
{
    if (files->authorities) {
        Result r = begin_file(arena, "ca", "CA certificates", files->authorities);
        if (failed(r))
            return r;
    }
    int done = files->authorities ? SSL_CTX_load_verify_locations(context, files->authorities, NULL)
                                  : SSL_CTX_set_default_verify_paths(context);
    if (done != 1)
        return FAIL_FIELD(arena, FAULT_TLS, "ca", "reading the CA certificates %s: %s",
                          files->authorities ? files->authorities : "of the system", reason(arena));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return OK;
}

Result tls_client_context(Arena *arena, const TlsFiles *files, SSL_CTX **context_out)
{
    SSL_CTX *context;
    Result r = new_context(arena, TLS_client_method(), &context);
    if (!failed(r))
        r = offer_protocol(arena, context, files->http2);
    if (!failed(r))
        r = trust(arena, context, files);
    if (!failed(r))
        r = load_certificate(arena, context, files);
    return finish(context, r, context_out);
}
