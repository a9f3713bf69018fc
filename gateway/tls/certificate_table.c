#include "gateway/tls/certificate_table.h"

#include "base/arena.h"
#include "base/table.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

enum { HOST_MOST = 255 }; /* RFC 1035 section 2.3.4 */

typedef struct Added {
    struct Added *next;
    ShownCertificate shown; /* its references are counted here only */
} Added;

struct CertificateTable {
    Arena *arena;
    Table names; /* host name in small letters -> ShownCertificate */
    Added *first, **last;
};

CertificateTable *certificate_table_new(void)
{
    CertificateTable *table = calloc(1, sizeof *table);
    CHECK(table);
    table->arena = arena_new(ARENA_UNLIMITED);
    table->names = table_in(table->arena);
    table->last = &table->first;
    return table;
}

void certificate_table_free(CertificateTable *table)
{
    if (!table)
        return;
    for (Added *one = table->first; one; one = one->next) {
        X509_free(one->shown.certificate);
        EVP_PKEY_free(one->shown.key);
        sk_X509_pop_free(one->shown.chain, X509_free);
    }
    arena_free(table->arena);
    free(table);
}

/* Empty: longer than a host name can be. */
static Bytes in_small_letters(Bytes host, uint8_t *room)
{
    if (host.size > HOST_MOST)
        return BYTES_NONE;
    for (size_t i = 0; i < host.size; i++)
        room[i] = ascii_lower(host.data[i]);
    return bytes(room, host.size);
}

static bool add_name(CertificateTable *table, Bytes name, const ShownCertificate *shown)
{
    uint8_t room[HOST_MOST];
    Bytes host = in_small_letters(name, room);
    if (!host.size)
        return false;
    ShownCertificate *here = arena_array(table->arena, ShownCertificate, 1);
    *here = *shown;
    here->next = table_get(&table->names, host);
    table_put(&table->names, bytes_copy(table->arena, host), here);
    return true;
}

size_t certificate_table_add(CertificateTable *table, X509 *certificate, EVP_PKEY *key,
                             STACK_OF(X509) * chain)
{
    Added *added = arena_array(table->arena, Added, 1);
    X509_up_ref(certificate);
    EVP_PKEY_up_ref(key);
    added->shown = (ShownCertificate){
        .certificate = certificate, .key = key, .chain = chain ? X509_chain_up_ref(chain) : NULL};
    *table->last = added;
    table->last = &added->next;

    size_t n = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            n += add_name(
                table,
                bytes(ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5)),
                &added->shown);
    }
    GENERAL_NAMES_free(names);
    return n;
}

const ShownCertificate *certificate_table_find(const CertificateTable *table, Bytes host)
{
    uint8_t room[HOST_MOST];
    Bytes name = in_small_letters(host, room);
    const ShownCertificate *found = table_get(&table->names, name);
    size_t dot = bytes_find(name, '.');
    if (found || dot == 0 || dot == name.size)
        return found;
    room[dot - 1] = '*';
    return table_get(&table->names, bytes(room + dot - 1, name.size - dot + 1));
}

void certificate_table_each(const CertificateTable *table,
                            void (*see)(void *owner, const ShownCertificate *shown), void *owner)
{
    for (const Added *one = table->first; one; one = one->next)
        see(owner, &one->shown);
}
