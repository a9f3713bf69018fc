#include "gateway/token/token_keys.h"

#include "base/arena.h"
#include "base/text/base64.h"

#include <jansson.h>
#include <jose/openssl.h>
#include <stdatomic.h>

struct TokenKeys {
    atomic_uint count;
    Arena *arena;
    SigningKey *keys;
    uint32_t n, left_out;
};

/* ---- One key --------------------------------------------------------------------------------- */

static Bytes text_of(const json_t *jwk, const char *name)
{
    const char *text = json_string_value(json_object_get(jwk, name));
    return text ? bytes(text, json_string_length(json_object_get(jwk, name))) : BYTES_NONE;
}

static bool type_of(const json_t *jwk, KeyType *out)
{
    static const char *const names[] = {
        [KEY_RSA] = "RSA", [KEY_EC] = "EC", [KEY_OCT] = "oct", [KEY_OKP] = "OKP"};
    Bytes name = text_of(jwk, "kty");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!bytes_are(name, names[i]))
            continue;
        *out = (KeyType)i;
        return true;
    }
    return false;
}

/* `use` and `key_ops` say what a key is for, where they are there (RFC 7517, sections 4.2, 4.3). */
static bool is_for_signatures(const json_t *jwk)
{
    const json_t *ops = json_object_get(jwk, "key_ops"), *use = json_object_get(jwk, "use");
    if (use && !bytes_are(text_of(jwk, "use"), "sig"))
        return false;
    bool verifies = !ops;
    for (size_t i = 0; i < json_array_size(ops); i++)
        verifies |= text_equal(json_string_value(json_array_get(ops, i)), "verify");
    return verifies;
}

/* An HMAC's secret is at least as long as its hash (RFC 7518, section 3.2). */
static bool fits(const TokenAlgorithm *algorithm, KeyType type, Bytes curve, size_t secret)
{
    if (algorithm->type != type || (algorithm->curve && !bytes_are(curve, algorithm->curve)))
        return false;
    if (type != KEY_OCT)
        return true;
    const EVP_MD *digest = EVP_get_digestbyname(algorithm->digest);
    return digest && secret >= (size_t)EVP_MD_get_size(digest);
}

static AlgorithmSet algorithms_of(const json_t *jwk, KeyType type, size_t secret)
{
    AlgorithmSet set = 0;
    const json_t *only = json_object_get(jwk, "alg");
    for (int i = 0; i < TOKEN_ALGORITHMS; i++)
        if (fits(&token_algorithms[i], type, text_of(jwk, "crv"), secret) &&
            (!only || bytes_are(text_of(jwk, "alg"), token_algorithms[i].name)))
            set |= 1u << i;
    return set;
}

static EVP_PKEY *edwards_key(const json_t *jwk, Arena *scratch)
{
    Bytes curve = text_of(jwk, "crv");
    int type = bytes_are(curve, "Ed25519") ? EVP_PKEY_ED25519
               : bytes_are(curve, "Ed448") ? EVP_PKEY_ED448
                                           : 0;
    Buffer x = buffer_in(scratch);
    if (!type || !base64_decode(&x, text_of(jwk, "x")))
        return NULL;
    return EVP_PKEY_new_raw_public_key(type, NULL, x.data, x.size);
}

