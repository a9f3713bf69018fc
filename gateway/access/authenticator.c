#include "gateway/access/authenticator.h"

#include "base/arena.h"
#include "gateway/access/proof_cache.h"

typedef struct Asking {
    const CredentialConfig *credential;
    Bytes text;
    int64_t wall;
    Arena *arena;
} Asking;

/* ---- Tokens -----------------------------------------------------------------------------------
 */

/* A list of texts becomes words; one with a space in it cannot be a word, and is left out. */
static Bytes words_of(const JsonNode *list, Arena *arena)
{
    Buffer words = buffer_in(arena);
    for (const JsonNode *one = list->first; one; one = one->next) {
        if (one->kind != JSON_STRING || bytes_find(one->text, ' ') < one->text.size)
            continue;
        if (words.size)
            buffer_add_byte(&words, ' ');
        buffer_add_bytes(&words, one->text);
    }
    return buffer_bytes(&words);
}

static Bytes claim_text(const Token *token, const char *path, Arena *arena)
{
    const JsonNode *claim = path ? token_claim(token, path) : NULL;
    if (!claim)
        return BYTES_NONE;
    switch (claim->kind) {
    case JSON_STRING:
    case JSON_NUMBER: return claim->text;
    case JSON_TRUE: return bytes_of("true");
    case JSON_FALSE: return bytes_of("false");
    case JSON_ARRAY: return words_of(claim, arena);
    default: return BYTES_NONE;
    }
}

static const Claim *token_claims(const Asking *asking, const Token *token, uint32_t *n_out)
{
    const CredentialConfig *credential = asking->credential;
    Claim *claims = arena_array(asking->arena, Claim, credential->n_claims);
    for (uint32_t i = 0; claims && i < credential->n_claims; i++) {
        Bytes value = claim_text(token, credential->claims[i].path, asking->arena);
        if (value.size)
            claims[(*n_out)++] = (Claim){credential->claims[i].name, value};
    }
    return claims;
}

static Result by_token(const Asking *asking, Identity *found, int64_t *expires)
{
    const CredentialConfig *credential = asking->credential;
    Token token;
    bool unknown_key;
    Result r = token_verify(asking->text, credential->keys, &credential->rules, asking->wall,
                            asking->arena, &token, &unknown_key);
    if (failed(r))
        return r;
    *expires = token.expires;
    *found = (Identity){.how = PROOF_TOKEN,
                        .name = claim_text(&token, credential->client, asking->arena),
                        .tenant = claim_text(&token, credential->tenant, asking->arena),
                        .class = claim_text(&token, credential->class, asking->arena)};
    found->claims = token_claims(asking, &token, &found->n_claims);
    return found->name.size ? OK
                            : FAIL(asking->arena, FAULT_CREDENTIALS_REFUSED,
                                   "the token names no client: it has no %s", credential->client);
}

/* ---- API keys ---------------------------------------------------------------------------------
 */

static Result by_api_key(const Asking *asking, Identity *found, int64_t *expires)
{
    const ApiKey *key = api_keys_find(asking->credential->api_keys, asking->text);
    if (!key)
        return FAIL(asking->arena, FAULT_CREDENTIALS_REFUSED, "there is no such API key");
    const char *id = key->id ? key->id : "an API key";
    if (asking->wall >= key->expires)
        return FAIL(asking->arena, FAULT_CREDENTIALS_EXPIRED, "%s of %.*s has ended", id,
                    BYTES_ARGS(key->client));
    Claim *claims = arena_array(asking->arena, Claim, key->n_claims);
    for (uint32_t i = 0; claims && i < key->n_claims; i++)
        claims[i] = (Claim){key->claims[i].name, key->claims[i].value};
    *expires = key->expires;
    *found = (Identity){.how = PROOF_API_KEY,
                        .name = key->client,
                        .tenant = key->tenant,
                        .class = key->class,
                        .claims = claims,
                        .n_claims = claims ? key->n_claims : 0};
    return OK;
}

/* ---- Asking -----------------------------------------------------------------------------------
 */

/* The credential in a field, without "Bearer "; empty: the field has none of this kind. */
static Bytes credential_in(const CredentialConfig *credential, Bytes value)
{
    static const char scheme[] = "Bearer ";
    Bytes begin = bytes_slice(value, 0, sizeof scheme - 1);
    if (!credential->bearer)
        return value;
    return bytes_are_nocase(begin, scheme) ? bytes_trim(bytes_slice(value, begin.size, value.size))
                                           : BYTES_NONE;
}

/* Whoever sends two may mean either. */
static uint32_t count(const Fields *head, const char *name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < head->n; i++)
        n += bytes_are(head->items[i].name, name);
    return n;
}

static ProofCache *cache_of(Loop *loop, const Config *config)
{
    if (!config->access.cache_entries || !config->access.cache_time)
        return NULL;
    if (!loop->proofs)
        loop->proofs = proof_cache_new(config->access.cache_entries, &loop->random);
    proof_cache_begin(loop->proofs, config->generation);
    return loop->proofs;
}

static Result check(const Asking *asking, Authenticated *out)
{
    Identity found;
    int64_t expires = INT64_MAX;
    Result r = asking->credential->kind == CREDENTIAL_TOKEN ? by_token(asking, &found, &expires)
                                                            : by_api_key(asking, &found, &expires);
    if (failed(r))
        return r;
    Identity *identity = arena_make(asking->arena, Identity);
    if (!identity)
        return FAIL(asking->arena, FAULT_OUT_OF_MEMORY, "keeping the identity of a client");
    *identity = found;
    *out = (Authenticated){identity, asking->credential, expires};
    return OK;
}

/* Of several kinds that a credential could be, the first one that it is decides; if it is none, the
   first one says why. */
static Result ask(Loop *loop, const Config *config, Asking *asking, Result before,
                  Authenticated *out)
{
    ProofCache *cache = cache_of(loop, config);
    const Proof *proof = cache ? proof_cache_find(cache, asking->text, asking->wall,
                                                  asking->wall - config->access.cache_time)
                               : NULL;
    if (proof) {
        *out = (Authenticated){identity_copy(proof->identity, asking->arena), proof->credential,
                               proof->expires};
        return out->identity
                   ? OK
                   : FAIL(asking->arena, FAULT_OUT_OF_MEMORY, "keeping the identity of a client");
    }
    Result r = check(asking, out);
    if (failed(r))
        return failed(before) ? before : r;
    if (cache)
        proof_cache_add(cache, asking->text, &(Proof){out->identity, out->credential, out->expires},
                        asking->wall);
    return OK;
}

Result authenticate(Loop *loop, const Config *config, const Fields *head, int64_t wall,
                    Arena *arena, Authenticated *out)
{
    Result r = OK;
    *out = (Authenticated){0};
    for (uint32_t i = 0; i < config->access.n_credentials; i++) {
        const CredentialConfig *credential = &config->access.credentials[i];
        Bytes text = credential_in(credential, fields_get(head, credential->header));
        if (!text.size)
            continue;
        if (count(head, credential->header) > 1)
            return FAIL(arena, FAULT_CREDENTIALS_REFUSED, "the request has %s twice",
                        credential->header);
        Asking asking = {credential, text, wall, arena};
        r = ask(loop, config, &asking, r, out);
        if (!failed(r))
            return OK;
    }
    return r;
}

void authenticator_close(Loop *loop)
{
    proof_cache_free(loop->proofs);
    loop->proofs = NULL;
}
