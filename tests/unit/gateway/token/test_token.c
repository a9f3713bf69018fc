#include "tests/unit/gateway/token/signer.h"

#include "base/clock.h"
#include "gateway/token/token.h"

#include <openssl/pem.h>

#define NOW (1700000000 * SECOND)
#define SKEW (30 * SECOND)
#define SECRET "a secret that has 64 characters, as HS512 wants it: 0123456789ab"

/* Good in each way; tests change one thing of it. */
#define CLAIMS "\"iss\": \"https://issuer\", \"aud\": \"orders\", \"sub\": \"ada\""
#define GOOD "{" CLAIMS ", \"exp\": 1700000060}"
#define HEADER "{\"alg\": \"ES256\", \"kid\": \"p256\"}"

static Arena *arena;
static EVP_PKEY *rsa, *p256, *stranger;
static TokenKeys *keys;
static Signer ada; /* signs with p256 */

static const char *const audiences[] = {"orders", "https://orders.example"};

static TokenRules rules_of(void)
{
    return (TokenRules){.issuer = "https://issuer",
                        .audiences = audiences,
                        .n_audiences = 2,
                        .algorithms = (1u << TOKEN_ALGORITHMS) - 1,
                        .skew = SKEW};
}

static TokenKeys *set_of(const char *members)
{
    TokenKeys *set;
    assert_ok(arena,
              token_keys_read(arena, bytes_of(arena_printf(arena, "{\"keys\": [%s]}", members)),
                              true, &set));
    return set;
}

static int make_keys(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    p256 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    stranger = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    keys = set_of(arena_printf(arena, "%s, %s", jwk_of(arena, p256, "\"kid\": \"p256\""),
                               jwk_of(arena, rsa, "\"kid\": \"rsa\"")));
    ada = (Signer){"ES256", "SHA256", p256, NULL, false};
    return 0;
}

static int drop_keys(void **state)
{
    token_keys_drop(keys);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(stranger);
    arena_free(arena);
    return 0;
}

static Result check(Bytes text, const TokenRules *rules, int64_t now, Token *out)
{
    bool unknown_key;
    return token_verify(text, keys, rules, now, arena, out, &unknown_key);
}

/* What is said of a token with this header and payload, signed by ada; "" if it is good. */
static const char *said(const char *header, const char *payload, const TokenRules *rules)
{
    Token token;
    Result r = check(token_of(arena, &ada, header, payload), rules, NOW, &token);
    return failed(r) ? error_origin(r)->doing : "";
}

static const char *said_of(const char *payload)
{
    TokenRules rules = rules_of();
    return said(HEADER, payload, &rules);
}

static const char *said_with(const char *header)
{
    TokenRules rules = rules_of();
    return said(header, GOOD, &rules);
}

