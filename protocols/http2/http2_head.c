#include "protocols/http2/http2.h"

#include "protocols/http/http_rules.h"

#include <stdlib.h>

enum {
    BOMB = 16, /* a head so many times larger than head_bytes is a connection error */
    USUAL_FIELDS = 32,
    MOST_PSEUDO = 4,
    HEAD_FIRST = 5 * 1024, /* the first block of the arena, and a little; nobody asks for it */
};

#define TOO_LARGE                                                                                  \
    "the header fields are too large or too many (limits.head_bytes, limits.head_fields)"

/* Bits of `seen`: the fields that may occur once; and SEEN_ORDINARY, after which no pseudo-header
   field may follow. */
enum {
    SEEN_METHOD = 1,
    SEEN_SCHEME = 2,
    SEEN_AUTHORITY = 4,
    SEEN_PATH = 8,
    SEEN_STATUS = 16,
    SEEN_HOST = 32,
    SEEN_LENGTH = 64,
    SEEN_ORDINARY = 128,
};

/* ---- Fields ---------------------------------------------------------------------------------- */

/* True the first time. */
static bool see(Http2Incoming *in, uint32_t bit)
{
    bool first = !(in->seen & bit);
    in->seen |= bit;
    return first;
}

/* RFC 9113 section 8.3: pseudo-header fields come before all others, once, are not empty, and
   belong to the kind of message. */
static bool take_pseudo(Http2Incoming *in, bool client, uint32_t bit, Bytes value, Bytes *place)
{
    bool of_response = bit == SEEN_STATUS;
    *place = value;
    return !in->trailers && of_response == client && !(in->seen & SEEN_ORDINARY) && value.size &&
           see(in, bit);
}

static bool take_status(Http2Incoming *in, bool client, Bytes value)
{
    uint64_t status;
    Bytes digits;
    if (!take_pseudo(in, client, SEEN_STATUS, value, &digits) || digits.size != 3 ||
        !bytes_to_u64(digits, &status))
        return false;
    in->head.status = (uint16_t)status;
    return status >= 100 && status != 101;
}

static bool take_length(Http2Incoming *in, Bytes value)
{
    uint64_t length;
    if (in->trailers)
        return true;
    if (!see(in, SEEN_LENGTH) || !bytes_to_u64(value, &length) || length > INT64_MAX)
        return false;
    in->head.content_length = (int64_t)length;
    return true;
}

static void keep(Http2Incoming *in, Bytes name, Bytes value)
{
    if (in->too_large)
        return;
    fields_add(&in->head.fields, name, value);
    in->too_large |= in->head.fields.full;
}

/* False: the field makes the message malformed. */
static bool take_field(Http2Incoming *in, bool client, const HpackField *field)
{
    HttpHead *head = &in->head;
    Bytes value = field->value;
    switch ((HpackToken)field->token) {
    case HPACK_TOKEN_METHOD: return take_pseudo(in, client, SEEN_METHOD, value, &head->method);
    case HPACK_TOKEN_SCHEME: return take_pseudo(in, client, SEEN_SCHEME, value, &head->scheme);
    case HPACK_TOKEN_AUTHORITY:
        return take_pseudo(in, client, SEEN_AUTHORITY, value, &head->authority);
    case HPACK_TOKEN_PATH: return take_pseudo(in, client, SEEN_PATH, value, &head->path);
    case HPACK_TOKEN_STATUS: return take_status(in, client, value);
    case HPACK_TOKEN_PSEUDO:
    case HPACK_TOKEN_CONNECTION: return false;
    default: break;
    }
    in->seen |= SEEN_ORDINARY;
    switch ((HpackToken)field->token) {
    case HPACK_TOKEN_CONTENT_LENGTH: return take_length(in, value);
    case HPACK_TOKEN_HOST:
        in->host = value;
        return in->trailers || client || (see(in, SEEN_HOST) && value.size);
    case HPACK_TOKEN_TE:
        if (!bytes_are_nocase(value, "trailers"))
            return false;
        break;
    case HPACK_TOKEN_EXPECT: in->expect = value; return true;
    case HPACK_TOKEN_COOKIE: in->cookies++; break;
    default: break;
    }
    if (!in->trailers || field->token == HPACK_OTHER)
        keep(in, field->name, value);
    return true;
}

