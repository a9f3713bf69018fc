/* Who may call: credentials, and what routes demand. */
#include "gateway/settings/settings.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/file/file.h"
#include "protocols/http/head_fields.h"
#include "protocols/http/http_rules.h"

/* A message cannot tell an empty list from one that is not written, and what is not written is
   inherited, or demands nothing: the opposite of what an empty list looks like. */
static void refuse_empty(ConfigReader *reader, const char *path, const char *name, const char *hint)
{
    const char *whole = config_path(reader, "%s.%s", path, name);
    const JsonNode *node = document_node(&reader->file.document, whole);
    if (node && node->kind == JSON_ARRAY && !node->first)
        config_tell(reader, whole, hint,
                    "an empty list is as if it were not there: it closes nothing");
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

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

/* What the place of keys has now, offered to the source; NULL: it cannot be read, which was told.
 */
static KeySource *open_source(ConfigReader *reader, const KeyPlace *place, const char *path,
                              SourceKeys *set_out)
{
    Bytes text;
    Result r = file_read(reader->arena, place->file, KEYS_FILE_MOST, &text);
    if (!failed(r))
        r = key_set_read(reader->arena, place, text, set_out);
    if (failed(r)) {
        config_tell(reader, path, NULL, "%s", r.error->doing);
        return NULL;
    }
    config_hash_add(reader, text, false);
    KeySource *source = key_source_use(place);
    key_source_offer(source, set_out);
    return source;
}

static void check_usable(ConfigReader *reader, const CredentialConfig *credential,
                         const TokenKeys *keys, const char *file, const char *path)
{
    for (int i = 0; i < TOKEN_ALGORITHMS; i++) {
        uint32_t at = 0;
        if ((credential->rules.algorithms >> i & 1) && token_keys_next(keys, i, BYTES_NONE, &at))
            return;
    }
    config_tell(reader, config_path(reader, "%s.algorithms", path), NULL,
                "no key of %s is for one of these algorithms", file);
}

/* The server is not asked here: what it gave last is enough to begin with, if it is there. */
static KeySource *open_url(ConfigReader *reader, const KeyPlace *place)
{
    Bytes text;
    SourceKeys set;
    KeySource *source = key_source_use(place);
    if (!place->file || key_source_has(source))
        return source;
    Result r = file_read(reader->arena, place->file, TOKEN_KEYS_BYTES_MOST, &text);
    if (!failed(r))
        r = key_set_read(reader->arena, place, text, &set);
    if (!failed(r))
        key_source_offer(source, &set);
    error_ignore(r, "the URL has the keys; the file only spares the time until they are here");
    return source;
}

/* Whoever is on the way could give keys of his own. */
static bool is_safe_url(const char *url)
{
    static const char *const safe[] = {
        "https://", "http://127.0.0.1:", "http://[::1]:", "http://localhost:", NULL};
    for (int i = 0; safe[i]; i++)
        if (strncmp(url, safe[i], strlen(safe[i])) == 0)
            return true;
    return false;
}

static Bytes read_authorities(ConfigReader *reader, const char *file, const char *path)
{
    Bytes text = BYTES_NONE;
    if (!file)
        return text;
    Result r = file_read(reader->arena, file, 1 << 20, &text);
    if (failed(r))
        config_tell(reader, config_path(reader, "%s.keys_ca", path), NULL, "%s", r.error->doing);
    return text;
}

static void read_source(ConfigReader *reader, const Passerelle__Config__Jwt *text, const char *path,
                        CredentialConfig *credential)
{
    SourceKeys set;
    KeyPlace place = {.file = text->keys,
                      .url = text->keys_url,
                      .ca = read_authorities(reader, text->keys_ca, path),
                      .secrets = !text->keys_url &&
                                 (credential->rules.algorithms & ~algorithms_of_public_keys()),
                      .every = text->keys_url ? text->refresh : text->look,
                      .timeout = text->timeout};
    const char *keys_path = config_path(reader, "%s.keys", path);
    if (place.secrets)
        config_secret_file(reader, keys_path, place.file);
    else
        config_shown_file(reader, keys_path, place.file);
    if (!place.file && !place.url)
        config_tell(reader, path, "keys: FILE, or keys_url: https://...", "it has no keys");
    else if (place.url && !is_safe_url(place.url))
        config_tell(reader, config_path(reader, "%s.keys_url", path), "https://",
                    "whoever is on the way could give other keys");
    else if (place.url)
        credential->source = open_url(reader, &place);
    else
        credential->source = open_source(reader, &place, keys_path, &set);
    if (credential->source && !place.url)
        check_usable(reader, credential, set.tokens, place.file, path);
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
        .header = bytes_of("authorization"),
        .bearer = true,
        .forward = text->forward,
        .rules = {.issuer = text->issuer,
                  .audiences = config_texts(reader->arena, text->audience, text->n_audience),
                  .n_audiences = (uint32_t)text->n_audience,
                  .algorithms = read_algorithms(reader, text, path),
                  .skew = text->skew,
                  .longest = text->longest},
        .client = text->client,
        .tenant = text->tenant,
        .class = text->class_,
    };
    read_claims(reader, text, path, credential);
    read_source(reader, text, path, credential);
}

