#include "gateway/instances/instances.h"

#include "base/result.h"
#include "gateway/tls/spiffe.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* All known instances, in a hash table by address, and a stack of free numbers. Guarded by
   `lock`. */
static struct {
    KnownInstance **chains;
    uint32_t n_chains; /* 0, or a power of two */
    uint32_t n;
    uint32_t *free_numbers;
    uint32_t n_free, n_numbers;
} table;

atomic_uint known_instances_back, known_instances_barred;

/* ---- Identity -------------------------------------------------------------------------------- */

static bool same_certificate(const X509 *a, const X509 *b)
{
    return a == b || (a && b && X509_cmp(a, b) == 0);
}

/* Compares the trusted certificates, including their order. */
static bool same_trust(SSL_CTX *a, SSL_CTX *b)
{
    STACK_OF(X509_OBJECT) *of_a = X509_STORE_get0_objects(SSL_CTX_get_cert_store(a));
    STACK_OF(X509_OBJECT) *of_b = X509_STORE_get0_objects(SSL_CTX_get_cert_store(b));
    if (sk_X509_OBJECT_num(of_a) != sk_X509_OBJECT_num(of_b))
        return false;
    for (int i = 0; i < sk_X509_OBJECT_num(of_a); i++) {
        if (!same_certificate(X509_OBJECT_get0_X509(sk_X509_OBJECT_value(of_a, i)),
                              X509_OBJECT_get0_X509(sk_X509_OBJECT_value(of_b, i))))
            return false;
    }
    return true;
}

/* Compares the content, because a reload creates all contexts again. */
static bool same_tls(SSL_CTX *a, SSL_CTX *b)
{
    if (a == b || !a || !b)
        return a == b;
    return SSL_CTX_get_verify_mode(a) == SSL_CTX_get_verify_mode(b) &&
           text_equal(spiffe_expected(a), spiffe_expected(b)) &&
           same_certificate(SSL_CTX_get0_certificate(a), SSL_CTX_get0_certificate(b)) &&
           same_trust(a, b);
}

static bool leads_to(const KnownInstance *known, const Instance *instance)
{
    return text_equal(known->address.text, instance->address.text) &&
           known->http2 == instance->http2 && text_equal(known->tls_name, instance->tls_name) &&
           same_tls(known->tls, instance->tls);
}

/* ---- The table ------------------------------------------------------------------------------- */

static KnownInstance **chain_of(const char *address)
{
    return &table.chains[bytes_hash(bytes_of(address)) & (table.n_chains - 1)];
}

/* Doubles the numbers and chains. The lowest free number is used first. */
static void grow(void)
{
    uint32_t n = table.n_numbers ? 2 * table.n_numbers : 8, n_old = table.n_chains;
    KnownInstance **old = table.chains;
    table.chains = calloc(n, sizeof(table.chains[0]));
    table.free_numbers = realloc(table.free_numbers, n * sizeof(table.free_numbers[0]));
    CHECK(table.chains && table.free_numbers);
    table.n_chains = n;
    for (uint32_t i = 0; i < n_old; i++) {
        for (KnownInstance *known = old[i], *next; known; known = next) {
            KnownInstance **chain = chain_of(known->address.text);
            next = known->next;
            known->next = *chain;
            *chain = known;
        }
    }
    free(old);
    for (uint32_t number = n; number > table.n_numbers; number--)
        table.free_numbers[table.n_free++] = number - 1;
    table.n_numbers = n;
}

static KnownInstance *known_new(const Instance *instance)
{
    static uint64_t serial;
    KnownInstance *known = calloc(1, sizeof(*known));
    CHECK(known);
    if (table.n_free == 0)
        grow();
    known->number = table.free_numbers[--table.n_free];
    known->serial = ++serial;
    known->address = (Address){
        .text = text_copy(instance->address.text),
        .host = text_copy(instance->address.host),
        .port = instance->address.port,
        .path = text_copy(instance->address.path),
    };
    known->http2 = instance->http2;
    known->tls_name = text_copy(instance->tls_name);
    known->tls = instance->tls;
    if (known->tls)
        SSL_CTX_up_ref(known->tls);
    KnownInstance **chain = chain_of(known->address.text);
    known->next = *chain;
    *chain = known;
    table.n++;
    return known;
}

