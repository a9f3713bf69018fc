/* Who clients are, and how they are recorded. */
#include "gateway/settings/settings.h"

#include "base/arena.h"
#include "base/file/file.h"
#include "protocols/http/head_fields.h"

enum { HASH_KEY_LEAST = 16, HASH_KEY_MOST = 4096 };

/* A field with another meaning must not become an identity: it is removed from requests of
   untrusted peers. */
static bool means_something_else(const char *name)
{
    static const char *const others[] = {"authorization", "cookie",     "host",
                                         "via",           "forwarded",  "x-request-id",
                                         "traceparent",   "tracestate", "proxy"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(name, others[i]) == 0)
            return true;
    }
    return field_role(bytes_of(name)) != FIELD_METADATA ||
           bytes_start_with(bytes_of(name), "x-forwarded-") ||
           bytes_start_with(bytes_of(name), "passerelle-");
}

static const char *claim_path(ConfigReader *reader, const char *claim)
{
    return config_path(reader, "identity.claim_headers.%s", claim);
}

static const char *read_header(ConfigReader *reader, const char *text, const char *path)
{
    return text ? config_field_name(reader, text, path) : NULL;
}

static void read_clients(ConfigReader *reader, const Passerelle__Config__Clients *text)
{
    Bytes key;
    reader->config->identity.retention = text->retention;
    if (text->recorded == PASSERELLE__CONFIG__RECORDED__RECORDED_NAMED) {
        if (text->key)
            config_tell(reader, "clients.key", "clients: {recorded: hashed, key: FILE}",
                        "names are not hashed");
        return;
    }
    if (!text->key) {
        config_tell(reader, "clients", "clients: {recorded: hashed, key: FILE}",
                    "hashed needs a key");
        return;
    }
    config_secret_file(reader, "clients.key", text->key);
    Result r = file_read(reader->arena, text->key, HASH_KEY_MOST, &key);
    if (failed(r))
        config_tell(reader, "clients.key", NULL, "%s", r.error->doing);
    else if (key.size < HASH_KEY_LEAST)
        config_tell(reader, "clients.key", NULL, "%s has %zu bytes; a key has at least %d",
                    text->key, key.size, HASH_KEY_LEAST);
    else
        reader->config->identity.hash_key = key;
}

CertificateName config_certificate_name(Passerelle__Config__CertificateName name)
{
    switch (name) {
    case PASSERELLE__CONFIG__CERTIFICATE_NAME__CERTIFICATE_NAME_COMMON_NAME:
        return CERTIFICATE_COMMON_NAME;
    case PASSERELLE__CONFIG__CERTIFICATE_NAME__CERTIFICATE_NAME_DNS: return CERTIFICATE_DNS;
    case PASSERELLE__CONFIG__CERTIFICATE_NAME__CERTIFICATE_NAME_URI: return CERTIFICATE_URI;
    case PASSERELLE__CONFIG__CERTIFICATE_NAME__CERTIFICATE_NAME_EMAIL: return CERTIFICATE_EMAIL;
    default: return CERTIFICATE_SUBJECT;
    }
}

static void read_claims(ConfigReader *reader, const Passerelle__Config__Identity *text)
{
    ClaimHeader *claims = arena_array(reader->arena, ClaimHeader, text->n_claim_headers);
    for (size_t i = 0; i < text->n_claim_headers; i++) {
        const Passerelle__Config__Identity__ClaimHeadersEntry *said = text->claim_headers[i];
        const char *path = claim_path(reader, said->key);
        if (!config_is_word(said->key, "._-:/")) /* as of JWT: words, or URIs (RFC 7519, 4.2) */
            config_tell(reader, path, "letters, digits and \"._-:/\"", "it is no name of a claim");
        claims[i] = (ClaimHeader){said->key, read_header(reader, said->value, path)};
    }
    reader->config->identity.claims = claims;
    reader->config->identity.n_claims = (uint32_t)text->n_claim_headers;
}