/* Returns the code of a connection error, or 0. A head that is malformed, too large or ignored is
   still decoded to its end, because the compression state belongs to the connection. */
static uint32_t on_field(Http2 *http2, HpackField *field)
{
    Http2Incoming *in = &http2->in;
    const HttpLimits *limits = &http2->base.limits;
    in->size += field->name.size + field->value.size + 32;
    in->n++;
    in->too_large |= in->size > limits->head_bytes || in->n > limits->head_fields + MOST_PSEUDO;
    if (in->size / BOMB > limits->head_bytes)
        return http2_broken(http2, HTTP2_ERROR_ENHANCE_YOUR_CALM,
                            "the fields of a header block are far too large (limits.head_bytes)");
    if (!in->stream || in->malformed)
        return 0;
    /* Blanks at the ends of a value are removed for instances; for clients they are an error. */
    if (http2->base.client && field->flaws & HPACK_BLANK_ENDS) {
        field->value = bytes_trim(field->value);
        field->flaws &= (uint8_t)~HPACK_BLANK_ENDS;
    }
    if (field->flaws)
        in->malformed = "a field's name or value is malformed";
    else if (!take_field(in, http2->base.client, field))
        in->malformed = "a field is not allowed in this message, or its value is invalid";
    return 0;
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* RFC 3986 section 3.1. */
static bool is_scheme(Bytes scheme)
{
    for (size_t i = 0; i < scheme.size; i++) {
        uint8_t c = ascii_lower(scheme.data[i]);
        bool letter = c >= 'a' && c <= 'z';
        bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!letter && (i == 0 || !other))
            return false;
    }
    return scheme.size > 0;
}

/* RFC 9113 sections 8.3.1 and 8.5: the pseudo-header fields that a request needs. */
static bool is_complete_request(const Http2Incoming *in)
{
    const HttpHead *head = &in->head;
    if (!(in->seen & SEEN_METHOD) || !http_is_token(head->method))
        return false;
    if (bytes_are(head->method, "CONNECT"))
        return in->seen & SEEN_AUTHORITY && !(in->seen & (SEEN_SCHEME | SEEN_PATH));
    if (bytes_are(head->path, "*") && !bytes_are(head->method, "OPTIONS"))
        return false;
    return in->seen & SEEN_SCHEME && in->seen & SEEN_PATH &&
           in->seen & (SEEN_AUTHORITY | SEEN_HOST) && is_scheme(head->scheme);
}

/* RFC 9113 section 8.3.1: Host is used if there is no :authority; else both must be equal. */
static bool settle_authority(Http2Incoming *in)
{
    HttpHead *head = &in->head;
    if (!head->authority.data)
        head->authority = in->host;
    else if (in->host.data && !bytes_equal_nocase(in->host, head->authority))
        return false;
    return head->authority.size == 0 || http_is_authority(head->authority);
}

/* The status of the response that refuses the request, and its text; 0: it is accepted. */
static unsigned refusal_of(const Http2 *http2, const char **detail_out)
{
    const Http2Incoming *in = &http2->in;
    if (in->too_large) {
        *detail_out = TOO_LARGE;
        return 431;
    }
    if (bytes_are(in->head.method, "CONNECT")) {
        *detail_out = "CONNECT is not supported";
        return 501;
    }
    if (in->head.path.size > http2->base.limits.path_bytes) {
        *detail_out = "the request target is too long (limits.path_bytes)";
        return 414;
    }
    *detail_out = "the only supported expectation is 100-continue";
    return in->expect.data && !bytes_are_nocase(in->expect, "100-continue") ? 417 : 0;
}