/* ---- API keys -------------------------------------------------------------------------------- */

static const ApiKeyClaim *read_key_claims(Arena *arena, const Passerelle__Config__ApiKey *text)
{
    ApiKeyClaim *claims = arena_array(arena, ApiKeyClaim, text->n_claims + 1);
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

static ApiKey read_key(Arena *arena, const Passerelle__Config__ApiKey *text)
{
    return (ApiKey){
        .id = text->id,
        .client = bytes_of(text->client),
        .tenant = bytes_of(text->tenant),
        .class = bytes_of(text->class_),
        .claims = read_key_claims(arena, text),
        .n_claims = (uint32_t)text->n_claims,
        .expires = text->has_expires ? text->expires : INT64_MAX,
    };
}

static void tell_key(Problems *problems, const YamlDocument *document, size_t i,
                     const char *mistake)
{
    document_tell(document, problems, arena_printf(problems->arena, "keys[%zu]", i), NULL, "%s",
                  mistake);
}

static const ApiKeys *compile_keys(Arena *arena, Problems *problems, const YamlDocument *document,
                                   const Passerelle__Config__ApiKeyFile *text)
{
    ApiKey *keys = arena_array(arena, ApiKey, text->n_keys + 1);
    for (size_t i = 0; i < text->n_keys; i++) {
        if (!text->keys[i]->sha256 || !text->keys[i]->client)
            continue; /* told already */
        keys[i] = read_key(arena, text->keys[i]);
        const char *mistake = mistake_in_key(text->keys[i], &keys[i]);
        if (mistake)
            tell_key(problems, document, i, mistake);
    }
    if (problems->n)
        return NULL;
    uint32_t twin;
    ApiKeys *table = NULL;
    Result r = api_keys_new(arena, keys, (uint32_t)text->n_keys, &table, &twin);
    if (failed(r))
        tell_key(problems, document, twin, "another key has the same sha256");
    return table;
}

/* The arena is the set's. */
static const ApiKeys *read_key_file(Arena *arena, const KeyPlace *place, Bytes text,
                                    Problems *problems)
{
    YamlDocument document;
    ProtobufCMessage *message;
    Result r = config_document_read(arena, bytes_copy(arena, text), place->file,
                                    &passerelle__config__api_key_file__descriptor, problems,
                                    problems, &document, &message);
    if (failed(r))
        problem_add(problems, place->file, 0, 0, "", NULL, "%s", r.error->doing);
    else if (message)
        return compile_keys(arena, problems, &document,
                            (const Passerelle__Config__ApiKeyFile *)message);
    return NULL;
}

static Result key_file_set(Arena *arena, const KeyPlace *place, Bytes text, SourceKeys *set_out)
{
    Problems problems = problems_in(arena);
    *set_out = (SourceKeys){.arena = arena_new(ARENA_UNLIMITED)};
    set_out->api_keys = read_key_file(set_out->arena, place, text, &problems);
    if (set_out->api_keys)
        return OK;
    Buffer told = buffer_in(arena);
    problems_print(&problems, &told);
    arena_free(set_out->arena);
    return FAIL(arena, FAULT_BAD_VALUE, "%.*s", BYTES_ARGS(bytes_trim(buffer_bytes(&told))));
}

Result key_set_read(Arena *arena, const KeyPlace *place, Bytes text, SourceKeys *set_out)
{
    if (place->api_keys)
        return key_file_set(arena, place, text, set_out);
    *set_out = (SourceKeys){0};
    Result r =
        text.size > TOKEN_KEYS_BYTES_MOST
            ? FAIL(arena, FAULT_BAD_VALUE, "it is larger than %d bytes", TOKEN_KEYS_BYTES_MOST)
            : token_keys_read(arena, text, place->secrets, &set_out->tokens);
    return failed(r) ? FAIL_OVER(arena, r, FAULT_BAD_VALUE, "%s: %s",
                                 place->url ? "the keys of the URL" : place->file, r.error->doing)
                     : OK;
}

static void read_api_keys(ConfigReader *reader, const Passerelle__Config__ApiKeys *text,
                          const char *path, CredentialConfig *credential)
{
    SourceKeys set;
    KeyPlace place = {.file = text->file, .api_keys = true, .every = text->look};
    *credential = (CredentialConfig){
        .kind = CREDENTIAL_API_KEY,
        .header = bytes_of(
            config_field_name(reader, text->header, config_path(reader, "%s.header", path))),
        .forward = text->forward,
    };
    const char *file_path = config_path(reader, "%s.file", path);
    config_shown_file(reader, file_path, text->file);
    if (text->file)
        credential->source = open_source(reader, &place, file_path, &set);
}

/* ---- Certificates ---------------------------------------------------------------------------- */

static void read_certificate(ConfigReader *reader,
                             const Passerelle__Config__ClientCertificate *text, const char *path,
                             CredentialConfig *credential)
{
    refuse_empty(reader, path, "name", "write an entry, or leave it out");
    *credential = (CredentialConfig){
        .kind = CREDENTIAL_CERTIFICATE,
        .of = config_certificate_name(text->of),
        .names = config_texts(reader->arena, text->name, text->n_name),
        .tenant = text->tenant,
        .class = text->class_,
    };
    reader->config->access.by_certificate = true;
}

/* ---- All of it ------------------------------------------------------------------------------- */

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
    if (!!text->jwt + !!text->api_keys + !!text->certificate != 1)
        config_tell(reader, path, "jwt: {...}, or api_keys: FILE, or certificate: {}",
                    "it is one of jwt, api_keys and certificate");
    else if (text->jwt)
        read_jwt(reader, text->jwt, config_path(reader, "%s.jwt", path), credential);
    else if (text->certificate)
        read_certificate(reader, text->certificate, config_path(reader, "%s.certificate", path),
                         credential);
    else
        read_api_keys(reader, text->api_keys, config_path(reader, "%s.api_keys", path), credential);
    credential->name = text->name;
    credential->renew = text->renew;
}

