/*
 * Reads messages from a body that arrives in pieces.
 *
 *   gRPC, gRPC-Web, Connect streams:   | flags 1 | size 4, big-endian | payload | flags ...
 *   gRPC-Web-text:                     the same in base64, which may be padded after any quantum
 *   Connect unary, REST:               the whole body is one message
 *   REST streams of instances:         each line, or each piece as received
 *
 * A frame that is complete in the input is returned without a copy; an incomplete one is collected
 * in `partial`. Messages above `pieces_above` are not collected.
 */
#include "protocols/dialect/dialect.h"

#include "base/arena.h"
#include "base/text/base64.h"
#include "protocols/dialect/envelope.h"
#include "protocols/http/compression.h"

enum {
    FIRST_PART =
        16 * 1024, /* bytes of `partial` at first, for a message of unknown or larger size */
    FREE_GROWTH = 1 << 20, /* bytes of output to which most_growth does not apply */
    SMALLEST_END_LIMIT =
        1 << 20, /* bytes: end frames carry error details, even if `limit` is smaller */
};

void message_reader_init(MessageReader *reader, Dialect dialect, bool client,
                         Compression compression, size_t limit, Arena *arena)
{
    *reader = (MessageReader){
        .dialect = dialect,
        .client = client,
        .compression = compression,
        .limit = limit,
        .pieces_above = SIZE_MAX,
        .arena = arena,
        .partial = buffer_in(arena),
        .plain = buffer_in(arena),
    };
}

bool dialect_is_framed(Dialect dialect)
{
    switch (dialect) {
    case DIALECT_GRPC:
    case DIALECT_GRPC_WEB:
    case DIALECT_GRPC_WEB_TEXT:
    case DIALECT_CONNECT_STREAM: return true;
    case DIALECT_CONNECT:
    case DIALECT_REST:
    case DIALECT_HTTP: break;
    }
    return false;
}

/* ---- Failures -------------------------------------------------------------------------------- */

static const Fault *broken(const MessageReader *reader)
{
    return reader->client ? &FAULT_UPSTREAM_PROTOCOL : &FAULT_PROTOCOL_VIOLATION;
}

static Result too_large(const MessageReader *reader, size_t size, Arena *arena)
{
    const Fault *fault = reader->client ? &FAULT_UPSTREAM_TOO_LARGE : &FAULT_MESSAGE_TOO_LARGE;
    const char *limit = reader->limit_name;
    return FAIL_TELL(arena, *fault, "a message of %zu bytes or more; the limit is %zu%s%s%s", size,
                     reader->limit, limit ? " (" : "", limit ? limit : "", limit ? ")" : "");
}

static MessageOutcome fail_too_large(const MessageReader *reader, size_t size, Result *why_out)
{
    *why_out = too_large(reader, size, reader->arena);
    return MESSAGE_FAILED;
}

static MessageOutcome fail_memory(const MessageReader *reader, Result *why_out)
{
    *why_out = FAIL(reader->arena, FAULT_OUT_OF_MEMORY, "holding a message of %zu bytes so far",
                    reader->partial.size);
    return MESSAGE_FAILED;
}

static MessageOutcome fail_broken(const MessageReader *reader, const char *how, Result *why_out)
{
    *why_out = FAIL_TELL(reader->arena, *broken(reader), "%s body: %s",
                         dialect_name(reader->dialect), how);
    return MESSAGE_FAILED;
}

/* INTERNAL, as gRPC's compression.md and Connect have it. */
static MessageOutcome fail_unnamed(const MessageReader *reader, Result *why_out)
{
    const Fault *fault = reader->client ? &FAULT_UPSTREAM_PROTOCOL : &FAULT_UNNAMED_COMPRESSION;
    *why_out = FAIL_TELL(reader->arena, *fault,
                         "%s body: a message is marked as compressed, but no compression was named",
                         dialect_name(reader->dialect));
    return MESSAGE_FAILED;
}

/* ---- Compression ----------------------------------------------------------------------------- */

/* The most bytes that the payload may decompress to by most_growth. */
static size_t growth_limit(const MessageReader *reader, size_t payload)
{
    if (!reader->most_growth || payload > SIZE_MAX / reader->most_growth)
        return SIZE_MAX;
    size_t most = payload * reader->most_growth;
    return most > FREE_GROWTH ? most : FREE_GROWTH;
}

