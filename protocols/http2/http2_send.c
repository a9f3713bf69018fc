#include "protocols/http2/http2.h"

#include "base/text/date.h"
#include "base/text/decimal.h"
#include "protocols/http/http_rules.h"

#include <stdlib.h>

enum {
    FEW_FIELDS = 64, /* heads with so many need no memory of their own while they are submitted */
    MOST_PSEUDO_FIELDS = 4, /* of a request: :method, :scheme, :authority, :path */
    LENGTH_AND_DATE = 2,    /* of a response: what is added to its fields */
    NAMES_ANEW = 256,       /* heads after which names that the table may have lost come again */
};

/* ---- Fields ---------------------------------------------------------------------------------- */

/* Fields whose value is hardly ever the same twice. In the table of HPACK (RFC 7541 section 2.3)
   they would push out what is. */
static bool is_unique(Bytes name)
{
    switch (name.size) {
    case 10: return bytes_are(name, "tracestate");
    case 11: return bytes_are(name, "traceparent");
    case 12:
        return bytes_are(name, "x-request-id") || bytes_are(name, "grpc-timeout") ||
               bytes_are(name, "grpc-message");
    case 18: return bytes_are(name, "connect-timeout-ms");
    case 23: return bytes_are(name, "grpc-status-details-bin");
    default: return false;
    }
}

/*
 * Names and values for nghttp2. It reads them when it frames the head, and copies nothing before:
 * they stand in a chunk, which its stream keeps until then.
 */
typedef struct Block {
    nghttp2_nv few[FEW_FIELDS];
    nghttp2_nv *items; /* `few`, or heap when more are needed */
    size_t n, capacity;
    HttpChunk *text;
    uint8_t *at, *end; /* the free part of `text` */
    bool index_unique; /* see next_block */
} Block;

/* Once in a while unique fields go into the table too: their names are found there from then on,
   and need not be spelled. */
static bool next_block(Http2 *http2)
{
    return http2->blocks++ % NAMES_ANEW == 0;
}

static void block_begin(Block *block, Http2 *http2, size_t n, size_t text_size)
{
    block->items = block->few;
    block->n = 0;
    block->capacity = n;
    if (n > FEW_FIELDS) {
        block->items = malloc(n * sizeof *block->items);
        CHECK(block->items);
    }
    block->text = http_chunk_take(text_size);
    block->at = block->text->data;
    block->end = block->at + text_size;
    block->index_unique = next_block(http2);
}

static Bytes block_copy(Block *block, Bytes text)
{
    CHECK(text.size <= (size_t)(block->end - block->at));
    Bytes copy = bytes(block->at, text.size);
    block->at = bytes_put(block->at, text);
    return copy;
}

static nghttp2_nv nv_of(Bytes name, Bytes value, bool index_unique)
{
    uint8_t flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    if (!index_unique && is_unique(name))
        flags |= NGHTTP2_NV_FLAG_NO_INDEX;
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.data, (uint8_t *)(uintptr_t)value.data,
                        name.size, value.size, flags};
}

/* `name` is a literal; the value is copied. */
static void block_add_text(Block *block, const char *name, Bytes value)
{
    CHECK(block->n < block->capacity);
    block->items[block->n++] = nv_of(bytes_of(name), block_copy(block, value), block->index_unique);
}

/* Copies both. */
static void block_add(Block *block, const Field *field)
{
    CHECK(block->n < block->capacity);
    Bytes name = block_copy(block, field->name), value = block_copy(block, field->value);
    block->items[block->n++] = nv_of(name, value, block->index_unique);
}

/* The stream keeps the text until the frame is out or never will be; NULL: nghttp2 has copied it.
 */
static void block_end(Block *block, Http2Stream *stream)
{
    if (block->items != block->few)
        free(block->items);
    if (!stream) {
        http_chunk_give(block->text);
        return;
    }
    CHECK(!stream->submitted);
    stream->submitted = block->text;
}

static size_t size_of_fields(const Fields *fields)
{
    size_t size = 0;
    for (uint32_t i = 0; i < fields->n; i++)
        size += fields->items[i].name.size + fields->items[i].value.size;
    return size;
}

