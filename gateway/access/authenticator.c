#include "gateway/access/authenticator.h"

#include "base/arena.h"
#include "gateway/access/access.h"
#include "gateway/access/proof_cache.h"

/* What one method has found. */
typedef struct Found {
    const Identity *identity; /* NULL: nothing */
    const CredentialConfig *credential;
    int64_t expires;
} Found;

typedef struct Asking {
    const Asked *of;
    const CredentialConfig *credential;
    Bytes text;
    const SourceKeys *keys;
    KeyUse *use; /* of an API key that was found; or NULL */
    bool unknown_key;
    int64_t issued;        /* of such a token, since 1970: it says so itself */
    uint32_t *retry_after; /* Authenticated.retry_after */
} Asking;

/* ---- Tokens ---------------------------------------------------------------------------------- */

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
    Claim *claims = arena_array(asking->of->arena, Claim, credential->n_claims);
    for (uint32_t i = 0; claims && i < credential->n_claims; i++) {
        Bytes value = claim_text(token, credential->claims[i].path, asking->of->arena);
        if (value.size)
            claims[(*n_out)++] = (Claim){credential->claims[i].name, value};
    }
    return claims;
}

static Result by_token(Asking *asking, Identity *found, int64_t *expires)
{
    const CredentialConfig *credential = asking->credential;
    Token token;
    Result r = token_verify(asking->text, asking->keys->tokens, &credential->rules,
                            asking->of->wall, asking->of->arena, &token, &asking->unknown_key);
    asking->issued = token.issued;
    if (failed(r))
        return r;
    *expires = token.expires;
    *found = (Identity){.how = PROOF_TOKEN,
                        .by = credential->name,
                        .name = claim_text(&token, credential->client, asking->of->arena),
                        .tenant = claim_text(&token, credential->tenant, asking->of->arena),
                        .class = claim_text(&token, credential->class, asking->of->arena)};
    found->claims = token_claims(asking, &token, &found->n_claims);
    return found->name.size ? OK
                            : FAIL(asking->of->arena, FAULT_CREDENTIALS_REFUSED,
                                   "the token names no client: it has no %s", credential->client);
}

/* ---- API keys -------------------------------------------------------------------------------- */

static Result by_api_key(Asking *asking, Identity *found, int64_t *expires)
{
    const ApiKey *key = api_keys_find(asking->keys->api_keys, asking->text);
    if (!key)
        return FAIL(asking->of->arena, FAULT_CREDENTIALS_REFUSED, "there is no such API key");
    const char *id = key->id ? key->id : "an API key";
    if (asking->of->wall >= key->expires)
        return FAIL(asking->of->arena, FAULT_CREDENTIALS_EXPIRED, "%s of %.*s has ended", id,
                    BYTES_ARGS(key->client));
    Claim *claims = arena_array(asking->of->arena, Claim, key->n_claims);
    for (uint32_t i = 0; claims && i < key->n_claims; i++)
        claims[i] = (Claim){key->claims[i].name, key->claims[i].value};
    *expires = key->expires;
    asking->use = key_use_of(asking->of->loop, key->hash);
    *found = (Identity){.how = PROOF_API_KEY,
                        .by = asking->credential->name,
                        .name = key->client,
                        .tenant = key->tenant,
                        .class = key->class,
                        .claims = claims,
                        .n_claims = claims ? key->n_claims : 0};
    return OK;
}

/* ---- Certificates ---------------------------------------------------------------------------- */

static bool is_one_of(const char *const *patterns, Bytes name)
{
    for (; patterns && *patterns; patterns++)
        if (access_matches(*patterns, name))
            return true;
    return !patterns;
}

