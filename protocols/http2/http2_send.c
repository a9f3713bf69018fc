#include "protocols/http2/http2.h"

#include "base/text/date.h"
#include "base/text/decimal.h"
#include "protocols/http/http_rules.h"

#include <stdlib.h>

/* ---- Turns ----------------------------------------------------------------------------------- */

void http2_turns_add(Http2Turns *turns, Http2Stream *stream)
{
    stream->turns = turns;
    stream->before = turns->last;
    stream->behind = NULL;
    if (turns->last)
        turns->last->behind = stream;
    else
        turns->first = stream;
    turns->last = stream;
}

void http2_turns_remove(Http2Stream *stream)
{
    Http2Turns *turns = stream->turns;
    if (!turns)
        return;
    if (stream->before)
        stream->before->behind = stream->behind;
    else
        turns->first = stream->behind;
    if (stream->behind)
        stream->behind->before = stream->before;
    else
        turns->last = stream->before;
    stream->turns = NULL;
}

void http2_turns_return(Http2Turns *into, Http2Turns *from)
{
    if (!from->first)
        return;
    for (Http2Stream *stream = from->first; stream; stream = stream->behind)
        stream->turns = into;
    from->last->behind = into->first;
    if (into->first)
        into->first->before = from->last;
    else
        into->last = from->last;
    into->first = from->first;
    *from = (Http2Turns){0};
}

/* ---- Header blocks --------------------------------------------------------------------------- */

/* A header block that is being written: directly to `out` if it fits into one chunk. */
typedef struct Block {
    Http2 *http2;
    uint8_t *start, *at;
    uint8_t *large; /* a separate buffer, owned; NULL: in `out` */
} Block;

static size_t most_of_fields(const Fields *fields)
{
    size_t size = 0;
    for (uint32_t i = 0; i < fields->n; i++)
        size += fields->items[i].name.size + fields->items[i].value.size + HPACK_FIELD_EXTRA;
    return size;
}

/* `most`: bytes that the encoded fields can take. */
static Block block_begin(Http2 *http2, size_t most)
{
    Block block = {.http2 = http2};
    most += FRAME_HEAD + HPACK_BEGIN_MOST;
    http2_before_frame(http2);
    if (most > HTTP_CHUNK_LARGEST) {
        block.large = malloc(most);
        CHECK(block.large);
    }
    block.start = block.large ? block.large : http_queue_room(&http2->out, most);
    block.at = hpack_encode_begin(&http2->encoder, block.start + FRAME_HEAD);
    return block;
}

/* Nothing is added if the field may not go out. */
static void block_add(Block *block, const Field *field)
{
    block->at = hpack_encode(&block->http2->encoder, block->at, field, http_may_go_out);
}

static void block_add_known(Block *block, uint32_t known, Bytes value)
{
    block->at = hpack_encode_known(&block->http2->encoder, block->at, known, value);
}

/* Writes a block as HEADERS and CONTINUATION frames of the default maximum size. */
static void put_pieces(HttpQueue *out, Bytes text, uint32_t stream, uint8_t flags)
{
    Frame frame = {.type = FRAME_HEADERS, .flags = flags, .stream = stream};
    do {
        uint8_t head[FRAME_HEAD];
        Bytes piece = bytes_slice(text, 0, FRAME_PAYLOAD_MOST);
        text = bytes_slice(text, piece.size, SIZE_MAX);
        frame.size = (uint32_t)piece.size;
        if (text.size == 0)
            frame.flags |= FRAME_END_HEADERS;
        frame_write(head, frame);
        http_queue_add(out, bytes(head, sizeof head));
        http_queue_add(out, piece);
        frame.type = FRAME_CONTINUATION;
        frame.flags = 0;
    } while (text.size);
}

static void block_end(Block *block, uint32_t stream, bool end)
{
    HttpQueue *out = &block->http2->out;
    size_t size = (size_t)(block->at - block->start);
    uint8_t flags = end ? FRAME_END_STREAM : 0;
    if (block->large) {
        put_pieces(out, bytes(block->start + FRAME_HEAD, size - FRAME_HEAD), stream, flags);
        free(block->large);
        return;
    }
    frame_write(block->start, (Frame){.size = (uint32_t)size - FRAME_HEAD,
                                      .type = FRAME_HEADERS,
                                      .flags = flags | FRAME_END_HEADERS,
                                      .stream = stream});
    http_queue_added(out, size);
}

