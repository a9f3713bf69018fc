#include "gateway/access_report/access_warnings.h"

#include "base/arena.h"
#include "gateway/access/access.h"

typedef struct Look {
    const Config *config;
    Problems *told;
} Look;

#define WARN(look, ...) problem_add((look)->told, (look)->config->file, 0, 0, "", NULL, __VA_ARGS__)

/* ---- One rule -------------------------------------------------------------------------------- */

static const char **version_names(const Look *look, const Service *service)
{
    const char **names = arena_array(look->told->arena, const char *, service->n_versions + 1);
    for (uint32_t i = 0; i < service->n_versions; i++)
        names[i] = service->versions[i].name;
    return names;
}

static void look_at_version(Look *look, const Route *route, const char *pattern)
{
    uint32_t n = route->service->n_versions;
    const char **names = version_names(look, route->service);
    for (uint32_t i = 0; i < n; i++)
        if (access_matches(pattern, bytes_of(names[i])))
            return;
    const char *near = nearest_word(bytes_of(pattern), names, n);
    WARN(look, "%s: allow: %s has no version %s%s%s%s", route->match, route->service->name, pattern,
         near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

static void look_at_versions(Look *look, const Route *route, const char *const *list)
{
    if (list && route->path_prefix)
        WARN(look, "%s: allow: paths have no versions: a rule of `version` never holds",
             route->match);
    for (; list && *list && !route->path_prefix; list++)
        look_at_version(look, route, *list);
}

static void look_at_patterns(Look *look, const char *route, const char *const *list)
{
    for (; list && *list; list++) {
        const char *star = strchr(*list, '*');
        if (star && star[1])
            WARN(look,
                 "%s: allow: the star in %s stands for itself: only one at the end stands for "
                 "any text",
                 route, *list);
    }
}

/* The claims of API keys are in their file, which may change at any time. */
static bool may_give(const CredentialConfig *method, const char *claim)
{
    if (method->kind == CREDENTIAL_API_KEY)
        return true;
    for (uint32_t i = 0; i < method->n_claims; i++)
        if (strcmp(method->claims[i].name, claim) == 0)
            return true;
    return false;
}

/* Whether it may be given at some listener. */
static bool is_given(const Look *look, const AccessRules *rules, const char *claim)
{
    const Config *config = look->config;
    for (uint32_t i = 0; i < config->identity.n_claims; i++)
        if (text_equal(config->identity.claims[i].name, claim))
            return true;
    for (uint32_t i = 0; i < config->n_listeners; i++) {
        CredentialList methods = access_credentials(&config->access, &config->listeners[i], rules);
        for (; methods && *methods; methods++)
            if (may_give(*methods, claim))
                return true;
    }
    return false;
}

/* The classes and tenants of API keys are in their file, too. */
static bool may_give_class(const CredentialConfig *method)
{
    return method->kind == CREDENTIAL_API_KEY || method->class;
}

static bool may_give_tenant(const CredentialConfig *method)
{
    return method->kind == CREDENTIAL_API_KEY || method->tenant;
}

/* Whether a method that counts at some listener may give it. */
static bool some_method(const Look *look, const AccessRules *rules,
                        bool (*may)(const CredentialConfig *method))
{
    const Config *config = look->config;
    for (uint32_t i = 0; i < config->n_listeners; i++) {
        CredentialList methods = access_credentials(&config->access, &config->listeners[i], rules);
        for (; methods && *methods; methods++)
            if (may(*methods))
                return true;
    }
    return false;
}

/* Such a rule can never hold. */
static void look_at_givers(Look *look, const Route *route, const AllowRule *rule)
{
    const IdentityConfig *identity = &look->config->identity;
    if (rule->classes && !identity->class_header &&
        !some_method(look, &route->access, may_give_class))
        WARN(look, "%s: allow: nothing gives a client a class: a rule of `class` never holds",
             route->match);
    if (rule->tenants && !identity->tenant_header &&
        !some_method(look, &route->access, may_give_tenant))
        WARN(look, "%s: allow: nothing gives a client a tenant: a rule of `tenant` never holds",
             route->match);
}

static void look_at_claims(Look *look, const Route *route, const AllowRule *rule)
{
    for (uint32_t i = 0; i < rule->n_claims; i++)
        if (!is_given(look, &route->access, rule->claims[i].name))
            WARN(look,
                 "%s: allow: no method that counts there gives the claim %s: write it in "
                 "`claims` of a `jwt`",
                 route->match, rule->claims[i].name);
    for (uint32_t i = 0; i < rule->n_claims; i++)
        if (strchr(rule->claims[i].word, '*'))
            WARN(look,
                 "%s: allow: the star in the word %s of the claim %s stands for itself: words of "
                 "claims are compared whole",
                 route->match, rule->claims[i].word, rule->claims[i].name);
}

/* ---- Routes ---------------------------------------------------------------------------------- */

static void look_at_anonymous(Look *look, const Route *route)
{
    const AccessRules *rules = &route->access;
    if (rules->authenticate == AUTHENTICATE_NONE && rules->n_allow &&
        !access_allows_some(&look->config->access, rules, &(Identity){0}))
        WARN(look,
             "%s: nobody may call it: with `authenticate: none` every client is anonymous, and "
             "no rule of `allow` is for those",
             route->match);
}

/* Narrower routes have the rules of wider ones, which are told once. */
static bool is_inherited(const Route *routes, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++)
        if (routes[i].access.allow == routes[at].access.allow)
            return true;
    return false;
}

static void look_at_routes(Look *look, const Route *routes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const AccessRules *rules = &routes[i].access;
        look_at_anonymous(look, &routes[i]);
        for (uint32_t k = 0; k < rules->n_allow && !is_inherited(routes, i); k++) {
            const AllowRule *rule = &rules->allow[k];
            look_at_versions(look, &routes[i], rule->versions);
            look_at_patterns(look, routes[i].match, rule->clients);
            look_at_patterns(look, routes[i].match, rule->tenants);
            look_at_patterns(look, routes[i].match, rule->classes);
            look_at_claims(look, &routes[i], rule);
            look_at_givers(look, &routes[i], rule);
        }
    }
}

