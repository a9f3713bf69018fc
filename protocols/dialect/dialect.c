/* Reads the head of a request in each dialect. Responses are written by reply.c. */
#include "protocols/dialect/dialect.h"

#include "base/arena.h"
#include "base/text/base64.h"
#include "protocols/dialect/media.h"
#include "protocols/dialect/timeout.h"
#include "protocols/http/compression.h"
#include "protocols/http/head_fields.h"
#include "protocols/rest/rest.h"

enum { LARGEST_GET_MESSAGE = 4 << 20 }; /* bytes, decompressed */

static Bytes query_of(Bytes path)
{
    return bytes_slice(path, bytes_find(path, '?') + 1, SIZE_MAX);
}

/* A Connect GET has both parameters; other URLs hardly ever do. */
static bool looks_like_connect_get(const HttpHead *head)
{
    bool has_message = false, has_encoding = false;
    Bytes rest = query_of(head->path), parameter;
    while (bytes_split(&rest, '&', &parameter)) {
        if (bytes_are(parameter, "connect=v1"))
            return true;
        has_message |= bytes_start_with(parameter, "message=");
        has_encoding |= bytes_start_with(parameter, "encoding=");
    }
    return has_message && has_encoding;
}

/* HEAD is GET without the body of the response (RFC 9110 section 9.3.2). */
static bool is_get(const HttpHead *head)
{
    return bytes_are(head->method, "GET") || bytes_are(head->method, "HEAD");
}

static bool looks_like_connect(const HttpHead *head, MediaKind kind)
{
    if (is_get(head))
        return looks_like_connect_get(head);
    return kind == MEDIA_PROTO || kind == MEDIA_JSON ||
           fields_get(&head->fields, "connect-protocol-version").data;
}

Dialect dialect_of_request(const HttpHead *head)
{
    MediaKind kind = media_read(fields_get(&head->fields, "content-type")).kind;
    switch (kind) {
    case MEDIA_GRPC: return DIALECT_GRPC;
    case MEDIA_GRPC_WEB: return DIALECT_GRPC_WEB;
    case MEDIA_GRPC_WEB_TEXT: return DIALECT_GRPC_WEB_TEXT;
    case MEDIA_CONNECT_STREAM: return DIALECT_CONNECT_STREAM;
    case MEDIA_NONE:
    case MEDIA_OTHER:
    case MEDIA_PROTO:
    case MEDIA_JSON:
    case MEDIA_JSON_LIKE: break;
    }
    return looks_like_connect(head, kind) ? DIALECT_CONNECT : DIALECT_REST;
}

RequestKind request_kind(const HttpHead *head)
{
    switch (dialect_of_request(head)) {
    case DIALECT_GRPC:
    case DIALECT_GRPC_WEB:
    case DIALECT_GRPC_WEB_TEXT:
    case DIALECT_CONNECT_STREAM: return REQUEST_RPC;
    case DIALECT_CONNECT: return REQUEST_CONNECT;
    case DIALECT_REST:
    case DIALECT_HTTP: break;
    }
    return REQUEST_PLAIN;
}

/* "/package.Service/Method" */
static bool has_form_of_method(Bytes path)
{
    path = bytes_slice(path, 0, bytes_find(path, '?'));
    if (!bytes_start_with(path, "/"))
        return false;
    Bytes service = bytes_slice(path, 1, bytes_find(bytes_slice(path, 1, path.size), '/'));
    Bytes method = bytes_slice(path, service.size + 2, path.size);
    return bytes_find(service, '.') < service.size && method.size &&
           bytes_find(method, '/') == method.size;
}

bool request_is_connect(const HttpHead *head)
{
    MediaKind kind = media_read(fields_get(&head->fields, "content-type")).kind;
    return dialect_of_request(head) == DIALECT_CONNECT &&
           (kind != MEDIA_JSON || fields_get(&head->fields, "connect-protocol-version").data ||
            has_form_of_method(head->path));
}

/* ---- The parts of a head --------------------------------------------------------------------- */

static Result check_post(const HttpHead *head, Dialect dialect, Arena *arena)
{
    if (!bytes_are(head->method, "POST"))
        return FAIL_TELL(arena, FAULT_METHOD_NOT_ALLOWED, "%s needs POST, not %.*s",
                         dialect_name(dialect), BYTES_ARGS(head->method));
    return OK;
}