/* ---- Trailers -------------------------------------------------------------------------------- */

/* Trailers that wait until the queue is empty, in one chunk: the fields, then their bytes; or the
   block that they are encoded in. */
typedef struct Http2Trailers {
    Fields fields;
    Bytes block; /* data NULL: none */
    Field items[];
} Http2Trailers;

static bool may_be_trailer(const Field *field)
{
    return http_may_go_out(field) && !http_is_barred_from_trailers(field->name);
}

/* Whether one may be sent. Else DATA ends the stream: HEADERS without a field say nothing. */
static bool has_trailers(const Fields *fields)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        if (may_be_trailer(&fields->items[i]))
            return true;
    }
    return false;
}

static HttpChunk *keep_trailers(const Fields *fields)
{
    size_t size = sizeof(Http2Trailers) + fields->n * sizeof(Field);
    for (uint32_t i = 0; i < fields->n; i++)
        size += fields->items[i].name.size + fields->items[i].value.size;
    HttpChunk *chunk = http_chunk_take(size);
    Http2Trailers *trailers = (Http2Trailers *)(void *)chunk->data;
    uint8_t *text = (uint8_t *)(trailers->items + fields->n);
    *trailers = (Http2Trailers){.fields = {.items = trailers->items, .n = fields->n}};
    for (uint32_t i = 0; i < fields->n; i++) {
        Field from = fields->items[i];
        trailers->items[i] =
            (Field){bytes(text, from.name.size), bytes(text + from.name.size, from.value.size)};
        text = bytes_put(bytes_put(text, from.name), from.value);
    }
    return chunk;
}

static HttpChunk *keep_block(Bytes block)
{
    HttpChunk *chunk = http_chunk_take(sizeof(Http2Trailers) + block.size);
    Http2Trailers *trailers = (Http2Trailers *)(void *)chunk->data;
    uint8_t *text = (uint8_t *)trailers->items;
    bytes_put(text, block);
    *trailers = (Http2Trailers){.block = bytes(text, block.size)};
    return chunk;
}

static void put_block(Http2 *http2, Http2Stream *stream, Bytes encoded, bool end)
{
    Block block = block_begin(http2, encoded.size);
    block.at = bytes_put(block.at, encoded);
    block_end(&block, stream->id, end);
}

static void put_trailers(Http2 *http2, Http2Stream *stream, const Http2Trailers *trailers)
{
    const Fields *fields = &trailers->fields;
    if (trailers->block.data) {
        put_block(http2, stream, trailers->block, true);
        http2_stream_end_sent(http2, stream);
        return;
    }
    Block block = block_begin(http2, most_of_fields(fields));
    for (uint32_t i = 0; i < fields->n; i++) {
        if (!http_is_barred_from_trailers(fields->items[i].name))
            block_add(&block, &fields->items[i]);
    }
    block_end(&block, stream->id, true);
    http2_stream_end_sent(http2, stream);
}

/* ---- DATA ------------------------------------------------------------------------------------ */

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

static void put_data(Http2 *http2, Http2Stream *stream, uint32_t size, bool end)
{
    uint8_t head[FRAME_HEAD];
    frame_write(head, (Frame){.size = size,
                              .type = FRAME_DATA,
                              .flags = end ? FRAME_END_STREAM : 0,
                              .stream = stream->id});
    http_queue_add(&http2->out, bytes(head, sizeof head));
    http_queue_move(&http2->out, &stream->queue, size);
    http2->out_window -= (int32_t)size;
    stream->out -= (int32_t)size;
    http2->base.progress += size;
    http2_watch_sent(&http2->watch, size, stream->queue.size == 0, http2->now);
    note_drain(http2, stream);
}

/* The queue is empty: sends what follows it, trailers, END_STREAM or RST_STREAM. */
static void finish(Http2 *http2, Http2Stream *stream)
{
    if (stream->ended && stream->trailers) {
        HttpChunk *chunk = stream->trailers;
        stream->trailers = NULL;
        put_trailers(http2, stream, (const Http2Trailers *)(const void *)chunk->data);
        http_chunk_give(chunk);
    } else if (stream->ended) {
        put_data(http2, stream, 0, true);
        http2_stream_end_sent(http2, stream);
    } else if (stream->cut) {
        http2_stream_reset(http2, stream, stream->cut_code);
    }
}

