#include "protocols/http2/frame.h"

enum { SETTING_SIZE = 6 };

static uint8_t *put_number(uint8_t *at, uint32_t number)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(number >> shift);
    return at;
}

/* Appends a frame header; returns the room for the payload. */
static uint8_t *begin(HttpQueue *out, Frame frame)
{
    uint8_t *at = http_queue_room(out, FRAME_HEAD + frame.size);
    http_queue_added(out, FRAME_HEAD + frame.size);
    return frame_write(at, frame);
}

void frame_put_settings(HttpQueue *out, const FrameSettingValue *values, size_t n)
{
    uint8_t *at = begin(out, (Frame){.size = (uint32_t)n * SETTING_SIZE, .type = FRAME_SETTINGS});
    for (size_t i = 0; i < n; i++) {
        *at++ = 0;
        *at++ = (uint8_t)values[i].setting;
        at = put_number(at, values[i].value);
    }
}

void frame_put_settings_ack(HttpQueue *out)
{
    begin(out, (Frame){.type = FRAME_SETTINGS, .flags = FRAME_ACK});
}

void frame_put_ping(HttpQueue *out, bool ack, const uint8_t *opaque)
{
    uint8_t *at = begin(
        out, (Frame){.size = FRAME_PING_SIZE, .type = FRAME_PING, .flags = ack ? FRAME_ACK : 0});
    memcpy(at, opaque, FRAME_PING_SIZE);
}

void frame_put_goaway(HttpQueue *out, uint32_t last, uint32_t code, Bytes debug)
{
    Frame frame = {.size = 8 + (uint32_t)debug.size, .type = FRAME_GOAWAY};
    bytes_put(put_number(put_number(begin(out, frame), last), code), debug);
}

void frame_put_reset(HttpQueue *out, uint32_t stream, uint32_t code)
{
    put_number(begin(out, (Frame){.size = 4, .type = FRAME_RST_STREAM, .stream = stream}), code);
}

void frame_put_window_update(HttpQueue *out, uint32_t stream, uint32_t increment)
{
    put_number(begin(out, (Frame){.size = 4, .type = FRAME_WINDOW_UPDATE, .stream = stream}),
               increment);
}
