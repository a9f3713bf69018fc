#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/instances/instance_set.h"
#include "gateway/tls/spiffe.h"
#include "tests/unit/gateway/certificates.h"

#include <openssl/ssl.h>

static Instance at(const char *address)
{
    return (Instance){.address = {.text = address, .host = "10.0.0.1", .port = 7001}};
}

static bool is_same(const Instance *a, const Instance *b)
{
    KnownInstance *of_a = known_instance_of(a), *of_b = known_instance_of(b);
    bool same = of_a == of_b;
    assert_int_equal(same, of_a->number == of_b->number);
    known_instance_unref(of_a);
    known_instance_unref(of_b);
    return same;
}

static void one_is_found_by_how_it_is_reached(void **state)
{
    Instance one = at("10.0.0.1:7001"), other = at("10.0.0.1:7001");
    other.build = "3.1.0";
    other.protocol = UPSTREAM_CONNECT;
    assert_true(is_same(&one, &other));
    other.http2 = true;
    assert_false(is_same(&one, &other));
    other = at("10.0.0.1:7002");
    assert_false(is_same(&one, &other));
    other = at("10.0.0.1:7001");
    other.tls_name = "shop.example";
    assert_false(is_same(&one, &other));
    one.tls_name = "shop.example";
    assert_true(is_same(&one, &other));
}

static void contexts_are_the_same_when_what_is_in_them_is(void **state)
{
    Instance one = at("10.0.0.1:7001"), other = at("10.0.0.1:7001");
    one.tls = SSL_CTX_new(TLS_client_method());
    assert_false(is_same(&one, &other));
    other.tls = SSL_CTX_new(TLS_client_method());
    assert_true(is_same(&one, &other));
    SSL_CTX_set_verify(other.tls, SSL_VERIFY_PEER, NULL);
    assert_false(is_same(&one, &other));
    SSL_CTX_free(one.tls);
    SSL_CTX_free(other.tls);
}

/* Of two contexts, which are made and freed here. */
static bool are_same(SSL_CTX *a, SSL_CTX *b)
{
    Instance one = at("10.0.0.1:7001"), other = at("10.0.0.1:7001");
    one.tls = a;
    other.tls = b;
    bool same = is_same(&one, &other);
    SSL_CTX_free(a);
    SSL_CTX_free(b);
    return same;
}

/* The same certificate, read from another file. */
static SSL_CTX *showing(const Authority *trusted, const X509 *certificate)
{
    SSL_CTX *context = client_context(trusted, NULL, NULL);
    X509 *copy = X509_dup(certificate);
    CHECK(copy && SSL_CTX_use_certificate(context, copy) == 1);
    X509_free(copy);
    return context;
}

static SSL_CTX *trusting(const Authority *first, const Authority *second)
{
    SSL_CTX *context = client_context(first, NULL, NULL);
    CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), second->certificate) == 1);
    return context;
}

static SSL_CTX *known_by(const char *id, const Authority *trusted)
{
    SSL_CTX *context = client_context(trusted, NULL, NULL);
    CHECK(spiffe_expect(context, id));
    return context;
}

static void contexts_differ_by_whom_they_trust_and_what_they_show(void **state)
{
    Authority a = authority_new(), b = authority_new();
    assert_true(are_same(client_context(&a, NULL, NULL), client_context(&a, NULL, NULL)));
    assert_false(are_same(client_context(&a, NULL, NULL), client_context(&b, NULL, NULL)));
    assert_false(are_same(client_context(&a, NULL, NULL), trusting(&a, &b)));
    assert_true(are_same(trusting(&a, &b), trusting(&a, &b)));
    assert_false(are_same(client_context(&a, &a, "shop"), client_context(&a, NULL, NULL)));
    assert_false(are_same(client_context(&a, NULL, NULL), client_context(&a, &a, "shop")));
    assert_false(are_same(client_context(&a, &a, "shop"), client_context(&a, &b, "shop")));
    assert_true(are_same(showing(&a, a.certificate), showing(&a, a.certificate)));
    assert_false(are_same(showing(&a, a.certificate), showing(&a, b.certificate)));
    assert_false(are_same(known_by("spiffe://x/a", &a), client_context(&a, NULL, NULL)));
    assert_false(are_same(known_by("spiffe://x/a", &a), known_by("spiffe://x/b", &a)));
    assert_true(are_same(known_by("spiffe://x/a", &a), known_by("spiffe://x/a", &a)));
    authority_free(&a);
    authority_free(&b);
}