/* ---- Frames ---------------------------------------------------------------------------------- */

/* The trailers to send when the queue is empty, in one chunk: the array, and the bytes behind
   it. */
typedef struct Http2Trailers {
    size_t n;
    nghttp2_nv items[];
} Http2Trailers;

static HttpChunk *keep_trailers(Http2 *http2, const Fields *fields)
{
    bool index_unique = next_block(http2);
    HttpChunk *chunk = http_chunk_take(sizeof(Http2Trailers) + fields->n * sizeof(nghttp2_nv) +
                                       size_of_fields(fields));
    Http2Trailers *trailers = (Http2Trailers *)(void *)chunk->data;
    uint8_t *text = (uint8_t *)(trailers->items + fields->n);
    trailers->n = 0;
    for (uint32_t i = 0; i < fields->n; i++) {
        const Field *field = &fields->items[i];
        if (!http_may_go_out(field) || http_is_barred_from_trailers(field->name))
            continue;
        Bytes name = bytes(text, field->name.size),
              value = bytes(text + name.size, field->value.size);
        text = bytes_put(bytes_put(text, field->name), field->value);
        trailers->items[trailers->n++] = nv_of(name, value, index_unique);
    }
    return chunk;
}

/* nghttp2 asks how much of the body fits into the next frame. */
static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t most,
                         uint32_t *flags, nghttp2_data_source *source, void *owner)
{
    Http2Stream *stream = source->ptr;
    size_t size = stream->queue.size < most ? stream->queue.size : most;
    if (size == 0 && !stream->ended) {
        if (stream->cut)
            http2_submit_reset(http2_of(stream->base.connection), stream, stream->cut_code);
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (!stream->ended || size < stream->queue.size)
        return (ssize_t)size;

    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream->trailers) {
        const Http2Trailers *trailers = (const Http2Trailers *)(const void *)stream->trailers->data;
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        int failure = nghttp2_submit_trailer(session, id, trailers->items, trailers->n);
        CHECK(!stream->submitted); /* the head is out, or no body would follow */
        stream->submitted = stream->trailers;
        stream->trailers = NULL;
        if (failure)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)size;
}

static void note_drain(Http2 *http2, Http2Stream *stream)
{
    if (!stream->above_high || stream->queue.size > http2->base.limits.queue_low)
        return;
    stream->above_high = false;
    if (stream->due)
        return;
    stream->due = true;
    stream->next_due = http2->due;
    http2->due = stream;
}

static int send_frame(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                      size_t size, nghttp2_data_source *source, void *owner)
{
    Http2 *http2 = owner;
    Http2Stream *stream = source->ptr;
    http_queue_add(&http2->out, bytes(head, 9));
    http_queue_move(&http2->out, &stream->queue, size);
    http2->put_in += 9 + size;
    http2->base.progress += size;
    http2_note_data(http2, size, stream->queue.size == 0);
    note_drain(http2, stream);
    return 0;
}

/* A reset that the peer's mistakes made us send costs it as much as one of its own. What came
   behind one of its own has been paid. */
static void note_reset(Http2 *http2, int32_t id, uint32_t code)
{
    bool ours =
        code == NGHTTP2_NO_ERROR || code == NGHTTP2_CANCEL || code == NGHTTP2_INTERNAL_ERROR;
    bool late =
        code == NGHTTP2_STREAM_CLOSED && !nghttp2_session_get_stream_user_data(http2->session, id);
    if (!ours && !late && !http2_afford_reset(http2))
        nghttp2_session_terminate_session(http2->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void note_head_sent(Http2Stream *stream)
{
    if (stream->interim) {
        stream->interim--;
    } else if (stream->submitted) {
        http_chunk_give(stream->submitted);
        stream->submitted = NULL;
    }
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    Http2 *http2 = owner;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        http2->failed |= frame->goaway.error_code != NGHTTP2_NO_ERROR;
        http2_ping_behind_notice(http2);
    }
    if (frame->hd.type == NGHTTP2_RST_STREAM)
        note_reset(http2, frame->hd.stream_id, frame->rst_stream.error_code);
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    Http2Stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!stream)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS)
        note_head_sent(stream);
    if (frame->hd.type == NGHTTP2_HEADERS && stream->head_sent && stream->answered == UINT64_MAX)
        stream->answered = http2->put_in;
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    stream->end_sent = true;
    if (http2->base.client || stream->remote_ended)
        return 0;
    http2_linger(http2, stream);
    return 0;
}