/* NULL: there is none. */
static const CredentialConfig *find_method(const AccessConfig *access, const char *name)
{
    for (uint32_t i = 0; i < access->n_credentials; i++)
        if (access->credentials[i].name && strcmp(access->credentials[i].name, name) == 0)
            return &access->credentials[i];
    return NULL;
}

CredentialList config_credentials(ConfigReader *reader, char *const *names, size_t n,
                                  const char *path)
{
    const AccessConfig *access = &reader->config->access;
    refuse_empty(reader, path, "authentication", "authenticate: none, or leave it out");
    if (!n)
        return NULL;
    const CredentialConfig **list = arena_array(reader->arena, const CredentialConfig *, n + 1);
    size_t n_found = 0;
    for (size_t i = 0; i < n; i++) {
        const CredentialConfig *method = find_method(access, names[i]);
        if (method)
            list[n_found++] = method;
        else
            config_tell(reader, config_path(reader, "%s.authentication[%zu]", path, i), NULL,
                        "no method of `authentication` has the name %s", names[i]);
    }
    return list;
}

static CredentialList all_of(ConfigReader *reader, const AccessConfig *access)
{
    const CredentialConfig **list =
        arena_array(reader->arena, const CredentialConfig *, access->n_credentials + 1);
    for (uint32_t i = 0; i < access->n_credentials; i++)
        list[i] = &access->credentials[i];
    return list;
}

