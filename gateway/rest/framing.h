/*
 * Framing: how the messages of a response are put into the body that a caller gets: which bytes,
 * compressed by what, in which frames.
 *
 * Settled before the first message, and copied to where messages are framed: that is the loop, or,
 * for large messages, a thread of the work pool. A pure function.
 */
#ifndef GATEWAY_FRAMING_H
#define GATEWAY_FRAMING_H

#include "adapters/schema/schema.h"
#include "protocols/dialect/dialect.h"

typedef struct Framing {
    Dialect dialect;
    Compression compression; /* of messages that are worth it */
    uint32_t least;          /* smaller ones are not */
    bool always;             /* all are compressed, however small: identity is refused */
    bool empty;              /* no content: the message is left out */
    bool bare;               /* the caller frames and compresses them itself */
    const MethodType *raw;   /* the bytes of a google.api.HttpBody are the body; else NULL */
    const HttpRule *rule;    /* of it */
} Framing;

typedef struct Framed {
    Message message;         /* in the caller's version and codec */
    FramedMessage frame;     /* of it, for the body; unless Framing.bare */
    Compression compression; /* by which the message was compressed */
    Bytes content_type;      /* Framing.raw: of the HttpBody */
} Framed;

/* Of one message, which `framed_out` may borrow from; the rest is in the arena. If there is no
   memory to compress it and it need not be, it stays uncompressed. Fault: OUT_OF_MEMORY. */
MUST_USE Result framing_apply(const Framing *framing, Message message, Arena *arena,
                              Framed *framed_out);

/* Whether a message of so many bytes is framed without reading them. */
bool framing_is_light(const Framing *framing, Message message);

#endif