/* Writes one frame of a stream. If it has more to send it goes to the end of `ready`, or to
   `stalled`; if its own window is used up, to no list, until the window grows. */
static void take_turn(Http2 *http2, Http2Stream *stream)
{
    size_t size = stream->queue.size;
    if (size == 0) {
        finish(http2, stream);
        return;
    }
    if (http2->out_window <= 0) {
        http2_turns_add(&http2->stalled, stream);
        return;
    }
    if (stream->out <= 0)
        return;
    if (size > FRAME_PAYLOAD_MOST)
        size = FRAME_PAYLOAD_MOST;
    if (size > (size_t)stream->out)
        size = (size_t)stream->out;
    if (size > (size_t)http2->out_window)
        size = (size_t)http2->out_window;
    bool whole = size == stream->queue.size, end = whole && stream->ended && !stream->trailers;
    put_data(http2, stream, (uint32_t)size, end);
    if (!whole)
        http2_turns_add(&http2->ready, stream);
    else if (end)
        http2_stream_end_sent(http2, stream);
    else
        finish(http2, stream);
}

void http2_gather(Http2 *http2)
{
    while (!http2->over && http2->out.size < HTTP2_OUT_MOST && http2->ready.first) {
        Http2Stream *stream = http2->ready.first;
        http2_turns_remove(stream);
        take_turn(http2, stream);
    }
}

void http2_resume(Http2 *http2, Http2Stream *stream)
{
    if (!stream->turns && (stream->out > 0 || stream->queue.size == 0))
        http2_turns_add(&http2->ready, stream);
    http2_wake(http2);
}

/* ---- Heads ----------------------------------------------------------------------------------- */

static size_t most_of_head(const HttpHead *head)
{
    enum { PSEUDO_LENGTH_AND_DATE = 6 };
    return most_of_fields(&head->fields) + head->method.size + head->scheme.size +
           head->authority.size + head->path.size + strlen("https") + 2 * DECIMAL_SIZE +
           DATE_HTTP_SIZE + PSEUDO_LENGTH_AND_DATE * (HPACK_FIELD_EXTRA + sizeof "content-length");
}

static void block_add_head(Block *block, const HttpHead *head, bool client)
{
    if (head->content_length >= 0) {
        char length[DECIMAL_SIZE];
        size_t size = decimal_write((uint64_t)head->content_length, length);
        block_add_known(block, HPACK_CONTENT_LENGTH, bytes(length, size));
    }
    for (uint32_t i = 0; i < head->fields.n; i++) {
        const Field *field = &head->fields.items[i];
        if (!(client && bytes_are(field->name, "host")))
            block_add(block, field);
    }
}

static void block_add_method(Block *block, Bytes method)
{
    if (bytes_are(method, "POST"))
        block->at = hpack_encode_static(block->at, HPACK_METHOD_POST);
    else if (bytes_are(method, "GET"))
        block->at = hpack_encode_static(block->at, HPACK_METHOD_GET);
    else
        block_add_known(block, HPACK_METHOD_GET, method);
}

static void block_add_scheme(Block *block, Bytes scheme)
{
    if (bytes_are(scheme, "http"))
        block->at = hpack_encode_static(block->at, HPACK_SCHEME_HTTP);
    else if (bytes_are(scheme, "https"))
        block->at = hpack_encode_static(block->at, HPACK_SCHEME_HTTPS);
    else
        block_add_known(block, HPACK_SCHEME_HTTP, scheme);
}

static void block_add_path(Block *block, Bytes path)
{
    if (bytes_are(path, "/"))
        block->at = hpack_encode_static(block->at, HPACK_PATH);
    else
        block_add_known(block, HPACK_PATH, path);
}

static void note_latest(Http2 *http2, Http2Stream *stream, const HpackMark *before, bool large)
{
    http2->latest = (Http2Latest){
        .stream = large ? NULL : stream,
        .before = *before,
        .end = http2_put_in(http2),
    };
}

