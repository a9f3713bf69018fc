#include "tests/unit/check.h"

#include "gateway/tls/certificate_table.h"

#include <openssl/x509v3.h>

static CertificateTable *table;
static EVP_PKEY *key;

static X509 *certificate_for(const char *names)
{
    X509 *x = X509_new();
    assert_non_null(x);
    if (names) {
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
        assert_non_null(extension);
        X509_add_ext(x, extension, -1);
        X509_EXTENSION_free(extension);
    }
    return x;
}

/* The certificate, which the table keeps. */
static const X509 *add(const char *names, size_t n)
{
    X509 *x = certificate_for(names);
    assert_int_equal(certificate_table_add(table, x, key, NULL), n);
    X509_free(x);
    return x;
}

static int fresh(void **state)
{
    table = certificate_table_new();
    key = EVP_EC_gen("P-256");
    return key ? 0 : -1;
}

static int used(void **state)
{
    certificate_table_free(table);
    EVP_PKEY_free(key);
    return 0;
}

static const X509 *found(const char *host)
{
    const ShownCertificate *shown = certificate_table_find(table, bytes_of(host));
    return shown ? shown->certificate : NULL;
}

static void a_certificate_is_found_by_each_of_its_names_in_any_case(void **state)
{
    const X509 *a = add("DNS:shop.example,DNS:WWW.shop.example", 2), *b = add("DNS:b.example", 1);
    assert_ptr_equal(found("shop.example"), a);
    assert_ptr_equal(found("Www.SHOP.example"), a);
    assert_ptr_equal(found("b.example"), b);
    assert_null(found("c.example"));
    assert_null(found("example"));
    assert_null(found(""));
}

static void a_star_is_one_label_and_the_name_itself_goes_first(void **state)
{
    const X509 *star = add("DNS:*.shop.example", 1), *own = add("DNS:eu.shop.example", 1);
    assert_ptr_equal(found("us.shop.example"), star);
    assert_ptr_equal(found("eu.shop.example"), own);
    assert_null(found("shop.example"));
    assert_null(found("a.b.shop.example"));
    assert_null(found(".shop.example"));
}

static void of_one_name_there_may_be_several_for_other_kinds_of_keys(void **state)
{
    const X509 *a = add("DNS:shop.example", 1), *b = add("DNS:shop.example", 1);
    const ShownCertificate *shown = certificate_table_find(table, bytes_of("shop.example"));
    assert_ptr_equal(shown->certificate, b);
    assert_ptr_equal(shown->next->certificate, a);
    assert_null(shown->next->next);
}

static void names_of_other_kinds_do_not_count(void **state)
{
    add("URI:spiffe://shop.example/a,email:a@shop.example", 0);
    add(NULL, 0);
    assert_null(found("shop.example"));
}

static void a_name_longer_than_a_host_can_be_is_not_found(void **state)
{
    char longest[300];
    memset(longest, 'a', sizeof longest);
    longest[255] = '\0';
    assert_null(found(longest));
    longest[255] = 'a';
    longest[256] = '\0';
    assert_null(found(longest));
}

static void count(void *owner, const ShownCertificate *shown)
{
    assert_non_null(shown->certificate);
    ++*(int *)owner;
}

static void all_are_seen_once(void **state)
{
    int n = 0;
    add("DNS:shop.example,DNS:www.shop.example", 2);
    add(NULL, 0);
    certificate_table_each(table, count, &n);
    assert_int_equal(n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_certificate_is_found_by_each_of_its_names_in_any_case,
                                        fresh, used),
        cmocka_unit_test_setup_teardown(a_star_is_one_label_and_the_name_itself_goes_first, fresh,
                                        used),
        cmocka_unit_test_setup_teardown(of_one_name_there_may_be_several_for_other_kinds_of_keys,
                                        fresh, used),
        cmocka_unit_test_setup_teardown(names_of_other_kinds_do_not_count, fresh, used),
        cmocka_unit_test_setup_teardown(a_name_longer_than_a_host_can_be_is_not_found, fresh, used),
        cmocka_unit_test_setup_teardown(all_are_seen_once, fresh, used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
