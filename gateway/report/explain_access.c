#include "gateway/report/explain_access.h"

#include "base/text/json_text.h"
#include "gateway/access/access.h"

static const char *const modes[] = {[AUTHENTICATE_NONE] = "none",
                                    [AUTHENTICATE_OPTIONAL] = "optional",
                                    [AUTHENTICATE_REQUIRED] = "required"};

static bool is_silent(const AccessConfig *access)
{
    return !access->n_credentials && !access->has_rules;
}

/* On the first listener. */
static const ListenerConfig *listener_of(const Config *config)
{
    return config->n_listeners ? &config->listeners[0] : NULL;
}

static const char *mode_of(const Explained *found)
{
    const Config *config = found->config;
    return modes[access_authenticate(&config->access, listener_of(config), &found->route->access)];
}

static CredentialList methods_of(const Explained *found)
{
    const Config *config = found->config;
    return access_credentials(&config->access, listener_of(config), &found->route->access);
}

static const char *method_name(const CredentialConfig *method)
{
    static const char *const kinds[] = {[CREDENTIAL_TOKEN] = "jwt",
                                        [CREDENTIAL_API_KEY] = "api_keys",
                                        [CREDENTIAL_CERTIFICATE] = "certificate"};
    return method->name ? method->name : kinds[method->kind];
}

static const char *version_of(const Explained *found)
{
    return found->negotiation.client ? found->negotiation.client->name : NULL;
}

static bool holds(const Explained *found, const AllowRule *rule)
{
    AccessRules one = {.allow = rule, .n_allow = 1};
    return access_allows(&found->config->access, &one, &found->identity, version_of(found));
}

static bool allowed(const Explained *found)
{
    return access_allows(&found->config->access, &found->route->access, &found->identity,
                         version_of(found));
}

static void add_list(Buffer *out, const char *name, const char *const *list)
{
    if (!list)
        return;
    json_text_add_key(out, name);
    buffer_add_byte(out, '[');
    for (int i = 0; list[i]; i++) {
        json_text_add_element(out);
        json_text_add(out, bytes_of(list[i]));
    }
    buffer_add_byte(out, ']');
}

static void add_rule(Buffer *out, const AllowRule *rule)
{
    add_list(out, "client", rule->clients);
    add_list(out, "tenant", rule->tenants);
    add_list(out, "class", rule->classes);
    add_list(out, "version", rule->versions);
    if (rule->n_claims) {
        json_text_add_key(out, "claims");
        buffer_add_byte(out, '{');
        for (uint32_t i = 0; i < rule->n_claims; i++)
            json_text_add_member(out, rule->claims[i].name, bytes_of(rule->claims[i].word));
        buffer_add_byte(out, '}');
    }
    if (rule->n_fields) {
        json_text_add_key(out, "fields");
        buffer_add_byte(out, '{');
        for (uint32_t i = 0; i < rule->n_fields; i++)
            json_text_add_member(out, rule->fields[i].path, bytes_of(rule->fields[i].said));
        buffer_add_byte(out, '}');
    }
}

/* ---- Text -------------------------------------------------------------------------------------
 */

static void tell_methods(const Explained *found, Buffer *out)
{
    CredentialList methods = methods_of(found);
    buffer_printf(out, "proof     %s", mode_of(found));
    for (int i = 0; methods[i]; i++)
        buffer_printf(out, "%s %s", i ? "," : ", by", method_name(methods[i]));
    buffer_add_byte(out, '\n');
}

static void tell_rule(const Explained *found, const AllowRule *rule, Buffer *out)
{
    buffer_add_text(out, "allow     {");
    add_rule(out, rule);
    buffer_printf(out, "}%s\n",
                  !holds(found, rule) ? ""
                  : rule->n_fields    ? ": holds for requests with these fields"
                                      : ": holds");
}

void explain_access_text(const ExplainRequest *request, const Explained *found, Buffer *out)
{
    const AccessConfig *access = &found->config->access;
    const AccessRules *rules = &found->route->access;
    if (is_silent(access))
        return;
    tell_methods(found, out);
    for (uint32_t i = 0; i < rules->n_allow; i++)
        tell_rule(found, &rules->allow[i], out);
    if (!rules->n_allow)
        buffer_printf(out, "allow     no rule: %s\n",
                      access->deny ? "nobody" : "everybody who is known");
    if (request->identity.size)
        buffer_printf(out, "client    %.*s: %s\n", BYTES_ARGS(request->identity),
                      allowed(found) ? "allowed"
                                     : "not allowed by what is given of it (its name; "
                                       "--class, --tenant, --claim)");
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

static void add_methods(const Explained *found, Buffer *out)
{
    CredentialList methods = methods_of(found);
    json_text_add_key(out, "methods");
    buffer_add_byte(out, '[');
    for (int i = 0; methods[i]; i++) {
        json_text_add_element(out);
        json_text_add(out, bytes_of(method_name(methods[i])));
    }
    buffer_add_byte(out, ']');
}

void explain_access_json(const ExplainRequest *request, const Explained *found, Buffer *out)
{
    const AccessConfig *access = &found->config->access;
    const AccessRules *rules = &found->route->access;
    if (is_silent(access))
        return;
    json_text_add_key(out, "access");
    buffer_add_byte(out, '{');
    json_text_add_member(out, "authenticate", bytes_of(mode_of(found)));
    add_methods(found, out);
    json_text_add_key(out, "allow");
    buffer_add_byte(out, '[');
    for (uint32_t i = 0; i < rules->n_allow; i++) {
        json_text_add_element(out);
        buffer_add_byte(out, '{');
        add_rule(out, &rules->allow[i]);
        json_text_add_bool(out, "holds", holds(found, &rules->allow[i]));
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
    if (request->identity.size || !rules->n_allow)
        json_text_add_bool(out, "allowed", allowed(found));
    buffer_add_byte(out, '}');
}
