#include "tests/unit/check.h"

#include "gateway/instances/instance_set.h"

#include <openssl/ssl.h>

static Service service = {.name = "orders"};

static Instance at(const char *address)
{
    return (Instance){.address = {.text = address, .host = "10.0.0.1", .port = 7001},
                      .service = &service,
                      .authority = address,
                      .build = "1"};
}

static Instance *discover(const char *address)
{
    Instance read = at(address);
    return instance_discovered(&read, bytes_of("{}"));
}

static InstanceSet *set_of(Instance *const *instances, uint32_t n)
{
    return instance_set_new(&service, instances, n);
}

static void a_discovered_instance_has_copies_of_all_its_texts(void **state)
{
    char text[] = "10.0.0.1:7001", host[] = "10.0.0.1", build[] = "3.1.0", entry[] = "{\"a\":1}";
    Instance read = {.address = {.text = text, .host = host, .port = 7001},
                     .authority = text,
                     .build = build,
                     .tls_name = host,
                     .versions = 5,
                     .tls = SSL_CTX_new(TLS_client_method())};
    Instance *instance = instance_discovered(&read, bytes_of(entry));
    text[0] = host[0] = build[0] = entry[0] = 'x';
    SSL_CTX_free(read.tls);
    assert_string_equal(instance->address.text, "10.0.0.1:7001");
    assert_string_equal(instance->address.host, "10.0.0.1");
    assert_null(instance->address.path);
    assert_string_equal(instance->authority, "10.0.0.1:7001");
    assert_string_equal(instance->tls_name, "10.0.0.1");
    assert_string_equal(instance->build, "3.1.0");
    assert_bytes(instance->said, "{\"a\":1}");
    assert_int_equal(instance->versions, 5);
    assert_true(instance->discovered);
    assert_ptr_equal(instance->known->tls, instance->tls);
    instance_set_unref(set_of(&instance, 1)); /* and with it the instance */
}

static void one_that_stays_is_in_both_sets_and_goes_with_the_last(void **state)
{
    uint32_t n;
    Instance *stays = discover("stays:1"), *goes = discover("goes:1");
    InstanceSet *first = set_of((Instance *[]){stays, goes}, 2);
    InstanceSet *second = set_of((Instance *[]){instance_ref(stays)}, 1);
    assert_int_equal(stays->references, 2);
    instance_set_unref(first);
    KnownInstance **all = known_instances_all(&n);
    assert_int_equal(n, 1); /* the other has gone */
    assert_string_equal(all[0]->address.text, "stays:1");
    known_instances_let_go(all, n);
    assert_int_equal(stays->references, 1);
    instance_set_unref(second);
    instance_set_unref(NULL);
}

static void an_instance_of_the_config_is_not_counted(void **state)
{
    Instance own = at("own:1");
    assert_ptr_equal(instance_ref(&own), &own);
    assert_int_equal(own.references, 0);
    Instance *instances[] = {&own};
    InstanceSet *set = set_of(instances, 1);
    assert_non_null(own.known);
    instance_set_unref(set);
    assert_non_null(own.known); /* the config lets go of it */
    known_instance_unref(own.known);
}

static void a_service_has_one_set_after_the_other(void **state)
{
    assert_null(instance_set_of(&service));
    InstanceSet *first = set_of(NULL, 0);
    instance_set_use(&service, instance_set_ref(first));
    assert_int_equal(first->generation, 1);
    InstanceSet *taken = instance_set_of(&service);
    assert_ptr_equal(taken, first);
    instance_set_unref(taken);
    InstanceSet *second = set_of(NULL, 0);
    instance_set_use(&service, second);
    assert_int_equal(second->generation, 2);
    assert_int_equal(first->references, 1); /* ours: who has it keeps it */
    instance_set_unref(first);
    instance_set_unref(second);
    service.set = NULL;
}

static void assert_changes(const InstanceSet *before, const InstanceSet *after, uint32_t joined,
                           uint32_t left, uint32_t altered)
{
    InstanceChanges changes = instance_set_compare(before, after);
    assert_int_equal(changes.joined, joined);
    assert_int_equal(changes.left, left);
    assert_int_equal(changes.altered, altered);
}

static void sets_are_compared_by_address(void **state)
{
    Instance *a = discover("a:1"), *b = discover("b:1"), *c = discover("c:1");
    Instance *other_b = discover("b:1"), *d = discover("d:1");
    InstanceSet *none = set_of(NULL, 0);
    InstanceSet *before = set_of((Instance *[]){c, b, a}, 3);
    InstanceSet *after = set_of((Instance *[]){other_b, d, instance_ref(a)}, 3);
    assert_changes(before, after, 1, 1, 1); /* d; c; b */
    assert_changes(before, before, 0, 0, 0);
    assert_changes(none, before, 3, 0, 0);
    assert_changes(before, none, 0, 3, 0);
    assert_changes(none, none, 0, 0, 0);
    instance_set_unref(none);
    instance_set_unref(before);
    instance_set_unref(after);
}

static void instances_that_a_reload_restores_have_neither_left_nor_joined(void **state)
{
    Instance *a = discover("a:1"), *b = discover("b:1"), *again = discover("a:1");
    Instance *new = discover("c:1");
    InstanceSet *before = set_of((Instance *[]){a, b}, 2);
    instance_set_use(&service, instance_set_ref(before));
    Service next = {.name = "orders"};
    Config old = {.services = &service, .n_services = 1},
           config = {.services = &next, .n_services = 1};
    instances_adopt(&config, &old); /* the list cannot be read */
    assert_int_equal(next.set->n_left, 2);
    instance_set_restore(&next, set_of((Instance *[]){again, new}, 2), before);
    assert_int_equal(next.set->n, 2);
    assert_int_equal(next.set->generation, 3);
    assert_int_equal(next.set->n_joined, 3);
    assert_int_equal(next.set->n_left, 1);
    config.let_go(&config);
    instance_set_unref(before);
    instance_set_unref(service.set);
    service.set = NULL;
}

static void counts_go_on_from_one_config_to_the_next(void **state)
{
    Instance own[] = {at("a:1"), at("b:1")}, others[] = {at("b:1"), at("c:1"), at("d:1")};
    Service first = {.name = "orders", .instances = own, .n_instances = 2};
    Service second[] = {{.name = "carts"},
                        {.name = "orders", .instances = others, .n_instances = 3}};
    Config old = {.services = &first, .n_services = 1},
           config = {.services = second, .n_services = 2};
    instances_adopt(&old, NULL);
    assert_int_equal(first.set->n_joined, 2);
    assert_int_equal(first.set->n_left, 0);
    assert_int_equal(first.set->generation, 1);
    instances_adopt(&config, &old);
    assert_int_equal(second[0].set->n_joined, 0);
    assert_int_equal(second[0].set->generation, 1);
    assert_int_equal(second[1].set->n_joined, 4);
    assert_int_equal(second[1].set->n_left, 1);
    assert_int_equal(second[1].set->generation, 2);
    old.let_go(&old);
    config.let_go(&config);
    assert_null(first.set);
    assert_null(own[0].known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_discovered_instance_has_copies_of_all_its_texts),
        cmocka_unit_test(one_that_stays_is_in_both_sets_and_goes_with_the_last),
        cmocka_unit_test(an_instance_of_the_config_is_not_counted),
        cmocka_unit_test(a_service_has_one_set_after_the_other),
        cmocka_unit_test(sets_are_compared_by_address),
        cmocka_unit_test(instances_that_a_reload_restores_have_neither_left_nor_joined),
        cmocka_unit_test(counts_go_on_from_one_config_to_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
