#include "gateway/access/access.h"

#include "gateway/identity/known_client.h"

Authenticate access_authenticate(const AccessConfig *config, const ListenerConfig *listener,
                                 const AccessRules *rules)
{
    if (rules && rules->authenticate)
        return rules->authenticate;
    return listener && listener->authenticate ? listener->authenticate : config->authenticate;
}

CredentialList access_credentials(const AccessConfig *config, const ListenerConfig *listener,
                                  const AccessRules *rules)
{
    if (rules && rules->credentials)
        return rules->credentials;
    return listener && listener->credentials ? listener->credentials : config->all;
}

const PolicyServer *access_policy_server(const AccessConfig *config, const ListenerConfig *listener,
                                         const AccessRules *rules)
{
    if (rules && rules->policy.said)
        return rules->policy.server;
    return listener && listener->policy.said ? listener->policy.server : config->policy.server;
}

bool access_matches(const char *pattern, Bytes name)
{
    size_t size = strlen(pattern);
    if (size && pattern[size - 1] == '*')
        return name.size && name.size >= size - 1 &&
               bytes_equal(bytes_slice(name, 0, size - 1), bytes(pattern, size - 1));
    return bytes_are(name, pattern);
}

bool access_has_word(Bytes value, const char *word)
{
    Bytes part;
    while (bytes_split(&value, ' ', &part))
        if (part.size && bytes_are(part, word))
            return true;
    return false;
}

static bool one_matches(const char *const *patterns, Bytes name)
{
    if (!patterns)
        return true;
    for (; *patterns; patterns++)
        if (access_matches(*patterns, name))
            return true;
    return false;
}

static bool claim_holds(const ClaimRule *rule, const Identity *identity)
{
    for (uint32_t i = 0; i < identity->n_claims; i++)
        if (text_equal(identity->claims[i].name, rule->name) &&
            access_has_word(identity->claims[i].value, rule->word))
            return true;
    return false;
}

static bool fields_hold(const AllowRule *rule, const FieldType *const *const *paths, Bytes request,
                        const Identity *identity)
{
    for (uint32_t i = 0; i < rule->n_fields; i++)
        if (!paths[i] || !access_field_holds(&rule->fields[i], paths[i], request, identity))
            return false;
    return true;
}

/* By a kind of proof, or by one method. */
static bool proof_holds(const char *const *by, const Identity *identity)
{
    const char *how = identity_how(identity);
    for (; by && *by; by++)
        if ((how && strcmp(*by, how) == 0) || (identity->by && strcmp(*by, identity->by) == 0))
            return true;
    return false;
}

/* In some version. */
static bool holds(const AllowRule *rule, const Identity *identity)
{
    if (!one_matches(rule->clients, identity->name) ||
        !one_matches(rule->tenants, identity->tenant) ||
        !one_matches(rule->classes, identity->class) ||
        (rule->by && !proof_holds(rule->by, identity)))
        return false;
    for (uint32_t i = 0; i < rule->n_claims; i++)
        if (!claim_holds(&rule->claims[i], identity))
            return false;
    return true;
}

bool access_is_open(const AccessConfig *config, const AccessRules *rules)
{
    return !config->deny || rules->authenticate == AUTHENTICATE_NONE;
}

bool access_allows(const AccessConfig *config, const AccessRules *rules, const Identity *identity,
                   const char *version)
{
    if (!rules->n_allow)
        return access_is_open(config, rules);
    for (uint32_t i = 0; i < rules->n_allow; i++)
        if (one_matches(rules->allow[i].versions, bytes_of(version)) &&
            holds(&rules->allow[i], identity))
            return true;
    return false;
}

static KnownVerdict *verdict_of(KnownClient *client, const AccessRules *rules)
{
    return &client->verdicts[(uintptr_t)rules / sizeof *rules % KNOWN_VERDICTS];
}

bool access_allows_call(const AccessConfig *config, const AccessRules *rules,
                        const Identity *identity, const char *version)
{
    if (!identity->known || !rules->n_allow)
        return access_allows(config, rules, identity, version);
    KnownVerdict *verdict = verdict_of(identity->known, rules);
    if (verdict->rules != rules || verdict->version != version)
        *verdict = (KnownVerdict){rules, version, access_allows(config, rules, identity, version)};
    return verdict->allowed;
}

/* Who has to say who he is first. What listeners demand is asked before anything is looked for. */
static bool is_unknown(const AccessRules *rules, const Identity *identity)
{
    return rules->authenticate == AUTHENTICATE_REQUIRED && !identity->name.size;
}

bool access_allows_method(const Config *config, const Method *method, const Identity *identity)
{
    const AccessRules *rules = &method->route->access;
    return !is_unknown(rules, identity) &&
           access_allows(&config->access, rules, identity, method->version->name);
}

bool access_allows_some(const AccessConfig *config, const AccessRules *rules,
                        const Identity *identity)
{
    if (is_unknown(rules, identity))
        return false;
    for (uint32_t i = 0; i < rules->n_allow; i++)
        if (holds(&rules->allow[i], identity))
            return true;
    return !rules->n_allow && access_is_open(config, rules);
}

bool access_allows_request(const Config *config, const Method *method, const Identity *identity,
                           Bytes request)
{
    const AccessRules *rules = &method->route->access;
    if (!method->extras->allow_paths)
        return access_allows(&config->access, rules, identity, method->version->name);
    const FieldType *const *const *paths = method->extras->allow_paths->paths;
    for (uint32_t i = 0; i < rules->n_allow; paths += rules->allow[i++].n_fields)
        if (one_matches(rules->allow[i].versions, bytes_of(method->version->name)) &&
            holds(&rules->allow[i], identity) &&
            fields_hold(&rules->allow[i], paths, request, identity))
            return true;
    return false;
}

Result access_check(const Config *config, const Method *method, const Identity *identity,
                    Bytes request, Arena *arena)
{
    const AccessRules *rules = &method->route->access;
    if (!access_allows_request(config, method, identity, request))
        return FAIL(arena, FAULT_NOT_ALLOWED, "no rule of the route %s allows %s to the client",
                    method->route->match, method->type->path);
    if (is_unknown(rules, identity))
        return FAIL(arena, FAULT_CREDENTIALS_MISSING, "%s is for clients that are known",
                    method->type->path);
    return OK;
}

const char *access_challenge(CredentialList methods, bool bad_token)
{
    enum { BEARER = 1, API_KEY = 2 };
    static const char *const told[2][4] = {
        {"ClientCertificate", "Bearer", "ApiKey", "Bearer, ApiKey"},
        {"ClientCertificate", "Bearer error=\"invalid_token\"", "ApiKey",
         "Bearer error=\"invalid_token\", ApiKey"},
    };
    int schemes = 0;
    for (; methods && *methods; methods++) {
        schemes |= (*methods)->bearer ? BEARER : 0;
        schemes |= (*methods)->kind == CREDENTIAL_API_KEY ? API_KEY : 0;
    }
    return told[bad_token][schemes];
}

bool access_hides_some(const Config *config, const Identity *identity)
{
    for (uint32_t i = 0; config->access.has_rules && i < config->n_routes; i++)
        if (!access_allows_some(&config->access, &config->routes[i].access, identity))
            return true;
    return false;
}