static void check_names(ConfigReader *reader, const AccessConfig *access)
{
    for (uint32_t i = 0; i < access->n_credentials; i++) {
        const CredentialConfig *method = &access->credentials[i];
        if (method->name && find_method(access, method->name) != method)
            config_tell(reader, config_path(reader, "authentication[%u].name", i), NULL,
                        "another method has the name %s already", method->name);
    }
}

/* CredentialConfig.field. */
static void number_fields(CredentialConfig *credentials, size_t n)
{
    _Static_assert(CREDENTIALS_MOST <= 32, "each field has a bit");
    for (size_t i = 0; i < n && i < CREDENTIALS_MOST; i++) {
        size_t first = 0;
        while (!bytes_equal(credentials[first].header, credentials[i].header))
            first++;
        credentials[i].field = credentials[i].header.size ? 1u << first : 0;
    }
}

/* ---- Policy servers -------------------------------------------------------------------------- */

static const PolicyServer *find_policy_server(const AccessConfig *access, const char *name)
{
    for (uint32_t i = 0; i < access->n_policy_servers; i++)
        if (text_equal(access->policy_servers[i].name, name))
            return &access->policy_servers[i];
    return NULL;
}

static void check_policy_name(ConfigReader *reader, const PolicyServer *server, const char *path)
{
    path = config_path(reader, "%s.name", path);
    if (!config_is_word(server->name, "-_.") || strcmp(server->name, "none") == 0)
        config_tell(reader, path, "letters, digits, - and _",
                    "\"%s\" cannot be the name of a policy server", server->name);
    if (find_policy_server(&reader->config->access, server->name) != server)
        config_tell(reader, path, NULL, "another policy server has the name %s already",
                    server->name);
}

/* `[none]` is a list of nothing. */
static const char *const *
policy_headers(ConfigReader *reader, const Passerelle__Config__PolicyServer *text, const char *path)
{
    path = config_path(reader, "%s.headers", path);
    const char **names = arena_array(reader->arena, const char *, text->n_headers + 1);
    if (text->n_headers == 1 && strcmp(text->headers[0], "none") == 0)
        return names;
    for (size_t i = 0; i < text->n_headers; i++) {
        Bytes name = bytes_lower(reader->arena, bytes_of(text->headers[i]));
        Bytes fixed = bytes_end_with(name, "*") ? bytes_slice(name, 0, name.size - 1) : name;
        names[i] = arena_text(reader->arena, name);
        if (name.size && !(fixed.size ? http_is_field_name(fixed) : true))
            config_tell(reader, config_path(reader, "%s[%zu]", path, i), NULL,
                        "\"%s\" is no name of a request field", text->headers[i]);
    }
    return text->n_headers ? names : NULL;
}

static void read_policy_server(ConfigReader *reader, const Passerelle__Config__PolicyServer *text,
                               const char *path, PolicyServer *server)
{
    refuse_empty(reader, path, "headers", "headers: [none], or leave it out");
    server->timeout = text->timeout;
    server->admits = text->on_error == PASSERELLE__CONFIG__ON_POLICY_ERROR__ON_POLICY_ERROR_ADMIT;
    server->headers = policy_headers(reader, text, path);
    server->body = text->body;
    server->partial_body = text->partial_body;
    server->raw_body = text->raw_body;
    server->response_bytes = text->response_bytes;
    server->message_bytes = text->message_bytes;
    server->fields = text->fields;
    check_policy_name(reader, server, path);
    if ((text->has_partial_body || text->has_raw_body) && !text->body)
        config_tell(reader,
                    config_path(reader, "%s.%s", path,
                                text->has_partial_body ? "partial_body" : "raw_body"),
                    "body: 8KiB", "it gets nothing of a body");
}