/* Its names live as long as the connection. */
static Result by_certificate(const Asked *asked, const CredentialConfig *method, Found *out)
{
    Bytes name = asked->certificate ? bytes_of(asked->certificate->names[method->of]) : BYTES_NONE;
    if (!name.size || !is_one_of(method->names, name))
        return OK;
    Identity *identity = arena_make(asked->arena, Identity);
    if (!identity)
        return FAIL(asked->arena, FAULT_OUT_OF_MEMORY, "keeping the identity of a client");
    *identity = (Identity){.name = name,
                           .tenant = bytes_of(method->tenant),
                           .class = bytes_of(method->class),
                           .how = PROOF_CERTIFICATE,
                           .by = method->name};
    *out = (Found){identity, method, INT64_MAX};
    return OK;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

/* Whether a field has a credential of this kind; it is without "Bearer ". Of tokens it may be
   empty: what names the scheme is meant as one. */
static bool credential_in(const CredentialConfig *credential, Bytes value, Bytes *text_out)
{
    static const char scheme[] = "Bearer";
    size_t size = sizeof scheme - 1;
    *text_out = value = bytes_trim(value);
    if (!credential->bearer)
        return value.size > 0;
    Bytes token = bytes_trim(bytes_slice(value, size, value.size));
    *text_out = token.size ? token : bytes_of("");
    return bytes_are_nocase(bytes_slice(value, 0, size), scheme) &&
           (value.size == size || value.data[size] == ' ' || value.data[size] == '\t');
}

/* The fields of the head from the first one to the last one that may have a credential. Most names
   are of another length. */
static Fields find_part(const Asked *asked)
{
    const Fields *head = asked->head;
    uint64_t sizes = asked->config->access.name_sizes;
    Field *first = NULL, *last = NULL;
    for (Field *field = head->items, *end = field + head->n; field < end; field++)
        if (sizes & access_size_bit(field->name.size)) {
            first = first ? first : field;
            last = field;
        }
    return first ? (Fields){.items = first, .n = (uint32_t)(last - first) + 1} : (Fields){0};
}

static bool has_field(const Fields *part, Bytes name)
{
    for (const Field *field = part->items, *end = field + part->n; field < end; field++)
        if (field->name.size == name.size && bytes_are_at(field->name.data, name))
            return true;
    return false;
}

/* How often the request has the field, and the credential in it; NULL data: in none of them.
   Whoever sends two may mean either. */
static uint32_t find_credential(const Fields *part, const CredentialConfig *method, Bytes *text_out)
{
    Bytes name = method->header, text;
    uint32_t n = 0;
    *text_out = BYTES_NONE;
    for (const Field *field = part->items, *end = field + part->n; field < end; field++) {
        if (field->name.size != name.size || !bytes_are_at(field->name.data, name))
            continue;
        n++;
        if (credential_in(method, field->value, &text))
            *text_out = text;
    }
    return n;
}

static ProofCache *cache_of(Loop *loop, const Config *config)
{
    if (!config->access.cache_entries || !config->access.cache_time)
        return NULL;
    if (!loop->proofs)
        loop->proofs = proof_cache_new(config->access.cache_entries, &loop->random);
    proof_cache_begin(loop->proofs, config->generation, key_sources_changes());
    return loop->proofs;
}

static Result keep(const Asked *asked, const Identity *found, const CredentialConfig *method,
                   int64_t expires, Found *out)
{
    *out = (Found){identity_copy(found, asked->arena), method, expires};
    return out->identity
               ? OK
               : FAIL(asked->arena, FAULT_OUT_OF_MEMORY, "keeping the identity of a client");
}

/* A key that is not there may be on its way: the call may be made again then. Whoever invents keys
   only has himself told to come again. */
static Result ask_for_keys(const Asking *asking, Result why)
{
    const Asked *asked = asking->of;
    int64_t now = asked->loop->now, wait, issued = INT64_MAX;
    if (asking->unknown_key && asking->issued != INT64_MAX)
        issued = now - (asked->wall - asking->issued) + asking->credential->rules.skew;
    if (!key_source_want(asking->credential->source, now, issued, &wait))
        return why;
    *asking->retry_after = wait > SECOND ? (uint32_t)((wait + SECOND - 1) / SECOND) : 1;
    return FAIL_OVER(asked->arena, why, FAULT_KEYS_UNAVAILABLE, "the keys are asked for again");
}

static Result check(Asking *asking, Found *out)
{
    const Asked *asked = asking->of;
    const CredentialConfig *method = asking->credential;
    Identity found;
    int64_t expires = INT64_MAX;
    KeyHold *hold = key_source_take(method->source, &asking->keys);
    Result r = method->kind == CREDENTIAL_TOKEN ? by_token(asking, &found, &expires)
                                                : by_api_key(asking, &found, &expires);
    if (!failed(r))
        r = keep(asked, &found, method, expires, out);
    else if (asking->unknown_key || r.error->fault == &FAULT_KEYS_UNAVAILABLE)
        r = ask_for_keys(asking, r);
    key_source_return(hold);
    return r;
}

static void count(KeyUse *use, int64_t wall)
{
    if (use)
        key_use_count(use, wall);
}

/* One that was found good a moment ago is not checked again. */
static Result ask(Asking *asking, Found *out)
{
    const Asked *asked = asking->of;
    const AccessConfig *access = &asked->config->access;
    ProofCache *cache = cache_of(asked->loop, asked->config);
    const Proof *proof = cache ? proof_cache_find(cache, asking->credential, asking->text,
                                                  asked->wall, asked->wall - access->cache_time)
                               : NULL;
    if (proof) {
        *asked->last = proof;
        count(proof->use, asked->wall);
        *out = (Found){&proof->client->identity, proof->credential, proof->expires};
        return OK;
    }
    Result r = check(asking, out);
    if (failed(r))
        return r;
    count(asking->use, asked->wall);
    if (cache)
        proof_cache_add(cache, asking->text,
                        &(Proof){known_client_new(out->identity, asked->config), out->credential,
                                 out->expires, asking->use},
                        asked->wall);
    return r;
}

static Result by_method(const Asked *asked, const Fields *part, const CredentialConfig *method,
                        uint32_t *retry_after, Found *out)
{
    Bytes text;
    uint32_t n = find_credential(part, method, &text);
    if (!text.data)
        return OK;
    if (n > 1)
        return FAIL(asked->arena, FAULT_CREDENTIALS_REFUSED, "the request has %.*s twice",
                    BYTES_ARGS(method->header));
    Asking asking = {.of = asked, .credential = method, .text = text, .retry_after = retry_after};
    return ask(&asking, out);
}

/* Of several kinds that the credential in a field could be, the first one that it is decides; if it
   is none, the first one says why. `methods`: from the first one that looks at the field. */
static Result by_field(const Asked *asked, const Fields *part, CredentialList methods,
                       uint32_t *retry_after, Found *out)
{
    Result why = OK;
    for (CredentialList at = methods; *at && !out->identity; at++) {
        Result r =
            (*at)->field == (*methods)->field ? by_method(asked, part, *at, retry_after, out) : OK;
        why = failed(why) ? why : r;
    }
    return out->identity ? OK : why;
}

/* Whether the method is asked first about the field that it looks at, and no certificate comes
   before it. */
static bool is_first(const Asked *asked, CredentialList methods, const CredentialConfig *method)
{
    for (; *methods && (*methods)->field != method->field; methods++)
        if (!(*methods)->field && asked->certificate)
            return false;
    return *methods == method;
}

/* What has proved a name on the connection last nearly always does so again: then nothing else is
   looked at, and nothing looked up. `part` has no other field that could have credentials. */
static bool prove_again(const Asked *asked, const Fields *part, CredentialList methods,
                        Authenticated *out)
{
    const Proof *last = *asked->last;
    const ProofCache *cache = last && part->n == 1 ? cache_of(asked->loop, asked->config) : NULL;
    const Field *field = part->items;
    Bytes text;
    if (!cache || !last->client)
        return false;
    const CredentialConfig *method = last->credential;
    if (!bytes_equal(field->name, method->header) || !credential_in(method, field->value, &text) ||
        !is_first(asked, methods, method) ||
        !proof_cache_holds(cache, last, text, asked->wall,
                           asked->wall - asked->config->access.cache_time))
        return false;
    count(last->use, asked->wall);
    out->identity = &last->client->identity;
    out->credential = method;
    out->expires = last->expires;
    if (!method->forward)
        out->withheld[out->n_withheld++] = method->header;
    return true;
}

/* Each field once: a good credential does not make up for a bad one elsewhere. */
Result authenticate(const Asked *asked, CredentialList methods, Authenticated *out)
{
    out->identity = NULL;
    out->n_withheld = out->retry_after = 0;
    const Fields part = find_part(asked);
    uint32_t looked_at = 0; /* CredentialConfig.field of all */
    if (prove_again(asked, &part, methods, out))
        return OK;
    for (CredentialList at = methods; *at; at++) {
        Found found = {0};
        uint32_t field = (*at)->field;
        if ((field & looked_at) || (field && !has_field(&part, (*at)->header)))
            continue;
        looked_at |= field;
        Result r = field ? by_field(asked, &part, at, &out->retry_after, &found)
                         : by_certificate(asked, *at, &found);
        if (failed(r))
            return r;
        if (field && found.identity && !found.credential->forward)
            out->withheld[out->n_withheld++] = found.credential->header;
        if (!out->identity) {
            out->identity = found.identity;
            out->credential = found.credential;
            out->expires = found.expires;
        }
    }
    return OK;
}

void authenticator_close(Loop *loop)
{
    proof_cache_free(loop->proofs);
    loop->proofs = NULL;
}