static EVP_PKEY *public_key(const json_t *jwk, KeyType type, Arena *scratch)
{
    if (type == KEY_OKP)
        return edwards_key(jwk, scratch);
    EVP_PKEY *key = jose_openssl_jwk_to_EVP_PKEY(NULL, jwk);
    int bits = key ? EVP_PKEY_get_bits(key) : 0;
    if (type != KEY_RSA || (bits >= KEY_RSA_BITS_LEAST && bits <= KEY_RSA_BITS_MOST))
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

/* False: it cannot be used. */
static bool read_key(const json_t *jwk, bool secrets, Arena *arena, SigningKey *out)
{
    Buffer secret = buffer_in(arena);
    *out = (SigningKey){.kid = bytes_copy(arena, text_of(jwk, "kid"))};
    if (!type_of(jwk, &out->type) || !is_for_signatures(jwk))
        return false;
    if (out->type == KEY_OCT) {
        if (!secrets || !base64_decode(&secret, text_of(jwk, "k")))
            return false;
        out->secret = buffer_bytes(&secret);
    } else {
        out->key = public_key(jwk, out->type, arena);
    }
    out->algorithms = algorithms_of(jwk, out->type, out->secret.size);
    if (out->algorithms && (out->key || out->type == KEY_OCT))
        return true;
    EVP_PKEY_free(out->key);
    return false;
}

/* ---- A set ----------------------------------------------------------------------------------- */

static bool is_taken(const TokenKeys *set, const SigningKey *key)
{
    for (uint32_t i = 0; i < set->n; i++)
        if (set->keys[i].kid.size && bytes_equal(set->keys[i].kid, key->kid) &&
            (set->keys[i].algorithms & key->algorithms))
            return true;
    return false;
}

static Result read_keys(Arena *arena, const json_t *keys, bool secrets, TokenKeys *set)
{
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *jwk = json_array_get(keys, i);
        SigningKey *key = &set->keys[set->n];
        if (!json_is_object(jwk))
            return FAIL(arena, FAULT_BAD_VALUE, "key %zu is no object", i + 1);
        if (json_object_get(jwk, "d"))
            return FAIL(arena, FAULT_BAD_VALUE,
                        "key %zu is a private key: publish its public part, and replace it", i + 1);
        if (!read_key(jwk, secrets, set->arena, key)) {
            set->left_out++;
            continue;
        }
        if (is_taken(set, key)) {
            EVP_PKEY_free(key->key);
            return FAIL(arena, FAULT_BAD_VALUE, "two keys have the kid %.*s", BYTES_ARGS(key->kid));
        }
        set->n++;
    }
    return set->n ? OK
                  : FAIL(arena, FAULT_BAD_VALUE, "none of its %zu keys can check a token",
                         json_array_size(keys));
}

static Result read_document(Arena *arena, const json_t *document, bool secrets, TokenKeys *set)
{
    const json_t *keys = json_object_get(document, "keys");
    if (!json_is_array(keys))
        return FAIL(arena, FAULT_BAD_VALUE, "it has no list `keys` (RFC 7517, section 5)");
    if (json_array_size(keys) > TOKEN_KEYS_KEYS_MOST)
        return FAIL(arena, FAULT_BAD_VALUE, "it has %zu keys, and %d are the most",
                    json_array_size(keys), TOKEN_KEYS_KEYS_MOST);
    set->keys = arena_array(set->arena, SigningKey, json_array_size(keys) + 1);
    return read_keys(arena, keys, secrets, set);
}

Result token_keys_read(Arena *arena, Bytes text, bool secrets, TokenKeys **out)
{
    json_error_t why;
    *out = NULL;
    if (text.size > TOKEN_KEYS_BYTES_MOST)
        return FAIL(arena, FAULT_BAD_VALUE, "it has %zu bytes, and %d are the most", text.size,
                    TOKEN_KEYS_BYTES_MOST);
    json_t *document = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &why);
    if (!document)
        return FAIL(arena, FAULT_BAD_VALUE, "line %d, column %d: %s", why.line, why.column,
                    why.text);
    Arena *own = arena_new(ARENA_UNLIMITED);
    TokenKeys *set = arena_make(own, TokenKeys);
    *set = (TokenKeys){.count = 1, .arena = own};
    Result r = read_document(arena, document, secrets, set);
    json_decref(document);
    if (failed(r))
        token_keys_drop(set);
    else
        *out = set;
    return r;
}

TokenKeys *token_keys_keep(TokenKeys *set)
{
    atomic_fetch_add_explicit(&set->count, 1, memory_order_relaxed);
    return set;
}

void token_keys_drop(TokenKeys *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->count, 1, memory_order_acq_rel) > 1)
        return;
    for (uint32_t i = 0; i < set->n; i++) {
        EVP_PKEY_free(set->keys[i].key);
        OPENSSL_cleanse((void *)set->keys[i].secret.data, set->keys[i].secret.size);
    }
    arena_free(set->arena);
}

uint32_t token_keys_size(const TokenKeys *set)
{
    return set->n;
}

uint32_t token_keys_left_out(const TokenKeys *set)
{
    return set->left_out;
}

const SigningKey *token_keys_next(const TokenKeys *set, int algorithm, Bytes kid, uint32_t *at)
{
    while (*at < set->n) {
        const SigningKey *key = &set->keys[(*at)++];
        if ((key->algorithms >> algorithm & 1) && (!kid.size || bytes_equal(key->kid, kid)))
            return key;
    }
    return NULL;
}
