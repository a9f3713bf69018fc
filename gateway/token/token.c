#include "gateway/token/token.h"

#include "adapters/text/number_text.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/base64.h"

#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

/* Tokens are small: what is larger is meant to cost time. */
enum { DEPTH_MOST = 20, ELEMENTS_MOST = 1000, NAMES_MOST = 100, KEYS_TRIED_MOST = 5 };

typedef struct Parts {
    Bytes signed_part; /* header.payload, as it was sent */
    Bytes header, payload, signature;
} Parts;

typedef struct Check {
    const TokenKeys *keys;
    const TokenRules *rules;
    int64_t now;
    Arena *arena;
    Parts parts;
    bool unknown_key;
} Check;

static Result refused(const Check *check, const char *why)
{
    return FAIL(check->arena, FAULT_CREDENTIALS_REFUSED, "the token %s", why);
}

/* ---- Parts ----------------------------------------------------------------------------------- */

/* Base64url without padding, and no other spelling of the same bytes (RFC 7515, section 2). */
static bool is_base64url(Bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == '+' || text.data[i] == '/' || text.data[i] == '=')
            return false;
    return !base64_has_unused_bits(text);
}

static Result decode(Check *check, Bytes text, Bytes *out)
{
    Buffer decoded = buffer_in(check->arena);
    bool ok = is_base64url(text) && base64_decode(&decoded, text);
    *out = buffer_bytes(&decoded);
    if (decoded.full)
        return FAIL(check->arena, FAULT_OUT_OF_MEMORY, "decoding a token of %zu bytes", text.size);
    return ok ? OK : refused(check, "has a part that is not base64url");
}

static Result split(Check *check, Bytes text)
{
    Bytes header, payload, signature, rest = text;
    if (text.size > TOKEN_BYTES_MOST)
        return refused(check, "is longer than any token may be");
    if (!bytes_split(&rest, '.', &header) || !bytes_split(&rest, '.', &payload) || !rest.size ||
        bytes_find(rest, '.') != rest.size)
        return refused(check, "has not three parts");
    signature = rest;
    check->parts.signed_part = bytes(text.data, header.size + 1 + payload.size);
    Result r = decode(check, header, &check->parts.header);
    if (!failed(r))
        r = decode(check, payload, &check->parts.payload);
    return failed(r) ? r : decode(check, signature, &check->parts.signature);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* The same member twice could be read differently by who signed it, and by whom it is meant for. */
static bool has_twins(const JsonNode *node)
{
    if (node->kind != JSON_OBJECT && node->kind != JSON_ARRAY)
        return false;
    for (const JsonNode *one = node->first; one; one = one->next) {
        for (const JsonNode *other = node->kind == JSON_OBJECT ? one->next : NULL; other;
             other = other->next)
            if (bytes_equal(one->name, other->name))
                return true;
        if (has_twins(one))
            return true;
    }
    return false;
}

static Result parse(Check *check, Bytes text, const char *what, JsonNode **out)
{
    const JsonLimits limits = {DEPTH_MOST, ELEMENTS_MOST};
    Result r = json_parse(check->arena, text, &limits, out);
    if (failed(r))
        return FAIL_OVER(check->arena, r, FAULT_CREDENTIALS_REFUSED, "reading the %s of a token",
                         what);
    if ((*out)->kind != JSON_OBJECT || (*out)->count > NAMES_MOST)
        return refused(check, "has a part that is no object, or has too many members");
    return has_twins(*out) ? refused(check, "has a member twice") : OK;
}

/* ---- Signature ------------------------------------------------------------------------------- */

/* JOSE writes r and s in full length, OpenSSL reads DER (RFC 7518, section 3.4). */
static Bytes der_of(const TokenAlgorithm *algorithm, Bytes raw, Arena *arena)
{
    int half = algorithm->half;
    if (raw.size != 2 * (size_t)half)
        return BYTES_NONE;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw.data, half, NULL), *s = BN_bin2bn(raw.data + half, half, NULL);
    CHECK(pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1); /* the numbers are the pair's now */
    uint8_t der[160], *end = der;
    int size = i2d_ECDSA_SIG(pair, NULL);
    CHECK(size > 0 && (size_t)size <= sizeof der && i2d_ECDSA_SIG(pair, &end) == size);
    ECDSA_SIG_free(pair);
    return bytes_copy(arena, bytes(der, (size_t)size));
}