static int before_frame(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    Http2 *http2 = owner;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        Http2Stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (stream)
            stream->began = http2->put_in;
    }
    return 0;
}

static int on_frame_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error,
                             void *owner)
{
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        Http2Stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (stream)
            stream->not_sent = true;
    }
    return 0;
}

void http2_send_callbacks(nghttp2_session_callbacks *callbacks, bool client)
{
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    if (!client)
        return;
    nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, before_frame);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_sent);
}

/* ---- Heads ----------------------------------------------------------------------------------- */

/* With room for everything that a head may need. */
static void block_begin_head(Block *block, Http2 *http2, const HttpHead *head)
{
    size_t text = size_of_fields(&head->fields) + head->method.size + head->scheme.size +
                  strlen("https") + head->authority.size + head->path.size + 2 * DECIMAL_SIZE +
                  DATE_HTTP_SIZE; /* the status, the length, the date */
    block_begin(block, http2, (size_t)head->fields.n + MOST_PSEUDO_FIELDS + LENGTH_AND_DATE, text);
}

/* Indexed: it is the same for a second. */
static void block_add_date(Block *block, Bytes date)
{
    if (date.data)
        block_add_text(block, "date", date);
}

static void block_add_head(Block *block, const HttpHead *head, bool client)
{
    if (head->content_length >= 0) {
        char length[DECIMAL_SIZE];
        size_t size = decimal_write((uint64_t)head->content_length, length);
        block_add_text(block, "content-length", bytes(length, size));
    }
    for (uint32_t i = 0; i < head->fields.n; i++) {
        const Field *field = &head->fields.items[i];
        if (http_may_go_out(field) && !(client && bytes_are(field->name, "host")))
            block_add(block, field);
    }
}

void http2_submit_reset(Http2 *http2, Http2Stream *stream, uint32_t code)
{
    if (http2->over || stream->closed)
        return;
    http2_drop_unsent(http2, stream);
    http2->resetting += !stream->resetting;
    stream->resetting = true;
    nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, stream->id, code);
    http2_wake(http2);
}

HttpStream *http2_open(HttpConnection *base, const HttpHead *head, bool end,
                       const HttpStreamEvents *events, void *owner)
{
    Http2 *http2 = http2_of(base);
    Http2Stream *stream = http2_stream_new(http2);
    stream->base.events = events;
    stream->base.owner = owner;
    stream->head_sent = true;
    stream->ended = end;
    nghttp2_data_provider provider = {{.ptr = stream}, read_body};

    Block block;
    block_begin_head(&block, http2, head);
    block_add_text(&block, ":method", head->method);
    block_add_text(&block, ":scheme",
                   head->scheme.size ? head->scheme : bytes_of(base->secure ? "https" : "http"));
    block_add_text(&block, ":authority", head->authority);
    block_add_text(&block, ":path", head->path);
    block_add_head(&block, head, true);
    stream->id = nghttp2_submit_request(http2->session, NULL, block.items, block.n,
                                        end ? NULL : &provider, stream);
    block_end(&block, stream);
    if (stream->id < 0) {
        stream->released = true;
        http2_stream_closed(http2, stream);
        return NULL;
    }
    http2_wake(http2);
    return &stream->base;
}

static bool may_send(const Http2Stream *stream)
{
    return !stream->closed && !stream->silent && !http2_of(stream->base.connection)->over;
}

static bool has_no_body(const Http2Stream *stream, unsigned status)
{
    return stream->head_request || status == 204 || status == 304;
}

static void add_status(Block *block, unsigned status)
{
    char digits[DECIMAL_SIZE];
    block_add_text(block, ":status", bytes(digits, decimal_write(status, digits)));
}

