/* What a body tells a MessageReader, as one text, wherever its pieces are cut: for fuzz targets. */
#ifndef TESTS_FUZZ_BODY_STORY_H
#define TESTS_FUZZ_BODY_STORY_H

#include "base/arena.h"
#include "protocols/dialect/dialect.h"

static inline void body_story_message(Buffer *told, char what, bool compressed, Bytes message)
{
    buffer_add_byte(told, (uint8_t)what);
    buffer_add_byte(told, compressed);
    buffer_add_bytes(told, message);
}

/* Adds each message and how the body ended. `cut`: where pieces end, by a little generator seeded
   with it; 0: the body in one piece. False when memory or a limit of it was met: then nothing can
   be said. */
static inline bool body_story(MessageReader *reader, Bytes body, uint32_t cut, Buffer *told)
{
    Message message;
    Result why = OK;
    MessageOutcome outcome = MESSAGE_MORE;
    do {
        cut = cut * 1664525 + 1013904223 * (cut != 0);
        size_t size = cut ? cut >> 24 & 31 : body.size;
        Bytes piece = bytes_slice(body, 0, size);
        body = bytes_slice(body, size, SIZE_MAX);
        do {
            /* Where it is cut, all whole messages are taken at once. */
            if (cut && dialects_share_frames(reader->dialect, DIALECT_GRPC)) {
                MessageRun run = message_reader_run(reader, &piece);
                for (Bytes one; message_run_next(&run, &one);)
                    body_story_message(told, 'm', false, one);
            }
            outcome = message_reader_read(reader, &piece, &message, &why);
            if (outcome == MESSAGE_DONE || outcome == MESSAGE_END)
                body_story_message(told, outcome == MESSAGE_DONE ? 'm' : 'e', message.compressed,
                                   message.bytes);
        } while (outcome == MESSAGE_DONE || outcome == MESSAGE_END);
        CHECK(outcome == MESSAGE_FAILED || piece.size == 0);
    } while (body.size && outcome != MESSAGE_FAILED);
    if (outcome != MESSAGE_FAILED)
        outcome = message_reader_finish(reader, &message, &why);
    if (outcome == MESSAGE_DONE)
        buffer_add_bytes(told, message.bytes);
    buffer_add_byte(told, (uint8_t)outcome);
    CHECK((outcome == MESSAGE_FAILED) == failed(why));
    return !told->full && !(failed(why) && why.error->fault == &FAULT_OUT_OF_MEMORY);
}

#endif
