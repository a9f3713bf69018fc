#include "gateway/tls/spiffe.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>

enum { ID_MOST = 2048 }; /* SPIFFE-ID section 2.3 */

static const char scheme[] = "spiffe://";

static bool is_all_of(Bytes text, const char *others)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr(others, c));
        if (!plain)
            return false;
    }
    return true;
}

const char *spiffe_id_is_wrong(Bytes id)
{
    if (!bytes_start_with(id, scheme))
        return "it does not begin with spiffe://";
    if (id.size > ID_MOST)
        return "it is longer than 2048 bytes";
    Bytes rest = bytes_slice(id, sizeof scheme - 1, SIZE_MAX), part;
    if (!bytes_split(&rest, '/', &part) || !part.size)
        return "it has no trust domain";
    if (!is_all_of(part, ".-_"))
        return "its trust domain has other characters than small letters, digits and .-_";
    if (id.data[id.size - 1] == '/')
        return "it ends with a slash";
    while (bytes_split(&rest, '/', &part))
        if (!part.size || bytes_are(part, ".") || bytes_are(part, "..") ||
            !is_all_of(part, ".-_ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
            return "its path has an empty part, a dot in place of one, or other characters than "
                   "letters, digits and .-_";
    return NULL;
}

bool spiffe_id_is_of(X509 *certificate, const char *id)
{
    size_t n_same = 0, n_other = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI)
            continue;
        Bytes uri =
            bytes(ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5));
        if (bytes_are(uri, id))
            n_same++;
        else
            n_other++;
    }
    GENERAL_NAMES_free(names);
    return n_same == 1 && n_other == 0;
}

/* ---- Contexts -------------------------------------------------------------------------------- */

static int id_index;

static void free_id(void *parent, void *id, CRYPTO_EX_DATA *data, int index, long argument,
                    void *pointer)
{
    free(id);
}

static void make_index(void)
{
    id_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_id);
}

static int index_of_id(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_index);
    return id_index;
}

/* OpenSSL has verified the chain up to here. */
static int on_verify(int good, X509_STORE_CTX *store)
{
    if (!good || X509_STORE_CTX_get_error_depth(store) != 0)
        return good;
    SSL *tls = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const char *id = spiffe_expected(SSL_get_SSL_CTX(tls));
    if (id && spiffe_id_is_of(X509_STORE_CTX_get0_cert(store), id))
        return good;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

bool spiffe_expect(SSL_CTX *context, const char *id)
{
    char *copy = text_copy(id);
    if (index_of_id() < 0 || SSL_CTX_set_ex_data(context, index_of_id(), copy) != 1) {
        free(copy);
        return false;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verify);
    return true;
}

const char *spiffe_expected(const SSL_CTX *context)
{
    return index_of_id() < 0 ? NULL : SSL_CTX_get_ex_data(context, index_of_id());
}
