#include "tests/unit/gateway/token/signer.h"

#include "gateway/token/token_keys.h"

static Arena *arena;
static EVP_PKEY *rsa, *p256, *ed25519;

static int make_keys(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)KEY_RSA_BITS_LEAST);
    p256 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return rsa && p256 && ed25519 ? 0 : -1;
}

static int drop_keys(void **state)
{
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(ed25519);
    arena_free(arena);
    return 0;
}

static const char *set_of(const char *keys)
{
    return arena_printf(arena, "{\"keys\": [%s]}", keys);
}

static TokenKeys *read_set(const char *keys, bool secrets)
{
    TokenKeys *set;
    assert_ok(arena, token_keys_read(arena, bytes_of(set_of(keys)), secrets, &set));
    return set;
}

static void refuses(const char *text, const char *why)
{
    TokenKeys *set;
    Result r = token_keys_read(arena, bytes_of(text), true, &set);
    assert_fault(r, FAULT_BAD_VALUE);
    assert_null(set);
    if (!strstr(r.error->doing, why))
        fail_msg("\"%s\" says nothing of \"%s\"", r.error->doing, why);
}

/* The names of the algorithms that the only key of a set may be used for. */
static const char *uses(const char *key, bool secrets)
{
    TokenKeys *set = read_set(
        arena_printf(arena, "%s, %s", key, jwk_of(arena, ed25519, "\"kid\": \"other\"")), secrets);
    Buffer out = buffer_in(arena);
    for (int i = 0; i < TOKEN_ALGORITHMS; i++) {
        uint32_t at = 0;
        const SigningKey *found = token_keys_next(set, i, BYTES_NONE, &at);
        if (found && !bytes_are(found->kid, "other"))
            buffer_printf(&out, "%s%s", out.size ? " " : "", token_algorithms[i].name);
    }
    token_keys_drop(set);
    return arena_text(arena, buffer_bytes(&out));
}

static void a_key_is_for_the_algorithms_of_its_type_and_curve(void **state)
{
    assert_string_equal(uses(jwk_of(arena, rsa, ""), false), "RS256 RS384 RS512 PS256 PS384 PS512");
    assert_string_equal(uses(jwk_of(arena, p256, ""), false), "ES256");
    assert_string_equal(uses(jwk_of(arena, rsa, "\"alg\": \"PS384\""), false), "PS384");
    assert_string_equal(uses(jwk_of(arena, rsa, "\"use\": \"sig\""), false),
                        "RS256 RS384 RS512 PS256 PS384 PS512");
    assert_string_equal(uses(jwk_of(arena, p256, "\"key_ops\": [\"verify\"]"), false), "ES256");
}

static void a_key_for_something_else_is_left_out(void **state)
{
    static const char *const besides[] = {
        "\"use\": \"enc\"",   "\"use\": 1",         "\"key_ops\": [\"encrypt\"]", "\"key_ops\": []",
        "\"alg\": \"ES384\"", "\"alg\": \"HS256\"", "\"alg\": \"none\"",          "\"alg\": 1",
    };
    for (size_t i = 0; i < sizeof besides / sizeof *besides; i++)
        assert_string_equal(uses(jwk_of(arena, p256, besides[i]), true), "");
    TokenKeys *set =
        read_set(arena_printf(arena, "%s, {\"kty\": \"PQC\"}, {}", jwk_of(arena, p256, "")), true);
    assert_int_equal(token_keys_size(set), 1);
    assert_int_equal(token_keys_left_out(set), 2);
    token_keys_drop(set);
}

/* 31, 32, 47, 48, 63 and 64 bytes. */
static void a_shared_secret_is_as_long_as_its_hash_and_only_where_secrets_may_be(void **state)
{
    static const struct {
        size_t size;
        const char *uses;
    } rows[] = {{31, ""},
                {32, "HS256"},
                {47, "HS256"},
                {48, "HS256 HS384"},
                {63, "HS256 HS384"},
                {64, "HS256 HS384 HS512"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t secret[64] = {7};
        const char *key = arena_printf(arena, "{\"kty\": \"oct\", \"k\": \"%s\"}",
                                       base64url(arena, bytes(secret, rows[i].size)));
        assert_string_equal(uses(key, true), rows[i].uses);
        assert_string_equal(uses(key, false), "");
    }
}

static void rsa_keys_have_a_least_and_a_largest_size(void **state)
{
    EVP_PKEY *small = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)KEY_RSA_BITS_LEAST - 8);
    assert_non_null(small);
    assert_string_equal(uses(jwk_of(arena, small, ""), true), "");
    EVP_PKEY_free(small);
    /* As long as the next size that anybody has; no such key has to be made for it. */
    uint8_t n[(KEY_RSA_BITS_MOST + 8) / 8];
    memset(n, 0xff, sizeof n);
    for (size_t more = 0; more <= 1; more++) {
        const char *key = arena_printf(arena, "{\"kty\": \"RSA\", \"e\": \"AQAB\", \"n\": \"%s\"}",
                                       base64url(arena, bytes(n, KEY_RSA_BITS_MOST / 8 + more)));
        assert_int_equal(*uses(key, true) != 0, more == 0);
    }
}

