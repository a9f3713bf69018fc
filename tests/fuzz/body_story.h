/* What a body tells a MessageReader, as one text, wherever its pieces are cut: for fuzz targets. */
#ifndef TESTS_FUZZ_BODY_STORY_H
#define TESTS_FUZZ_BODY_STORY_H

#include "base/arena.h"
#include "protocols/dialect/dialect.h"

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
        while ((outcome = message_reader_read(reader, &piece, &message, &why)) == MESSAGE_DONE ||
               outcome == MESSAGE_END) {
            buffer_add_byte(told, outcome == MESSAGE_DONE ? 'm' : 'e');
            buffer_add_byte(told, message.compressed);
            buffer_add_bytes(told, message.bytes);
        }
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
