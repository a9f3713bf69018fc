/*
 * The frames of HTTP/2 (RFC 9113 sections 4 and 6): frame headers, read and written, and the frames
 * of fixed size.
 *
 *      | length 24 | type 8 | flags 8 | 0 | stream 31 | payload ...
 */
#ifndef PROTOCOLS_FRAME_H
#define PROTOCOLS_FRAME_H

#include "protocols/http/http_queue.h"

enum {
    FRAME_HEAD = 9,             /* bytes of a frame header */
    FRAME_PAYLOAD_MOST = 16384, /* bytes; of frames that we accept and send (section 4.2) */
    WINDOW_DEFAULT = 65535,     /* bytes; the initial value (section 6.9.2) */
    WINDOW_MOST = 0x7fffffff,
    STREAM_MOST = 0x7fffffff,
    FRAME_PING_SIZE = 8,
};

typedef enum FrameType {
    FRAME_DATA,
    FRAME_HEADERS,
    FRAME_PRIORITY,
    FRAME_RST_STREAM,
    FRAME_SETTINGS,
    FRAME_PUSH_PROMISE,
    FRAME_PING,
    FRAME_GOAWAY,
    FRAME_WINDOW_UPDATE,
    FRAME_CONTINUATION,
} FrameType;

typedef enum FrameFlag {
    FRAME_ACK = 1,
    FRAME_END_STREAM = 1,
    FRAME_END_HEADERS = 4,
    FRAME_PADDED = 8,
    FRAME_WITH_PRIORITY = 32,
} FrameFlag;

typedef enum FrameSetting {
    SETTING_HEADER_TABLE_SIZE = 1,
    SETTING_ENABLE_PUSH = 2,
    SETTING_MAX_CONCURRENT_STREAMS = 3,
    SETTING_INITIAL_WINDOW_SIZE = 4,
    SETTING_MAX_FRAME_SIZE = 5,
    SETTING_MAX_HEADER_LIST_SIZE = 6,
} FrameSetting;

typedef struct Frame {
    uint32_t size; /* of the payload, bytes */
    uint8_t type, flags;
    uint32_t stream;
} Frame;

/* A big-endian number of `size` bytes. */
static inline uint32_t number_of(const uint8_t *at, int size)
{
    uint32_t n = 0;
    for (int i = 0; i < size; i++)
        n = n << 8 | at[i];
    return n;
}

/* Reads a frame header of FRAME_HEAD bytes. */
static inline Frame frame_read(const uint8_t *at)
{
    return (Frame){number_of(at, 3), at[3], at[4], number_of(at + 5, 4) & STREAM_MOST};
}

/* Writes FRAME_HEAD bytes and returns their end. */
static inline uint8_t *frame_write(uint8_t *at, Frame frame)
{
    const uint8_t head[FRAME_HEAD] = {
        (uint8_t)(frame.size >> 16),
        (uint8_t)(frame.size >> 8),
        (uint8_t)frame.size,
        frame.type,
        frame.flags,
        (uint8_t)(frame.stream >> 24),
        (uint8_t)(frame.stream >> 16),
        (uint8_t)(frame.stream >> 8),
        (uint8_t)frame.stream,
    };
    memcpy(at, head, sizeof head);
    return at + sizeof head;
}

typedef struct FrameSettingValue {
    FrameSetting setting;
    uint32_t value;
} FrameSettingValue;

/* Each appends one frame. `opaque`: FRAME_PING_SIZE bytes. `code`: an Http2Error. */
void frame_put_settings(HttpQueue *out, const FrameSettingValue *values, size_t n);
void frame_put_settings_ack(HttpQueue *out);
void frame_put_ping(HttpQueue *out, bool ack, const uint8_t *opaque);
/* `debug` is a text for the peer's operator; empty: none. */
void frame_put_goaway(HttpQueue *out, uint32_t last, uint32_t code, Bytes debug);
void frame_put_reset(HttpQueue *out, uint32_t stream, uint32_t code);
void frame_put_window_update(HttpQueue *out, uint32_t stream, uint32_t increment);

#endif
