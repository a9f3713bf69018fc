/*
 * Envelope: the five bytes before each message of gRPC, gRPC-Web and Connect streams. For this
 * module and its tests only.
 *
 *   | flags 1 | size 4, big-endian |
 */
#ifndef PROTOCOLS_ENVELOPE_H
#define PROTOCOLS_ENVELOPE_H

#include "base/call.h"

enum {
    ENVELOPE_HEAD = 5,
    ENVELOPE_COMPRESSED = 0x01,
    ENVELOPE_CONNECT_END = 0x02,  /* Connect: the EndStream message */
    ENVELOPE_WEB_TRAILERS = 0x80, /* gRPC-Web: the trailers */
};

static inline size_t envelope_size(const uint8_t head[ENVELOPE_HEAD])
{
    return (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
}

static inline void envelope_write_head(uint8_t head[ENVELOPE_HEAD], uint8_t flags, size_t size)
{
    head[0] = flags;
    head[1] = (uint8_t)(size >> 24);
    head[2] = (uint8_t)(size >> 16);
    head[3] = (uint8_t)(size >> 8);
    head[4] = (uint8_t)size;
}

/* The flag of the frame that ends the body of a response; 0: the dialect has no such frame. */
static inline uint8_t envelope_end_flag(Dialect dialect)
{
    switch (dialect) {
    case DIALECT_GRPC_WEB:
    case DIALECT_GRPC_WEB_TEXT: return ENVELOPE_WEB_TRAILERS;
    case DIALECT_CONNECT_STREAM: return ENVELOPE_CONNECT_END;
    case DIALECT_GRPC:
    case DIALECT_CONNECT:
    case DIALECT_REST:
    case DIALECT_HTTP: break;
    }
    return 0;
}

/* Appends a frame, encoded as base64 for gRPC-Web-text. `payload` is smaller than 4 GiB. */
void envelope_write(Dialect dialect, uint8_t flags, Bytes payload, Buffer *out);

#endif
