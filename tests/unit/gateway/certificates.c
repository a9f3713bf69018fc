#include "tests/unit/gateway/certificates.h"

#include "base/result.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static X509 *certificate_new(EVP_PKEY *key, const char *name, const Authority *signer,
                             bool is_authority)
{
    static long serial;
    X509 *x = X509_new();
    CHECK(x);
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "O", MBSTRING_ASC, (const uint8_t *)"Shop",
                               -1, -1, 0);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)name,
                               -1, -1, 0);
    X509_set_issuer_name(x, signer ? X509_get_subject_name(signer->certificate)
                                   : X509_get_subject_name(x));

    char text[128];
    snprintf(text, sizeof(text), "DNS:%s", name);
    X509_EXTENSION *extension =
        X509V3_EXT_conf_nid(NULL, NULL, is_authority ? NID_basic_constraints : NID_subject_alt_name,
                            is_authority ? "critical,CA:TRUE" : text);
    CHECK(extension);
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
    CHECK(X509_sign(x, signer ? signer->key : key, EVP_sha256()));
    return x;
}

Authority authority_new(void)
{
    Authority authority = {.key = EVP_EC_gen("P-256")};
    CHECK(authority.key);
    authority.certificate = certificate_new(authority.key, "The authority", NULL, true);
    return authority;
}

void authority_free(Authority *authority)
{
    EVP_PKEY_free(authority->key);
    X509_free(authority->certificate);
}

static void use_certificate(SSL_CTX *context, const Authority *authority, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = certificate_new(key, name, authority, false);
    CHECK(SSL_CTX_use_certificate(context, certificate) == 1);
    CHECK(SSL_CTX_use_PrivateKey(context, key) == 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void trust(SSL_CTX *context, const Authority *authority, int mode)
{
    CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority->certificate) == 1);
    SSL_CTX_set_verify(context, mode, NULL);
}

static int choose(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                  const unsigned char *in, unsigned in_size, void *wanted)
{
    unsigned char *chosen;
    const unsigned char *ours = wanted;
    if (SSL_select_next_proto(&chosen, out_size, ours, ours[0] + 1u, in, in_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *server_context(const Authority *authority, const char *name, bool http2,
                        const Authority *clients)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    CHECK(context);
    use_certificate(context, authority, name);
    if (clients)
        trust(context, clients, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    SSL_CTX_set_alpn_select_cb(context, choose, http2 ? (void *)"\2h2" : (void *)"\10http/1.1");
    SSL_CTX_set_session_id_context(context, (const uint8_t *)"t", 1);
    return context;
}

SSL_CTX *client_context(const Authority *servers, const Authority *authority, const char *name)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    CHECK(context);
    trust(context, servers, SSL_VERIFY_PEER);
    if (authority)
        use_certificate(context, authority, name);
    return context;
}