static Result grows_too_much(const MessageReader *reader, size_t payload, Arena *arena)
{
    return FAIL_TELL(arena, FAULT_MESSAGE_TOO_LARGE,
                     "a message of %zu bytes would be more than %u times larger when "
                     "decompressed (limits.compression_ratio)",
                     payload, reader->most_growth);
}

/* BAD_REQUEST rather than PROTOCOL_VIOLATION, as for a message that does not fit its type: the
   framing was right. */
static Result not_compressed(const MessageReader *reader, Arena *arena)
{
    const Fault *fault = reader->client ? &FAULT_UPSTREAM_PROTOCOL : &FAULT_BAD_REQUEST;
    return FAIL_TELL(arena, *fault, "%s body: a message cannot be decompressed",
                     dialect_name(reader->dialect));
}

static Result decompress(const MessageReader *reader, Bytes payload, size_t limit, Arena *arena,
                         Buffer *plain)
{
    size_t growth = growth_limit(reader, payload.size);
    switch (
        decompress_message(reader->compression, payload, growth < limit ? growth : limit, plain)) {
    case DECOMPRESSED: break;
    case DECOMPRESS_TOO_LARGE:
        return growth < limit ? grows_too_much(reader, payload.size, arena)
                              : too_large(reader, limit + 1, arena);
    case DECOMPRESS_BAD: return not_compressed(reader, arena);
    case DECOMPRESS_NO_MEMORY:
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "decompressing a message of %zu bytes",
                    payload.size);
    }
    return OK;
}

static MessageOutcome give_decompressed(MessageReader *reader, Bytes payload, size_t limit,
                                        MessageOutcome outcome, Message *message_out,
                                        Result *why_out)
{
    *why_out = decompress(reader, payload, limit, reader->arena, &reader->plain);
    if (failed(*why_out))
        return MESSAGE_FAILED;
    *message_out = (Message){.bytes = buffer_bytes(&reader->plain)};
    return outcome;
}

Result message_reader_decompress(const MessageReader *reader, Bytes compressed, Arena *arena,
                                 Bytes *plain_out)
{
    Buffer plain = buffer_in(arena);
    Result r = decompress(reader, compressed, reader->limit, arena, &plain);
    *plain_out = buffer_bytes(&plain);
    return r;
}

bool message_reader_decompress_small(const MessageReader *reader, Bytes compressed, size_t most,
                                     Arena *arena, Bytes *plain_out)
{
    Buffer plain = buffer_in(arena);
    size_t growth = growth_limit(reader, compressed.size);
    if (most > reader->limit)
        most = reader->limit;
    bool small =
        decompress_small(reader->compression, compressed, most < growth ? most : growth, &plain);
    *plain_out = buffer_bytes(&plain);
    return small;
}

static MessageOutcome give(MessageReader *reader, Bytes payload, bool compressed,
                           Message *message_out, Result *why_out)
{
    compressed &= payload.size != 0; /* an empty message is never compressed */
    if (compressed && !reader->keep_compressed)
        return give_decompressed(reader, payload, reader->limit, MESSAGE_DONE, message_out,
                                 why_out);
    *message_out = (Message){.bytes = payload, .compressed = compressed};
    return MESSAGE_DONE;
}

/* ---- Frames ---------------------------------------------------------------------------------- */

static size_t end_limit(const MessageReader *reader)
{
    return reader->limit > SMALLEST_END_LIMIT ? reader->limit : SMALLEST_END_LIMIT;
}

/* The flag of the end frame if this reader expects one; else 0. */
static uint8_t end_flag(const MessageReader *reader)
{
    if (!reader->client)
        return 0;
    return envelope_end_flag(reader->dialect);
}

static bool is_end(const MessageReader *reader)
{
    return (reader->head[0] & end_flag(reader)) != 0;
}

/* Checks the complete head of a frame. */
static MessageOutcome check_head(const MessageReader *reader, Result *why_out)
{
    uint8_t flags = reader->head[0];
    size_t size = envelope_size(reader->head);
    if (reader->ended)
        return fail_broken(reader, "there are bytes after the end frame", why_out);
    if (flags & ~(ENVELOPE_COMPRESSED | end_flag(reader)))
        return fail_broken(reader, "a frame has unknown flags", why_out);
    if ((flags & ENVELOPE_COMPRESSED) && reader->compression == COMPRESSION_IDENTITY)
        return fail_unnamed(reader, why_out);
    if (size > (is_end(reader) ? end_limit(reader) : reader->limit))
        return fail_too_large(reader, size, why_out);
    return MESSAGE_DONE;
}

