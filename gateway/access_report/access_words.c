#include "gateway/access_report/access_words.h"

#include "base/text/json_text.h"

const char *access_mode_name(Authenticate mode)
{
    static const char *const names[] = {[AUTHENTICATE_NONE] = "none",
                                        [AUTHENTICATE_OPTIONAL] = "optional",
                                        [AUTHENTICATE_REQUIRED] = "required"};
    return names[mode];
}

const char *access_method_name(const CredentialConfig *method)
{
    static const char *const kinds[] = {[CREDENTIAL_TOKEN] = "jwt",
                                        [CREDENTIAL_API_KEY] = "api_keys",
                                        [CREDENTIAL_CERTIFICATE] = "certificate"};
    return method->name ? method->name : kinds[method->kind];
}

static void add_list(Buffer *out, const char *name, const char *const *list)
{
    if (!list)
        return;
    json_text_open_list(out, name);
    for (int i = 0; list[i]; i++) {
        json_text_add_element(out);
        json_text_add(out, bytes_of(list[i]));
    }
    buffer_add_byte(out, ']');
}

static void add_claims(Buffer *out, const AllowRule *rule)
{
    json_text_add_key(out, "claims");
    buffer_add_byte(out, '{');
    for (uint32_t i = 0; i < rule->n_claims; i++)
        json_text_add_member(out, rule->claims[i].name, bytes_of(rule->claims[i].word));
    buffer_add_byte(out, '}');
}

static void add_fields(Buffer *out, const AllowRule *rule)
{
    json_text_add_key(out, "fields");
    buffer_add_byte(out, '{');
    for (uint32_t i = 0; i < rule->n_fields; i++)
        json_text_add_member(out, rule->fields[i].path, bytes_of(rule->fields[i].said));
    buffer_add_byte(out, '}');
}

void access_words_add_rule(const AllowRule *rule, Buffer *out)
{
    add_list(out, "client", rule->clients);
    add_list(out, "tenant", rule->tenants);
    add_list(out, "class", rule->classes);
    add_list(out, "version", rule->versions);
    add_list(out, "by", rule->by);
    if (rule->n_claims)
        add_claims(out, rule);
    if (rule->n_fields)
        add_fields(out, rule);
}