static void what_it_is_found_by_is_copied(void **state)
{
    char text[] = "10.0.0.1:7001", host[] = "10.0.0.1", name[] = "shop.example";
    Instance instance = {.address = {.text = text, .host = host, .port = 7001}, .tls_name = name};
    KnownInstance *known = known_instance_of(&instance);
    text[0] = host[0] = name[0] = 'x';
    assert_string_equal(known->address.text, "10.0.0.1:7001");
    assert_string_equal(known->address.host, "10.0.0.1");
    assert_int_equal(known->address.port, 7001);
    assert_null(known->address.path);
    assert_string_equal(known->tls_name, "shop.example");
    known_instance_unref(known);
}

static void numbers_are_small_and_used_again(void **state)
{
    Instance instances[20];
    KnownInstance *known[20];
    char names[20][8];
    for (uint32_t i = 0; i < 20; i++) {
        snprintf(names[i], sizeof(names[i]), "i:%u", i + 1);
        instances[i] = at(names[i]);
        known[i] = known_instance_of(&instances[i]);
        assert_true(known[i]->number < 32);
        for (uint32_t k = 0; k < i; k++)
            assert_int_not_equal(known[k]->number, known[i]->number);
    }
    uint32_t number = known[7]->number;
    known_instance_unref(known[7]);
    Instance fresh = at("fresh:1");
    known[7] = known_instance_of(&fresh);
    assert_int_equal(known[7]->number, number);
    for (uint32_t i = 0; i < 20; i++)
        known_instance_unref(known[i]);
}

static void it_lives_as_long_as_anything_refers_to_it(void **state)
{
    Instance instance = at("10.0.0.1:7001");
    KnownInstance *known = known_instance_of(&instance);
    known_instance_is_back(known);
    assert_ptr_equal(known_instance_ref(known), known);
    known_instance_unref(known);
    assert_int_equal(known_instance_times_back(known), 1);
    known_instance_unref(known);
    known = known_instance_of(&instance);
    assert_int_equal(known_instance_times_back(known), 0); /* made anew */
    known_instance_unref(known);
    known_instance_unref(NULL);
}

static void it_is_down_for_as_many_loops_as_say_so(void **state)
{
    Instance instance = at("10.0.0.1:7001");
    assert_int_equal(instance_loops_down(&instance), 0); /* nobody knows it yet */
    instance.known = known_instance_of(&instance);
    assert_int_equal(instance_loops_down(&instance), 0);
    known_instance_set_down(instance.known, true);
    known_instance_set_down(instance.known, true);
    assert_int_equal(instance_loops_down(&instance), 2);
    known_instance_set_down(instance.known, false);
    assert_int_equal(instance_loops_down(&instance), 1);
    known_instance_unref(instance.known);
}