static Result check_media(Bytes content_type, Media media, Dialect dialect, Arena *arena)
{
    if (!media.has_codec)
        return FAIL_TELL(arena, FAULT_UNSUPPORTED_MEDIA,
                         "content-type %.*s; %.*s and %.*s are accepted", BYTES_ARGS(content_type),
                         BYTES_ARGS(media_write(dialect, CODEC_PROTO)),
                         BYTES_ARGS(media_write(dialect, CODEC_JSON)));
    return OK;
}

static void read_accepted(Bytes list, Call *call)
{
    Acceptance acceptance = compressions_read(list);
    call->accepts = acceptance.set;
    call->favourite = acceptance.favourite;
    call->no_identity = acceptance.no_identity;
}

static Result read_compression(Bytes name, Call *call, Arena *arena)
{
    if (!compression_by_name(name, &call->compression))
        return FAIL_TELL(arena, FAULT_UNSUPPORTED_ENCODING,
                         "unknown compression \"%.*s\"; supported are " COMPRESSION_NAMES,
                         BYTES_ARGS(name));
    return OK;
}

static Result read_timeout(bool (*read)(Bytes, int64_t *), Bytes text, const char *name, Call *call,
                           Arena *arena)
{
    if (text.data && !read(text, &call->timeout))
        return FAIL_TELL(arena, FAULT_BAD_REQUEST, "%s \"%.*s\" is malformed", name,
                         BYTES_ARGS(text));
    return OK;
}

static Result check_connect_version(Bytes version, const char *expected, Arena *arena)
{
    if (version.data && !bytes_are(version, expected))
        return FAIL_TELL(arena, FAULT_BAD_REQUEST,
                         "Connect protocol version \"%.*s\" is not \"%s\"", BYTES_ARGS(version),
                         expected);
    return OK;
}

/* ---- The dialects ---------------------------------------------------------------------------- */

/* gRPC and gRPC-Web (PROTOCOL-HTTP2.md "Requests"; PROTOCOL-WEB.md). */
static Result read_grpc(const HttpHead *head, const HeadFields *fields, Arena *arena, Call *call)
{
    Media media = media_read(fields->values[FIELD_CONTENT_TYPE]);
    call->codec = call->reply_codec = media.codec;
    read_accepted(fields->values[FIELD_GRPC_ACCEPT_ENCODING], call);

    if (call->dialect == DIALECT_GRPC && head->minor < 2)
        return FAIL_TELL(arena, FAULT_UNSUPPORTED_MEDIA, "gRPC needs HTTP/2");
    Result r = check_post(head, call->dialect, arena);
    if (!failed(r))
        r = check_media(fields->values[FIELD_CONTENT_TYPE], media, call->dialect, arena);
    if (!failed(r))
        r = read_timeout(timeout_read_grpc, fields->values[FIELD_GRPC_TIMEOUT], "grpc-timeout",
                         call, arena);
    if (!failed(r))
        r = read_compression(fields->values[FIELD_GRPC_ENCODING], call, arena);
    return r;
}

static Result read_connect_stream(const HttpHead *head, const HeadFields *fields, Arena *arena,
                                  Call *call)
{
    Media media = media_read(fields->values[FIELD_CONTENT_TYPE]);
    call->codec = call->reply_codec = media.codec;
    read_accepted(fields->values[FIELD_CONNECT_ACCEPT_ENCODING], call);

    Result r = check_post(head, call->dialect, arena);
    if (!failed(r))
        r = check_media(fields->values[FIELD_CONTENT_TYPE], media, call->dialect, arena);
    if (!failed(r))
        r = check_connect_version(fields->values[FIELD_CONNECT_VERSION], "1", arena);
    if (!failed(r))
        r = read_timeout(timeout_read_connect, fields->values[FIELD_CONNECT_TIMEOUT],
                         "connect-timeout-ms", call, arena);
    if (!failed(r))
        r = read_compression(fields->values[FIELD_CONNECT_ENCODING], call, arena);
    return r;
}

/* A repeated parameter is refused: another server might use the other value. */
static Result check_given_once(const RestParameter *parameters, size_t n, Arena *arena)
{
    static const char *const names[] = {"connect", "encoding", "message", "base64", "compression"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        uint32_t times = 0;
        for (size_t i = 0; i < n; i++)
            times += bytes_are(parameters[i].field_path, names[k]);
        if (times > 1)
            return FAIL_TELL(arena, FAULT_BAD_REQUEST,
                             "the parameter \"%s\" is given more than once", names[k]);
    }
    return OK;
}

