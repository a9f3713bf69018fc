#include "gateway/tls/certificate_time.h"
#include "tests/unit/check.h"

#include "base/clock.h"

#include <openssl/ssl.h>

static void a_certificate_without_end_ends_after_all_others(void **state)
{
    X509 *certificate = X509_new();
    assert_int_equal(ASN1_TIME_set_string(X509_getm_notBefore(certificate), "00010101000000Z"), 1);
    assert_int_equal(ASN1_TIME_set_string(X509_getm_notAfter(certificate), "99991231235959Z"), 1);
    assert_true(certificate_begins(certificate) == INT64_MIN);
    assert_true(certificate_ends(certificate) == INT64_MAX);
    assert_int_equal(ASN1_TIME_set_string(X509_getm_notAfter(certificate), "20380119031408Z"), 1);
    assert_true(certificate_ends(certificate) == (INT64_C(1) << 31) * SECOND);
    X509_free(certificate);
}

/* A list of nobody, which ends then. */
static void add_list(SSL_CTX *context, const char *end, const char *issuer)
{
    X509_CRL *list = X509_CRL_new();
    X509_NAME *name = X509_NAME_new();
    ASN1_TIME *time = ASN1_TIME_new();
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)issuer, -1, -1, 0),
                     1);
    assert_int_equal(X509_CRL_set_issuer_name(list, name), 1);
    if (end) {
        assert_int_equal(ASN1_TIME_set_string(time, end), 1);
        assert_int_equal(X509_CRL_set1_nextUpdate(list, time), 1);
    }
    assert_int_equal(X509_STORE_add_crl(SSL_CTX_get_cert_store(context), list), 1);
    ASN1_TIME_free(time);
    X509_NAME_free(name);
    X509_CRL_free(list);
}

static void the_first_list_that_ends_after_a_time_is_found(void **state)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    int64_t last = (INT64_C(1) << 31) * SECOND;
    assert_true(revocations_end(context, INT64_MIN) == INT64_MAX);
    add_list(context, NULL, "endless");
    assert_true(revocations_end(context, INT64_MIN) == INT64_MAX);
    add_list(context, "20380119031408Z", "last");
    add_list(context, "19700101000001Z", "first");
    assert_true(revocations_end(context, INT64_MIN) == SECOND);
    assert_true(revocations_end(context, SECOND) == last);
    assert_true(revocations_end(context, last) == INT64_MAX);
    SSL_CTX_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_without_end_ends_after_all_others),
        cmocka_unit_test(the_first_list_that_ends_after_a_time_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
