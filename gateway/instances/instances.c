#include "gateway/instances/instances.h"

#include "base/result.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* By number; NULL: the number is free. Guarded by the lock. */
static KnownInstance **table;
static uint32_t n_numbers;

/* ---- What one is found by -------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_certificate(const X509 *a, const X509 *b)
{
    return a == b || (a && b && X509_cmp(a, b) == 0);
}

/* The certificates that each trusts, in their order. */
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

/* A reload makes all contexts anew: what counts is what is in them. */
static bool same_tls(SSL_CTX *a, SSL_CTX *b)
{
    if (a == b || !a || !b)
        return a == b;
    return SSL_CTX_get_verify_mode(a) == SSL_CTX_get_verify_mode(b) &&
           same_certificate(SSL_CTX_get0_certificate(a), SSL_CTX_get0_certificate(b)) &&
           same_trust(a, b);
}

static bool leads_to(const KnownInstance *known, const Instance *instance)
{
    return same_text(known->address.text, instance->address.text) &&
           known->http2 == instance->http2 && same_text(known->tls_name, instance->tls_name) &&
           same_tls(known->tls, instance->tls);
}

/* ---- The table ------------------------------------------------------------------------------- */

static const char *copy_of(const char *text)
{
    if (!text)
        return NULL;
    char *copy = strdup(text);
    CHECK(copy);
    return copy;
}

static uint32_t take_number(void)
{
    for (uint32_t i = 0; i < n_numbers; i++) {
        if (!table[i])
            return i;
    }
    uint32_t first = n_numbers;
    n_numbers = n_numbers ? 2 * n_numbers : 8;
    table = realloc(table, n_numbers * sizeof(table[0]));
    CHECK(table);
    memset(table + first, 0, (n_numbers - first) * sizeof(table[0]));
    return first;
}

static KnownInstance *known_new(const Instance *instance)
{
    KnownInstance *known = calloc(1, sizeof(*known));
    CHECK(known);
    known->number = take_number();
    known->address = (Address){
        .text = copy_of(instance->address.text),
        .host = copy_of(instance->address.host),
        .port = instance->address.port,
        .path = copy_of(instance->address.path),
    };
    known->http2 = instance->http2;
    known->tls_name = copy_of(instance->tls_name);
    known->tls = instance->tls;
    if (known->tls)
        SSL_CTX_up_ref(known->tls);
    table[known->number] = known;
    return known;
}

static void known_free(KnownInstance *known)
{
    table[known->number] = NULL;
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
    KnownInstance *known = NULL;
    for (uint32_t i = 0; i < n_numbers && !known; i++) {
        if (table[i] && leads_to(table[i], instance))
            known = table[i];
    }
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

void known_instance_set_down(KnownInstance *known, bool down)
{
    if (down)
        atomic_fetch_add_explicit(&known->n_down, 1, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(&known->n_down, 1, memory_order_relaxed);
}

/* ---- Configs --------------------------------------------------------------------------------- */

static void let_go(Config *config)
{
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        for (uint32_t k = 0; k < service->n_instances; k++) {
            known_instance_unref(service->instances[k].known);
            service->instances[k].known = NULL;
        }
    }
}

void instances_adopt(Config *config)
{
    CHECK(!config->let_go);
    config->let_go = let_go;
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        for (uint32_t k = 0; k < service->n_instances; k++)
            service->instances[k].known = known_instance_of(&service->instances[k]);
    }
}
