#include "gateway/tls/certificate_time.h"

#include "base/clock.h"
#include "base/result.h"
#include "base/text/date.h"

#include <openssl/ssl.h>
#include <time.h>

/* Wall time reaches to the year 2262, certificates to 9999 (RFC 5280 section 4.1.2.5). */
#define FURTHEST_DAY (INT64_MAX / SECOND / 86400)

static int64_t wall_of(const ASN1_TIME *time)
{
    struct tm tm = {0};
    CHECK(ASN1_TIME_to_tm(time, &tm) == 1); /* OpenSSL has read it before */
    int64_t days = date_to_days(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    if (days <= -FURTHEST_DAY || days >= FURTHEST_DAY)
        return days < 0 ? INT64_MIN : INT64_MAX;
    return (days * 86400 + tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec) * SECOND;
}

int64_t certificate_begins(const X509 *certificate)
{
    return wall_of(X509_get0_notBefore(certificate));
}

int64_t certificate_ends(const X509 *certificate)
{
    return wall_of(X509_get0_notAfter(certificate));
}

int64_t revocations_end(SSL_CTX *context, int64_t after)
{
    int64_t first = INT64_MAX;
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    X509_STORE_lock(store); /* handshakes sort what it has */
    STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(store);
    for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
        const X509_CRL *list = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(all, i));
        const ASN1_TIME *end = list ? X509_CRL_get0_nextUpdate(list) : NULL;
        int64_t wall = end ? wall_of(end) : INT64_MAX;
        if (wall > after && wall < first)
            first = wall;
    }
    X509_STORE_unlock(store);
    return first;
}
