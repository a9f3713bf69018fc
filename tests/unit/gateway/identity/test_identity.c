#include "gateway/identity/known_client.h"
#include "gateway/memory/accounts.h"
#include "tests/unit/gateway/openssl_memory.h"

#include "tests/unit/check.h"

static Arena *arena;
static Config config;
static Fields head;

static const CertificateNames panel = {.names = {[CERTIFICATE_SUBJECT] = "CN=panel,O=Shop",
                                                 [CERTIFICATE_COMMON_NAME] = "panel",
                                                 [CERTIFICATE_URI] = "spiffe://shop/panel"}};

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    config = (Config){
        .identity = {.header = "x-client", .tenant_header = "x-tenant", .class_header = "x-class"}};
    head = fields_in(arena);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static void add(const char *name, const char *value)
{
    fields_add(&head, bytes_of(name), bytes_of(value));
}

static const Identity *found(bool trusted, const CertificateNames *certificate)
{
    return identity_find(&(IdentityEvidence){.config = &config,
                                             .head = trusted ? &head : NULL,
                                             .certificate = certificate},
                         arena);
}

static void what_proves_nothing_is_anonymous(void **state)
{
    add("x-client", "ada");
    const Identity *identity = found(false, NULL);
    assert_ptr_equal(identity, &identity_anonymous);
    assert_int_equal(identity->how, PROOF_ADDRESS);
    assert_null(identity_how(identity));
    assert_int_equal(identity_shown(identity, &config, arena).size, 0);
}

static void a_trusted_proxy_names_client_tenant_and_class(void **state)
{
    add("x-client", "ada");
    add("x-tenant", "acme");
    add("x-class", "partner");
    const Identity *identity = found(true, NULL);
    assert_bytes(identity->name, "ada");
    assert_bytes(identity->tenant, "acme");
    assert_bytes(identity->class, "partner");
    assert_string_equal(identity_how(identity), "header");
}

static void a_trusted_proxy_claims_more_of_its_client(void **state)
{
    static const ClaimHeader headers[] = {
        {"plan", "x-plan"}, {"region", "x-region"}, {"https://shop.test/staff", "x-staff"}};
    config.identity.claims = headers;
    config.identity.n_claims = 3;
    add("x-client", "ada");
    add("x-plan", "gold");
    add("x-region", "");
    add("x-staff", "yes");
    const Identity *identity = found(true, &panel);
    assert_int_equal(identity->n_claims, 2); /* without what is not said */
    assert_string_equal(identity->claims[0].name, "plan");
    assert_bytes(identity->claims[0].value, "gold");
    assert_string_equal(identity->claims[1].name, "https://shop.test/staff");
    assert_bytes(identity->claims[1].value, "yes");
    assert_int_equal(found(false, &panel)->n_claims, 0);
}

static void a_tenant_without_a_client_is_nobody(void **state)
{
    add("x-tenant", "acme");
    assert_ptr_equal(found(true, NULL), &identity_anonymous);
}

static void a_header_that_the_config_does_not_name_is_no_identity(void **state)
{
    config.identity.header = NULL;
    add("x-client", "ada");
    assert_ptr_equal(found(true, NULL), &identity_anonymous);
}

static void a_proxys_word_comes_before_its_own_certificate(void **state)
{
    assert_bytes(found(true, &panel)->name, "CN=panel,O=Shop");
    assert_string_equal(identity_how(found(true, &panel)), "certificate");
    add("x-client", "ada");
    assert_bytes(found(true, &panel)->name, "ada");
    assert_bytes(found(false, &panel)->name, "CN=panel,O=Shop");
}

static void the_config_says_which_name_of_a_certificate_counts(void **state)
{
    config.identity.certificate = CERTIFICATE_COMMON_NAME;
    assert_bytes(found(false, &panel)->name, "panel");
    config.identity.certificate = CERTIFICATE_URI;
    assert_bytes(found(false, &panel)->name, "spiffe://shop/panel");
    config.identity.certificate = CERTIFICATE_EMAIL;
    assert_ptr_equal(found(false, &panel), &identity_anonymous);
}

/* HMAC-SHA256 with this key, by the openssl command. */
static void names_are_hashed_where_the_config_says_so(void **state)
{
    const Identity *identity = found(false, &panel);
    assert_bytes(identity_shown(identity, &config, arena), "CN=panel,O=Shop");
    assert_int_equal(identity_hash(identity->name, &config, arena).size, 0);
    config.identity.hash_key = bytes_of("0123456789abcdef");
    assert_bytes(identity_shown(identity, &config, arena), "35800f8e0bed84cf205738a4624ad922");
    assert_bytes(identity->name, "CN=panel,O=Shop");
    assert_bytes(identity_hash(bytes_of("panel"), &config, arena),
                 "980969d92b4f77f4e0f3ca6bbe6f618b");
    config.identity.hash_key = bytes_of("0123456789abcdeg");
    assert_false(
        bytes_are(identity_shown(identity, &config, arena), "35800f8e0bed84cf205738a4624ad922"));
}

