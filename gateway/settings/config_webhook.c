/* Receivers of webhooks: where they are, and what proves the gateway to them. */
#include "gateway/settings/settings.h"

#include "base/arena.h"
#include "base/file/file.h"
#include "base/text/base64.h"
#include "gateway/tls/tls_context.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

#define SECRET_PREFIX "whsec_"

enum { CA_FILE_MOST = 4 << 20, SECRET_LEAST = 16 };

/* ---- Where it is ----------------------------------------------------------------------------- */

static const char *part_of(CURLU *url, CURLUPart part, Arena *arena)
{
    char *text = NULL;
    if (curl_url_get(url, part, &text, 0) != CURLUE_OK)
        return NULL;
    const char *copy = arena_string(arena, text);
    curl_free(text);
    return copy;
}

/* What is wrong with it; it is not repeated, for it may be a secret. NULL: nothing. */
static const char *mistake_in_url(const char *text, Arena *arena, bool *encrypted_out)
{
    CURLU *url = curl_url();
    CHECK(url);
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    const char *scheme = part_of(url, CURLUPART_SCHEME, arena);
    const char *mistake = NULL;
    *encrypted_out = scheme && strcmp(scheme, "https") == 0;
    if (code == CURLUE_BAD_SCHEME || (code == CURLUE_OK && !scheme))
        mistake = "the URL does not say https:// or http://";
    else if (code != CURLUE_OK)
        mistake = arena_printf(arena, "it is not a URL: %s", curl_url_strerror(code));
    else if (!*encrypted_out && strcmp(scheme, "http") != 0)
        mistake = arena_printf(arena, "a webhook is https:// or http://, not %s://", scheme);
    else if (part_of(url, CURLUPART_USER, arena) || part_of(url, CURLUPART_PASSWORD, arena))
        mistake = "a URL in the config has no user and password: use a token_file";
    else if (part_of(url, CURLUPART_FRAGMENT, arena))
        mistake = "what is behind a # is not sent";
    curl_url_cleanup(url);
    return mistake;
}

/* ---- Secrets --------------------------------------------------------------------------------- */

/* As Standard Webhooks writes secrets: base64 behind a prefix; else the characters themselves. */
static Bytes read_secret(ConfigReader *reader, const char *file, const char *path)
{
    Bytes text = config_read_token(reader, file, path);
    Buffer key = buffer_in(reader->arena);
    if (!bytes_start_with(text, SECRET_PREFIX))
        buffer_add_bytes(&key, text);
    else if (!base64_decode(&key, bytes_slice(text, strlen(SECRET_PREFIX), SIZE_MAX)))
        config_tell(reader, path, NULL, "%s is not base64 behind " SECRET_PREFIX, file);
    else if (!key.size)
        config_tell(reader, path, NULL, "%s has nothing behind " SECRET_PREFIX, file);
    if (key.size && key.size < SECRET_LEAST)
        config_tell(reader, path, "for example the output of `openssl rand -hex 32`",
                    "%s has %zu bytes: a secret that signs has %d or more", file, key.size,
                    (int)SECRET_LEAST);
    return buffer_bytes(&key);
}

static Bytes read_authorities(ConfigReader *reader, const char *file, const char *path)
{
    Bytes text = BYTES_NONE;
    SSL_CTX *context = NULL;
    TlsFiles files = {.authorities = file};
    Result r = tls_client_context(reader->arena, &files, &context);
    SSL_CTX_free(context);
    if (failed(r)) {
        config_tell_tls(reader, r, path);
        return text;
    }
    r = file_read(reader->arena, file, CA_FILE_MOST, &text);
    if (failed(r))
        config_tell(reader, config_path(reader, "%s.ca", path), NULL, "%s", r.error->doing);
    config_hash_add(reader, text, false);
    return text;
}

static void read_secrets(ConfigReader *reader, const ReceiverText *text, bool encrypted,
                         const char *path, WebhookConfig *webhook)
{
    const char *token_path = config_path(reader, "%s.token_file", path);
    if (text->token_file)
        webhook->token = config_read_token(reader, text->token_file, token_path);
    if (text->secret_file)
        webhook->secret =
            read_secret(reader, text->secret_file, config_path(reader, "%s.secret_file", path));
    if (text->token_file && !encrypted)
        config_doubt(reader, token_path, "https://", "the token is sent unencrypted");
    if (text->ca && !encrypted)
        config_tell(reader, config_path(reader, "%s.ca", path), "https://",
                    "there is no certificate to verify: the URL is not https://");
    else if (text->ca)
        webhook->ca = read_authorities(reader, text->ca, path);
}

/* ---- One receiver ---------------------------------------------------------------------------- */