/* HTTP/2 may split a Cookie field; it is passed on as one (RFC 9113 section 8.2.3). */
static void join_cookies(Http2Incoming *in)
{
    Fields *fields = &in->head.fields;
    Buffer all = buffer_in(in->arena);
    uint32_t kept = 0;
    Field *first = NULL;
    for (uint32_t i = 0; i < fields->n; i++) {
        Field field = fields->items[i];
        if (!bytes_are(field.name, "cookie")) {
            fields->items[kept++] = field;
            continue;
        }
        if (first) {
            buffer_add_text(&all, "; ");
        } else {
            first = &fields->items[kept++];
            *first = field;
        }
        buffer_add_bytes(&all, field.value);
    }
    fields->n = kept;
    if (first)
        first->value = buffer_bytes(&all);
}

static void tell_head(Http2Stream *stream, const HttpHead *head, bool end)
{
    const HttpStreamEvents *events = stream->base.events;
    stream->head_received = true;
    if (events && events->on_head && !stream->silent)
        events->on_head(stream->base.owner, &stream->base, head, end);
}

static void send_continue(Http2Stream *stream)
{
    HttpHead head = {.status = 100, .content_length = -1};
    if (!stream->head_sent && !stream->silent && !stream->closed)
        http2_send_head(&stream->base, &head, false);
}

/* A malformed request is reset without a response; it never had an owner. */
static uint32_t reset_unowned(Http2 *http2, Http2Stream *stream, const HttpHead *head,
                              const char *why)
{
    http_connection_refusal(&http2->base, 0, head, why);
    return http2_provoked(http2, stream, HTTP2_ERROR_PROTOCOL, why);
}

static uint32_t on_request(Http2 *http2, Http2Stream *stream)
{
    static const HttpHead unread;
    Http2Incoming *in = &http2->in;
    const char *detail;
    bool end = in->end;
    stream->length_left = in->head.content_length;
    if (in->malformed)
        return reset_unowned(http2, stream, &unread, in->malformed);
    if (!is_complete_request(in))
        return reset_unowned(http2, stream, &unread, "a pseudo-header field is missing or wrong");
    if (end && stream->length_left > 0)
        return reset_unowned(http2, stream, &unread, "the body is shorter than its Content-Length");
    stream->head_received = true;
    stream->head_request = bytes_are(in->head.method, "HEAD");
    stream->bounded =
        in->head.content_length >= 0 && in->head.content_length <= http2->base.limits.stream_window;
    unsigned status = refusal_of(http2, &detail);
    if (status) {
        stream->remote_ended = end;
        http2_answer(http2, stream, status, detail);
        return 0;
    }
    if (!http_is_path(in->head.path))
        return reset_unowned(http2, stream, &in->head, "the path is malformed");
    if (!settle_authority(in))
        return reset_unowned(http2, stream, &in->head,
                             "the authority is malformed, or differs from the Host field");
    if (in->cookies > 1)
        join_cookies(in);
    stream->released = false;
    http2->base.events->on_stream(http2->base.owner, &http2->base, &stream->base, &in->head);
    tell_head(stream, &in->head, end);
    if (in->expect.data && !end)
        send_continue(stream);
    return end && !stream->closed ? http2_remote_end(http2, stream, NULL) : 0;
}

/* ---- Responses ------------------------------------------------------------------------------- */

/* The message is well-formed but not acceptable: resets the stream and tells its owner why. */
static void fail_message(Http2 *http2, Http2Stream *stream, const Fault *fault, const char *reason)
{
    const HttpStreamEvents *events = stream->base.events;
    bool tell = events && events->on_reset && !stream->silent;
    stream->silent = true;
    http2_stream_reset(http2, stream, HTTP2_ERROR_CANCEL);
    if (tell)
        events->on_reset(stream->base.owner, &stream->base,
                         error_new(http_connection_errors(&http2->base), fault, OK, NULL, __FILE__,
                                   __LINE__, "reading HTTP/2: %s", reason));
}

