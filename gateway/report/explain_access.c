#include "gateway/report/explain_access.h"

#include "adapters/mapping/field_list.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/access/access.h"
#include "gateway/access_report/access_words.h"

static bool is_silent(const AccessConfig *access)
{
    return !access->n_credentials && !access->has_rules && !access->n_policy_servers;
}

/* On the first listener. */
static const ListenerConfig *listener_of(const Config *config)
{
    return config->n_listeners ? &config->listeners[0] : NULL;
}

static const char *mode_of(const Explained *found)
{
    const Config *config = found->config;
    return access_mode_name(
        access_authenticate(&config->access, listener_of(config), &found->route->access));
}

static CredentialList methods_of(const Explained *found)
{
    const Config *config = found->config;
    return access_credentials(&config->access, listener_of(config), &found->route->access);
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

/* NULL: none. */
static const PolicyServer *policy_of(const Explained *found)
{
    const Config *config = found->config;
    return access_policy_server(&config->access, listener_of(config), &found->route->access);
}

/* ---- Text ------------------------------------------------------------------------------------ */

static void tell_methods(const Explained *found, Buffer *out)
{
    CredentialList methods = methods_of(found);
    buffer_printf(out, "proof     %s", mode_of(found));
    for (int i = 0; methods[i]; i++)
        buffer_printf(out, "%s %s", i ? "," : ", by", access_method_name(methods[i]));
    buffer_add_byte(out, '\n');
}

static void tell_rule(const Explained *found, const AllowRule *rule, Buffer *out)
{
    buffer_add_text(out, "allow     {");
    access_words_add_rule(rule, out);
    buffer_printf(out, "}%s\n",
                  !holds(found, rule) ? ""
                  : rule->n_fields    ? ": holds for requests with these fields"
                                      : ": holds");
}

static const FieldList *shown_of(const Explained *found)
{
    return found->method ? found->method->extras->shown : NULL;
}

static void tell_hidden(const FieldList *shown, Buffer *out)
{
    if (!shown)
        return;
    buffer_add_text(out, "hidden    ");
    size_t before = out->size;
    field_list_add_hidden(shown, out);
    buffer_add_text(out, out->size == before ? "what the schema does not have\n" : "\n");
}

static void tell_policy(const Explained *found, Buffer *out)
{
    const PolicyServer *server = policy_of(found);
    const AccessRules *rules = &found->route->access;
    if (!server) {
        buffer_add_text(out, "policy    nobody is asked\n");
        return;
    }
    buffer_printf(out, "policy    %s decides within %lld ms; without its answer the call is %s",
                  server->name, (long long)(server->timeout / MILLISECOND),
                  server->admits ? "made" : "refused");
    for (uint32_t i = 0; i < rules->n_context; i++)
        buffer_printf(out, "%s %s=%s", i ? "," : "; it is told", rules->context[i].name,
                      rules->context[i].value);
    buffer_add_byte(out, '\n');
}

void explain_access_text(const ExplainRequest *request, const Explained *found, Buffer *out)
{
    const AccessConfig *access = &found->config->access;
    const AccessRules *rules = &found->route->access;
    tell_hidden(shown_of(found), out);
    if (is_silent(access))
        return;
    if (access->n_credentials || access->has_rules)
        tell_methods(found, out);
    for (uint32_t i = 0; i < rules->n_allow; i++)
        tell_rule(found, &rules->allow[i], out);
    if (!rules->n_allow && (access->n_credentials || access->has_rules))
        buffer_printf(out, "allow     no rule: %s\n",
                      !access_is_open(access, rules)             ? "nobody"
                      : rules->authenticate == AUTHENTICATE_NONE ? "everybody"
                                                                 : "everybody who is known");
    if (request->identity.size)
        buffer_printf(out, "client    %.*s: %s\n", BYTES_ARGS(request->identity),
                      allowed(found) ? "allowed"
                                     : "not allowed by what is given of it (its name; "
                                       "--class, --tenant, --claim, --by)");
    if (access->n_policy_servers)
        tell_policy(found, out);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void add_methods(const Explained *found, Buffer *out)
{
    CredentialList methods = methods_of(found);
    json_text_open_list(out, "methods");
    for (int i = 0; methods[i]; i++) {
        json_text_add_element(out);
        json_text_add(out, bytes_of(access_method_name(methods[i])));
    }
    buffer_add_byte(out, ']');
}

static void add_policy(const Explained *found, Buffer *out)
{
    const PolicyServer *server = policy_of(found);
    const AccessRules *rules = &found->route->access;
    if (!server)
        return;
    json_text_add_key(out, "policy");
    buffer_add_byte(out, '{');
    json_text_add_member(out, "server", bytes_of(server->name));
    json_text_add_number(out, "timeout_ms", (uint64_t)(server->timeout / MILLISECOND));
    json_text_add_member(out, "on_error", bytes_of(server->admits ? "admit" : "refuse"));
    json_text_add_key(out, "context");
    buffer_add_byte(out, '{');
    for (uint32_t i = 0; i < rules->n_context; i++)
        json_text_add_member(out, rules->context[i].name, bytes_of(rules->context[i].value));
    buffer_add_text(out, "}}");
}

static void add_hidden(const FieldList *shown, Buffer *out)
{
    Buffer text = buffer_in(out->arena);
    if (!shown)
        return;
    field_list_add_hidden(shown, &text);
    json_text_add_member(out, "hidden", buffer_bytes(&text));
}

void explain_access_json(const ExplainRequest *request, const Explained *found, Buffer *out)
{
    const AccessConfig *access = &found->config->access;
    const AccessRules *rules = &found->route->access;
    add_hidden(shown_of(found), out);
    if (is_silent(access))
        return;
    json_text_add_key(out, "access");
    buffer_add_byte(out, '{');
    json_text_add_member(out, "authenticate", bytes_of(mode_of(found)));
    add_methods(found, out);
    json_text_open_list(out, "allow");
    for (uint32_t i = 0; i < rules->n_allow; i++) {
        json_text_open_item(out);
        access_words_add_rule(&rules->allow[i], out);
        json_text_add_bool(out, "holds", holds(found, &rules->allow[i]));
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
    if (request->identity.size || !rules->n_allow)
        json_text_add_bool(out, "allowed", allowed(found));
    if (access->n_policy_servers)
        add_policy(found, out);
    buffer_add_byte(out, '}');
}
