/* Writes messages into a body. message_reader.c has a drawing of the frames. */
#include "base/text/base64.h"
#include "protocols/dialect/dialect.h"
#include "protocols/dialect/envelope.h"
#include "protocols/http/compression.h"

/* The five bytes of the head and the first byte of the payload are encoded together: six bytes are
   eight characters of base64 without padding. */
static void write_text(const uint8_t *head, Bytes payload, Buffer *out)
{
    uint8_t six[ENVELOPE_HEAD + 1];
    size_t first = payload.size ? 1 : 0;
    memcpy(six, head, ENVELOPE_HEAD);
    if (first)
        six[ENVELOPE_HEAD] = payload.data[0];
    base64_encode(out, bytes(six, ENVELOPE_HEAD + first), BASE64_STANDARD, true);
    if (payload.size > first)
        base64_encode(out, bytes_slice(payload, first, SIZE_MAX), BASE64_STANDARD, true);
}

void envelope_write(Dialect dialect, uint8_t flags, Bytes payload, Buffer *out)
{
    uint8_t head[ENVELOPE_HEAD];
    envelope_write_head(head, flags, payload.size);
    if (dialect == DIALECT_GRPC_WEB_TEXT) {
        write_text(head, payload, out);
    } else if (buffer_reserve(out, sizeof head + payload.size)) {
        buffer_add(out, head, sizeof head);
        buffer_add_bytes(out, payload);
    }
}

size_t message_frame_begin(Buffer *out)
{
    size_t at = out->size;
    if (buffer_reserve(out, ENVELOPE_HEAD))
        out->size += ENVELOPE_HEAD;
    return at;
}

Result message_frame_end(Buffer *out, size_t at)
{
    if (out->full)
        return OK;
    size_t size = out->size - at - ENVELOPE_HEAD;
    if (size > UINT32_MAX)
        return FAIL(out->arena, FAULT_MESSAGE_TOO_LARGE,
                    "a message of %zu bytes does not fit a frame", size);
    envelope_write_head(out->data + at, 0, size);
    return OK;
}

/* Without frames the head has named the compression, so every body is compressed, except an empty
   one. */
static Result write_unframed(Bytes message, Compression compression, bool compressed, Buffer *out)
{
    if (!compressed && message.size)
        return compress_message(out->arena, compression, message, out);
    buffer_add_bytes(out, message);
    return OK;
}

static Result write_framed(Dialect dialect, Bytes message, Compression compression, bool compressed,
                           Buffer *out)
{
    if (compressed || compression == COMPRESSION_IDENTITY || message.size == 0) {
        envelope_write(dialect, compressed ? ENVELOPE_COMPRESSED : 0, message, out);
        return OK;
    }
    Buffer smaller = buffer_in(out->arena);
    Result r = compress_message(out->arena, compression, message, &smaller);
    if (failed(r))
        return r;
    bool gained = smaller.size < message.size;
    envelope_write(dialect, gained ? ENVELOPE_COMPRESSED : 0,
                   gained ? buffer_bytes(&smaller) : message, out);
    return OK;
}

static Result write_message(Dialect dialect, Bytes message, Compression compression,
                            bool compressed, Buffer *out)
{
    switch (dialect) {
    case DIALECT_GRPC:
    case DIALECT_GRPC_WEB:
    case DIALECT_GRPC_WEB_TEXT:
    case DIALECT_CONNECT_STREAM:
        if (message.size > UINT32_MAX)
            return FAIL(out->arena, FAULT_MESSAGE_TOO_LARGE,
                        "a message of %zu bytes does not fit a frame", message.size);
        return write_framed(dialect, message, compression, compressed, out);
    case DIALECT_CONNECT:
    case DIALECT_REST:
    case DIALECT_HTTP: return write_unframed(message, compression, compressed, out);
    }
    return OK;
}

Result message_write(Dialect dialect, Bytes message, Compression compression, bool compressed,
                     Buffer *out)
{
    Result r = write_message(dialect, message, compression, compressed, out);
    if (!failed(r) && out->full)
        r = FAIL(out->arena, FAULT_OUT_OF_MEMORY, "writing a message of %zu bytes", message.size);
    return r;
}

static Result frame_unchanged(const Message *message, bool framed, FramedMessage *framed_out)
{
    *framed_out = (FramedMessage){.rest = message->bytes};
    if (!framed)
        return OK;
    envelope_write_head(framed_out->head, message->compressed ? ENVELOPE_COMPRESSED : 0,
                        message->bytes.size + message->left);
    framed_out->head_size = ENVELOPE_HEAD;
    return OK;
}

Result message_frame(Dialect dialect, const Message *message, Compression compression, Arena *arena,
                     FramedMessage *framed_out)
{
    bool framed = dialects_share_frames(dialect, dialect), unframed = !dialect_is_framed(dialect);
    bool unchanged =
        message->compressed || compression == COMPRESSION_IDENTITY || message->bytes.size == 0;
    if (unchanged && message->bytes.size <= UINT32_MAX && (framed || unframed))
        return frame_unchanged(message, framed, framed_out);
    Buffer out = buffer_in(arena);
    Result r = message_write(dialect, message->bytes, compression, message->compressed, &out);
    if (failed(r) && framed && r.error->fault == &FAULT_OUT_OF_MEMORY)
        return frame_unchanged(message, framed, framed_out);
    *framed_out = (FramedMessage){.rest = buffer_bytes(&out)};
    return r;
}
