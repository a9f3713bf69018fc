#include "gateway/admin/response.h"

#include "base/arena.h"
#include "base/text/json_text.h"
#include "protocols/http/compression.h"

Bytes request_field(const h2o_req_t *req, const char *name)
{
    ssize_t at = h2o_find_header_by_str(&req->headers, name, strlen(name), -1);
    return at < 0 ? BYTES_NONE
                  : bytes(req->headers.entries[at].value.base, req->headers.entries[at].value.len);
}

void response_field(h2o_req_t *req, const char *name, const char *value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 1, NULL, value,
                          strlen(value));
}

static void begin(h2o_req_t *req, int status, const char *reason)
{
    req->res.status = status;
    req->res.reason = reason;
    response_field(req, "x-content-type-options", "nosniff");
    response_field(req, "cross-origin-resource-policy", "same-origin");
    response_field(req, "referrer-policy", "no-referrer");
}

static void end(h2o_req_t *req, Bytes body)
{
    req->res.content_length = body.size;
    h2o_send_inline(req, (const char *)body.data, body.size);
}

/* Of what is made for this request. */
static void begin_own(h2o_req_t *req, int status, const char *reason, const char *media_type)
{
    begin(req, status, reason);
    response_field(req, "content-type", media_type);
    response_field(req, "content-security-policy", "default-src 'none'; frame-ancestors 'none'");
    response_field(req, "cache-control", "no-store");
}

void response_send(h2o_req_t *req, int status, const char *reason, const char *media_type,
                   Bytes body)
{
    begin_own(req, status, reason, media_type);
    end(req, body);
}

void response_begin_stream(h2o_req_t *req, const char *media_type, h2o_generator_t *generator)
{
    begin_own(req, 200, "OK", media_type);
    h2o_start_response(req, generator);
}

void response_write_problem(Buffer *out, int status, const char *title, const char *detail)
{
    buffer_add_byte(out, '{');
    json_text_add_member(out, "type", bytes_of("about:blank"));
    json_text_add_member(out, "title", bytes_of(title));
    json_text_add_number(out, "status", (uint64_t)status);
    json_text_add_member(out, "detail", bytes_of(detail));
    buffer_add_text(out, "}\n");
}

void response_send_problem(h2o_req_t *req, int status, const char *title, const char *detail)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer body = buffer_in(arena);
    response_write_problem(&body, status, title, detail);
    response_send(req, status, title, "application/problem+json", buffer_bytes(&body));
    arena_free(arena);
}

/* Another version of the gateway has other files under the same paths: browsers ask each time. */
void response_send_asset(h2o_req_t *req, const Asset *asset)
{
    bool known = asset_is_known(asset, request_field(req, "if-none-match"));
    Acceptance accepted = compressions_read(request_field(req, "accept-encoding"));
    bool packed = asset->gzip.size && accepted.set & COMPRESSION_GZIP;
    begin(req, known ? 304 : 200, known ? "Not Modified" : "OK");
    response_field(req, "content-security-policy", ASSET_POLICY);
    response_field(req, "cross-origin-opener-policy", "same-origin");
    response_field(req, "cache-control", "no-cache");
    response_field(req, "vary", "accept-encoding");
    response_field(req, "etag", asset->tag);
    if (known) {
        end(req, BYTES_NONE);
        return;
    }
    response_field(req, "content-type", asset->media_type);
    if (packed)
        response_field(req, "content-encoding", "gzip");
    end(req, packed ? asset->gzip : asset->content);
}