#define EXPECT(actual, expected)                                                                   \
    do {                                                                                           \
        const char *said_ = (actual);                                                              \
        if (!(expected)[0] ? said_[0] : !strstr(said_, (expected)))                                \
            fail_msg("%s says \"%s\", not \"%s\"", #actual, said_, (expected));                    \
    } while (0)

/* ---- Signatures ------------------------------------------------------------------------------ */

static void tokens_of_every_algorithm_are_good_and_a_changed_bit_is_not(void **state)
{
    EVP_PKEY *p384 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"),
             *p521 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521"),
             *ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
             *ed448 = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
    const Signer signers[] = {
        {"RS256", "SHA256", rsa, NULL, false},    {"RS384", "SHA384", rsa, NULL, false},
        {"RS512", "SHA512", rsa, NULL, false},    {"PS256", "SHA256", rsa, NULL, true},
        {"PS384", "SHA384", rsa, NULL, true},     {"PS512", "SHA512", rsa, NULL, true},
        {"ES256", "SHA256", p256, NULL, false},   {"ES384", "SHA384", p384, NULL, false},
        {"ES512", "SHA512", p521, NULL, false},   {"EdDSA", NULL, ed25519, NULL, false},
        {"EdDSA", NULL, ed448, NULL, false},      {"HS256", "SHA256", NULL, SECRET, false},
        {"HS384", "SHA384", NULL, SECRET, false}, {"HS512", "SHA512", NULL, SECRET, false},
    };
    TokenRules rules = rules_of();
    for (size_t i = 0; i < sizeof signers / sizeof *signers; i++) {
        const char *secret = arena_printf(arena, "{\"kty\": \"oct\", \"k\": \"%s\"}",
                                          base64url(arena, bytes_of(SECRET)));
        TokenKeys *set = set_of(signers[i].key ? jwk_of(arena, signers[i].key, "") : secret);
        const char *header = arena_printf(arena, "{\"alg\": \"%s\"}", signers[i].algorithm);
        Bytes good = token_of(arena, &signers[i], header, GOOD);
        Token token;
        bool unknown_key;
        assert_ok(arena, token_verify(good, set, &rules, NOW, arena, &token, &unknown_key));
        assert_bytes(token.subject, "ada");
        assert_int_equal(token.expires, 1700000090 * SECOND);
        /* The signature's first character, and one of the payload. */
        size_t dots[2] = {bytes_find(good, '.')};
        dots[1] = dots[0] + 1 + bytes_find(bytes_slice(good, dots[0] + 1, good.size), '.');
        for (int d = 0; d < 2; d++) {
            uint8_t *bad = arena_alloc(arena, good.size);
            memcpy(bad, good.data, good.size);
            bad[dots[d] + 1] ^= 1;
            assert_fault(
                token_verify(bytes(bad, good.size), set, &rules, NOW, arena, &token, &unknown_key),
                FAULT_CREDENTIALS_REFUSED);
            assert_false(unknown_key);
        }
        /* Only where the algorithm is accepted. */
        rules.algorithms ^= 1u << token_algorithm_by_name(bytes_of(signers[i].algorithm));
        assert_fault(token_verify(good, set, &rules, NOW, arena, &token, &unknown_key),
                     FAULT_CREDENTIALS_REFUSED);
        rules = rules_of();
        token_keys_drop(set);
    }
    EVP_PKEY_free(p384);
    EVP_PKEY_free(p521);
    EVP_PKEY_free(ed25519);
    EVP_PKEY_free(ed448);
}

/* RFC 7515, appendix A.3, and RFC 8037, appendix A.4 (its payload is no set of claims). */
static void the_examples_of_the_standards_are_read_as_they_say(void **state)
{
    TokenKeys *set = set_of("{\"kty\":\"EC\",\"crv\":\"P-256\","
                            "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                            "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}");
    TokenRules rules = {.issuer = "joe", .algorithms = algorithms_of_public_keys()};
    Bytes text = bytes_of("eyJhbGciOiJFUzI1NiJ9."
                          "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLm"
                          "NvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-"
                          "F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmW"
                          "QxfKTUJqPP3-Kg6NU1Q");
    Token token;
    bool unknown_key;
    assert_ok(arena,
              token_verify(text, set, &rules, 1300819379 * SECOND, arena, &token, &unknown_key));
    assert_int_equal(token_claim(&token, "http://example.com/is_root")->kind, JSON_TRUE);
    assert_fault(token_verify(text, set, &rules, 1300819380 * SECOND, arena, &token, &unknown_key),
                 FAULT_CREDENTIALS_EXPIRED);
    token_keys_drop(set);
    set = set_of("{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                 "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}");
    Result r =
        token_verify(bytes_of("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
                              "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5"
                              "BhVsPt9g7sVvpAr_MuM0KAg"),
                     set, &rules, NOW, arena, &token, &unknown_key);
    EXPECT(error_text(arena, r), "reading the payload of a token");
    token_keys_drop(set);
}

/* ---- Forgeries ------------------------------------------------------------------------------- */

static void a_token_cannot_choose_how_it_is_checked(void **state)
{
    const char *way = "signed in a way that is not accepted";
    EXPECT(said_with("{\"alg\": \"none\", \"kid\": \"p256\"}"), way);
    EXPECT(said_with("{\"alg\": \"None\", \"kid\": \"p256\"}"), way);
    EXPECT(said_with("{\"alg\": \"\", \"kid\": \"p256\"}"), way);
    EXPECT(said_with("{\"kid\": \"p256\"}"), way);
    EXPECT(said_with("{\"alg\": null, \"kid\": \"p256\"}"), way);
    EXPECT(said_with("{\"alg\": [\"ES256\"], \"kid\": \"p256\"}"), way);
    /* Without a signature at all. */
    TokenRules rules = rules_of();
    Token token;
    const char *none =
        arena_printf(arena, "%s.%s.", base64url(arena, bytes_of("{\"alg\": \"none\"}")),
                     base64url(arena, bytes_of(GOOD)));
    assert_fault(check(bytes_of(none), &rules, NOW, &token), FAULT_CREDENTIALS_REFUSED);
}

/* The public key, as it is published, taken for the secret of an HMAC. */
static void a_public_key_is_never_a_secret(void **state)
{
    BIO *pem = BIO_new(BIO_s_mem());
    char *text;
    assert_int_equal(PEM_write_bio_PUBKEY(pem, rsa), 1);
    long size = BIO_get_mem_data(pem, &text);
    const char *const secrets[] = {arena_text(arena, bytes(text, (size_t)size)),
                                   jwk_of(arena, rsa, "\"kid\": \"rsa\"")};
    TokenRules rules = rules_of();
    Token token;
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        Signer forger = {"HS256", "SHA256", NULL, secrets[i], false};
        Bytes forged = token_of(arena, &forger, "{\"alg\": \"HS256\", \"kid\": \"rsa\"}", GOOD);
        Result r = check(forged, &rules, NOW, &token);
        assert_fault(r, FAULT_CREDENTIALS_REFUSED);
        EXPECT(r.error->doing, "a key that is not known");
    }
    BIO_free(pem);
}