static void known_free(KnownInstance *known)
{
    KnownInstance **at = chain_of(known->address.text);
    while (*at != known)
        at = &(*at)->next;
    *at = known->next;
    table.n--;
    table.free_numbers[table.n_free++] = known->number;
    SSL_CTX_free(known->tls);
    free((char *)known->address.text);
    free((char *)known->address.host);
    free((char *)known->address.path);
    free((char *)known->tls_name);
    free(known);
}

KnownInstance *known_instance_of(const Instance *instance)
{
    pthread_mutex_lock(&lock);
    KnownInstance *known = table.n_chains ? *chain_of(instance->address.text) : NULL;
    while (known && !leads_to(known, instance))
        known = known->next;
    if (!known)
        known = known_new(instance);
    known->references++;
    pthread_mutex_unlock(&lock);
    return known;
}

KnownInstance *known_instance_ref(KnownInstance *known)
{
    pthread_mutex_lock(&lock);
    known->references++;
    pthread_mutex_unlock(&lock);
    return known;
}

void known_instance_unref(KnownInstance *known)
{
    if (!known)
        return;
    pthread_mutex_lock(&lock);
    if (--known->references == 0)
        known_free(known);
    pthread_mutex_unlock(&lock);
}

bool known_instance_set_down(KnownInstance *known, bool down)
{
    if (down)
        return atomic_fetch_add_explicit(&known->n_down, 1, memory_order_relaxed) == 0;
    return atomic_fetch_sub_explicit(&known->n_down, 1, memory_order_relaxed) == 1;
}

/* ---- Bars ------------------------------------------------------------------------------------ */

/* The count changes after the bits, so a loop that sees the new count sees the new bits. */
void known_instance_bar(KnownInstance *known, Bar bar, bool on)
{
    uint32_t before =
        on ? atomic_fetch_or_explicit(&known->barred, bar, memory_order_release)
           : atomic_fetch_and_explicit(&known->barred, ~(uint32_t)bar, memory_order_release);
    if (((before & bar) != 0) != on)
        atomic_fetch_add_explicit(&known_instances_barred, 1, memory_order_release);
}

void instance_set_aside(Instance *instance, Bar bar, bool aside)
{
    uint32_t before = atomic_load_explicit(&instance->set_aside, memory_order_relaxed);
    if (((before & bar) != 0) == aside)
        return;
    atomic_store_explicit(&instance->set_aside, before ^ bar, memory_order_relaxed);
    atomic_fetch_add_explicit(&known_instances_barred, 1, memory_order_release);
}

const char *bar_name(uint32_t bars)
{
    switch (bars & -bars) {
    case BAR_UNHEALTHY: return "unhealthy";
    case BAR_EJECTED: return "ejected";
    case BAR_DRAINED: return "drained";
    case BAR_REMOVED: return "removed";
    case BAR_PINNED: return "pinned";
    case BAR_WITHDRAWN: return "withdrawn";
    default: return "none";
    }
}

void known_instance_warm_up(KnownInstance *known, int64_t now)
{
    atomic_store_explicit(&known->warm_since, now, memory_order_relaxed);
}

bool known_instance_pardon(KnownInstance *known, int64_t now)
{
    if (!judged_pardon(&known->judged, now))
        return false;
    known_instance_warm_up(known, now);
    known_instance_bar(known, BAR_EJECTED, false);
    return true;
}

/* ---- All of them ----------------------------------------------------------------------------- */

KnownInstance **known_instances_all(uint32_t *n_out)
{
    pthread_mutex_lock(&lock);
    KnownInstance **all = malloc((table.n + 1) * sizeof(*all));
    CHECK(all);
    uint32_t n = 0;
    for (uint32_t i = 0; i < table.n_chains; i++) {
        for (KnownInstance *known = table.chains[i]; known; known = known->next) {
            known->references++;
            all[n++] = known;
        }
    }
    pthread_mutex_unlock(&lock);
    *n_out = n;
    return all;
}

void known_instances_let_go(KnownInstance **all, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        known_instance_unref(all[i]);
    free(all);
}