/* The payload of the frame is complete. */
static MessageOutcome finish_frame(MessageReader *reader, Bytes payload, Message *message_out,
                                   Result *why_out)
{
    bool compressed = reader->head[0] & ENVELOPE_COMPRESSED;
    reader->head_size = 0;
    if (!is_end(reader))
        return give(reader, payload, compressed, message_out, why_out);
    reader->ended = true;
    if (compressed)
        return give_decompressed(reader, payload, end_limit(reader), MESSAGE_END, message_out,
                                 why_out);
    *message_out = (Message){.bytes = payload};
    return MESSAGE_END;
}

static bool grow_partial(Buffer *partial, size_t capacity)
{
    uint8_t *grown = arena_grow(partial->arena, partial->data, partial->size, capacity);
    if (!grown)
        return false;
    partial->data = grown;
    partial->capacity = capacity;
    return true;
}

/* Room in `partial` for what came: in steps of two, so that a peer that only announces much gets
   little, and exactly the frame's size at last. */
static bool reserve_partial(Buffer *partial, size_t more, size_t whole)
{
    size_t least = partial->size + more;
    if (partial->capacity >= least)
        return true;
    size_t wanted = partial->capacity * 2;
    if (wanted < FIRST_PART)
        wanted = FIRST_PART;
    if (wanted < least)
        wanted = least;
    return grow_partial(partial, wanted < whole ? wanted : whole);
}

/* What the message at hand may become; 0: none is begun, or it is not put together. */
static size_t whole_size(const MessageReader *reader)
{
    if (!dialect_is_framed(reader->dialect))
        return reader->partial.size ? reader->limit : 0;
    return reader->head_size == sizeof reader->head && !reader->left ? envelope_size(reader->head)
                                                                     : 0;
}

size_t message_reader_wants(const MessageReader *reader)
{
    size_t has = reader->partial.capacity, whole = whole_size(reader);
    if (whole <= has)
        return 0;
    if (reader->client && dialect_is_framed(reader->dialect))
        return whole - has;
    if (reader->partial.size < has / 2)
        return 0;
    return has < whole - has ? has : whole - has;
}

void message_reader_take_room(MessageReader *reader)
{
    (void)grow_partial(&reader->partial, reader->partial.capacity + message_reader_wants(reader));
}

static Bytes take(Bytes *input, size_t size)
{
    Bytes taken = bytes(input->data, size);
    if (size)
        *input = bytes(input->data + size, input->size - size);
    return taken;
}

/* Completes the frame head. DONE: it is complete and valid. */
static MessageOutcome read_head(MessageReader *reader, Bytes *input, Result *why_out)
{
    if (reader->head_size == sizeof reader->head)
        return MESSAGE_DONE;
    size_t missing = sizeof reader->head - reader->head_size;
    Bytes part = take(input, input->size < missing ? input->size : missing);
    if (part.size)
        memcpy(reader->head + reader->head_size, part.data, part.size);
    reader->head_size += (uint8_t)part.size;
    if (reader->head_size < sizeof reader->head)
        return MESSAGE_MORE;
    return check_head(reader, why_out);
}

/* Whether a message, of which only the frame head was read, is returned in pieces. */
static bool begins_pieces(const MessageReader *reader, size_t size)
{
    bool opened = (reader->head[0] & ENVELOPE_COMPRESSED) && !reader->keep_compressed;
    return size > reader->pieces_above && !opened && !is_end(reader);
}

static MessageOutcome read_piece_of_frame(MessageReader *reader, Bytes *input, Message *message_out)
{
    Bytes piece = take(input, input->size < reader->left ? input->size : reader->left);
    if (!piece.size)
        return MESSAGE_MORE;
    reader->left -= piece.size;
    *message_out = (Message){
        .bytes = piece,
        .compressed = reader->head[0] & ENVELOPE_COMPRESSED,
        .left = reader->left,
    };
    if (!reader->left)
        reader->head_size = 0;
    return MESSAGE_PIECE;
}