static void keys_that_a_token_brings_or_names_are_not_looked_at(void **state)
{
    Signer forger = {"ES256", "SHA256", stranger, NULL, false};
    const char *own = jwk_of(arena, stranger, "\"kid\": \"p256\"");
    const char *const headers[] = {
        arena_printf(arena, "{\"alg\": \"ES256\", \"kid\": \"p256\", \"jwk\": %s}", own),
        arena_printf(arena, "{\"alg\": \"ES256\", \"jwk\": %s}", own),
        "{\"alg\": \"ES256\", \"kid\": \"p256\", \"jku\": \"https://evil/keys\"}",
        "{\"alg\": \"ES256\", \"kid\": \"p256\", \"x5u\": \"https://evil/cert\"}",
        "{\"alg\": \"ES256\", \"kid\": \"p256\", \"x5c\": [\"AAAA\"]}",
        "{\"alg\": \"ES256\", \"kid\": \"../../../dev/null\"}",
        "{\"alg\": \"ES256\", \"kid\": \"' OR 1=1 --\"}",
        "{\"alg\": \"ES256\", \"kid\": \"\"}",
        "{\"alg\": \"ES256\", \"kid\": 1}",
    };
    TokenRules rules = rules_of();
    Token token;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        assert_fault(check(token_of(arena, &forger, headers[i], GOOD), &rules, NOW, &token),
                     FAULT_CREDENTIALS_REFUSED);
}

static void a_key_is_not_used_for_another_algorithm_of_its_type(void **state)
{
    TokenKeys *before = keys;
    keys = set_of(jwk_of(arena, rsa, "\"alg\": \"PS256\""));
    TokenRules rules = rules_of();
    Token token;
    Signer rs = {"RS256", "SHA256", rsa, NULL, false}, ps = {"PS256", "SHA256", rsa, NULL, true};
    assert_fault(check(token_of(arena, &rs, "{\"alg\": \"RS256\"}", GOOD), &rules, NOW, &token),
                 FAULT_CREDENTIALS_REFUSED);
    assert_fault(check(token_of(arena, &rs, "{\"alg\": \"PS256\"}", GOOD), &rules, NOW, &token),
                 FAULT_CREDENTIALS_REFUSED);
    assert_ok(arena,
              check(token_of(arena, &ps, "{\"alg\": \"PS256\"}", GOOD), &rules, NOW, &token));
    token_keys_drop(keys);
    keys = before;
}

