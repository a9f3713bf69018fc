#include "tests/unit/check.h"

#include "gateway/cohort/cohort_client.h"

static Arena *arena;
static Config config;
static Claim claims[1];
static Identity identity;
static Fields head;
static CohortEvidence evidence;

static int setup(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    config = (Config){0};
    claims[0] = (Claim){"plan", bytes_of("large")};
    identity = (Identity){.name = bytes_of("ada"),
                          .tenant = bytes_of("shop"),
                          .class = bytes_of("gold"),
                          .claims = claims,
                          .n_claims = 1};
    head = fields_in(arena);
    fields_add(&head, bytes_of("x-account"), bytes_of("a-7"));
    evidence = (CohortEvidence){.config = &config,
                                .identity = &identity,
                                .recorded = bytes_of("seen ada"),
                                .head = &head,
                                .field = bytes_of("o-1")};
    return 0;
}

static int teardown(void **state)
{
    arena_free(arena);
    return 0;
}

static CohortClient find(CohortSource source)
{
    return cohort_client_find(&source, &evidence, arena);
}

static void a_client_is_its_identity_if_nothing_else_is_named(void **state)
{
    CohortClient client = find((CohortSource){NULL});
    assert_bytes(client.name, "ada");
    assert_bytes(client.recorded, "seen ada");
}

static void a_header_counts_from_trusted_proxies_only(void **state)
{
    assert_bytes(find((CohortSource){.header = "x-account"}).name, "a-7");
    assert_int_equal(find((CohortSource){.header = "x-other"}).name.size, 0);
    evidence.head = NULL;
    assert_int_equal(find((CohortSource){.header = "x-account"}).name.size, 0);
}

static void a_claim_is_one_of_the_identitys(void **state)
{
    assert_bytes(find((CohortSource){.claim = "tenant"}).recorded, "shop");
    assert_bytes(find((CohortSource){.claim = "class"}).name, "gold");
    assert_bytes(find((CohortSource){.claim = "plan"}).name, "large");
    assert_int_equal(find((CohortSource){.claim = "region"}).name.size, 0);
}

static void a_field_is_one_of_the_request(void **state)
{
    assert_bytes(find((CohortSource){.field = "id"}).recorded, "o-1");
    evidence.field = BYTES_NONE;
    assert_int_equal(find((CohortSource){.field = "id"}).recorded.size, 0);
}

static void what_is_recorded_is_hashed_if_the_config_says_so(void **state)
{
    config.identity.hash_key = bytes_of("0123456789abcdef0123456789abcdef");
    CohortClient client = find((CohortSource){.field = "id"});
    assert_bytes(client.name, "o-1"); /* for pilots */
    assert_int_equal(client.recorded.size, 32);
    assert_int_equal(find((CohortSource){.claim = "region"}).recorded.size, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_is_its_identity_if_nothing_else_is_named),
        TEST(a_header_counts_from_trusted_proxies_only),
        TEST(a_claim_is_one_of_the_identitys),
        TEST(a_field_is_one_of_the_request),
        TEST(what_is_recorded_is_hashed_if_the_config_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