static Bytes parameter_named(const RestParameter *parameters, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes_are(parameters[i].field_path, name))
            return parameters[i].text;
    }
    return BYTES_NONE;
}

/* Decodes and decompresses the parameter "message". */
static Result read_get_message(Bytes text, bool is_base64, Arena *arena, Call *call)
{
    Bytes message = text;
    if (is_base64) {
        Buffer decoded = buffer_in(arena);
        if (!base64_decode(&decoded, text))
            return FAIL_TELL(arena, FAULT_BAD_REQUEST, "the parameter \"message\" is not base64");
        message = buffer_bytes(&decoded);
    }
    if (call->compression != COMPRESSION_IDENTITY) {
        Buffer plain = buffer_in(arena);
        switch (decompress_message(call->compression, message, LARGEST_GET_MESSAGE, &plain)) {
        case DECOMPRESSED: break;
        case DECOMPRESS_TOO_LARGE:
            return FAIL_TELL(arena, FAULT_MESSAGE_TOO_LARGE, "the parameter \"message\"");
        case DECOMPRESS_BAD:
            return FAIL_TELL(arena, FAULT_BAD_REQUEST, "the parameter \"message\" is not valid %s",
                             compression_name(call->compression));
        case DECOMPRESS_NO_MEMORY:
            return FAIL(arena, FAULT_OUT_OF_MEMORY, "decompressing the parameter \"message\"");
        }
        message = buffer_bytes(&plain);
    }
    call->get_message = message.data ? message : bytes("", 0);
    return OK;
}

static Result read_get_parameters(const RestParameter *parameters, size_t n, Arena *arena,
                                  Call *call)
{
    Bytes encoding = parameter_named(parameters, n, "encoding");
    Bytes message = parameter_named(parameters, n, "message");
    Bytes base64 = parameter_named(parameters, n, "base64");
    if (!encoding.data)
        return FAIL_TELL(arena, FAULT_BAD_REQUEST, "the parameter \"encoding\" is missing");
    if (bytes_are(encoding, "json"))
        call->codec = call->reply_codec = CODEC_JSON;
    else if (!bytes_are(encoding, "proto"))
        return FAIL_TELL(arena, FAULT_UNSUPPORTED_MEDIA,
                         "encoding=%.*s; proto and json are accepted", BYTES_ARGS(encoding));
    if (!message.data)
        return FAIL_TELL(arena, FAULT_BAD_REQUEST, "the parameter \"message\" is missing");
    if (base64.data && !bytes_are(base64, "1") && !bytes_are(base64, "0"))
        return FAIL_TELL(arena, FAULT_BAD_REQUEST, "base64=%.*s", BYTES_ARGS(base64));

    Result r = check_connect_version(parameter_named(parameters, n, "connect"), "v1", arena);
    if (!failed(r))
        r = read_compression(parameter_named(parameters, n, "compression"), call, arena);
    if (!failed(r))
        r = read_get_message(message, bytes_are(base64, "1"), arena, call);
    call->compression = COMPRESSION_IDENTITY; /* the message is decompressed */
    return r;
}

/* Connect, "Unary-Get-Request". */
static Result read_connect_get(Arena *arena, Call *call)
{
    RestParameter *parameters;
    size_t n;
    call->is_get = true;
    Result r = rest_query_parse(call->query, arena, &parameters, &n);
    if (failed(r))
        return FAIL_OVER(arena, r, FAULT_BAD_REQUEST, "reading a Connect GET request");
    r = check_given_once(parameters, n, arena);
    return failed(r) ? r : read_get_parameters(parameters, n, arena, call);
}