/* Sets the length of the body (RFC 9113 section 8.1.1, RFC 9110 sections 6.4.1 and 8.6). Returns
   what is malformed, or NULL. */
static const char *settle_length(const Http2Incoming *in, HttpHead *head, Http2Stream *stream)
{
    if (head->status < 200)
        return in->end                    ? "an interim response ends the stream"
               : head->content_length < 0 ? NULL
                                          : "an interim response has a content-length";
    if (head->status == 204) {
        if (head->content_length > 0)
            return "a response without a body has a content-length";
        head->content_length = -1;
    }
    bool no_body = stream->head_request || head->status == 204 || head->status == 304;
    stream->length_left = no_body ? 0 : head->content_length;
    return in->end && stream->length_left > 0 ? "the body is shorter than its content-length"
                                              : NULL;
}

static uint32_t on_response(Http2 *http2, Http2Stream *stream)
{
    Http2Incoming *in = &http2->in;
    HttpHead *head = &in->head;
    const HttpStreamEvents *events = stream->base.events;
    bool end = in->end;
    const char *wrong = in->malformed;
    if (!wrong && !(in->seen & SEEN_STATUS))
        wrong = "the response has no :status";
    if (!wrong)
        wrong = settle_length(in, head, stream);
    if (wrong)
        return http2_provoked(http2, stream, HTTP2_ERROR_PROTOCOL, wrong);
    if (in->too_large) {
        fail_message(http2, stream, &FAULT_UPSTREAM_TOO_LARGE, TOO_LARGE);
        return 0;
    }
    if (head->status < 200) {
        stream->interim_received = true;
        if (events && events->on_interim && !stream->silent)
            events->on_interim(stream->base.owner, &stream->base, head);
        return 0;
    }
    tell_head(stream, head, end);
    return end && !stream->closed ? http2_remote_end(http2, stream, NULL) : 0;
}

static uint32_t on_trailers(Http2 *http2, Http2Stream *stream)
{
    const char *wrong = http2->in.end ? http2->in.malformed : "the trailers do not end the stream";
    if (wrong)
        return http2_provoked(http2, stream, HTTP2_ERROR_PROTOCOL, wrong);
    if (!http2->in.too_large)
        return http2_remote_end(http2, stream, &http2->in.head.fields);
    fail_message(http2, stream,
                 http2->base.client ? &FAULT_UPSTREAM_TOO_LARGE : &FAULT_HEAD_TOO_LARGE,
                 "the trailers are too large or too many (limits.head_bytes, limits.head_fields)");
    return 0;
}

/* ---- Header blocks --------------------------------------------------------------------------- */

void http2_block_begin(Http2 *http2, Http2Stream *stream, uint32_t id, bool end)
{
    Http2Incoming *in = &http2->in;
    Arena *arena = in->arena;
    if (arena)
        arena_reset(arena);
    else
        arena = arena_new(ARENA_UNLIMITED);
    *in = (Http2Incoming){
        .arena = arena,
        .block = {.arena = arena},
        .head = {.minor = 2, .content_length = -1, .fields = fields_in(arena)},
        .stream = stream,
        .id = id,
        .trailers = stream && stream->head_received,
        .end = end,
        .open = true,
    };
    in->head.fields.items = arena_alloc(arena, USUAL_FIELDS * sizeof(Field));
    in->head.fields.capacity = in->head.fields.items ? USUAL_FIELDS : 0;
    hpack_decoder_begin(&http2->decoder);
}

uint32_t http2_refuse_head(Http2 *http2, const Fault *fault)
{
    http2->refused = fault;
    return http2_broken(
        http2, HTTP2_ERROR_ENHANCE_YOUR_CALM,
        "there is no memory for a head of this size that is not complete (limits.memory)");
}

