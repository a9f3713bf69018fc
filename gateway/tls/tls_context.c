#include "gateway/tls/tls_context.h"

#include "base/arena.h"
#include "base/file/file.h"
#include "gateway/tls/certificate_table.h"
#include "gateway/tls/pair_mistake.h"
#include "gateway/tls/renewal.h"
#include "gateway/tls/spiffe.h"
#include "gateway/tls/tickets.h"
#include "gateway/tls/tls_internal.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

/* AEAD with forward secrecy only: the ciphers of TLS 1.2 that RFC 9113 appendix A allows. */
static const char ciphers[] = "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20";
static const char first_suite[] = "TLS_AES_128_GCM_SHA256"; /* of TLS 1.3: decision 69 */

static const unsigned char h2_first[] = "\x02h2\x08http/1.1";
static const unsigned char only_h2[] = "\x02h2";
static const unsigned char only_http1[] = "\x08http/1.1";

const char *tls_reason(Arena *arena)
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
/* OpenSSL looks for what it wants to the end of a file. */
enum { FILE_MOST = 16 << 20 };

static Result begin_file(Arena *arena, const char *field, const char *what, const char *path)
{
    struct stat found;
    file_note_reading(path);
    const char *wrong = file_not_regular(path);
    if (!wrong && stat(path, &found) == 0 && found.st_size > FILE_MOST)
        wrong = arena_printf(arena, "it has more than %d MiB", FILE_MOST >> 20);
    return wrong ? FAIL_FIELD(arena, FAULT_TLS, field, "reading the %s %s: %s", what, path, wrong)
                 : OK;
}

/* `prefix`: of the keys in the config. */
static Result load_pair(Arena *arena, SSL_CTX *context, const TlsPair *pair, const char *prefix)
{
    const char *certificate_key = arena_printf(arena, "%scertificate", prefix);
    const char *key_key = arena_printf(arena, "%skey", prefix);
    Result r = begin_file(arena, certificate_key, "certificate", pair->certificate);
    if (failed(r))
        return r;
    bool of_key;
    if (SSL_CTX_use_certificate_chain_file(context, pair->certificate) != 1) {
        const char *mistake = pair_mistake(arena, pair, &of_key);
        if (mistake && !of_key)
            return FAIL_FIELD(arena, FAULT_TLS, certificate_key, "%s", mistake);
        return FAIL_FIELD(arena, FAULT_TLS, certificate_key, "reading the certificate %s: %s",
                          pair->certificate, tls_reason(arena));
    }
    r = begin_file(arena, key_key, "key", pair->key);
    if (failed(r))
        return r;
    ERR_clear_error();
    if (SSL_CTX_use_PrivateKey_file(context, pair->key, SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_check_private_key(context) == 1)
        return OK;
    unsigned long code = ERR_peek_last_error();
    if (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH ||
        ERR_GET_REASON(code) == X509_R_KEY_TYPE_MISMATCH)
        return FAIL_FIELD(arena, FAULT_TLS, key_key, "%s", pair_mismatch(arena, pair));
    const char *mistake = pair_mistake(arena, pair, &of_key);
    if (mistake && of_key)
        return FAIL_FIELD(arena, FAULT_TLS, key_key, "%s", mistake);
    return FAIL_FIELD(arena, FAULT_TLS, key_key, "reading the key %s: %s", pair->key,
                      tls_reason(arena));
}

static Result load_certificate(Arena *arena, SSL_CTX *context, const TlsFiles *files)
{
    TlsPair pair = {files->certificate, files->key};
    return files->certificate ? load_pair(arena, context, &pair, "") : OK;
}

/* The suites of TLS 1.3 that the system's OpenSSL is set to allow; `first_suite` first, if it is
   one of them. */
static bool order_suites(Arena *arena, SSL_CTX *context)
{
    const STACK_OF(SSL_CIPHER) *allowed = SSL_CTX_get_ciphers(context);
    const char *others = "", *first = "";
    for (int i = 0; i < sk_SSL_CIPHER_num(allowed); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(allowed, i);
        const char *name = SSL_CIPHER_get_name(cipher);
        if (strcmp(SSL_CIPHER_get_version(cipher), "TLSv1.3") != 0)
            continue;
        if (strcmp(name, first_suite) == 0)
            first = first_suite;
        else
            others = arena_printf(arena, "%s:%s", others, name);
    }
    const char *all = arena_printf(arena, "%s%s", first, others);
    return SSL_CTX_set_ciphersuites(context, *first ? all : all + (*all == ':')) == 1;
}

/* Fails without memory, and where the settings of the system's OpenSSL allow none of our ciphers.
 */
static Result new_context(Arena *arena, const SSL_METHOD *method, SSL_CTX **context_out)
{
    ERR_clear_error();
    SSL_CTX *context = *context_out = SSL_CTX_new(method);
    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, ciphers) != 1 || !order_suites(arena, context))
        return FAIL(arena, FAULT_TLS, "preparing OpenSSL: %s", tls_reason(arena));
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

