/* Who may call: credentials, and what routes demand. */
#include "gateway/settings/settings.h"

#include "base/arena.h"
#include "base/file/file.h"
#include "protocols/http/head_fields.h"

enum { API_KEY_FILE_MOST = 64 << 20 };

/* ---- Tokens -----------------------------------------------------------------------------------
 */

static const char *names_of_algorithms(ConfigReader *reader)
{
    Buffer names = buffer_in(reader->arena);
    for (int i = 0; i < TOKEN_ALGORITHMS; i++)
        buffer_printf(&names, "%s%s", i ? ", " : "", token_algorithms[i].name);
    return arena_text(reader->arena, buffer_bytes(&names));
}

static AlgorithmSet read_algorithms(ConfigReader *reader, const Passerelle__Config__Jwt *text,
                                    const char *path)
{
    AlgorithmSet set = 0;
    for (size_t i = 0; i < text->n_algorithms; i++) {
        int algorithm = token_algorithm_by_name(bytes_of(text->algorithms[i]));
        if (algorithm < 0)
            config_tell(reader, config_path(reader, "%s.algorithms[%zu]", path, i),
                        names_of_algorithms(reader), "%s is no algorithm that tokens may have",
                        text->algorithms[i]);
        else
            set |= 1u << algorithm;
    }
    return text->n_algorithms ? set : algorithms_of_public_keys();
}

static TokenKeys *read_keys(ConfigReader *reader, const char *file, AlgorithmSet algorithms,
                            const char *path)
{
    Bytes text;
    TokenKeys *keys = NULL;
    bool secrets = algorithms & ~algorithms_of_public_keys();
    Result r = file_read(reader->arena, file, TOKEN_KEYS_BYTES_MOST, &text);
    if (failed(r)) {
        config_tell(reader, path, NULL, "%s", r.error->doing);
        return NULL;
    }
    config_hash_add(reader, text, false);
    r = token_keys_read(reader->arena, text, secrets, &keys);
    if (failed(r))
        config_tell(reader, path, NULL, "%s: %s", file, r.error->doing);
    return keys;
}

static void check_usable(ConfigReader *reader, const CredentialConfig *credential, const char *path)
{
    for (int i = 0; i < TOKEN_ALGORITHMS; i++) {
        uint32_t at = 0;
        if ((credential->rules.algorithms >> i & 1) &&
            token_keys_next(credential->keys, i, BYTES_NONE, &at))
            return;
    }
    config_tell(reader, config_path(reader, "%s.algorithms", path), NULL,
                "no key of %s is for one of these algorithms", credential->keys_file);
}

static bool is_claim_name(const char *name)
{
    return config_is_word(name, "._-:/"); /* words, or URIs (RFC 7519, 4.2) */
}

static void read_claims(ConfigReader *reader, const Passerelle__Config__Jwt *text, const char *path,
                        CredentialConfig *credential)
{
    ClaimPath *claims = arena_array(reader->arena, ClaimPath, text->n_claims + 1);
    for (size_t i = 0; i < text->n_claims; i++) {
        claims[i] = (ClaimPath){text->claims[i]->key, text->claims[i]->value};
        if (!is_claim_name(claims[i].name))
            config_tell(reader, config_path(reader, "%s.claims.%s", path, claims[i].name),
                        "letters, digits and \"._-:/\"", "it is no name of a claim");
    }
    if (text->n_claims > CLAIMS_MOST)
        config_tell(reader, config_path(reader, "%s.claims", path), NULL, "%d claims are the most",
                    CLAIMS_MOST);
    credential->claims = claims;
    credential->n_claims = (uint32_t)text->n_claims;
}

static void read_jwt(ConfigReader *reader, const Passerelle__Config__Jwt *text, const char *path,
                     CredentialConfig *credential)
{
    *credential = (CredentialConfig){
        .kind = CREDENTIAL_TOKEN,
        .header = "authorization",
        .bearer = true,
        .forward = text->forward,
        .rules = {.issuer = text->issuer,
                  .audiences = config_texts(reader->arena, text->audience, text->n_audience),
                  .n_audiences = (uint32_t)text->n_audience,
                  .algorithms = read_algorithms(reader, text, path),
                  .skew = text->skew,
                  .longest = text->longest},
        .keys_file = text->keys,
        .client = text->client,
        .tenant = text->tenant,
        .class = text->class_,
    };
    read_claims(reader, text, path, credential);
    if (!text->keys)
        return;
    credential->keys = read_keys(reader, text->keys, credential->rules.algorithms,
                                 config_path(reader, "%s.keys", path));
    if (credential->keys)
        check_usable(reader, credential, path);
}

/* ---- API keys ---------------------------------------------------------------------------------
 */

static const ApiKeyClaim *read_key_claims(ConfigReader *reader,
                                          const Passerelle__Config__ApiKey *text)
{
    ApiKeyClaim *claims = arena_array(reader->arena, ApiKeyClaim, text->n_claims + 1);
    for (size_t i = 0; i < text->n_claims; i++)
        claims[i] = (ApiKeyClaim){text->claims[i]->key, bytes_of(text->claims[i]->value)};
    return claims;
}

