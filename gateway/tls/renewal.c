#include "gateway/tls/renewal.h"

#include "base/arena.h"
#include "gateway/tls/certificate_time.h"
#include "gateway/tls/tls_internal.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

struct Renewal {
    pthread_mutex_t mutex; /* guards the next */
    CertificateTable *table;
    TlsPair *pairs; /* the first is for whoever asks for no name */
    size_t n_pairs;
};

/* ---- Of a context ---------------------------------------------------------------------------- */

static int renewal_index;

static void free_renewal(void *parent, void *data, CRYPTO_EX_DATA *all, int index, long argument,
                         void *pointer)
{
    Renewal *renewal = data;
    if (!renewal)
        return;
    certificate_table_free(renewal->table);
    for (size_t i = 0; i < renewal->n_pairs; i++) {
        free((char *)(uintptr_t)renewal->pairs[i].certificate);
        free((char *)(uintptr_t)renewal->pairs[i].key);
    }
    free(renewal->pairs);
    pthread_mutex_destroy(&renewal->mutex);
    free(renewal);
}

static void make_index(void)
{
    renewal_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_renewal);
}

/* -1: there is no memory. */
static int index_of_renewal(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_index);
    return renewal_index;
}

Renewal *renewal_of(SSL_CTX *context)
{
    return index_of_renewal() < 0 ? NULL : SSL_CTX_get_ex_data(context, index_of_renewal());
}

/* ---- Handshakes ------------------------------------------------------------------------------ */

static void take_first(void *owner, const ShownCertificate *shown)
{
    const ShownCertificate **first = owner;
    *first = *first ? *first : shown;
}

/* SSL_CTX_set_cert_cb(3): 1: go on. An instance is shown the only one, whatever its name. */
static int choose(SSL *ssl, void *owner)
{
    Renewal *renewal = owner;
    const char *host =
        SSL_is_server(ssl) ? SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) : NULL;
    pthread_mutex_lock(&renewal->mutex);
    const ShownCertificate *shown =
        host ? certificate_table_find(renewal->table, bytes_of(host)) : NULL;
    const ShownCertificate *first = NULL;
    certificate_table_each(renewal->table, take_first, &first);
    ShownCertificate alone = *first;
    alone.next = NULL;
    int done = tls_show(ssl, shown ? shown : &alone);
    pthread_mutex_unlock(&renewal->mutex);
    return done;
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

static void add_pair(Renewal *renewal, const TlsPair *pair)
{
    renewal->pairs[renewal->n_pairs++] =
        (TlsPair){text_copy(pair->certificate), text_copy(pair->key)};
}

static Renewal *renewal_new(const TlsFiles *files, CertificateTable *table)
{
    Renewal *renewal = calloc(1, sizeof *renewal);
    CHECK(renewal);
    renewal->pairs = calloc(files->n_more + 1, sizeof *renewal->pairs);
    CHECK(renewal->pairs);
    pthread_mutex_init(&renewal->mutex, NULL);
    renewal->table = table;
    add_pair(renewal, &(TlsPair){files->certificate, files->key});
    for (size_t i = 0; i < files->n_more; i++)
        add_pair(renewal, &files->more[i]);
    return renewal;
}

Result renewal_begin(Arena *arena, SSL_CTX *context, const TlsFiles *files, CertificateTable *table)
{
    Renewal *renewal = renewal_new(files, table);
    if (index_of_renewal() < 0 || SSL_CTX_set_ex_data(context, index_of_renewal(), renewal) != 1) {
        free_renewal(NULL, renewal, NULL, 0, 0, NULL);
        return FAIL(arena, FAULT_TLS, "preparing OpenSSL: %s", tls_reason(arena));
    }
    SSL_CTX_set_cert_cb(context, choose, renewal);
    return OK;
}

/* FNV-1a. */
static void mix(uint64_t *hash, uint64_t number)
{
    *hash = (*hash ^ number) * UINT64_C(0x100000001b3);
}

