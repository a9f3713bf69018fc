#include "gateway/rest/framing.h"

#include "gateway/rest/http_body.h"

static Compression compression_for(const Framing *framing, size_t size)
{
    bool worth_it = size && (framing->always || size >= framing->least);
    return worth_it ? framing->compression : COMPRESSION_IDENTITY;
}

static Result frame(const Framing *framing, Arena *arena, Framed *framed)
{
    return message_frame(framing->dialect, &framed->message, framed->compression, arena,
                         &framed->frame);
}

Result framing_apply(const Framing *framing, Message message, Arena *arena, Framed *framed)
{
    framed->message = message;
    if (framing->raw)
        framed->message.bytes =
            http_body_unwrap(framing->raw, framing->rule, message.bytes, &framed->content_type);
    if (framing->empty)
        framed->message.bytes = BYTES_NONE;
    framed->compression = compression_for(framing, framed->message.bytes.size);
    if (framing->bare)
        return OK;
    Result r = frame(framing, arena, framed);
    if (!failed(r) || framing->always || r.error->fault != &FAULT_OUT_OF_MEMORY)
        return r;
    framed->compression = COMPRESSION_IDENTITY;
    return frame(framing, arena, framed);
}

bool framing_is_light(const Framing *framing, Message message)
{
    bool plain =
        message.compressed || compression_for(framing, message.bytes.size) == COMPRESSION_IDENTITY;
    return framing->bare || (plain && framing->dialect != DIALECT_GRPC_WEB_TEXT);
}