/* As a reload does it: the new config is there before the old one goes. */
static void configs_share_what_they_name_both(void **state)
{
    Instance of_old[] = {at("stays:1"), at("goes:1")}, of_new[] = {at("comes:1"), at("stays:1")};
    Service old_service = {.name = "s", .instances = of_old, .n_instances = 2};
    Service new_service = {.name = "s", .instances = of_new, .n_instances = 2};
    Config old = {.services = &old_service, .n_services = 1};
    Config new = {.services = &new_service, .n_services = 1};
    instances_adopt(&old, NULL);
    known_instance_set_down(of_old[0].known, true);
    instances_adopt(&new, &old);
    assert_ptr_equal(of_new[1].known, of_old[0].known);
    assert_int_not_equal(of_new[0].known->number, of_new[1].known->number);
    old.let_go(&old);
    assert_null(of_old[0].known);
    assert_int_equal(instance_loops_down(&of_new[1]), 1);
    assert_int_equal(new_service.set->generation, 2);
    assert_int_equal(new_service.set->n_joined, 3);
    assert_int_equal(new_service.set->n_left, 1);
    new.let_go(&new);
}

static void all_that_live_are_shown(void **state)
{
    Instance instances[100];
    KnownInstance *known[100];
    char names[100][8];
    uint32_t n;
    for (uint32_t i = 0; i < 100; i++) {
        snprintf(names[i], sizeof(names[i]), "i:%u", i + 1);
        instances[i] = at(names[i]);
        known[i] = known_instance_of(&instances[i]);
        assert_ptr_equal(known[i], known_instance_of(&instances[i])); /* found again */
        known_instance_unref(known[i]);
    }
    KnownInstance **all = known_instances_all(&n);
    assert_int_equal(n, 100);
    for (uint32_t i = 0; i < 100; i++)
        known_instance_unref(known[i]);
    for (uint32_t i = 0; i < 100; i++) /* they stay while they are shown */
        assert_true(all[i]->references == 1 && all[i]->address.text[0] == 'i');
    known_instances_let_go(all, n);
    all = known_instances_all(&n);
    assert_int_equal(n, 0);
    known_instances_let_go(all, n);
}

static void a_number_that_is_used_again_has_another_serial(void **state)
{
    Instance instance = at("10.0.0.1:7001");
    KnownInstance *known = known_instance_of(&instance);
    uint32_t number = known->number;
    uint64_t serial = known->serial;
    known_instance_unref(known);
    known = known_instance_of(&instance);
    assert_int_equal(known->number, number);
    assert_int_not_equal(known->serial, serial);
    known_instance_unref(known);
}

static void a_bar_of_one_owner_is_not_lifted_by_another(void **state)
{
    Instance instance = at("10.0.0.1:7001"), same = at("10.0.0.1:7001");
    assert_int_equal(instance_barred(&instance), 0); /* nobody knows it yet */
    instance.known = known_instance_of(&instance);
    same.known = known_instance_of(&same);
    known_instance_bar(instance.known, BAR_EJECTED, true);
    known_instance_bar(instance.known, BAR_REMOVED, true);
    assert_int_equal(instance_barred(&same), BAR_EJECTED | BAR_REMOVED);
    known_instance_bar(instance.known, BAR_EJECTED, false);
    assert_int_equal(instance_barred(&same), BAR_REMOVED);
    known_instance_bar(instance.known, BAR_REMOVED, false);
    assert_int_equal(instance_barred(&same), 0);
    known_instance_unref(instance.known);
    known_instance_unref(same.known);
}

static void only_changes_of_bars_are_counted(void **state)
{
    Instance instance = at("10.0.0.1:7001");
    KnownInstance *known = known_instance_of(&instance);
    uint32_t before = known_instances_barred;
    known_instance_bar(known, BAR_UNHEALTHY, false);
    assert_int_equal(known_instances_barred, before);
    known_instance_bar(known, BAR_UNHEALTHY, true);
    known_instance_bar(known, BAR_UNHEALTHY, true);
    assert_int_equal(known_instances_barred, before + 1);
    known_instance_bar(known, BAR_EJECTED, true);
    known_instance_bar(known, BAR_UNHEALTHY, false);
    assert_int_equal(known_instances_barred, before + 3);
    known_instance_unref(known);
}