/* ---- Pins ------------------------------------------------------------------------------------ */

static void warn_of_pins(Look *look, const Method *method, const char *verb, const char *path)
{
    WARN(look,
         "pins of %s do not count for %s %s: it is a method of another route in another version, "
         "which demands other credentials, so that the version decides by what clients prove their "
         "names, and not the other way round (names that a trusted proxy says are pinned)",
         method->version->service->name, verb, path);
}

static void look_at_pins(Look *look, const Version *version)
{
    for (uint32_t i = 0; i < version->n_methods; i++) {
        const Method *method = &version->methods[i];
        if (method->demands_differ && method->next_same_path)
            warn_of_pins(look, method, "POST", method->type->path);
        for (uint32_t k = 0; k < method->n_bindings; k++)
            if (method->bindings[k].demands_differ)
                warn_of_pins(look, method, method->bindings[k].rule->verb,
                             method->bindings[k].rule->path);
    }
}

void access_warnings(const Config *config, Problems *warnings)
{
    Look look = {.config = config, .told = warnings};
    for (uint32_t i = 0; i < config->access.n_credentials; i++) {
        const CredentialConfig *method = &config->access.credentials[i];
        if (method->kind == CREDENTIAL_TOKEN && method->rules.issuer && !*method->rules.issuer)
            WARN(&look, "authentication[%u]: the issuer is empty: tokens have one with a name", i);
    }
    look_at_routes(&look, config->routes, config->n_routes);
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t k = 0; config->services[i].pins && k < config->services[i].n_versions; k++)
            look_at_pins(&look, &config->services[i].versions[k]);
}