/* Its instances are read later: policy_servers.c of gateway/inventory. */
static void read_policy_servers(ConfigReader *reader, AccessConfig *access)
{
    const Passerelle__Config__Config *text = reader->file.content;
    size_t n = text->n_policy_servers;
    access->policy_servers = arena_array(reader->arena, PolicyServer, n + 1);
    for (size_t i = 0; i < n; i++) {
        const char *name = text->policy_servers[i]->name;
        access->policy_servers[i].name = name ? name : "";
    }
    access->n_policy_servers = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        read_policy_server(reader, text->policy_servers[i],
                           config_path(reader, "policy_servers[%zu]", i),
                           &access->policy_servers[i]);
}

PolicyUse config_policy_use(ConfigReader *reader, const char *name, const char *path)
{
    const AccessConfig *access = &reader->config->access;
    PolicyUse use = {.said = name != NULL};
    if (!name || strcmp(name, "none") == 0)
        return use;
    use.server = find_policy_server(access, name);
    if (!use.server) {
        const char **names = arena_array(reader->arena, const char *, access->n_policy_servers + 1);
        for (uint32_t i = 0; i < access->n_policy_servers; i++)
            names[i] = access->policy_servers[i].name;
        config_tell(reader, config_path(reader, "%s.policy_server", path),
                    config_hint(reader, name, names, access->n_policy_servers),
                    "no policy server of `policy_servers` has the name %s", name);
    }
    return use;
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
        .key_unused = (uint32_t)(text->api_keys_unused / SECOND),
        .cache_time = cache->time,
        .cache_entries = cache->entries,
    };
    if (!access->authenticate)
        access->authenticate = n ? AUTHENTICATE_REQUIRED : AUTHENTICATE_NONE;
    for (size_t i = 0; i < n; i++)
        read_credential(reader, text->authentication[i],
                        config_path(reader, "authentication[%zu]", i), &credentials[i]);
    number_fields(credentials, n);
    for (size_t i = 0; i < n; i++)
        access->name_sizes |= access_size_bit(credentials[i].header.size);
    access->all = all_of(reader, access);
    check_names(reader, access);
    read_policy_servers(reader, access);
    if (text->authorization)
        access->policy =
            config_policy_use(reader, text->authorization->policy_server, "authorization");
}

static AllowField read_field(ConfigReader *reader, const char *name, const char *said,
                             const char *path)
{
    static const struct {
        const char *said;
        AllowValue value;
    } known[] = {{"$client", ALLOW_CLIENT}, {"$tenant", ALLOW_TENANT}, {"$class", ALLOW_CLASS}};
    AllowField field = {.path = name, .text = said, .said = said, .document = path};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(said, known[i].said) == 0)
            field.value = known[i].value;
    if (strncmp(said, "$claims.", 8) == 0 && is_claim_name(said + 8)) {
        field.value = ALLOW_CLAIM;
        field.text = said + 8;
    } else if (!field.value && (!said[0] || said[0] == '$')) {
        config_tell(reader, path, "$client, $tenant, $class, $claims.NAME, or a text",
                    "the field %s cannot have the value \"%s\"", name, said);
    }
    return field;
}

static const AllowField *read_fields(ConfigReader *reader, const Passerelle__Config__Allow *text,
                                     const char *path)
{
    AllowField *fields = arena_array(reader->arena, AllowField, text->n_fields + 1);
    path = config_path(reader, "%s.fields", path);
    for (size_t i = 0; i < text->n_fields; i++)
        fields[i] = read_field(reader, text->fields[i]->key, text->fields[i]->value, path);
    return fields;
}

static AllowRule read_allow(ConfigReader *reader, const Passerelle__Config__Allow *text,
                            const char *path)
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
        .by = config_texts(arena, text->by, text->n_by),
        .claims = claims,
        .n_claims = (uint32_t)text->n_claims,
        .fields = read_fields(reader, text, path),
        .n_fields = (uint32_t)text->n_fields,
    };
}

static bool demands_something(const Passerelle__Config__Allow *text)
{
    return text->n_client || text->n_tenant || text->n_class_ || text->n_claims ||
           text->n_version || text->n_fields || text->n_by;
}