/* ---- Certificates by name -------------------------------------------------------------------- */

static int table_index;

static void free_table(void *parent, void *table, CRYPTO_EX_DATA *data, int index, long argument,
                       void *pointer)
{
    certificate_table_free(table);
}

static void make_table_index(void)
{
    table_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_table);
}

/* -1: there is no memory. */
static int index_of_table(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_table_index);
    return table_index;
}

/* SSL_CTX_set_cert_cb(3): 1: go on. Of several certificates for the name, OpenSSL chooses one whose
   kind of key the client knows. */
static int choose_certificate(SSL *ssl, void *table)
{
    const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const ShownCertificate *shown = host ? certificate_table_find(table, bytes_of(host)) : NULL;
    return shown ? tls_show(ssl, shown) : 1;
}

int tls_show(SSL *ssl, const ShownCertificate *shown)
{
    SSL_certs_clear(ssl);
    for (; shown; shown = shown->next)
        if (SSL_use_cert_and_key(ssl, shown->certificate, shown->key, shown->chain, 1) != 1)
            return 0;
    return 1;
}

static size_t add_to_table(CertificateTable *table, SSL_CTX *context)
{
    STACK_OF(X509) *chain = NULL;
    CHECK(SSL_CTX_get0_chain_certs(context, &chain) == 1);
    return certificate_table_add(table, SSL_CTX_get0_certificate(context),
                                 SSL_CTX_get0_privatekey(context), chain);
}

Result tls_add_pair(Arena *arena, CertificateTable *table, const TlsPair *pair, const char *prefix,
                    size_t *n_names_out)
{
    SSL_CTX *alone = SSL_CTX_new(TLS_server_method());
    *n_names_out = 0;
    if (!alone)
        return FAIL(arena, FAULT_TLS, "preparing OpenSSL: %s", tls_reason(arena));
    SSL_CTX_set_default_passwd_cb(alone, no_password);
    Result r = load_pair(arena, alone, pair, prefix);
    if (!failed(r))
        *n_names_out = add_to_table(table, alone);
    SSL_CTX_free(alone);
    file_note_reading(NULL);
    ERR_clear_error();
    return r;
}

static Result add_pair(Arena *arena, CertificateTable *table, const TlsPair *pair, size_t at)
{
    const char *prefix = arena_printf(arena, "certificates[%zu].", at);
    size_t n_names;
    Result r = tls_add_pair(arena, table, pair, prefix, &n_names);
    return failed(r) || n_names
               ? r
               : FAIL_FIELD(
                     arena, FAULT_TLS, arena_printf(arena, "%scertificate", prefix),
                     "the certificate %s has no DNS name, by which a client could ask for it",
                     pair->certificate);
}

/* Of the context, as what it shows. */
static Result give_table(Arena *arena, SSL_CTX *context, CertificateTable *table)
{
    if (index_of_table() < 0 || SSL_CTX_set_ex_data(context, index_of_table(), table) != 1) {
        certificate_table_free(table);
        return FAIL(arena, FAULT_TLS, "preparing OpenSSL: %s", tls_reason(arena));
    }
    SSL_CTX_set_cert_cb(context, choose_certificate, table);
    return OK;
}

static Result load_more(Arena *arena, SSL_CTX *context, const TlsFiles *files)
{
    bool watched = files->watched && files->certificate;
    if (!files->n_more && !watched)
        return OK;
    CertificateTable *table = certificate_table_new();
    Result r = OK;
    add_to_table(table, context);
    for (size_t i = 0; !failed(r) && i < files->n_more; i++)
        r = add_pair(arena, table, &files->more[i], i);
    if (failed(r)) {
        certificate_table_free(table);
        return r;
    }
    return watched ? renewal_begin(arena, context, files, table)
                   : give_table(arena, context, table);
}

typedef struct Seeing {
    void (*see)(void *owner, X509 *certificate, int place);
    void *owner;
} Seeing;

static void see_one(void *owner, const ShownCertificate *shown)
{
    const Seeing *seeing = owner;
    seeing->see(seeing->owner, shown->certificate, 0);
    for (int i = 0; i < sk_X509_num(shown->chain); i++)
        seeing->see(seeing->owner, sk_X509_value(shown->chain, i), i + 1);
}