/* What is wrong with it; NULL: nothing. */
static const char *mistake_in_key(const Passerelle__Config__ApiKey *text, ApiKey *key)
{
    if (!config_read_hex(bytes_of(text->sha256), key->hash, API_KEY_HASH_SIZE))
        return "sha256 has 64 hexadecimal digits";
    if (!key->client.size)
        return "client is empty";
    for (size_t i = 0; i < text->n_claims; i++)
        if (!is_claim_name(text->claims[i]->key))
            return "names of claims have letters, digits and \"._-:/\"";
    return NULL;
}

static ApiKey read_key(ConfigReader *reader, const Passerelle__Config__ApiKey *text)
{
    return (ApiKey){
        .id = text->id,
        .client = bytes_of(text->client),
        .tenant = bytes_of(text->tenant),
        .class = bytes_of(text->class_),
        .claims = read_key_claims(reader, text),
        .n_claims = (uint32_t)text->n_claims,
        .expires = text->has_expires ? text->expires : INT64_MAX,
    };
}

/* Mistakes are told at the place of the file with the keys, in which they are. */
static void tell_in_file(ConfigReader *reader, const YamlDocument *document, size_t i,
                         const char *mistake)
{
    document_tell(document, reader->problems, config_path(reader, "keys[%zu]", i), NULL, "%s",
                  mistake);
}

static const ApiKeys *compile_keys(ConfigReader *reader, const YamlDocument *document,
                                   const Passerelle__Config__ApiKeyFile *text)
{
    ApiKey *keys = arena_array(reader->arena, ApiKey, text->n_keys + 1);
    size_t n_problems = reader->problems->n;
    for (size_t i = 0; i < text->n_keys; i++) {
        if (!text->keys[i]->sha256 || !text->keys[i]->client)
            continue; /* told already */
        keys[i] = read_key(reader, text->keys[i]);
        const char *mistake = mistake_in_key(text->keys[i], &keys[i]);
        if (mistake)
            tell_in_file(reader, document, i, mistake);
    }
    if (reader->problems->n > n_problems)
        return NULL;
    uint32_t twin;
    ApiKeys *table = NULL;
    Result r = api_keys_new(reader->arena, keys, (uint32_t)text->n_keys, &table, &twin);
    if (failed(r))
        tell_in_file(reader, document, twin, "another key has the same sha256");
    return table;
}

static void read_api_keys(ConfigReader *reader, const Passerelle__Config__ApiKeys *text,
                          const char *path, CredentialConfig *credential)
{
    Bytes content;
    YamlDocument document;
    ProtobufCMessage *message;
    *credential = (CredentialConfig){
        .kind = CREDENTIAL_API_KEY,
        .header = config_field_name(reader, text->header, config_path(reader, "%s.header", path)),
        .forward = text->forward,
        .keys_file = text->file,
    };
    if (!text->file)
        return;
    Result r = file_read(reader->arena, text->file, API_KEY_FILE_MOST, &content);
    if (!failed(r)) {
        config_hash_add(reader, content, false);
        r = config_document_read(reader->arena, content, text->file,
                                 &passerelle__config__api_key_file__descriptor, reader->problems,
                                 reader->problems, &document, &message);
    }
    if (failed(r))
        config_tell(reader, config_path(reader, "%s.file", path), NULL, "%s", r.error->doing);
    else if (message)
        credential->api_keys =
            compile_keys(reader, &document, (const Passerelle__Config__ApiKeyFile *)message);
}

/* ---- All of it --------------------------------------------------------------------------------
 */

Authenticate config_authenticate(bool said, Passerelle__Config__Authenticate text)
{
    if (!said)
        return AUTHENTICATE_UNSAID;
    switch (text) {
    case PASSERELLE__CONFIG__AUTHENTICATE__AUTHENTICATE_NONE: return AUTHENTICATE_NONE;
    case PASSERELLE__CONFIG__AUTHENTICATE__AUTHENTICATE_OPTIONAL: return AUTHENTICATE_OPTIONAL;
    default: return AUTHENTICATE_REQUIRED;
    }
}

static void read_credential(ConfigReader *reader, const Passerelle__Config__Credential *text,
                            const char *path, CredentialConfig *credential)
{
    if (!text->jwt == !text->api_keys)
        config_tell(reader, path, "jwt: {...}, or api_keys: FILE",
                    "it is either a jwt or api_keys");
    else if (text->jwt)
        read_jwt(reader, text->jwt, config_path(reader, "%s.jwt", path), credential);
    else
        read_api_keys(reader, text->api_keys, config_path(reader, "%s.api_keys", path), credential);
}