bool http2_holds_head(const HttpConnection *base)
{
    return ((const Http2 *)base)->held > HEAD_FIRST;
}

static size_t head_memory(const Http2 *http2)
{
    const Http2Incoming *in = &http2->in;
    size_t partial = http2->partial ? http_chunk_memory(http2->partial) : 0;
    return partial + in->tail_capacity + (in->open ? arena_size(in->arena) : 0);
}

static void set_held(Http2 *http2, size_t size)
{
    http_connection_hold(&http2->base, (int64_t)size - (int64_t)http2->held);
    http2->held = size;
}

uint32_t http2_hold_head(Http2 *http2)
{
    size_t size = head_memory(http2);
    const Fault *refused = NULL;
    if (size > http2->held && size > HEAD_FIRST)
        refused = http_connection_ask(&http2->base, size - http2->held);
    if (refused)
        return http2_refuse_head(http2, refused);
    set_held(http2, size);
    return 0;
}

static void drop_tail(Http2Incoming *in)
{
    free(in->tail);
    in->tail = NULL;
    in->tail_size = in->tail_capacity = 0;
}

void http2_block_drop(Http2 *http2)
{
    Http2Incoming *in = &http2->in;
    drop_tail(in);
    arena_free(in->arena);
    in->arena = NULL;
    in->open = false;
    set_held(http2, head_memory(http2));
}

/* Appends the fragment to the undecoded rest of the previous ones. */
static Bytes join(Http2Incoming *in, Bytes piece)
{
    size_t size = in->tail_size + piece.size;
    if (size > in->tail_capacity) {
        in->tail = realloc(in->tail, size);
        CHECK(in->tail);
        in->tail_capacity = size;
    }
    if (piece.size)
        memcpy(in->tail + in->tail_size, piece.data, piece.size);
    in->tail_size = size;
    return bytes(in->tail, size);
}

/* Keeps what is not decoded yet: the beginning of a field. */
static void keep_rest(Http2Incoming *in)
{
    Bytes rest = in->block.rest;
    if (rest.size == 0) {
        drop_tail(in);
    } else if (in->tail_size) {
        memmove(in->tail, rest.data, rest.size);
        in->tail_size = rest.size;
    } else {
        join(in, rest);
    }
}

static uint32_t end_block(Http2 *http2)
{
    Http2Incoming *in = &http2->in;
    Http2Stream *stream = in->stream;
    in->open = false;
    in->stream = NULL;
    drop_tail(in);
    if (!stream)
        return 0;
    uint32_t code;
    http2_pin(http2, stream);
    if (in->trailers)
        code = on_trailers(http2, stream);
    else
        code = http2->base.client ? on_response(http2, stream) : on_request(http2, stream);
    http2_unpin(http2);
    return code;
}

uint32_t http2_block_piece(Http2 *http2, Bytes piece, bool last)
{
    Http2Incoming *in = &http2->in;
    HpackField field;
    HpackOutcome outcome;
    in->block.whole = last && in->pieces == 0;
    in->block.rest = in->tail_size ? join(in, piece) : piece;
    while ((outcome = hpack_decode(&http2->decoder, &in->block, &field)) == HPACK_FIELD) {
        uint32_t code = on_field(http2, &field);
        if (code)
            return code;
    }
    if (outcome == HPACK_BROKEN || (outcome == HPACK_PARTIAL && last))
        return http2_broken(http2, HTTP2_ERROR_COMPRESSION, "a header block cannot be decoded");
    if (!last) {
        keep_rest(in);
        return http2_hold_head(http2);
    }
    uint32_t code = end_block(http2);
    if (http2->held) { /* what was decoded is not needed any more */
        arena_reset(in->arena);
        set_held(http2, head_memory(http2));
    }
    return code;
}
