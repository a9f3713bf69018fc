#include "gateway/tls/certificate_names.h"

#include "base/arena.h"
#include "base/bytes.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

/* NULL where it is empty or has control characters, also a NUL in the middle. */
static const char *clean(Arena *arena, Bytes name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] < 0x20 || name.data[i] == 0x7f)
            return NULL;
    return name.size ? arena_text(arena, name) : NULL;
}

/* `*lost_out`: it cannot be read, for want of memory for example. */
static const char *text_of(Arena *arena, const ASN1_STRING *string, bool *lost_out)
{
    uint8_t *text = NULL;
    int size = ASN1_STRING_to_UTF8(&text, string);
    *lost_out = size < 0;
    if (size < 0)
        return NULL;
    const char *name = clean(arena, bytes(text, (size_t)size));
    OPENSSL_free(text);
    return name;
}

/* NULL also without memory: the beginning of a name would be another client's. */
static const char *subject_of(Arena *arena, X509 *certificate)
{
    BIO *out = BIO_new(BIO_s_mem());
    if (!out)
        return NULL;
    char *text = NULL;
    const char *subject = NULL;
    if (X509_NAME_print_ex(out, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
        long size = BIO_get_mem_data(out, &text);
        subject = clean(arena, bytes(text, size > 0 ? (size_t)size : 0));
    }
    BIO_free(out);
    return subject;
}

/* The last one is the most specific. */
static const char *common_name_of(Arena *arena, X509 *certificate)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int last = -1;
    bool lost;
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;)
        last = at;
    return last < 0 ? NULL
                    : text_of(arena, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)),
                              &lost);
}

/* In place of one that cannot be read there is none: the next one is another client's. */
static void read_alternatives(Arena *arena, X509 *certificate, CertificateNames *names)
{
    bool lost[CERTIFICATE_NAMES] = {false};
    GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);
        CertificateName kind;
        switch (one->type) {
        case GEN_DNS: kind = CERTIFICATE_DNS; break;
        case GEN_URI: kind = CERTIFICATE_URI; break;
        case GEN_EMAIL: kind = CERTIFICATE_EMAIL; break;
        default: continue;
        }
        if (!names->names[kind] && !lost[kind])
            names->names[kind] = text_of(arena, one->d.ia5, &lost[kind]);
    }
    GENERAL_NAMES_free(all);
}

/* The struct, with its texts behind it. */
static CertificateNames *pack(const CertificateNames *names)
{
    size_t size = sizeof *names;
    for (int i = 0; i < CERTIFICATE_NAMES; i++)
        size += names->names[i] ? strlen(names->names[i]) + 1 : 0;
    CertificateNames *packed = calloc(1, size);
    CHECK(packed);
    char *at = (char *)(packed + 1);
    for (int i = 0; i < CERTIFICATE_NAMES; i++) {
        if (!names->names[i])
            continue;
        packed->names[i] = at;
        at = stpcpy(at, names->names[i]) + 1;
    }
    return packed;
}

CertificateNames *certificate_names_read(X509 *certificate)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    CertificateNames names = {
        .names = {[CERTIFICATE_SUBJECT] = subject_of(arena, certificate),
                  [CERTIFICATE_COMMON_NAME] = common_name_of(arena, certificate)}};
    read_alternatives(arena, certificate, &names);
    CertificateNames *packed = pack(&names);
    arena_free(arena);
    return packed;
}