static Result read_connect_post(const HttpHead *head, const HeadFields *fields, Arena *arena,
                                Call *call)
{
    Media media = media_read(fields->values[FIELD_CONTENT_TYPE]);
    call->foreign_media = media.kind == MEDIA_NONE;
    if (call->foreign_media)
        media = (Media){.kind = MEDIA_JSON, .has_codec = true, .codec = CODEC_JSON};
    if (media.kind != MEDIA_PROTO && media.kind != MEDIA_JSON)
        media.has_codec = false;
    call->codec = call->reply_codec = media.codec;

    Result r = check_post(head, call->dialect, arena);
    if (!failed(r))
        r = check_media(fields->values[FIELD_CONTENT_TYPE], media, call->dialect, arena);
    if (!failed(r))
        r = check_connect_version(fields->values[FIELD_CONNECT_VERSION], "1", arena);
    if (!failed(r))
        r = read_compression(fields->values[FIELD_CONTENT_ENCODING], call, arena);
    return r;
}

static Result read_connect(const HttpHead *head, const HeadFields *fields, Arena *arena, Call *call)
{
    read_accepted(fields->values[FIELD_ACCEPT_ENCODING], call);
    Result r =
        is_get(head) ? read_connect_get(arena, call) : read_connect_post(head, fields, arena, call);
    if (!failed(r))
        r = read_timeout(timeout_read_connect, fields->values[FIELD_CONNECT_TIMEOUT],
                         "connect-timeout-ms", call, arena);
    return r;
}

/* REST has no timeout field; those of gRPC and Connect are accepted. */
static Result read_rest(const HeadFields *fields, Arena *arena, Call *call)
{
    call->codec = call->reply_codec = CODEC_JSON;
    read_accepted(fields->values[FIELD_ACCEPT_ENCODING], call);
    Result r = read_timeout(timeout_read_grpc, fields->values[FIELD_GRPC_TIMEOUT], "grpc-timeout",
                            call, arena);
    if (!failed(r))
        r = read_timeout(timeout_read_connect, fields->values[FIELD_CONNECT_TIMEOUT],
                         "connect-timeout-ms", call, arena);
    if (!failed(r))
        r = read_compression(fields->values[FIELD_CONTENT_ENCODING], call, arena);
    Media media = media_read(fields->values[FIELD_CONTENT_TYPE]);
    bool is_json = media.kind == MEDIA_JSON || media.kind == MEDIA_JSON_LIKE;
    call->foreign_media = !is_json || !media.has_codec;
    return r;
}

static Result read_in_dialect(const HttpHead *head, const HeadFields *fields, Arena *arena,
                              Call *call)
{
    switch (call->dialect) {
    case DIALECT_GRPC:
    case DIALECT_GRPC_WEB:
    case DIALECT_GRPC_WEB_TEXT: return read_grpc(head, fields, arena, call);
    case DIALECT_CONNECT: return read_connect(head, fields, arena, call);
    case DIALECT_CONNECT_STREAM: return read_connect_stream(head, fields, arena, call);
    case DIALECT_REST: return read_rest(fields, arena, call);
    case DIALECT_HTTP: break;
    }
    return OK;
}

/* Copies the request line. */
static Result read_line(const HttpHead *head, Arena *arena, Call *call)
{
    size_t size = head->method.size + head->authority.size + head->path.size;
    uint8_t *text = arena_alloc(arena, size);
    if (!text)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "copying a request line of %zu bytes", size);
    call->verb = bytes(text, head->method.size);
    text = bytes_put(text, head->method);
    call->authority = bytes(text, head->authority.size);
    text = bytes_put(text, head->authority);
    Bytes path = bytes(text, head->path.size);
    bytes_put(text, head->path);
    call->path = bytes(path.data, bytes_find(path, '?'));
    call->query = query_of(path);
    return OK;
}

Result call_read(const HttpHead *head, Dialect dialect, Arena *arena, Call *call)
{
    static const Fields no_fields;
    *call = (Call){.dialect = dialect,
                   .timeout = NO_TIMEOUT,
                   .metadata = fields_in(arena),
                   .head = &no_fields};
    Fields *all = arena_alloc(arena, sizeof *all);
    if (!all)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "reading a head of %u fields", head->fields.n);

    Result of_line = read_line(head, arena, call);
    if (failed(of_line))
        return of_line;
    HeadFields fields;
    Result of_fields = head_fields_read(
        &head->fields, dialect == DIALECT_HTTP ? HEAD_OF_HTTP : HEAD_OF_REQUEST, arena, &fields);
    *all = fields.all;
    call->metadata = fields.metadata;
    call->head = all;
    Result of_dialect = read_in_dialect(head, &fields, arena, call);
    return failed(of_fields) ? of_fields : of_dialect;
}