void config_read_access(ConfigReader *reader)
{
    const Passerelle__Config__Config *text = reader->file.content;
    static const Passerelle__Config__CredentialCache defaults =
        PASSERELLE__CONFIG__CREDENTIAL_CACHE__INIT;
    const Passerelle__Config__CredentialCache *cache =
        text->credential_cache ? text->credential_cache : &defaults;
    size_t n = text->n_authentication;
    CredentialConfig *credentials = arena_array(reader->arena, CredentialConfig, n + 1);
    AccessConfig *access = &reader->config->access;
    if (n > CREDENTIALS_MOST)
        config_tell(reader, "authentication", NULL, "%d kinds of credentials are the most",
                    CREDENTIALS_MOST);
    *access = (AccessConfig){
        .credentials = credentials,
        .n_credentials = (uint32_t)n,
        .authenticate = config_authenticate(text->has_authenticate, text->authenticate),
        .deny_said = text->authorization && text->authorization->has_default_,
        .deny = text->authorization &&
                text->authorization->default_ == PASSERELLE__CONFIG__UNRULED__UNRULED_DENY,
        .cache_time = cache->time,
        .cache_entries = cache->entries,
    };
    if (!access->authenticate)
        access->authenticate = n ? AUTHENTICATE_REQUIRED : AUTHENTICATE_NONE;
    for (size_t i = 0; i < n; i++)
        read_credential(reader, text->authentication[i],
                        config_path(reader, "authentication[%zu]", i), &credentials[i]);
}

static AllowRule read_allow(ConfigReader *reader, const Passerelle__Config__Allow *text)
{
    Arena *arena = reader->arena;
    ClaimRule *claims = arena_array(arena, ClaimRule, text->n_claims + 1);
    for (size_t i = 0; i < text->n_claims; i++)
        claims[i] = (ClaimRule){text->claims[i]->key, text->claims[i]->value};
    return (AllowRule){
        .clients = config_texts(arena, text->client, text->n_client),
        .tenants = config_texts(arena, text->tenant, text->n_tenant),
        .classes = config_texts(arena, text->class_, text->n_class_),
        .versions = config_texts(arena, text->version, text->n_version),
        .claims = claims,
        .n_claims = (uint32_t)text->n_claims,
    };
}

AccessRules config_read_rules(ConfigReader *reader, const Passerelle__Config__Route *text,
                              const char *path)
{
    AllowRule *allow = arena_array(reader->arena, AllowRule, text->n_allow + 1);
    for (size_t i = 0; i < text->n_allow; i++) {
        const Passerelle__Config__Allow *said = text->allow[i];
        allow[i] = read_allow(reader, said);
        if (!said->n_client && !said->n_tenant && !said->n_class_ && !said->n_claims &&
            !said->n_version)
            config_tell(reader, config_path(reader, "%s.allow[%zu]", path, i),
                        "client: [\"*\"] for everybody who is known",
                        "it demands nothing, and allows every call");
    }
    return (AccessRules){
        .authenticate = config_authenticate(text->has_authenticate, text->authenticate),
        .allow = allow,
        .n_allow = (uint32_t)text->n_allow,
    };
}

/* ---- The routes, together ---------------------------------------------------------------------
 */

bool route_is_within(const Route *route, const Route *other)
{
    size_t size = strlen(other->match);
    return route != other && route->service == other->service && !other->path_prefix &&
           strncmp(route->match, other->match, size) == 0 &&
           (route->match[size] == '.' || route->match[size] == '/');
}

static bool is_wider(const Route *other, const Route *route)
{
    bool implicit = !route->line && other->line && strcmp(route->match, other->match) == 0;
    if (!route->path_prefix || !other->path_prefix)
        return implicit || route_is_within(route, other);
    return strlen(other->path_prefix) < strlen(route->path_prefix) &&
           bytes_start_with(bytes_of(route->path_prefix), other->path_prefix);
}

/* What the route does not say itself, the next wider one does that says it. */
static void inherit(const Route *routes, uint32_t n, Route *route)
{
    const Route *mode = NULL, *allow = NULL;
    for (uint32_t i = 0; i < n; i++) {
        const Route *other = &routes[i];
        if (!is_wider(other, route))
            continue;
        size_t size = strlen(other->match);
        if (other->access.authenticate && (!mode || size > strlen(mode->match)))
            mode = other;
        if (other->access.n_allow && (!allow || size > strlen(allow->match)))
            allow = other;
    }
    if (mode && !route->access.authenticate)
        route->access.authenticate = mode->access.authenticate;
    if (allow && !route->access.n_allow) {
        route->access.allow = allow->access.allow;
        route->access.n_allow = allow->access.n_allow;
    }
}

static void inherit_all(Route *routes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        inherit(routes, n, &routes[i]);
}

void config_assign_access(Config *config)
{
    AccessConfig *access = &config->access;
    inherit_all(config->routes, config->n_routes);
    inherit_all((Route *)config->http_routes, config->n_http_routes); /* being made */
    access->has_rules = access->deny;
    for (uint32_t i = 0; i < config->n_routes; i++)
        access->has_rules |= config->routes[i].access.n_allow > 0;
}