static MessageOutcome read_frame(MessageReader *reader, Bytes *input, Message *message_out,
                                 Result *why_out)
{
    if (reader->left)
        return read_piece_of_frame(reader, input, message_out);
    MessageOutcome outcome = read_head(reader, input, why_out);
    if (outcome != MESSAGE_DONE)
        return outcome;

    Buffer *partial = &reader->partial;
    size_t size = envelope_size(reader->head), missing = size - partial->size;
    if (begins_pieces(reader, size)) {
        reader->left = size;
        return read_piece_of_frame(reader, input, message_out);
    }
    if (partial->size == 0 && input->size >= size)
        return finish_frame(reader, take(input, size), message_out, why_out);
    Bytes part = take(input, input->size < missing ? input->size : missing);
    if (!reserve_partial(partial, part.size, size))
        return fail_memory(reader, why_out);
    buffer_add_bytes(partial, part);
    if (partial->size < size)
        return MESSAGE_MORE;
    Bytes payload = buffer_bytes(partial);
    partial->size = 0; /* the bytes stay until the next read */
    return finish_frame(reader, payload, message_out, why_out);
}

Bytes message_reader_keep(MessageReader *reader, Bytes message)
{
    Buffer *memory = message.data == reader->plain.data ? &reader->plain : &reader->partial;
    if (!message.size || message.data != memory->data)
        return bytes_copy(reader->arena, message);
    *memory = buffer_in(reader->arena);
    return message;
}

bool message_reader_holds(const MessageReader *reader, Bytes message)
{
    return message.size && message.data == reader->partial.data;
}

/* ---- Runs ------------------------------------------------------------------------------------ */

static bool has_plain_frames(Dialect dialect)
{
    return dialect_is_framed(dialect) && dialect != DIALECT_GRPC_WEB_TEXT;
}

bool dialects_share_frames(Dialect one, Dialect other)
{
    return has_plain_frames(one) && has_plain_frames(other);
}

MessageRun message_reader_run(const MessageReader *reader, size_t most, Bytes *input)
{
    size_t limit = most < reader->limit ? most : reader->limit;
    MessageRun run = {.n = 0};
    const uint8_t *at = input->data;
    size_t left = input->size;
    while (!reader->head_size && !reader->ended && left >= ENVELOPE_HEAD && !at[0]) {
        size_t size = envelope_size(at);
        if (size > limit || size > left - ENVELOPE_HEAD)
            break;
        at += ENVELOPE_HEAD + size;
        left -= ENVELOPE_HEAD + size;
        run.n++;
    }
    run.frames = take(input, input->size - left);
    return run;
}

bool message_run_next(MessageRun *run, Bytes *message_out)
{
    if (!run->n)
        return false;
    size_t size = envelope_size(run->frames.data);
    *message_out = bytes(run->frames.data + ENVELOPE_HEAD, size);
    size += ENVELOPE_HEAD;
    run->frames = bytes(run->frames.data + size, run->frames.size - size);
    run->n--;
    return true;
}

/* ---- gRPC-Web-text --------------------------------------------------------------------------- */

/* How far the base64 is decoded. */
struct WebText {
    uint32_t bits; /* the current quantum */
    uint8_t count, pads;
    bool bad;     /* the input after `left` is not base64 */
    Buffer piece; /* the latest one, decoded */
    Bytes left;   /* the part of it that is not yet read */
};

/* Decodes one character. False: it is not allowed there. */
static bool add_character(struct WebText *text, uint8_t c)
{
    uint8_t value = base64_value(c);
    if (c == '=') {
        if (text->count < 2)
            return false;
        text->pads++;
        value = 0;
    } else if (value > 63 || text->pads) {
        return false;
    }
    text->bits = text->bits << 6 | value;
    if (++text->count < 4)
        return true;

    uint8_t three[] = {(uint8_t)(text->bits >> 16), (uint8_t)(text->bits >> 8),
                       (uint8_t)text->bits};
    buffer_add(&text->piece, three, 3u - text->pads);
    text->count = text->pads = 0;
    text->bits = 0;
    return true;
}

/* Decodes the whole piece, or the part before an invalid character. */
static void decode_piece(struct WebText *text, Bytes *input)
{
    Bytes piece = take(input, input->size);
    text->piece.size = 0;
    for (size_t i = 0; i < piece.size && !text->bad; i++)
        text->bad = !add_character(text, piece.data[i]);
    text->left = buffer_bytes(&text->piece);
}

static bool begin_text(MessageReader *reader)
{
    reader->text = arena_make(reader->arena, struct WebText);
    if (reader->text)
        reader->text->piece = buffer_in(reader->arena);
    return reader->text;
}