static void check_name(ConfigReader *reader, const char *name, const char *path)
{
    if (!config_is_word(name, "-._") || strlen(name) > 64)
        config_tell(reader, path, "for example pager",
                    "a webhook's name has 1 to 64 letters, digits, '-', '.' and '_'");
}

/* What is missing was reported. */
void config_read_receiver(ConfigReader *reader, const ReceiverText *text, const char *path,
                          WebhookConfig *webhook)
{
    bool encrypted;
    webhook->name = text->name ? text->name : "";
    webhook->url = text->url;
    if (text->name)
        check_name(reader, text->name, config_path(reader, "%s.name", path));
    if (!text->url)
        return;
    const char *mistake = mistake_in_url(text->url, reader->arena, &encrypted);
    if (mistake)
        config_tell(reader, config_path(reader, "%s.url", path),
                    "for example https://hooks.example/errors", "%s", mistake);
    else
        read_secrets(reader, text, encrypted, path, webhook);
}

/* ---- Webhooks of jobs ------------------------------------------------------------------------ */

#define ENDS (1u << JOB_FAILED | 1u << JOB_UNDONE | 1u << JOB_DONE)

static uint32_t read_states(const Passerelle__Config__JobWebhook *text)
{
    uint32_t states = 0;
    for (size_t i = 0; i < text->n_states; i++)
        states |= 1u << text->states[i];
    return states ? states : ENDS;
}

static const char *const *read_methods(ConfigReader *reader,
                                       const Passerelle__Config__JobWebhook *text)
{
    const char **methods = arena_array(reader->arena, const char *, text->n_methods + 1);
    for (size_t i = 0; i < text->n_methods; i++)
        methods[i] = text->methods[i];
    return text->n_methods ? methods : NULL;
}

static void check_other_names(ConfigReader *reader, const char *name, const char *path)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_job_webhooks; i++)
        if (strcmp(config->job_webhooks[i].to.name, name) == 0)
            config_tell(reader, path, NULL, "another webhook has the name %s already", name);
}

static void read_job_webhook(ConfigReader *reader, const Passerelle__Config__JobWebhook *text,
                             const char *path, JobWebhookConfig *webhook)
{
    const ReceiverText receiver = {text->name, text->url, text->ca, text->token_file,
                                   text->secret_file};
    *webhook = (JobWebhookConfig){
        .to = {.timeout = text->timeout, .backoff = text->backoff, .is_public = text->public_},
        .methods = read_methods(reader, text),
        .states = read_states(text),
        .tries_for = text->for_,
        .at_once = text->at_once,
    };
    config_read_receiver(reader, &receiver, path, &webhook->to);
    if (!text->secret_file)
        config_doubt(reader, path, "secret_file",
                     "nothing is signed: the receiver cannot tell who tells it");
}

void config_read_job_webhooks(ConfigReader *reader)
{
    const Passerelle__Config__Config *text = reader->file.content;
    Config *config = reader->config;
    if (text->n_job_webhooks > WEBHOOKS_MOST) {
        config_tell(reader, "job_webhooks", NULL, "there are at most %d webhooks", WEBHOOKS_MOST);
        return;
    }
    config->job_webhooks = arena_array(reader->arena, JobWebhookConfig, text->n_job_webhooks);
    for (size_t i = 0; i < text->n_job_webhooks; i++) {
        const Passerelle__Config__JobWebhook *one = text->job_webhooks[i];
        const char *path = config_path(reader, "job_webhooks[%zu]", i);
        if (one->name)
            check_other_names(reader, one->name, config_path(reader, "%s.name", path));
        read_job_webhook(reader, one, path, &config->job_webhooks[config->n_job_webhooks++]);
    }
}

static void check_method(ConfigReader *reader, const char *name, const char *path)
{
    const Config *config = reader->config;
    const char **names = arena_array(reader->arena, const char *, config->n_jobs + 1);
    for (uint32_t i = 0; i < config->n_jobs; i++) {
        names[i] = config->jobs[i].name;
        if (strcmp(names[i], name) == 0)
            return;
    }
    config_tell(reader, path, config_hint(reader, name, names, config->n_jobs),
                "no job begins with a call of %s", name);
}

void config_check_job_webhooks(ConfigReader *reader)
{
    const Config *config = reader->config;
    for (uint32_t w = 0; w < config->n_job_webhooks; w++) {
        const char *const *methods = config->job_webhooks[w].methods;
        for (size_t i = 0; methods && methods[i]; i++)
            check_method(reader, methods[i],
                         config_path(reader, "job_webhooks[%u].methods[%zu]", w, i));
    }
    if (config->n_job_webhooks && !config->n_jobs)
        config_doubt(reader, "job_webhooks", NULL, "there are no jobs to tell of");
}