static void a_pin_bars_an_instance_of_its_service_only(void **state)
{
    Instance instance = at("10.0.0.1:7001"), of_another = at("10.0.0.1:7001");
    instance.known = known_instance_of(&instance);
    of_another.known = known_instance_of(&of_another);
    uint32_t before = known_instances_barred;
    instance_set_aside(&instance, BAR_PINNED, false);
    assert_int_equal(known_instances_barred, before);
    instance_set_aside(&instance, BAR_PINNED, true);
    instance_set_aside(&instance, BAR_PINNED, true);
    assert_int_equal(known_instances_barred, before + 1);
    assert_int_equal(instance_barred(&instance), BAR_PINNED);
    assert_int_equal(instance_barred(&of_another), 0);
    instance_set_aside(&instance, BAR_PINNED, false);
    assert_int_equal(instance_barred(&instance), 0);
    known_instance_unref(instance.known);
    known_instance_unref(of_another.known);
}

static void bars_have_names(void **state)
{
    assert_string_equal(bar_name(0), "none");
    assert_string_equal(bar_name(BAR_UNHEALTHY), "unhealthy");
    assert_string_equal(bar_name(BAR_EJECTED | BAR_DRAINED), "ejected");
    assert_string_equal(bar_name(BAR_DRAINED | BAR_REMOVED), "drained");
    assert_string_equal(bar_name(BAR_REMOVED), "removed");
    assert_string_equal(bar_name(BAR_PINNED), "pinned");
    assert_string_equal(bar_name(BAR_WITHDRAWN), "withdrawn");
}

static void the_share_grows_in_a_slow_start(void **state)
{
    static const struct {
        int64_t since, slow_start, now;
        uint32_t share;
    } rows[] = {
        {0, 30 * SECOND, 5 * SECOND, SHARE_WHOLE}, /* it was there from the start */
        {100 * SECOND, 0, 100 * SECOND, SHARE_WHOLE},
        {100 * SECOND, 30 * SECOND, 99 * SECOND, SHARE_LEAST}, /* a loop's clock may lag */
        {100 * SECOND, 30 * SECOND, 100 * SECOND, SHARE_LEAST},
        {100 * SECOND, 30 * SECOND, 103 * SECOND, SHARE_LEAST},
        {100 * SECOND, 30 * SECOND, 104 * SECOND, SHARE_WHOLE * 4 / 30},
        {100 * SECOND, 30 * SECOND, 115 * SECOND, SHARE_WHOLE / 2},
        {100 * SECOND, 30 * SECOND, 130 * SECOND - 1, SHARE_WHOLE - 1},
        {100 * SECOND, 30 * SECOND, 130 * SECOND, SHARE_WHOLE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        KnownInstance known = {.number = 0};
        known_instance_warm_up(&known, rows[i].since);
        assert_int_equal(known_instance_share(&known, rows[i].slow_start, rows[i].now),
                         rows[i].share);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_is_found_by_how_it_is_reached),
        cmocka_unit_test(contexts_are_the_same_when_what_is_in_them_is),
        cmocka_unit_test(contexts_differ_by_whom_they_trust_and_what_they_show),
        cmocka_unit_test(what_it_is_found_by_is_copied),
        cmocka_unit_test(numbers_are_small_and_used_again),
        cmocka_unit_test(it_lives_as_long_as_anything_refers_to_it),
        cmocka_unit_test(it_is_down_for_as_many_loops_as_say_so),
        cmocka_unit_test(configs_share_what_they_name_both),
        cmocka_unit_test(all_that_live_are_shown),
        cmocka_unit_test(a_number_that_is_used_again_has_another_serial),
        cmocka_unit_test(a_bar_of_one_owner_is_not_lifted_by_another),
        cmocka_unit_test(only_changes_of_bars_are_counted),
        cmocka_unit_test(a_pin_bars_an_instance_of_its_service_only),
        cmocka_unit_test(bars_have_names),
        cmocka_unit_test(the_share_grows_in_a_slow_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