static void mix_file(uint64_t *hash, const char *path)
{
    struct stat is;
    if (stat(path, &is) != 0) {
        mix(hash, (uint64_t)errno);
        return;
    }
    mix(hash, is.st_dev);
    mix(hash, is.st_ino);
    mix(hash, (uint64_t)is.st_size);
    mix(hash, (uint64_t)is.st_mtim.tv_sec);
    mix(hash, (uint64_t)is.st_mtim.tv_nsec);
}

uint64_t renewal_stamp(const Renewal *renewal)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < renewal->n_pairs; i++) {
        mix_file(&hash, renewal->pairs[i].certificate);
        mix_file(&hash, renewal->pairs[i].key);
    }
    return hash ? hash : 1;
}

Result renewal_read(const Renewal *renewal, Arena *arena, CertificateTable **table_out)
{
    CertificateTable *table = certificate_table_new();
    Result r = OK;
    size_t n_names;
    for (size_t i = 0; i < renewal->n_pairs && !failed(r); i++)
        r = tls_add_pair(arena, table, &renewal->pairs[i], "", &n_names);
    if (failed(r))
        certificate_table_free(table);
    *table_out = failed(r) ? NULL : table;
    return r;
}

typedef struct Listing {
    const ShownCertificate **items;
    size_t n;
} Listing;

static void list_one(void *owner, const ShownCertificate *shown)
{
    Listing *listing = owner;
    listing->items[listing->n++] = shown;
}

/* Each table has one for each pair. */
static Listing list_all(Arena *arena, const Renewal *renewal, const CertificateTable *table)
{
    Listing listing = {arena_array(arena, const ShownCertificate *, renewal->n_pairs), 0};
    certificate_table_each(table, list_one, &listing);
    return listing;
}

bool renewal_shows(Renewal *renewal, const CertificateTable *table)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Listing there = list_all(arena, renewal, table);
    bool same = true;
    pthread_mutex_lock(&renewal->mutex);
    Listing here = list_all(arena, renewal, renewal->table);
    for (size_t i = 0; same && i < here.n; i++)
        same = X509_cmp(here.items[i]->certificate, there.items[i]->certificate) == 0;
    pthread_mutex_unlock(&renewal->mutex);
    arena_free(arena);
    return same;
}

/* Of what is shown, or what is to be: when it ends, by the pair. */
static int64_t *ends_of(Arena *arena, const Listing *listing)
{
    int64_t *ends = arena_array(arena, int64_t, listing->n);
    for (size_t i = 0; i < listing->n; i++)
        ends[i] = certificate_ends(listing->items[i]->certificate);
    return ends;
}

Result renewal_check(Renewal *renewal, Arena *arena, const CertificateTable *table, int64_t now)
{
    Listing there = list_all(arena, renewal, table);
    const int64_t *new_ends = ends_of(arena, &there);
    pthread_mutex_lock(&renewal->mutex);
    Listing here = list_all(arena, renewal, renewal->table);
    const int64_t *ends = ends_of(arena, &here);
    pthread_mutex_unlock(&renewal->mutex);
    for (size_t i = 0; i < here.n; i++)
        if (new_ends[i] <= now && ends[i] > now)
            return FAIL(arena, FAULT_TLS,
                        "the certificate %s has ended; the one that is shown has not",
                        renewal->pairs[i].certificate);
    return OK;
}

void renewal_use(Renewal *renewal, CertificateTable *table)
{
    pthread_mutex_lock(&renewal->mutex);
    CertificateTable *before = renewal->table;
    renewal->table = table;
    pthread_mutex_unlock(&renewal->mutex);
    certificate_table_free(before);
}

void renewal_each(Renewal *renewal, void (*see)(void *owner, const ShownCertificate *shown),
                  void *owner)
{
    pthread_mutex_lock(&renewal->mutex);
    certificate_table_each(renewal->table, see, owner);
    pthread_mutex_unlock(&renewal->mutex);
}