void tls_context_certificates(SSL_CTX *context,
                              void (*see)(void *owner, X509 *certificate, int place), void *owner)
{
    Seeing seeing = {see, owner};
    Renewal *renewal = renewal_of(context);
    if (renewal) {
        renewal_each(renewal, see_one, &seeing);
        return;
    }
    const CertificateTable *table =
        index_of_table() < 0 ? NULL : SSL_CTX_get_ex_data(context, index_of_table());
    if (table) {
        certificate_table_each(table, see_one, &seeing); /* also the context's own */
        return;
    }
    ShownCertificate own = {.certificate = SSL_CTX_get0_certificate(context)};
    CHECK(SSL_CTX_get0_chain_certs(context, &own.chain) == 1);
    if (own.certificate)
        see_one(&seeing, &own);
}

/* ---- Certificates of clients ----------------------------------------------------------------- */

static Result refuse_revoked(Arena *arena, SSL_CTX *context, const TlsFiles *files)
{
    if (!files->revocations)
        return OK;
    Result r = begin_file(arena, "client_crl", "revocation lists", files->revocations);
    if (failed(r))
        return r;
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (!lookup || X509_load_crl_file(lookup, files->revocations, X509_FILETYPE_PEM) <= 0 ||
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) != 1)
        return FAIL_FIELD(arena, FAULT_TLS, "client_crl", "reading the revocation lists %s: %s",
                          files->revocations, tls_reason(arena));
    return OK;
}

static Result ask_client_certificate(Arena *arena, SSL_CTX *context, const TlsFiles *files)
{
    if (!files->authorities)
        return OK;
    Result r = begin_file(arena, "client_ca", "CA certificates", files->authorities);
    if (failed(r))
        return r;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(files->authorities);
    if (!names || SSL_CTX_load_verify_locations(context, files->authorities, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return FAIL_FIELD(arena, FAULT_TLS, "client_ca", "reading the CA certificates %s: %s",
                          files->authorities, tls_reason(arena));
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context,
                       SSL_VERIFY_PEER |
                           (files->certificate_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT),
                       NULL);
    return refuse_revoked(arena, context, files);
}

/* ---- Sessions -------------------------------------------------------------------------------- */

static bool digest_trusted(EVP_MD_CTX *digest, const X509_OBJECT *object)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    const X509 *certificate = X509_OBJECT_get0_X509(object);
    const X509_CRL *revocations = X509_OBJECT_get0_X509_CRL(object);
    return (!certificate || X509_digest(certificate, EVP_sha256(), hash, &size) == 1) &&
           (!revocations || X509_CRL_digest(revocations, EVP_sha256(), hash, &size) == 1) &&
           EVP_DigestUpdate(digest, hash, size) == 1;
}

/* A session tells who the client is. So it is resumed only where the same authorities are trusted
   to say so, the same certificates are revoked, and the same is demanded of the client. */
static bool name_sessions(SSL_CTX *context, const TlsFiles *files)
{
    const uint8_t demands[] = {files->authorities != NULL, files->certificate_optional,
                               files->http1_only};
    STACK_OF(X509_OBJECT) *trusted = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
    uint8_t name[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool good = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(digest, demands, sizeof demands) == 1;
    for (int i = 0; good && i < sk_X509_OBJECT_num(trusted); i++)
        good = digest_trusted(digest, sk_X509_OBJECT_value(trusted, i));
    good = good && EVP_DigestFinal_ex(digest, name, &size) == 1 &&
           SSL_CTX_set_session_id_context(context, name, size) == 1;
    EVP_MD_CTX_free(digest);
    return good;
}

static Result allow_sessions(Arena *arena, SSL_CTX *context, const TlsFiles *files)
{
    return name_sessions(context, files) && tickets_use(context, files->session_seconds)
               ? OK
               : FAIL(arena, FAULT_TLS, "preparing OpenSSL: %s", tls_reason(arena));
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
        r = load_more(arena, context, files);
    if (!failed(r))
        r = ask_client_certificate(arena, context, files);
    if (!failed(r))
        r = allow_sessions(arena, context, files);
    return finish(context, r, context_out);
}

/* ---- Towards instances ----------------------------------------------------------------------- */

/* Unlike others, this function of OpenSSL returns 0 for success. */
static Result offer_protocol(Arena *arena, SSL_CTX *context, bool http2)
{
    int refused = http2 ? SSL_CTX_set_alpn_protos(context, only_h2, sizeof only_h2 - 1)
                        : SSL_CTX_set_alpn_protos(context, only_http1, sizeof only_http1 - 1);
    return refused ? FAIL(arena, FAULT_TLS, "preparing OpenSSL: %s", tls_reason(arena)) : OK;
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
                          files->authorities ? files->authorities : "of the system",
                          tls_reason(arena));
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
    if (!failed(r))
        r = load_more(arena, context, files);
    if (!failed(r) && files->spiffe && !spiffe_expect(context, files->spiffe))
        r = FAIL(arena, FAULT_TLS, "preparing OpenSSL: %s", tls_reason(arena));
    return finish(context, r, context_out);
}