bool http2_take_back(Http2 *http2, Http2Stream *stream)
{
    Http2Latest *latest = &http2->latest;
    if (latest->stream != stream || latest->end != http2_put_in(http2) ||
        !hpack_encoder_rewind(&http2->encoder, &latest->before))
        return false;
    http_queue_cut(&http2->out, (size_t)(latest->end - stream->mark));
    http2->next_id = stream->id;
    latest->stream = NULL;
    return true;
}

HttpStream *http2_open(HttpConnection *base, const HttpHead *head, bool end,
                       const HttpStreamEvents *events, void *owner)
{
    Http2 *http2 = http2_of(base);
    Http2Stream *stream = http2_stream_new(http2, http2->next_id);
    http2->next_id += 2;
    stream->base.events = events;
    stream->base.owner = owner;
    stream->mark = http2_put_in(http2);
    stream->head_request = bytes_are(head->method, "HEAD");
    stream->head_sent = true;
    stream->ended = end;

    HpackMark before = hpack_encoder_mark(&http2->encoder);
    Block block = block_begin(http2, most_of_head(head));
    block_add_method(&block, head->method);
    block_add_scheme(&block,
                     head->scheme.size ? head->scheme : bytes_of(base->secure ? "https" : "http"));
    block_add_known(&block, HPACK_AUTHORITY, head->authority);
    block_add_path(&block, head->path);
    block_add_head(&block, head, true);
    block_end(&block, stream->id, end);
    note_latest(http2, stream, &before, block.large);
    if (end)
        http2_stream_end_sent(http2, stream);
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

static void block_add_status(Block *block, unsigned status)
{
    static const uint16_t known[] = {200, 204, 206, 304, 400, 404, 500};
    for (uint32_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i] == status) {
            block->at = hpack_encode_static(block->at, HPACK_STATUS + i);
            return;
        }
    }
    char digits[DECIMAL_SIZE];
    block_add_known(block, HPACK_STATUS, bytes(digits, decimal_write(status, digits)));
}

void http2_send_head(HttpStream *base, const HttpHead *head, bool end)
{
    Http2 *http2 = http2_of(base->connection);
    Http2Stream *stream = (Http2Stream *)base;
    if (!may_send(stream) || stream->head_sent || http2->base.client)
        return;
    bool final = head->status >= 200;
    Block block = block_begin(http2, most_of_head(head));
    block_add_status(&block, head->status);
    if (final) {
        Bytes date = http_connection_date(&http2->base, &head->fields);
        if (date.data)
            block_add_known(&block, HPACK_DATE, date);
    }
    block_add_head(&block, head, false);
    stream->head_sent = final;
    stream->no_body = has_no_body(stream, head->status);
    stream->ended = final && (end || stream->no_body);
    block_end(&block, stream->id, stream->ended);
    if (final)
        stream->mark = http2_put_in(http2);
    if (stream->ended)
        http2_stream_end_sent(http2, stream);
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
    http2_resume(http2, stream);
}

void http2_send_end(HttpStream *base, const Fields *trailers)
{
    Http2 *http2 = http2_of(base->connection);
    Http2Stream *stream = (Http2Stream *)base;
    if (!may_send(stream) || !stream->head_sent || stream->ended)
        return;
    stream->ended = true;
    if (trailers && has_trailers(trailers))
        stream->trailers = keep_trailers(trailers);
    http2_resume(http2, stream);
}

/* END_STREAM follows when the turn's input is read: by then the request has mostly ended, too. */
bool http2_send_ready(HttpStream *base, const HttpReady *ready)
{
    Http2 *http2 = http2_of(base->connection);
    Http2Stream *stream = (Http2Stream *)base;
    if (!ready->block.data || (ready->trailers && !ready->last.data) || http2->base.client)
        return false;
    if (!may_send(stream) || stream->head_sent)
        return true;
    put_block(http2, stream, ready->block, has_no_body(stream, ready->head.status));
    stream->head_sent = true;
    stream->no_body = stream->ended = has_no_body(stream, ready->head.status);
    stream->mark = http2_put_in(http2);
    if (stream->ended) {
        http2_stream_end_sent(http2, stream);
        http2_wake(http2);
        return true;
    }
    if (ready->body.size)
        http_queue_add(&stream->queue, ready->body);
    if (ready->last.size)
        stream->trailers = keep_block(ready->last);
    stream->ended = true;
    http2_resume(http2, stream);
    return true;
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
}