/* What tells clients apart in rollouts. NULL: no header does. */
static const char *cohort_header(ConfigReader *reader, const Passerelle__Config__Cohort *cohort)
{
    return cohort && cohort->header
               ? arena_text(reader->arena, bytes_lower(reader->arena, bytes_of(cohort->header)))
               : NULL;
}

static void list_headers(ConfigReader *reader)
{
    IdentityConfig *identity = &reader->config->identity;
    const Passerelle__Config__Config *text = reader->file.content;
    const char *all[] = {identity->header, identity->tenant_header, identity->class_header,
                         cohort_header(reader, text->cohort)};
    enum { MOST = sizeof all / sizeof *all };
    const char **list =
        arena_array(reader->arena, const char *, MOST + identity->n_claims + text->n_rollouts + 1);
    size_t n = 0;
    for (size_t i = 0; i < MOST; i++)
        if (all[i])
            list[n++] = all[i];
    for (uint32_t i = 0; i < identity->n_claims; i++)
        if (identity->claims[i].header)
            list[n++] = identity->claims[i].header;
    for (size_t i = 0; i < text->n_rollouts; i++) {
        list[n] = cohort_header(reader, text->rollouts[i]->cohort);
        n += list[n] != NULL;
    }
    list[n] = NULL;
    identity->headers = n ? list : NULL;
}

void config_read_identity(ConfigReader *reader)
{
    static const Passerelle__Config__Identity defaults = PASSERELLE__CONFIG__IDENTITY__INIT;
    const Passerelle__Config__Config *text = reader->file.content;
    static const Passerelle__Config__Clients default_clients = PASSERELLE__CONFIG__CLIENTS__INIT;
    const Passerelle__Config__Identity *said = text->identity ? text->identity : &defaults;
    IdentityConfig *identity = &reader->config->identity;
    identity->certificate = config_certificate_name(said->certificate);
    identity->header = read_header(reader, text->identity_header, "identity_header");
    identity->tenant_header = read_header(reader, said->tenant_header, "identity.tenant_header");
    identity->class_header = read_header(reader, said->class_header, "identity.class_header");
    read_claims(reader, said);
    list_headers(reader);
    read_clients(reader, text->clients ? text->clients : &default_clients);
}

static void check_header(ConfigReader *reader, const char *name, bool any_trusted, const char *path)
{
    if (!name)
        return;
    if (means_something_else(name))
        config_tell(
            reader, path, "a name of its own, for example x-client-id",
            "%s has another meaning; as an identity header it would be removed from requests "
            "of untrusted peers",
            name);
    else if (!any_trusted)
        config_tell(reader, path, "list the senders in trusted_proxies",
                    "it is accepted from trusted proxies only, and there are none");
}

/* What a proxy says of a group is trusted together with the client's name only. */
static void check_group(ConfigReader *reader, const char *name, bool any_trusted, const char *path)
{
    check_header(reader, name, any_trusted, path);
    if (name && !reader->config->identity.header)
        config_tell(reader, path, "add identity_header",
                    "it needs the client's identity beside it");
}

void config_check_identity(ConfigReader *reader)
{
    const Config *config = reader->config;
    bool any_trusted = false;
    for (uint32_t i = 0; i < config->n_listeners; i++)
        any_trusted |= !trusted_peers_are_none(&config->listeners[i].trusted);
    check_header(reader, config->identity.header, any_trusted, "identity_header");
    check_group(reader, config->identity.tenant_header, any_trusted, "identity.tenant_header");
    check_group(reader, config->identity.class_header, any_trusted, "identity.class_header");
    for (uint32_t i = 0; i < config->identity.n_claims; i++)
        check_group(reader, config->identity.claims[i].header, any_trusted,
                    claim_path(reader, config->identity.claims[i].name));
    const Passerelle__Config__Config *text = reader->file.content;
    check_header(reader, cohort_header(reader, text->cohort), any_trusted, "cohort.header");
    for (size_t i = 0; i < text->n_rollouts; i++)
        check_header(reader, cohort_header(reader, text->rollouts[i]->cohort), any_trusted,
                     config_path(reader, "rollouts[%zu].cohort.header", i));
}