/* Any number of them may wait to be framed: nghttp2 copies each. */
static int submit_interim(Http2 *http2, Http2Stream *stream, Block *block)
{
    for (size_t i = 0; i < block->n; i++)
        block->items[i].flags &=
            (uint8_t) ~(NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
    int failure = nghttp2_submit_headers(http2->session, NGHTTP2_FLAG_NONE, stream->id, NULL,
                                         block->items, block->n, NULL);
    stream->interim += !failure;
    block_end(block, NULL);
    return failure;
}

static int submit_final(Http2 *http2, Http2Stream *stream, Block *block, bool end)
{
    nghttp2_data_provider provider = {{.ptr = stream}, read_body};
    int failure = nghttp2_submit_response(http2->session, stream->id, block->items, block->n,
                                          end ? NULL : &provider);
    block_end(block, stream);
    return failure;
}

static void submit_answer(Http2 *http2, Http2Stream *stream, const HttpHead *head, bool end)
{
    Block block;
    block_begin_head(&block, http2, head);
    add_status(&block, head->status);
    if (head->status >= 200)
        block_add_date(&block, http_connection_date(&http2->base, &head->fields));
    block_add_head(&block, head, false);
    if (head->status < 200 ? submit_interim(http2, stream, &block)
                           : submit_final(http2, stream, &block, end))
        http2_submit_reset(http2, stream, NGHTTP2_INTERNAL_ERROR);
    http2_wake(http2);
}

void http2_send_head(HttpStream *base, const HttpHead *head, bool end)
{
    Http2 *http2 = http2_of(base->connection);
    Http2Stream *stream = (Http2Stream *)base;
    if (!may_send(stream) || stream->head_sent || http2->base.client)
        return;
    stream->head_sent = head->status >= 200;
    stream->no_body = has_no_body(stream, head->status);
    stream->ended = stream->head_sent && (end || stream->no_body);
    submit_answer(http2, stream, head, stream->ended);
}

static void resume(Http2 *http2, Http2Stream *stream)
{
    if (stream->deferred) {
        stream->deferred = false;
        nghttp2_session_resume_data(http2->session, stream->id);
    }
    http2_wake(http2);
}

void http2_send_body(HttpStream *base, Bytes piece)
{
    Http2 *http2 = http2_of(base->connection);
    Http2Stream *stream = (Http2Stream *)base;
    if (!may_send(stream) || !stream->head_sent || stream->ended)
        return;
    http_queue_add(&stream->queue, piece);
    stream->above_high |= stream->queue.size > http2->base.limits.queue_high;
    resume(http2, stream);
}

void http2_send_end(HttpStream *base, const Fields *trailers)
{
    Http2 *http2 = http2_of(base->connection);
    Http2Stream *stream = (Http2Stream *)base;
    if (!may_send(stream) || !stream->head_sent || stream->ended)
        return;
    stream->ended = true;
    if (trailers && trailers->n)
        stream->trailers = keep_trailers(http2, trailers);
    resume(http2, stream);
}

void http2_answer(Http2 *http2, Http2Stream *stream, unsigned status, const char *detail)
{
    char text[256];
    size_t size = http_problem_text(status, detail, text, sizeof text);
    Fields more = http_connection_refusal(&http2->base, status, &http2->in.head, detail);
    Arena *arena = http_connection_errors(&http2->base);
    HttpHead head = {
        .status = (uint16_t)status,
        .content_length = (int64_t)size,
        .fields = fields_in(arena),
    };
    fields_add(&head.fields, bytes_of("content-type"), bytes_of(HTTP_PROBLEM_TYPE));
    fields_add(&head.fields, bytes_of("x-content-type-options"), bytes_of("nosniff"));
    for (uint32_t i = 0; i < more.n; i++)
        fields_add(&head.fields, more.items[i].name, more.items[i].value);
    http2_send_head(&stream->base, &head, false);
    http2_send_body(&stream->base, bytes(text, size));
    http2_send_end(&stream->base, NULL);
    stream->released = true;
}