static void only_the_lack_of_a_key_says_that_the_set_may_be_old(void **state)
{
    TokenRules rules = rules_of();
    Token token;
    bool unknown_key = false;
    Bytes text = token_of(arena, &ada, "{\"alg\": \"ES256\", \"kid\": \"newer\"}", GOOD);
    assert_fault(token_verify(text, keys, &rules, NOW, arena, &token, &unknown_key),
                 FAULT_CREDENTIALS_REFUSED);
    assert_true(unknown_key);
    assert_true(token.issued == INT64_MAX && !token.claims);
    text = token_of(arena, &ada, "{\"alg\": \"ES256\", \"kid\": \"newer\"}",
                    "{\"iss\": \"https://issuer\", \"aud\": \"orders\", \"exp\": 1700000060, "
                    "\"iat\": 1699999990}");
    assert_fault(token_verify(text, keys, &rules, NOW, arena, &token, &unknown_key),
                 FAULT_CREDENTIALS_REFUSED);
    assert_true(unknown_key && token.issued == 1699999990 * SECOND);
    text = token_of(arena, &ada, "{\"alg\": \"ES256\", \"kid\": \"newer\"}",
                    "{\"iss\": \"https://issuer\", \"aud\": \"orders\", \"exp\": 1600000000}");
    assert_fault(token_verify(text, keys, &rules, NOW, arena, &token, &unknown_key),
                 FAULT_CREDENTIALS_EXPIRED);
    assert_false(unknown_key); /* it would be refused in any case */
    Signer forger = {"ES256", "SHA256", stranger, NULL, false};
    text = token_of(arena, &forger, HEADER, GOOD);
    assert_fault(token_verify(text, keys, &rules, NOW, arena, &token, &unknown_key),
                 FAULT_CREDENTIALS_REFUSED);
    assert_false(unknown_key);
    assert_fault(token_verify(text, NULL, &rules, NOW, arena, &token, &unknown_key),
                 FAULT_KEYS_UNAVAILABLE);
}

/* ---- Claims ---------------------------------------------------------------------------------- */

