#include "tests/unit/check.h"

#include "gateway/tls/spiffe.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define DOMAIN "its trust domain has other characters than small letters, digits and .-_"
#define PATH                                                                                       \
    "its path has an empty part, a dot in place of one, or other characters than letters, digits " \
    "and .-_"

static void ids_are_checked(void **state)
{
    static const struct {
        const char *id, *wrong;
    } rows[] = {
        {"spiffe://shop.example", NULL},
        {"spiffe://shop.example/orders", NULL},
        {"spiffe://a-b_c.9/ns/Prod/sa/x.y-z_0", NULL},
        {"https://shop.example/orders", "it does not begin with spiffe://"},
        {"SPIFFE://shop.example", "it does not begin with spiffe://"},
        {"", "it does not begin with spiffe://"},
        {"spiffe://", "it has no trust domain"},
        {"spiffe:///orders", "it has no trust domain"},
        {"spiffe://Shop.example/orders", DOMAIN},
        {"spiffe://shop.example:443/orders", DOMAIN},
        {"spiffe://user@shop.example", DOMAIN},
        {"spiffe://shop.example/a//b", PATH},
        {"spiffe://shop.example/./b", PATH},
        {"spiffe://shop.example/..", PATH},
        {"spiffe://shop.example/a%20b", PATH},
        {"spiffe://shop.example/a?b", PATH},
        {"spiffe://shop.example/a/", "it ends with a slash"},
        {"spiffe://shop.example/", "it ends with a slash"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *wrong = spiffe_id_is_wrong(bytes_of(rows[i].id));
        if (rows[i].wrong)
            assert_string_equal(wrong ? wrong : rows[i].id, rows[i].wrong);
        else
            assert_null(wrong);
    }
}

static void an_id_has_2048_bytes_at_most(void **state)
{
    char id[2050];
    memset(id, 'a', sizeof id);
    memcpy(id, "spiffe://", 9);
    assert_null(spiffe_id_is_wrong(bytes(id, 2048)));
    assert_string_equal(spiffe_id_is_wrong(bytes(id, 2049)), "it is longer than 2048 bytes");
}

static bool is_of(const char *names)
{
    X509 *x = X509_new();
    X509_EXTENSION *extension =
        names ? X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names) : NULL;
    if (extension)
        X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
    bool same = spiffe_id_is_of(x, "spiffe://shop.example/orders");
    X509_free(x);
    return same;
}

static void a_certificate_has_an_id_as_its_only_uri(void **state)
{
    assert_true(is_of("URI:spiffe://shop.example/orders"));
    assert_true(is_of("DNS:x.example,URI:spiffe://shop.example/orders"));
    assert_false(is_of("URI:spiffe://shop.example/order"));
    assert_false(is_of("URI:spiffe://shop.example/orders2"));
    assert_false(is_of("URI:spiffe://shop.example/orders,URI:https://x.example"));
    assert_false(is_of("URI:spiffe://shop.example/orders,URI:spiffe://shop.example/orders"));
    assert_false(is_of("DNS:shop.example"));
    assert_false(is_of(NULL));
}

static void a_context_keeps_a_copy_of_what_it_expects(void **state)
{
    char id[] = "spiffe://shop.example/orders";
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert_null(spiffe_expected(context));
    assert_true(spiffe_expect(context, id));
    id[0] = 'x';
    assert_string_equal(spiffe_expected(context), "spiffe://shop.example/orders");
    SSL_CTX_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_checked),
        cmocka_unit_test(an_id_has_2048_bytes_at_most),
        cmocka_unit_test(a_certificate_has_an_id_as_its_only_uri),
        cmocka_unit_test(a_context_keeps_a_copy_of_what_it_expects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
