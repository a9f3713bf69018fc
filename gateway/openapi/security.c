/* How clients prove who they are, as OpenAPI has it. */
#include "gateway/openapi/openapi_internal.h"

#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/access/access.h"

static const char *name_of(const OpenApi *api, const CredentialConfig *credential)
{
    static const char *const kinds[] = {[CREDENTIAL_TOKEN] = "token",
                                        [CREDENTIAL_API_KEY] = "api_key",
                                        [CREDENTIAL_CERTIFICATE] = "certificate"};
    if (credential->name)
        return credential->name;
    return arena_printf(api->arena, "%s_%u", kinds[credential->kind],
                        (unsigned)(credential - api->config->access.credentials) + 1);
}

static void add_scheme(OpenApi *api, const CredentialConfig *credential)
{
    json_open(api, name_of(api, credential), '{');
    if (credential->kind == CREDENTIAL_CERTIFICATE) {
        json_add(api, "type", "mutualTLS");
    } else if (credential->bearer) {
        json_add(api, "type", "http");
        json_add(api, "scheme", "bearer");
        if (credential->kind == CREDENTIAL_TOKEN)
            json_add(api, "bearerFormat", "JWT");
    } else {
        json_add(api, "type", "apiKey");
        json_add(api, "in", "header");
        json_text_add_member(api->out, "name", credential->header);
    }
    json_close(api, '}');
}

void security_add_schemes(OpenApi *api)
{
    const AccessConfig *access = &api->config->access;
    if (!access->n_credentials)
        return;
    json_open(api, "securitySchemes", '{');
    for (uint32_t i = 0; i < access->n_credentials; i++)
        add_scheme(api, &access->credentials[i]);
    json_close(api, '}');
}

void security_add(OpenApi *api, const Route *route)
{
    const AccessConfig *access = &api->config->access;
    if (!access->n_credentials)
        return;
    Authenticate mode = access_authenticate(access, NULL, &route->access);
    json_open(api, "security", '[');
    CredentialList list = access_credentials(access, NULL, &route->access);
    for (; mode != AUTHENTICATE_NONE && list && *list; list++) {
        json_open_element(api);
        json_open(api, name_of(api, *list), '[');
        json_close(api, ']');
        json_close(api, '}');
    }
    if (mode == AUTHENTICATE_OPTIONAL) {
        json_open_element(api);
        json_close(api, '}');
    }
    json_close(api, ']');
}
