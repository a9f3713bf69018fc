#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/access/proof_cache.h"
#include "gateway/memory/accounts.h"

#define NOW (1700000000 * SECOND)

static Random numbers;
static CredentialConfig credential;
static const Config config;

static const Claim claims[] = {{"scope", {(const uint8_t *)"a b", 3}}};
static const Identity ada = {
    .name = {(const uint8_t *)"ada", 3}, .claims = claims, .n_claims = 1, .how = PROOF_TOKEN};

static ProofCache *cache_of(uint32_t entries)
{
    random_seed_fixed(&numbers, 1);
    ProofCache *cache = proof_cache_new(entries, &numbers);
    proof_cache_begin(cache, 1, 7);
    return cache;
}

static void add(ProofCache *cache, const char *text, int64_t expires, int64_t wall)
{
    Proof proof = {known_client_new(&ada, &config), &credential, expires};
    proof_cache_add(cache, bytes_of(text), &proof, wall);
}

static const Proof *find(const ProofCache *cache, const char *text, int64_t wall, int64_t since)
{
    return proof_cache_find(cache, &credential, bytes_of(text), wall, since);
}

static void what_was_added_is_found(void **state)
{
    ProofCache *cache = cache_of(4);
    assert_null(find(cache, "secret", NOW, 0));
    add(cache, "secret", INT64_MAX, NOW);
    const Proof *proof = find(cache, "secret", NOW, 0);
    assert_non_null(proof);
    assert_ptr_equal(proof->credential, &credential);
    assert_bytes(proof->client->identity.name, "ada");
    proof_cache_free(cache);
}

/* A call of it goes on. */
static void a_client_that_is_held_outlives_the_cache(void **state)
{
    ProofCache *cache = cache_of(4);
    add(cache, "a", INT64_MAX, NOW);
    KnownClient *client = find(cache, "a", NOW, 0)->client;
    known_client_hold(client);
    proof_cache_free(cache);
    assert_bytes(client->identity.name, "ada");
    assert_int_equal(accounts_open(), 1);
    known_client_release(client);
    assert_int_equal(accounts_open(), 0);
}

/* Of which only the end is hashed. */
static void credentials_are_compared_whole(void **state)
{
    char one[200], other[200];
    ProofCache *cache = cache_of(4);
    memset(one, 'a', sizeof one);
    memset(other, 'a', sizeof other);
    one[sizeof one - 1] = other[sizeof other - 1] = '\0';
    other[0] = 'b';
    add(cache, one, INT64_MAX, NOW);
    assert_non_null(find(cache, one, NOW, 0));
    assert_null(find(cache, other, NOW, 0));
    assert_null(find(cache, one + 1, NOW, 0));
    proof_cache_free(cache);
}

static void another_method_has_proved_nothing(void **state)
{
    static CredentialConfig other;
    ProofCache *cache = cache_of(4);
    add(cache, "a", INT64_MAX, NOW);
    assert_null(proof_cache_find(cache, &other, bytes_of("a"), NOW, 0));
    assert_non_null(find(cache, "a", NOW, 0));
    proof_cache_free(cache);
}

static void it_is_not_found_when_it_is_too_old_or_has_ended(void **state)
{
    ProofCache *cache = cache_of(4);
    add(cache, "a", NOW + 10, NOW);
    assert_non_null(find(cache, "a", NOW + 9, NOW));
    assert_null(find(cache, "a", NOW + 10, NOW));
    assert_null(find(cache, "a", NOW + 9, NOW + 1));
    assert_null(find(cache, "a", NOW - 1, 0)); /* the clock went back */
    add(cache, "a", NOW + 20, NOW + 5);
    assert_non_null(find(cache, "a", NOW + 10, NOW + 5));
    proof_cache_free(cache);
}

static void another_config_knows_nothing_of_it(void **state)
{
    ProofCache *cache = cache_of(4);
    add(cache, "a", INT64_MAX, NOW);
    proof_cache_begin(cache, 1, 7);
    assert_non_null(find(cache, "a", NOW, 0));
    proof_cache_begin(cache, 2, 7);
    assert_null(find(cache, "a", NOW, 0));
    add(cache, "a", INT64_MAX, NOW);
    proof_cache_begin(cache, 2, 8); /* other keys */
    assert_null(find(cache, "a", NOW, 0));
    proof_cache_free(cache);
}

static void a_new_one_takes_the_place_of_the_oldest(void **state)
{
    ProofCache *cache = cache_of(4);
    const char *const texts[] = {"a", "b", "c", "d", "e"};
    for (int i = 0; i < 5; i++)
        add(cache, texts[i], INT64_MAX, NOW + i);
    assert_null(find(cache, "a", NOW + 5, 0));
    for (int i = 1; i < 5; i++)
        assert_non_null(find(cache, texts[i], NOW + 5, 0));
    proof_cache_free(cache);
}

static void a_proof_holds_as_long_as_its_place_has_it(void **state)
{
    ProofCache *cache = cache_of(4);
    add(cache, "a", NOW + 10, NOW);
    const Proof *proof = find(cache, "a", NOW, 0);
    assert_true(proof_cache_holds(cache, proof, bytes_of("a"), NOW + 9, NOW));
    assert_false(proof_cache_holds(cache, proof, bytes_of("b"), NOW + 9, NOW));
    assert_false(proof_cache_holds(cache, proof, bytes_of("a"), NOW + 10, NOW));
    assert_false(proof_cache_holds(cache, proof, bytes_of("a"), NOW + 9, NOW + 1));
    const char *const others[] = {"b", "c", "d", "e"};
    for (int i = 0; i < 4; i++)
        add(cache, others[i], INT64_MAX, NOW + 1 + i);
    assert_false(proof_cache_holds(cache, proof, bytes_of("a"), NOW + 5, 0));
    assert_true(proof_cache_holds(cache, proof, bytes_of("e"), NOW + 5, 0));
    proof_cache_begin(cache, 2, 7);
    assert_false(proof_cache_holds(cache, proof, bytes_of("e"), NOW + 5, 0));
    proof_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found),
        cmocka_unit_test(a_client_that_is_held_outlives_the_cache),
        cmocka_unit_test(credentials_are_compared_whole),
        cmocka_unit_test(another_method_has_proved_nothing),
        cmocka_unit_test(it_is_not_found_when_it_is_too_old_or_has_ended),
        cmocka_unit_test(another_config_knows_nothing_of_it),
        cmocka_unit_test(a_new_one_takes_the_place_of_the_oldest),
        cmocka_unit_test(a_proof_holds_as_long_as_its_place_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