static void a_set_that_is_wrong_says_why(void **state)
{
    const char *key = jwk_of(arena, p256, "\"kid\": \"a\"");
    refuses("", "line 1");
    refuses("[]", "`keys`");
    refuses("{}", "`keys`");
    refuses("{\"keys\": {}}", "`keys`");
    refuses("{\"keys\": [1]}", "key 1 is no object");
    refuses("{\"keys\": []}", "none of its 0 keys");
    refuses("{\"keys\": [], \"keys\": []}", "duplicate");
    refuses(set_of("{\"kty\": \"EC\"}"), "none of its 1 keys");
    refuses(set_of(jwk_of(arena, p256, "\"d\": \"AA\"")), "key 1 is a private key");
    refuses(set_of(arena_printf(arena, "%s, %s", key, key)), "two keys have the kid a");
}

static void two_keys_may_have_a_kid_for_other_algorithms(void **state)
{
    TokenKeys *set = read_set(arena_printf(arena, "%s, %s", jwk_of(arena, p256, "\"kid\": \"a\""),
                                           jwk_of(arena, rsa, "\"kid\": \"a\"")),
                              false);
    assert_int_equal(token_keys_size(set), 2);
    token_keys_drop(set);
}

static void a_set_has_a_bound(void **state)
{
    for (int more = 0; more <= 1; more++) {
        Buffer keys = buffer_in(arena);
        for (int i = 0; i < TOKEN_KEYS_KEYS_MOST + more; i++)
            buffer_printf(&keys, "%s%s", i ? ", " : "",
                          jwk_of(arena, ed25519, arena_printf(arena, "\"kid\": \"%d\"", i)));
        TokenKeys *set;
        Result r = token_keys_read(arena, bytes_of(set_of(arena_text(arena, buffer_bytes(&keys)))),
                                   false, &set);
        assert_int_equal(failed(r), more);
        token_keys_drop(set);
    }
    static char large[TOKEN_KEYS_BYTES_MOST + 1];
    memset(large, ' ', sizeof large);
    TokenKeys *set;
    assert_fault(token_keys_read(arena, bytes(large, sizeof large), false, &set), FAULT_BAD_VALUE);
}

static void keys_are_found_by_algorithm_and_kid(void **state)
{
    TokenKeys *set =
        read_set(arena_printf(arena, "%s, %s, %s", jwk_of(arena, p256, "\"kid\": \"a\""),
                              jwk_of(arena, p256, "\"kid\": \"b\""), jwk_of(arena, ed25519, "")),
                 false);
    int es256 = token_algorithm_by_name(bytes_of("ES256")),
        eddsa = token_algorithm_by_name(bytes_of("EdDSA"));
    uint32_t at = 0;
    assert_bytes(token_keys_next(set, es256, bytes_of("b"), &at)->kid, "b");
    assert_null(token_keys_next(set, es256, bytes_of("b"), &at));
    at = 0;
    assert_bytes(token_keys_next(set, es256, BYTES_NONE, &at)->kid, "a");
    assert_bytes(token_keys_next(set, es256, BYTES_NONE, &at)->kid, "b");
    assert_null(token_keys_next(set, es256, BYTES_NONE, &at));
    at = 0;
    assert_null(token_keys_next(set, eddsa, bytes_of("a"), &at)); /* it has no kid */
    token_keys_drop(set);
}

static void names_of_algorithms_are_compared_exactly(void **state)
{
    assert_int_equal(token_algorithm_by_name(bytes_of("none")), -1);
    assert_int_equal(token_algorithm_by_name(bytes_of("hs256")), -1);
    assert_int_equal(token_algorithm_by_name(bytes_of("HS25")), -1);
    assert_int_equal(token_algorithm_by_name(bytes_of("HS2566")), -1);
    assert_int_equal(token_algorithm_by_name(BYTES_NONE), -1);
    assert_string_equal(token_algorithms[token_algorithm_by_name(bytes_of("ES512"))].name, "ES512");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_for_the_algorithms_of_its_type_and_curve),
        cmocka_unit_test(a_key_for_something_else_is_left_out),
        cmocka_unit_test(a_shared_secret_is_as_long_as_its_hash_and_only_where_secrets_may_be),
        cmocka_unit_test(rsa_keys_have_a_least_and_a_largest_size),
        cmocka_unit_test(a_set_that_is_wrong_says_why),
        cmocka_unit_test(two_keys_may_have_a_kid_for_other_algorithms),
        cmocka_unit_test(a_set_has_a_bound),
        cmocka_unit_test(keys_are_found_by_algorithm_and_kid),
        cmocka_unit_test(names_of_algorithms_are_compared_exactly),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
