#include "gateway/tls/tickets.h"

#include "base/clock.h"
#include "gateway/tls/certificate_time.h"
#include "gateway/tls/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static TicketKeys all;            /* under the lock, as is the next one */
static void (*told)(void) = NULL; /* of a new key */

/* Under the lock: forgets old keys, and makes a new one if it is time. False: there are no random
   numbers. */
static bool renew(int64_t now, int64_t period, bool *made_out)
{
    uint8_t random[TICKET_RANDOM];
    ticket_keys_forget(&all, now, period);
    *made_out = ticket_keys_are_due(&all, now, period);
    if (!*made_out)
        return true;
    if (RAND_bytes(random, sizeof random) != 1)
        return false;
    ticket_keys_add(&all, now, random);
    OPENSSL_cleanse(random, sizeof random);
    return true;
}

/* The key that seals (`name` NULL), or the one of the name. False: there is none. `*new_out`: the
   client is to get a new ticket. */
static bool get_key(const uint8_t *name, int64_t period, TicketKey *key_out, bool *new_out)
{
    bool made = false;
    pthread_mutex_lock(&lock);
    bool good = renew(clock_wall(), period, &made);
    const TicketKey *found = name ? ticket_keys_find(&all, name) : &all.keys[0];
    good = good && found;
    if (good)
        *key_out = *found;
    *new_out = found != &all.keys[0];
    void (*tell)(void) = made ? told : NULL;
    pthread_mutex_unlock(&lock);
    if (tell)
        tell();
    return good;
}

static bool begin(const TicketKey *key, const uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                  int sealing)
{
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac, TICKET_SECRET),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, sealing) == 1 &&
           EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1: done; 2: the client is to get a new ticket; 0: the
   session cannot be resumed; -1: failed. */
static int on_ticket(SSL *tls, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int sealing)
{
    TicketKey key;
    bool renewed = false;
    int64_t period = SSL_CTX_get_timeout(SSL_get_SSL_CTX(tls)) * SECOND / 2;
    if (!get_key(sealing ? NULL : name, period, &key, &renewed))
        return sealing ? -1 : 0;
    bool good = true;
    if (sealing) {
        memcpy(name, key.name, TICKET_NAME);
        good = RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1;
    }
    good = good && begin(&key, iv, cipher, mac, sealing);
    OPENSSL_cleanse(&key, sizeof key);
    return !good ? -1 : renewed ? 2 : 1;
}

/* Until when what has proved who the client is does so: the first end of a certificate of its chain
   or of a list of revocations. A list that has ended has proved nothing: another one did. */
static int64_t proof_ends(SSL *tls)
{
    STACK_OF(X509) *chain = SSL_get0_verified_chain(tls);
    if (!SSL_get0_peer_certificate(tls))
        return INT64_MAX;
    if (!chain)
        return INT64_MIN;
    int64_t end = revocations_end(SSL_get_SSL_CTX(tls), clock_wall());
    for (int i = 0; i < sk_X509_num(chain); i++) {
        int64_t one = certificate_ends(sk_X509_value(chain, i));
        end = one < end ? one : end;
    }
    return end;
}

/* SSL_CTX_set_session_ticket_cb(3): 1: go on. A session that was resumed keeps the end that it had:
   nothing has been proved anew. */
static int on_sealing(SSL *tls, void *owner)
{
    if (SSL_session_reused(tls))
        return 1;
    int64_t end = proof_ends(tls);
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(tls), &end, sizeof end);
}

/* A session without an end is of a build that knew none. */
static bool is_proved(SSL_SESSION *session)
{
    void *data = NULL;
    size_t size = 0;
    int64_t end;
    if (SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1 || size != sizeof end)
        return false;
    memcpy(&end, data, sizeof end);
    return clock_wall() < end;
}

static SSL_TICKET_RETURN on_opened(SSL *tls, SSL_SESSION *session, const unsigned char *name,
                                   size_t name_size, SSL_TICKET_STATUS status, void *owner)
{
    bool opened = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
    if (!opened || !is_proved(session))
        return SSL_TICKET_RETURN_IGNORE_RENEW; /* a full handshake, and a new ticket after it */
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

/* SSL_CTX_set_client_hello_cb(3). RFC 8446 section 4.2.9: who does not say how it would resume, as
   clients in Go without a cache of sessions, cannot use a ticket. */
static int on_hello(SSL *tls, int *alert, void *owner)
{
    const unsigned char *modes;
    size_t size;
    if (SSL_client_hello_get0_ext(tls, TLSEXT_TYPE_psk_kex_modes, &modes, &size) != 1)
        SSL_set_num_tickets(tls, 0); /* of TLS 1.3; in 1.2 the client asks for it */
    return SSL_CLIENT_HELLO_SUCCESS;
}

bool tickets_use(SSL_CTX *context, uint32_t seconds)
{
    /* Sessions are kept by the clients alone. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (seconds == 0) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        return SSL_CTX_set_num_tickets(context, 0) == 1;
    }
    SSL_CTX_set_timeout(context, seconds);
    SSL_CTX_set_client_hello_cb(context, on_hello, NULL);
    /* OpenSSL would seal two for each handshake. */
    return SSL_CTX_set_num_tickets(context, 1) == 1 &&
           SSL_CTX_set_session_ticket_cb(context, on_sealing, on_opened, NULL) == 1 &&
           SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) == 1;
}

void tickets_write(Buffer *out)
{
    pthread_mutex_lock(&lock);
    if (all.n)
        ticket_keys_write(&all, out);
    pthread_mutex_unlock(&lock);
}

void tickets_read(Bytes text)
{
    pthread_mutex_lock(&lock);
    ticket_keys_read(text, &all);
    pthread_mutex_unlock(&lock);
}

void tickets_told_to(void (*changed)(void))
{
    pthread_mutex_lock(&lock);
    told = changed;
    pthread_mutex_unlock(&lock);
}
