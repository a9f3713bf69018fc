#include "tests/unit/check.h"

#include "gateway/tls/certificate_names.h"
#include "tests/unit/gateway/openssl_memory.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

static X509 *make_certificate(void)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const uint8_t *)"Shop", -1, -1, 0);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)"panel", -1, -1, 0);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(
        NULL, NULL, NID_subject_alt_name,
        "DNS:panel.example,DNS:other.example,URI:spiffe://shop/panel,email:p@shop.example");
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    return certificate;
}

static const char *const expected[CERTIFICATE_NAMES] = {
    [CERTIFICATE_SUBJECT] = "CN=panel,O=Shop", [CERTIFICATE_COMMON_NAME] = "panel",
    [CERTIFICATE_DNS] = "panel.example",       [CERTIFICATE_URI] = "spiffe://shop/panel",
    [CERTIFICATE_EMAIL] = "p@shop.example",
};

static void each_kind_of_name_is_read(void **state)
{
    X509 *certificate = make_certificate();
    CertificateNames *names = certificate_names_read(certificate);
    for (int i = 0; i < CERTIFICATE_NAMES; i++)
        assert_string_equal(names->names[i], expected[i]);
    free(names);
    X509_free(certificate);
}

/* The beginning of a name is the name of somebody else. */
static void without_memory_a_name_is_missing_and_never_cut_off(void **state)
{
    X509 *certificate = make_certificate();
    uint32_t n_missing = 0;
    bool has_failed = true;
    for (int nth = 0; has_failed; nth++) {
        openssl_memory_fail(nth);
        CertificateNames *names = certificate_names_read(certificate);
        has_failed = openssl_memory_has_failed();
        for (int i = 0; i < CERTIFICATE_NAMES; i++) {
            if (names->names[i])
                assert_string_equal(names->names[i], expected[i]);
            else
                n_missing++;
        }
        free(names);
    }
    assert_true(n_missing > CERTIFICATE_NAMES);
    X509_free(certificate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_name_is_read),
        cmocka_unit_test(without_memory_a_name_is_missing_and_never_cut_off),
    };
    return openssl_memory_begin() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