/* First reads what is left of the previous piece. */
static MessageOutcome read_text(MessageReader *reader, Bytes *input, Message *message_out,
                                Result *why_out)
{
    if (!reader->text && !begin_text(reader))
        return fail_memory(reader, why_out);
    struct WebText *text = reader->text;
    for (;;) {
        MessageOutcome outcome = read_frame(reader, &text->left, message_out, why_out);
        if (outcome != MESSAGE_MORE)
            return outcome;
        if (text->bad)
            return fail_broken(reader, "the body is not base64", why_out);
        if (input->size == 0)
            return MESSAGE_MORE;
        decode_piece(text, input);
        if (text->piece.full)
            return fail_memory(reader, why_out);
    }
}

/* ---- Bodies without frames ------------------------------------------------------------------- */

static MessageOutcome read_part(MessageReader *reader, Bytes *input, Result *why_out)
{
    Bytes part = take(input, input->size);
    if (part.size > reader->limit || reader->partial.size > reader->limit - part.size)
        return fail_too_large(reader, reader->partial.size + part.size, why_out);
    if (!reserve_partial(&reader->partial, part.size, reader->limit))
        return fail_memory(reader, why_out);
    buffer_add_bytes(&reader->partial, part);
    return MESSAGE_MORE;
}

/* Removes CR and blanks. False: the line is blank. */
static bool give_line(Bytes line, Message *message_out)
{
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    *message_out = (Message){.bytes = bytes_trim(line)};
    return message_out->bytes.size > 0;
}

/* A line that is complete in the input is not copied. */
static MessageOutcome read_line(MessageReader *reader, Bytes *input, Message *message_out,
                                Result *why_out)
{
    while (input->size) {
        size_t end = bytes_find(*input, '\n');
        bool whole = end < input->size;
        if (reader->partial.size + end > reader->limit)
            return fail_too_large(reader, reader->partial.size + end, why_out);
        Bytes line = take(input, end);
        if (whole)
            take(input, 1);
        if (reader->partial.size || !whole) {
            if (!reserve_partial(&reader->partial, line.size, reader->limit))
                return fail_memory(reader, why_out);
            buffer_add_bytes(&reader->partial, line);
            line = buffer_bytes(&reader->partial);
        }
        if (!whole)
            return MESSAGE_MORE;
        reader->partial.size = 0; /* the bytes stay until the next read */
        if (give_line(line, message_out))
            return MESSAGE_DONE;
    }
    return MESSAGE_MORE;
}

static MessageOutcome read_piece(const MessageReader *reader, Bytes *input, Message *message_out)
{
    *message_out =
        (Message){.bytes = take(input, input->size < reader->limit ? input->size : reader->limit)};
    return message_out->bytes.size ? MESSAGE_DONE : MESSAGE_MORE;
}

MessageOutcome message_reader_read(MessageReader *reader, Bytes *input, Message *message_out,
                                   Result *why_out)
{
    *why_out = OK;
    if (reader->dialect == DIALECT_GRPC_WEB_TEXT)
        return read_text(reader, input, message_out, why_out);
    if (dialect_is_framed(reader->dialect))
        return read_frame(reader, input, message_out, why_out);
    switch (reader->unframed) {
    case UNFRAMED_LINES: return read_line(reader, input, message_out, why_out);
    case UNFRAMED_PIECES: return read_piece(reader, input, message_out);
    case UNFRAMED_WHOLE: break;
    }
    return read_part(reader, input, why_out);
}

MessageOutcome message_reader_finish(MessageReader *reader, Message *message_out, Result *why_out)
{
    *why_out = OK;
    if (reader->unframed == UNFRAMED_LINES) {
        Bytes line = buffer_bytes(&reader->partial);
        reader->partial.size = 0; /* it is given once */
        return give_line(line, message_out) ? MESSAGE_DONE : MESSAGE_MORE;
    }
    if (reader->unframed == UNFRAMED_PIECES)
        return MESSAGE_MORE;
    if (!dialect_is_framed(reader->dialect))
        return give(reader, buffer_bytes(&reader->partial),
                    reader->compression != COMPRESSION_IDENTITY, message_out, why_out);
    if (reader->head_size || (reader->text && reader->text->count))
        return fail_broken(reader, "the body ends within a frame", why_out);
    return MESSAGE_MORE;
}