static IpAddress place_of(const char *name, const char *address)
{
    IpAddress at;
    assert_true(ip_read(bytes_of(address), &at));
    return identity_place(&(Identity){.name = bytes_of(name)}, &at);
}

static bool same_place(const char *a, const char *at_a, const char *b, const char *at_b)
{
    IpAddress one = place_of(a, at_a), other = place_of(b, at_b);
    return ip_equal(&one, &other);
}

static void a_proved_name_has_one_place_at_all_addresses(void **state)
{
    assert_true(same_place("ada", "192.0.2.1", "ada", "2001:db8::1"));
    assert_false(same_place("ada", "192.0.2.1", "bob", "192.0.2.1"));
    assert_false(same_place("ada", "192.0.2.1", "", "192.0.2.1"));
    assert_false(
        same_place("a name of some length 1", "192.0.2.1", "a name of some length 2", "192.0.2.1"));
    assert_false(same_place("12345678", "192.0.2.1", "123456789", "192.0.2.1"));
    assert_true(same_place("", "192.0.2.1", "", "192.0.2.1"));
    assert_false(same_place("", "192.0.2.1", "", "192.0.2.2"));
}

static void a_connection_has_the_place_of_its_certificate(void **state)
{
    IpAddress address, place, same = place_of("CN=panel,O=Shop", "192.0.2.9");
    assert_true(ip_read(bytes_of("192.0.2.1"), &address));
    place = identity_connection_place(&config, &panel, &address);
    assert_true(ip_equal(&place, &same));
    place = identity_connection_place(&config, NULL, &address);
    assert_true(ip_equal(&place, &address));
}

static void what_calls_need_of_a_known_client_is_made_once(void **state)
{
    static const IpAddress address = {.known = true, .bytes = {0x20, 1}};
    const Identity ada = {.name = bytes_of("ada"), .how = PROOF_API_KEY};
    config.identity.hash_key = bytes_of("0123456789abcdef");
    KnownClient *known = known_client_new(&ada, &config);
    Bytes shown = identity_shown(&ada, &config, arena);
    IpAddress place = identity_place(&ada, &address);
    assert_ptr_equal(known->identity.known, known);
    assert_bytes(known->identity.name, "ada");
    assert_int_equal(known->identity.how, PROOF_API_KEY);
    assert_true(bytes_equal(known->shown, shown));
    assert_int_equal(known->hash, bytes_hash(shown));
    assert_true(ip_equal(&known->place, &place));
    assert_true(account_is_of(known->account, &place));
    known_client_release(known);
    assert_int_equal(accounts_open(), 0);
}

static void a_copy_has_its_own_name_of_the_method(void **state)
{
    char method[] = "people";
    const Identity *copy = identity_copy(&(Identity){.name = bytes_of("ada"), .by = method}, arena);
    method[0] = 'x';
    assert_string_equal(copy->by, "people");
    assert_bytes(copy->name, "ada");
    copy = identity_copy(&(Identity){.name = bytes_of("ada")}, arena);
    assert_null(copy->by);
}

static void a_copy_is_not_known(void **state)
{
    KnownClient *known = known_client_new(&(Identity){.name = bytes_of("ada")}, &config);
    const Identity *copy = identity_copy(&known->identity, arena);
    known_client_release(known);
    assert_null(copy->known);
    assert_bytes(copy->name, "ada");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void without_memory_there_is_no_hash_and_no_name(void **state)
{
    config.identity.hash_key = bytes_of("0123456789abcdef");
    int n_missing = 0;
    bool has_failed = true;
    for (int nth = 0; has_failed; nth++) {
        openssl_memory_fail(nth);
        Bytes hash = identity_hash(bytes_of("panel"), &config, arena);
        has_failed = openssl_memory_has_failed();
        if (hash.size)
            assert_bytes(hash, "980969d92b4f77f4e0f3ca6bbe6f618b");
        n_missing += !hash.size;
    }
    assert_true(n_missing > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_proves_nothing_is_anonymous),
        TEST(a_trusted_proxy_names_client_tenant_and_class),
        TEST(a_trusted_proxy_claims_more_of_its_client),
        TEST(a_tenant_without_a_client_is_nobody),
        TEST(a_header_that_the_config_does_not_name_is_no_identity),
        TEST(a_proxys_word_comes_before_its_own_certificate),
        TEST(the_config_says_which_name_of_a_certificate_counts),
        TEST(names_are_hashed_where_the_config_says_so),
        TEST(a_proved_name_has_one_place_at_all_addresses),
        TEST(a_connection_has_the_place_of_its_certificate),
        TEST(what_calls_need_of_a_known_client_is_made_once),
        TEST(a_copy_has_its_own_name_of_the_method),
        TEST(a_copy_is_not_known),
        TEST(without_memory_there_is_no_hash_and_no_name),
    };
    return openssl_memory_begin() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