static void the_issuer_and_the_audience_are_compared_exactly(void **state)
{
#define WITH(iss, aud) "{\"iss\": " iss ", \"aud\": " aud ", \"exp\": 1700000060}"
    EXPECT(said_of(WITH("\"https://issuer\"", "\"orders\"")), "");
    EXPECT(said_of(WITH("\"https://issuer\"", "[\"bills\", \"https://orders.example\"]")), "");
    EXPECT(said_of(WITH("\"https://issuer/\"", "\"orders\"")), "another issuer");
    EXPECT(said_of(WITH("\"https://issuer.evil\"", "\"orders\"")), "another issuer");
    EXPECT(said_of(WITH("[\"https://issuer\"]", "\"orders\"")), "another issuer");
    EXPECT(said_of("{\"aud\": \"orders\", \"exp\": 1700000060}"), "another issuer");
    static const char *const wrong[] = {
        WITH("\"https://issuer\"", "\"order\""),
        WITH("\"https://issuer\"", "\"orders2\""),
        WITH("\"https://issuer\"", "\"Orders\""),
        WITH("\"https://issuer\"", "\"*\""),
        WITH("\"https://issuer\"", "\"\""),
        WITH("\"https://issuer\"", "[]"),
        WITH("\"https://issuer\"", "[[\"orders\"]]"),
        WITH("\"https://issuer\"", "{\"orders\": 1}"),
        WITH("\"https://issuer\"", "null"),
        "{\"iss\": \"https://issuer\", \"exp\": 1700000060}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        EXPECT(said_of(wrong[i]), "another audience");
    /* A token for somebody is not for those who expect none. */
    TokenRules rules = rules_of();
    rules.n_audiences = 0;
    EXPECT(said(HEADER, GOOD, &rules), "another audience");
    EXPECT(said(HEADER, "{\"iss\": \"https://issuer\", \"exp\": 1700000060}", &rules), "");
}

static void times_have_the_skew_on_both_sides(void **state)
{
#define TIMES(times) "{" CLAIMS ", " times "}"
    static const struct {
        const char *payload, *said;
    } rows[] = {
        {TIMES("\"exp\": 1699999971"), ""}, /* 29 s ago */
        {TIMES("\"exp\": 1699999970"), "ended 30 s ago"},
        {TIMES("\"exp\": 1700000060, \"nbf\": 1700000030"), ""},
        {TIMES("\"exp\": 1700000060, \"nbf\": 1700000031"), "from the future"},
        {TIMES("\"exp\": 1700000060, \"iat\": 1700000030"), ""},
        {TIMES("\"exp\": 1700000060, \"iat\": 1700000031"), "from the future"},
        {TIMES("\"exp\": 1.70000006e9"), ""},
        {TIMES("\"exp\": 1700000060.5"), ""},
        {TIMES("\"iat\": 1700000000"), "no time of its end"},
        {TIMES("\"exp\": \"1700000060\""), "a time that is none"},
        {TIMES("\"exp\": -1"), "a time that is none"},
        {TIMES("\"exp\": 1e300"), "a time that is none"},
        {TIMES("\"exp\": null"), "a time that is none"},
        {TIMES("\"exp\": 1700000060, \"nbf\": true"), "a time that is none"},
        {"{" CLAIMS "}", "no time of its end"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        EXPECT(said_of(rows[i].payload), rows[i].said);
}

static void a_longest_life_needs_its_beginning(void **state)
{
    TokenRules rules = rules_of();
    rules.longest = 60 * SECOND;
    EXPECT(said(HEADER, TIMES("\"iat\": 1700000000, \"exp\": 1700000060"), &rules), "");
    EXPECT(said(HEADER, TIMES("\"iat\": 1700000000, \"exp\": 1700000061"), &rules), "for longer");
    EXPECT(said(HEADER, TIMES("\"exp\": 1700000060"), &rules), "for longer");
}

static void a_member_that_is_there_twice_is_refused_at_any_depth(void **state)
{
    EXPECT(said_of("{" CLAIMS ", \"exp\": 1700000060, \"sub\": \"root\"}"), "a member twice");
    EXPECT(said_of("{" CLAIMS ", \"exp\": 1700000060, \"s\\u0075b\": \"root\"}"), "a member twice");
    EXPECT(said_of("{" CLAIMS ", \"exp\": 1700000060, \"a\": [{\"b\": 1, \"b\": 2}]}"),
           "a member twice");
    EXPECT(said_with("{\"alg\": \"ES256\", \"alg\": \"none\"}"), "a member twice");
    EXPECT(said_of("{" CLAIMS ", \"exp\": 1700000060, \"a\": {\"sub\": 1}}"), "");
}

static void what_is_malformed_is_refused(void **state)
{
    static const char *const bad[] = {"",           ".",          "..",         "...",
                                      "a.b",        "a.b.c.d",    "e30.e30.AA", "e30=.e30.AA",
                                      "e3 .e30.AA", "e30.e30.A+", "e31.e30.AA"};
    TokenRules rules = rules_of();
    Token token;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fault(check(bytes_of(bad[i]), &rules, NOW, &token), FAULT_CREDENTIALS_REFUSED);
    EXPECT(said_with("[]"), "no object");
    EXPECT(
        said_with("{\"alg\": \"ES256\", \"kid\": \"p256\", \"crit\": [\"b64\"], \"b64\": false}"),
        "critical");
    EXPECT(
        said_of(
            "{\"iss\": \"https://issuer\", \"aud\": \"orders\", \"sub\": 7, \"exp\": 1700000060}"),
        "a subject that is no text");
    static char large[TOKEN_BYTES_MOST + 1];
    memset(large, 'a', sizeof large);
    Result r = check(bytes(large, sizeof large), &rules, NOW, &token);
    EXPECT(r.error->doing, "longer than any");
    r = check(bytes(large, sizeof large - 1), &rules, NOW, &token);
    EXPECT(r.error->doing, "three parts");
}

static void claims_are_found_by_path(void **state)
{
    TokenRules rules = rules_of();
    Token token;
    assert_ok(arena,
              check(token_of(arena, &ada, HEADER,
                             "{" CLAIMS ", \"exp\": 1700000060, \"a.b\": \"whole\","
                             " \"a\": {\"b\": \"path\", \"c\": {\"d\": \"deep\"}}, \"e\": [1]}"),
                    &rules, NOW, &token));
    assert_bytes(token_claim(&token, "a.b")->text, "whole");
    assert_bytes(token_claim(&token, "a.c.d")->text, "deep");
    assert_int_equal(token_claim(&token, "e")->kind, JSON_ARRAY);
    assert_null(token_claim(&token, "a.c.d.e"));
    assert_null(token_claim(&token, "e.0"));
    assert_null(token_claim(&token, "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_of_every_algorithm_are_good_and_a_changed_bit_is_not),
        cmocka_unit_test(the_examples_of_the_standards_are_read_as_they_say),
        cmocka_unit_test(a_token_cannot_choose_how_it_is_checked),
        cmocka_unit_test(a_public_key_is_never_a_secret),
        cmocka_unit_test(keys_that_a_token_brings_or_names_are_not_looked_at),
        cmocka_unit_test(a_key_is_not_used_for_another_algorithm_of_its_type),
        cmocka_unit_test(only_the_lack_of_a_key_says_that_the_set_may_be_old),
        cmocka_unit_test(the_issuer_and_the_audience_are_compared_exactly),
        cmocka_unit_test(times_have_the_skew_on_both_sides),
        cmocka_unit_test(a_longest_life_needs_its_beginning),
        cmocka_unit_test(a_member_that_is_there_twice_is_refused_at_any_depth),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(claims_are_found_by_path),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
