#include "gateway/webhook/webhook_post.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/net/internal_ip.h"
#include "base/text/base64.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

/* ---- The request ----------------------------------------------------------------------------- */

/* Of head and body; less than `size` ends the transfer. */
static size_t on_received(char *data, size_t one, size_t size, void *owner)
{
    WebhookPost *post = owner;
    post->received += size;
    return post->received <= WEBHOOK_RESPONSE_MOST ? size : 0;
}

static size_t on_body(char *data, size_t one, size_t size, void *owner)
{
    WebhookPost *post = owner;
    if (post->body)
        buffer_add(post->body, data, size);
    return on_received(data, one, size, owner);
}

static void add_field(WebhookPost *post, const char *field)
{
    struct curl_slist *fields = curl_slist_append(post->fields, field); /* copies it */
    CHECK(fields);
    post->fields = fields;
}

Bytes webhook_signature(Bytes secret, const char *id, int64_t seconds, Bytes body, Arena *arena)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned size;
    Buffer content = buffer_in(arena), text = buffer_in(arena);
    buffer_printf(&content, "%s.%lld.", id, (long long)seconds);
    buffer_add_bytes(&content, body);
    CHECK(
        HMAC(EVP_sha256(), secret.data, (int)secret.size, content.data, content.size, hash, &size));
    buffer_add_text(&text, "v1,");
    base64_encode(&text, bytes(hash, size), BASE64_STANDARD, true);
    return buffer_bytes(&text);
}

static void add_signature(WebhookPost *post, const WebhookConfig *to, const char *id, Bytes json,
                          int64_t wall, Arena *arena)
{
    int64_t seconds = wall / SECOND;
    Bytes signature = webhook_signature(to->secret, id, seconds, json, arena);
    add_field(post, arena_printf(arena, "Webhook-Timestamp: %lld", (long long)seconds));
    add_field(post, arena_printf(arena, "Webhook-Signature: %.*s", BYTES_ARGS(signature)));
}

static void add_fields(WebhookPost *post, const WebhookConfig *to, const char *type, const char *id,
                       Bytes json, int64_t wall)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    add_field(post, arena_printf(arena, "Content-Type: %s", type));
    add_field(post, "Expect:"); /* libcurl adds none then */
    add_field(post, arena_printf(arena, "Webhook-Id: %s", id));
    if (to->token.size)
        add_field(post, arena_printf(arena, "Authorization: Bearer %.*s", BYTES_ARGS(to->token)));
    if (to->secret.size)
        add_signature(post, to, id, json, wall, arena);
    arena_free(arena);
}

#define SET(option, value) CHECK(curl_easy_setopt(post->handle, (option), (value)) == CURLE_OK)

static void set_limits(WebhookPost *post, const WebhookConfig *to)
{
    long millis = (long)((to->timeout + MILLISECOND - 1) / MILLISECOND);
    SET(CURLOPT_TIMEOUT_MS, millis);
    SET(CURLOPT_CONNECTTIMEOUT_MS, millis);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* it does not wait for the thread that resolves a name */
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HEADERFUNCTION, on_received);
    SET(CURLOPT_HEADERDATA, post);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, post);
    SET(CURLOPT_ERRORBUFFER, post->told);
}

/* When the name is resolved, so that no resolver and no second answer leads inside. */
static curl_socket_t open_socket(void *owner, curlsocktype purpose, struct curl_sockaddr *address)
{
    WebhookPost *post = owner;
    IpAddress ip = ip_of(&address->addr);
    (void)purpose;
    if (ip_is_internal(&ip)) {
        post->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* A connection is not kept: one that was idle for minutes is often dead. */
static void set_target(WebhookPost *post, const WebhookConfig *to)
{
    SET(CURLOPT_URL, to->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_USERAGENT, "passerelle/" VERSION);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (to->is_public) {
        SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
        SET(CURLOPT_OPENSOCKETDATA, post);
    }
    if (to->ca.size) {
        struct curl_blob ca = {(void *)(uintptr_t)to->ca.data, to->ca.size, CURL_BLOB_COPY};
        SET(CURLOPT_CAPATH, NULL);
        SET(CURLOPT_CAINFO_BLOB, &ca);
    }
}

void webhook_post_begin(WebhookPost *post, CURLM *multi, const WebhookConfig *to, const char *type,
                        const char *id, Bytes json, int64_t wall)
{
    post->handle = curl_easy_init();
    CHECK(post->handle);
    add_fields(post, to, type, id, json, wall);
    set_limits(post, to);
    set_target(post, to);
    SET(CURLOPT_HTTPHEADER, post->fields);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)json.size);
    SET(CURLOPT_COPYPOSTFIELDS, json.data);
    CHECK(curl_multi_add_handle(multi, post->handle) == CURLM_OK);
}

/* ---- The response ---------------------------------------------------------------------------- */

static bool may_be_taken_later(long status)
{
    return status == 408 || status == 429 || status >= 500;
}

static int64_t wait_of(const WebhookPost *post)
{
    curl_off_t seconds = 0;
    bool said = curl_easy_getinfo(post->handle, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK;
    return said && seconds > 0 ? (seconds < 3600 ? seconds : 3600) * SECOND : 0;
}

/* A response that is too long, or never ends, has said how it went all the same. */
static long status_of(const WebhookPost *post, CURLcode code)
{
    long status = 0;
    bool has_one =
        code == CURLE_OK || (code == CURLE_WRITE_ERROR && post->received > WEBHOOK_RESPONSE_MOST);
    if (!has_one || curl_easy_getinfo(post->handle, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
        return 0;
    return status;
}

WebhookOutcome webhook_post_outcome(const WebhookPost *post, CURLcode code, Arena *arena,
                                    Result *why_out, int64_t *after_out)
{
    long status = status_of(post, code);
    *why_out = OK;
    *after_out = 0;
    if (status >= 200 && status < 300)
        return WEBHOOK_TAKEN;
    if (!status && post->refused) {
        *why_out = FAIL(arena, FAULT_SYSTEM,
                        "the receiver's address is not public: a receiver inside needs `public: "
                        "false`");
        return WEBHOOK_AGAIN;
    }
    if (!status) {
        *why_out =
            FAIL(arena, FAULT_SYSTEM, "%s", *post->told ? post->told : curl_easy_strerror(code));
        return WEBHOOK_AGAIN;
    }
    *why_out = FAIL(arena, FAULT_SYSTEM, "the receiver answered %ld%s", status,
                    status < 400 ? ": redirects are not followed" : "");
    *after_out = wait_of(post);
    return may_be_taken_later(status) ? WEBHOOK_AGAIN : WEBHOOK_REFUSED;
}

void webhook_post_end(WebhookPost *post, CURLM *multi)
{
    if (post->handle) {
        CHECK(curl_multi_remove_handle(multi, post->handle) == CURLM_OK);
        curl_easy_cleanup(post->handle);
    }
    curl_slist_free_all(post->fields);
    *post = (WebhookPost){.handle = NULL};
}
