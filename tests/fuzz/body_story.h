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

/* Adds a piece of a message, which as a whole tells the same as if it had come at once. `began`:
   where the message is, if this is not its first piece. Returns where, or 0 behind its last. */
static inline size_t body_story_piece(Buffer *told, size_t began, const Message *piece)
{
    size_t at = began ? began : told->size + 1;
    if (!began)
        body_story_message(told, 'm', piece->compressed, piece->bytes);
    else
        buffer_add_bytes(told, piece->bytes);
    return piece->left ? at : 0;
}

/* Adds each message and how the body ended. `cut`: where pieces end, by a little generator seeded
   with it, and large messages come in pieces; 0: the body in one piece. False when memory or a
   limit of it was met: then nothing can be said. */
static inline bool body_story(MessageReader *reader, Bytes body, uint32_t cut, Buffer *told)
{
    Message message;
    Result why = OK;
    MessageOutcome outcome = MESSAGE_MORE;
    size_t began = 0; /* the message of which only pieces have come */
    if (cut)
        reader->pieces_above = cut >> 16 & 63;
    do {
        cut = cut * 1664525 + 1013904223 * (cut != 0);
        size_t size = cut ? cut >> 24 & 31 : body.size;
        Bytes piece = bytes_slice(body, 0, size);
        body = bytes_slice(body, size, SIZE_MAX);
        do {
            /* Where it is cut, all whole messages are taken at once. */
            if (cut && dialects_share_frames(reader->dialect, DIALECT_GRPC)) {
                MessageRun run = message_reader_run(reader, SIZE_MAX, &piece);
                for (Bytes one; message_run_next(&run, &one);)
                    body_story_message(told, 'm', false, one);
            }
            outcome = message_reader_read(reader, &piece, &message, &why);
            if (outcome == MESSAGE_DONE || outcome == MESSAGE_END)
                body_story_message(told, outcome == MESSAGE_DONE ? 'm' : 'e', message.compressed,
                                   message.bytes);
            if (outcome == MESSAGE_PIECE)
                began = body_story_piece(told, began, &message);
        } while (outcome != MESSAGE_MORE && outcome != MESSAGE_FAILED);
        CHECK(outcome == MESSAGE_FAILED || piece.size == 0);
    } while (body.size && outcome != MESSAGE_FAILED);
    if (outcome != MESSAGE_FAILED)
        outcome = message_reader_finish(reader, &message, &why);
    if (began)
        told->size = began - 1;
    if (outcome == MESSAGE_DONE)
        buffer_add_bytes(told, message.bytes);
    buffer_add_byte(told, (uint8_t)outcome);
    CHECK((outcome == MESSAGE_FAILED) == failed(why));
    return !told->full && !(failed(why) && why.error->fault == &FAULT_OUT_OF_MEMORY);
}

#endif