static void check_allow(ConfigReader *reader, const Passerelle__Config__Allow *text,
                        const char *path)
{
    static const char *const lists[] = {"client", "tenant", "class", "version", "by"};
    if (!demands_something(text))
        config_tell(reader, path, "client: [\"*\"] for everybody who is known",
                    "it demands nothing, and allows every call");
    else
        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
            refuse_empty(reader, path, lists[i], "write an entry, or leave it out");
}

static const PolicyContext *read_context(ConfigReader *reader,
                                         const Passerelle__Config__Route *text)
{
    if (!text->n_policy_context)
        return NULL;
    PolicyContext *context = arena_array(reader->arena, PolicyContext, text->n_policy_context);
    for (size_t i = 0; i < text->n_policy_context; i++)
        context[i] = (PolicyContext){text->policy_context[i]->key, text->policy_context[i]->value};
    return context;
}

/* A name is either a kind of proof or a method: else a rule could mean more than it says. */
static void check_by(ConfigReader *reader, const char *name, const char *path)
{
    const char *kinds[] = {"token", "api_key", "certificate", "header"};
    const CredentialConfig *method = find_method(&reader->config->access, name);
    bool is_kind = false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        is_kind |= strcmp(kinds[i], name) == 0;
    if (is_kind && method)
        config_tell(reader, path, "another name for the method",
                    "%s is a kind of proof, and a method of `authentication` has that name, too",
                    name);
    else if (!is_kind && !method)
        config_tell(reader, path, "token, api_key, certificate, header, or the name of a method",
                    "no method of `authentication` has the name %s", name);
}

AccessRules config_read_rules(ConfigReader *reader, const Passerelle__Config__Route *text,
                              const char *path)
{
    refuse_empty(reader, path, "allow", "write a rule, or leave it out");
    AllowRule *allow = text->n_allow ? arena_array(reader->arena, AllowRule, text->n_allow) : NULL;
    for (size_t i = 0; i < text->n_allow; i++) {
        const char *rule = config_path(reader, "%s.allow[%zu]", path, i);
        allow[i] = read_allow(reader, text->allow[i], rule);
        check_allow(reader, text->allow[i], rule);
        for (size_t k = 0; k < text->allow[i]->n_by; k++)
            check_by(reader, text->allow[i]->by[k], config_path(reader, "%s.by[%zu]", rule, k));
    }
    return (AccessRules){
        .authenticate = config_authenticate(text->has_authenticate, text->authenticate),
        .credentials =
            config_credentials(reader, text->authentication, text->n_authentication, path),
        .allow = allow,
        .n_allow = (uint32_t)text->n_allow,
        .policy = config_policy_use(reader, text->policy_server, path),
        .context = read_context(reader, text),
        .n_context = (uint32_t)text->n_policy_context,
    };
}

/* ---- The routes, together -------------------------------------------------------------------- */

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
    const Route *mode = NULL, *methods = NULL, *allow = NULL, *policy = NULL, *context = NULL;
    for (uint32_t i = 0; i < n; i++) {
        const Route *other = &routes[i];
        if (!is_wider(other, route))
            continue;
        size_t size = strlen(other->match);
        if (other->access.authenticate && (!mode || size > strlen(mode->match)))
            mode = other;
        if (other->access.credentials && (!methods || size > strlen(methods->match)))
            methods = other;
        if (other->access.n_allow && (!allow || size > strlen(allow->match)))
            allow = other;
        if (other->access.policy.said && (!policy || size > strlen(policy->match)))
            policy = other;
        if (other->access.n_context && (!context || size > strlen(context->match)))
            context = other;
    }
    if (mode && !route->access.authenticate)
        route->access.authenticate = mode->access.authenticate;
    if (methods && !route->access.credentials)
        route->access.credentials = methods->access.credentials;
    if (allow && !route->access.n_allow) {
        route->access.allow = allow->access.allow;
        route->access.n_allow = allow->access.n_allow;
    }
    if (policy && !route->access.policy.said)
        route->access.policy = policy->access.policy;
    if (context && !route->access.n_context) {
        route->access.context = context->access.context;
        route->access.n_context = context->access.n_context;
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
        access->has_rules |= config->routes[i].access.n_allow > 0 ||
                             config->routes[i].access.authenticate == AUTHENTICATE_REQUIRED;
}
