#include "tests/unit/gateway/token/signer.h"

#include "base/text/base64.h"

#include <jansson.h>
#include <jose/openssl.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

const char *base64url(Arena *arena, Bytes from)
{
    Buffer out = buffer_in(arena);
    base64_encode(&out, from, BASE64_URL, false);
    return arena_text(arena, buffer_bytes(&out));
}

static Bytes mac_of(Arena *arena, const Signer *signer, const char *text)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    assert_non_null(HMAC(EVP_get_digestbyname(signer->digest), signer->secret,
                         (int)strlen(signer->secret), (const uint8_t *)text, strlen(text), mac,
                         &size));
    return bytes_copy(arena, bytes(mac, size));
}

/* r and s in full length, of DER. */
static Bytes raw_pair(Arena *arena, Bytes der, int half)
{
    const uint8_t *at = der.data;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)der.size);
    assert_non_null(pair);
    uint8_t raw[132];
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, half), half);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + half, half), half);
    ECDSA_SIG_free(pair);
    return bytes_copy(arena, bytes(raw, 2 * (size_t)half));
}

static Bytes signature_of(Arena *arena, const Signer *signer, const char *text)
{
    if (!signer->key)
        return mac_of(arena, signer, text);
    uint8_t signature[1024];
    size_t size = sizeof signature;
    EVP_PKEY_CTX *context = NULL;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    assert_int_equal(
        EVP_DigestSignInit_ex(digest, &context, signer->digest, NULL, NULL, signer->key, NULL), 1);
    if (signer->pss) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    assert_int_equal(EVP_DigestSign(digest, signature, &size, (const uint8_t *)text, strlen(text)),
                     1);
    EVP_MD_CTX_free(digest);
    Bytes all = bytes_copy(arena, bytes(signature, size));
    return EVP_PKEY_get_base_id(signer->key) == EVP_PKEY_EC
               ? raw_pair(arena, all, (EVP_PKEY_get_bits(signer->key) + 7) / 8)
               : all;
}

Bytes token_of(Arena *arena, const Signer *signer, const char *header, const char *payload)
{
    const char *text = arena_printf(arena, "%s.%s", base64url(arena, bytes_of(header)),
                                    base64url(arena, bytes_of(payload)));
    return bytes_of(
        arena_printf(arena, "%s.%s", text, base64url(arena, signature_of(arena, signer, text))));
}

const char *jwk_of(Arena *arena, EVP_PKEY *key, const char *besides)
{
    uint8_t raw[64];
    size_t size = sizeof raw;
    const char *comma = *besides ? ", " : "";
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ||
        EVP_PKEY_get_base_id(key) == EVP_PKEY_ED448) {
        assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &size), 1);
        return arena_printf(arena, "{\"kty\": \"OKP\", \"crv\": \"%s\", \"x\": \"%s\"%s%s}",
                            size == 32 ? "Ed25519" : "Ed448", base64url(arena, bytes(raw, size)),
                            comma, besides);
    }
    json_t *jwk = jose_openssl_jwk_from_EVP_PKEY(NULL, key);
    assert_non_null(jwk);
    const char *const private[] = {"d", "p", "q", "dp", "dq", "qi"};
    for (size_t i = 0; i < sizeof private / sizeof *private; i++)
        json_object_del(jwk, private[i]);
    char *text = json_dumps(jwk, 0);
    const char *all = arena_printf(arena, "%.*s%s%s}", (int)strlen(text) - 1, text, comma, besides);
    free(text);
    json_decref(jwk);
    return all;
}