static bool hmac_is_good(const TokenAlgorithm *algorithm, const SigningKey *key, const Parts *parts)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    const EVP_MD *digest = EVP_get_digestbyname(algorithm->digest);
    return HMAC(digest, key->secret.data, (int)key->secret.size, parts->signed_part.data,
                parts->signed_part.size, mac, &size) &&
           parts->signature.size == size && CRYPTO_memcmp(mac, parts->signature.data, size) == 0;
}

static bool set_padding(const TokenAlgorithm *algorithm, EVP_PKEY_CTX *context)
{
    return !algorithm->pss ||
           (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static bool verify(const TokenAlgorithm *algorithm, EVP_PKEY *key, Bytes text, Bytes signature)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    EVP_PKEY_CTX *context = NULL; /* the digest's */
    bool good =
        signature.size && digest &&
        EVP_DigestVerifyInit_ex(digest, &context, algorithm->digest, NULL, NULL, key, NULL) == 1 &&
        set_padding(algorithm, context) &&
        EVP_DigestVerify(digest, signature.data, signature.size, text.data, text.size) == 1;
    EVP_MD_CTX_free(digest);
    return good;
}

static bool is_signed_by(const Check *check, const TokenAlgorithm *algorithm, const SigningKey *key)
{
    const Parts *parts = &check->parts;
    if (key->type == KEY_OCT)
        return hmac_is_good(algorithm, key, parts);
    Bytes signature =
        key->type == KEY_EC ? der_of(algorithm, parts->signature, check->arena) : parts->signature;
    return verify(algorithm, key->key, parts->signed_part, signature);
}

/* With the keys that fit: a token without a kid costs no more than a few checks. */
static Result check_signature(Check *check, int algorithm, Bytes kid)
{
    uint32_t at = 0;
    int tried = 0;
    for (const SigningKey *key;
         tried < KEYS_TRIED_MOST && (key = token_keys_next(check->keys, algorithm, kid, &at));
         tried++)
        if (is_signed_by(check, &token_algorithms[algorithm], key))
            return OK;
    check->unknown_key = !tried;
    return refused(check, tried ? "has a signature that is not right"
                                : "is signed with a key that is not known");
}

static Result check_header(Check *check)
{
    JsonNode *header;
    Result r = parse(check, check->parts.header, "header", &header);
    if (failed(r))
        return r;
    const JsonNode *alg = json_member(header, "alg"), *kid = json_member(header, "kid");
    int algorithm = alg && alg->kind == JSON_STRING ? token_algorithm_by_name(alg->text) : -1;
    if (algorithm < 0 || !(check->rules->algorithms >> algorithm & 1))
        return refused(check, "is signed in a way that is not accepted here");
    if (json_member(header, "crit"))
        return refused(check, "calls an extension critical that is not known");
    if (kid && (kid->kind != JSON_STRING || !kid->text.size))
        return refused(check, "has a kid that is no text");
    return check_signature(check, algorithm, kid ? kid->text : BYTES_NONE);
}

/* ---- Claims ---------------------------------------------------------------------------------- */

/* Of a time in seconds, whole or not (RFC 7519, section 2), in nanoseconds. False: it is no time.
 */
static bool read_time(const JsonNode *node, int64_t *out)
{
    double seconds;
    if (node->kind != JSON_NUMBER || !number_read_double(node->text, &seconds) || seconds < 0 ||
        seconds > 9e9)
        return false;
    *out = (int64_t)(seconds * SECOND);
    return true;
}

static bool is_for(const TokenRules *rules, Bytes audience)
{
    for (uint32_t i = 0; i < rules->n_audiences; i++)
        if (bytes_are(audience, rules->audiences[i]))
            return true;
    return false;
}

static bool is_for_one_of_them(const TokenRules *rules, const JsonNode *aud)
{
    if (!aud)
        return !rules->n_audiences;
    if (aud->kind == JSON_STRING)
        return is_for(rules, aud->text);
    bool found = false;
    for (const JsonNode *one = aud->kind == JSON_ARRAY ? aud->first : NULL; one; one = one->next)
        found |= one->kind == JSON_STRING && is_for(rules, one->text);
    return found;
}

/* Absent times are left as they are. */
static Result read_times(Check *check, const JsonNode *claims, int64_t *exp, int64_t *nbf,
                         int64_t *iat)
{
    const struct {
        const char *name;
        int64_t *out;
    } times[] = {{"exp", exp}, {"nbf", nbf}, {"iat", iat}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        const JsonNode *node = json_member(claims, times[i].name);
        if (node && !read_time(node, times[i].out))
            return refused(check, "has a time that is none");
    }
    return OK;
}

static Result check_times(Check *check, const JsonNode *claims, int64_t *expires)
{
    const TokenRules *rules = check->rules;
    int64_t exp = -1, nbf = 0, iat = -1;
    Result r = read_times(check, claims, &exp, &nbf, &iat);
    if (failed(r))
        return r;
    if (exp < 0)
        return refused(check, "has no time of its end");
    if (check->now >= exp + rules->skew)
        return FAIL(check->arena, FAULT_CREDENTIALS_EXPIRED, "the token ended %lld s ago",
                    (long long)((check->now - exp) / SECOND));
    if (nbf > check->now + rules->skew || iat > check->now + rules->skew)
        return refused(check, "is from the future");
    if (rules->longest && (iat < 0 || exp - iat > rules->longest))
        return refused(check, "is good for longer than any token may be");
    *expires = exp + rules->skew;
    return OK;
}

/* What it says itself: nobody has proved it. */
static int64_t issued_of(const JsonNode *claims)
{
    const JsonNode *node = json_member(claims, "iat");
    int64_t issued;
    return node && read_time(node, &issued) ? issued : INT64_MAX;
}

static Result check_claims(Check *check, Token *out)
{
    JsonNode *claims;
    Result r = parse(check, check->parts.payload, "payload", &claims);
    if (failed(r))
        return r;
    const JsonNode *iss = json_member(claims, "iss"), *sub = json_member(claims, "sub");
    if (check->rules->issuer &&
        !(iss && iss->kind == JSON_STRING && bytes_are(iss->text, check->rules->issuer)))
        return refused(check, "is from another issuer");
    if (!is_for_one_of_them(check->rules, json_member(claims, "aud")))
        return refused(check, "is for another audience");
    if (sub && sub->kind != JSON_STRING)
        return refused(check, "has a subject that is no text");
    *out = (Token){
        .claims = claims, .subject = sub ? sub->text : BYTES_NONE, .issued = issued_of(claims)};
    return check_times(check, claims, &out->expires);
}

/* Of a token that would be refused in any case nobody needs the key. */
static Result judge_unproved(Check *check, Result why, Token *out, bool *unknown_key_out)
{
    Result r = check_claims(check, out);
    *out = (Token){.issued = out->issued};
    *unknown_key_out = !failed(r);
    return failed(r) ? r : why;
}

Result token_verify(Bytes text, const TokenKeys *keys, const TokenRules *rules, int64_t now,
                    Arena *arena, Token *out, bool *unknown_key_out)
{
    Check check = {.keys = keys, .rules = rules, .now = now, .arena = arena};
    *out = (Token){.issued = INT64_MAX};
    *unknown_key_out = false;
    if (!keys)
        return FAIL(arena, FAULT_KEYS_UNAVAILABLE, "no keys were read yet");
    Result r = split(&check, text);
    if (!failed(r))
        r = check_header(&check);
    if (check.unknown_key)
        return judge_unproved(&check, r, out, unknown_key_out);
    return failed(r) ? r : check_claims(&check, out);
}

const JsonNode *token_claim(const Token *token, const char *path)
{
    const JsonNode *whole = json_member(token->claims, path), *at = token->claims;
    if (whole)
        return whole;
    Bytes rest = bytes_of(path), name;
    while (at && bytes_split(&rest, '.', &name)) {
        const JsonNode *member = at->kind == JSON_OBJECT ? at->first : NULL;
        while (member && !bytes_equal(member->name, name))
            member = member->next;
        at = member;
    }
    return at;
}
