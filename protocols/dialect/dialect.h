/*
 * Dialects: gRPC, gRPC-Web, Connect and REST as spellings of one and the same call.
 *
 * Each dialect knows how a call begins (its head), how messages are framed in a body, and how a
 * call ends (a Status and trailers), on the server side (towards the client) and on the client side
 * (towards an instance). All are plain functions from bytes to outcomes: no socket, loop or clock.
 * What they give back lives in the arena that they are given.
 *
 *   server side                                   client side
 *   dialect_of_request, call_read                 request_write
 *   message_reader_* (the request's body)         message_write (the request's body)
 *   reply_write_head, message_write, reply_write_end     answer_read, message_reader_*, answer_end
 *
 * What a message means is not known here: messages are bytes.
 */
#ifndef PROTOCOLS_DIALECT_H
#define PROTOCOLS_DIALECT_H

#include "base/call.h"
#include "protocols/http/http.h"

/* What a request's head says about its dialect (content-type, Connect's query), before it is known
   whether its path is a method's. */
typedef enum RequestKind {
    REQUEST_RPC,     /* one of the RPC dialects for certain: gRPC, gRPC-Web, Connect streaming */
    REQUEST_CONNECT, /* Connect unary if the path is a method's; else REST or opaque */
    REQUEST_PLAIN,   /* REST or opaque HTTP */
} RequestKind;

RequestKind request_kind(const HttpHead *head);

/*
 * Reads a request's head into `call`, in the given dialect (from dialect_of_request, or REST/HTTP
 * as the route says): codec, compression, accepted compressions, timeout (grpc-timeout,
 * connect-timeout-ms; x-envoy-... not), metadata without framing and hop-by-hop fields, Connect
 * GET's message. All copied to the arena. Faults: UNSUPPORTED_MEDIA, UNSUPPORTED_ENCODING,
 * BAD_REQUEST (timeout malformed, wrong HTTP method, Connect version ...). On failure `call` is
 * filled in far enough for reply_write_end. A REST body's media type, or that Connect's POST says
 * none, is no fault here (call->foreign_media): whether there is a body, and whether any is taken,
 * is known above.
 */
Dialect dialect_of_request(const HttpHead *head);
MUST_USE Result call_read(const HttpHead *head, Dialect dialect, Arena *arena, Call *call);

/* ---- Messages in a body -------------------------------------------------------------------------
 */

typedef enum MessageOutcome {
    MESSAGE_MORE, /* all input is used; nothing complete */
    MESSAGE_DONE, /* one message */
    MESSAGE_END,  /* the frame that ends the stream: gRPC-Web's trailers, Connect's EndStream */
    MESSAGE_FAILED,
} MessageOutcome;

typedef struct Message {
    Bytes bytes;     /* not compressed any more unless `compressed`; valid until the next read */
    bool compressed; /* still compressed, with the compression of the call's head: only where the
                        reader was told to leave it so (pass-through) */
} Message;

/* Whether bodies are made of frames, each with a message; else the whole body is one message. */
bool dialect_is_framed(Dialect dialect);

/* What the messages of a body without frames are. */
typedef enum UnframedBody {
    UNFRAMED_WHOLE,  /* all of it is one */
    UNFRAMED_LINES,  /* each line that is not blank, as long as no line is longer than the limit */
    UNFRAMED_PIECES, /* each piece as it comes, cut where it is longer than the limit: bytes without
                        structure */
} UnframedBody;

/* Takes messages out of a body that arrives in pieces of any size. */
typedef struct MessageReader {
    Dialect dialect;
    bool client;           /* reads answers: expects end frames */
    UnframedBody unframed; /* set after init where it is not one message */
    bool keep_compressed;  /* do not decompress: for messages that go on untouched. The caller sets
                              it */
    Compression compression; /* said in the head */
    size_t limit;            /* bytes of one message, before and after decompression here */
    Buffer partial;          /* what is there of the next message */
    Arena *arena;
    /* private to message_reader.c below */
    uint8_t head[5], head_size; /* what is there of the next frame's head */
    bool ended;                 /* the end frame was seen */
    Buffer plain;               /* the latest message, decompressed */
    uint32_t text_bits;         /* base64 of gRPC-Web-text: the quantum at work */
    uint8_t text_count, text_pads;
    bool text_bad;   /* what follows text_left is not base64 */
    Buffer text;     /* the latest piece, base64 taken off */
    Bytes text_left; /* the part of it that is not taken yet */
} MessageReader;

void message_reader_init(MessageReader *reader, Dialect dialect, bool client,
                         Compression compression, size_t limit, Arena *arena);

/*
 * Takes from the front of *input. Call again until MESSAGE_MORE. A message that lies whole in the
 * input is given without a copy. Dialects without frames (CONNECT, REST) give their single message
 * at message_reader_finish. The memory of a message given before is used again.
 */
MessageOutcome message_reader_read(MessageReader *reader, Bytes *input, Message *message_out,
                                   Result *why_out) MUST_USE;

/* Decompresses a message that was kept compressed after all. The same memory, limit and failures as
   in reading. */
MUST_USE Result message_reader_decompress(MessageReader *reader, Bytes compressed,
                                          Bytes *plain_out);

/* The body has ended: MESSAGE_DONE with the whole body for unframed dialects (also when it is
   empty), or with the last line where it had no newline; MESSAGE_MORE when nothing is left,
   MESSAGE_FAILED when a frame was cut short. */
MessageOutcome message_reader_finish(MessageReader *reader, Message *message_out,
                                     Result *why_out) MUST_USE;

/*
 * Frames one message for a body; `compression` other than identity compresses it (in a frame only
 * where it gains by that, and nothing that is empty). `compressed`: the bytes are compressed
 * already.
 */
MUST_USE Result message_write(Dialect dialect, Bytes message, Compression compression,
                              bool compressed, Buffer *out);

/* ---- Server side: the answer --------------------------------------------------------------------
 */

/* The head of an answer that began well. `metadata` are the service's leading fields; it may be
   NULL. For the unary dialects (CONNECT, REST) the gateway calls it when the single message is
   there, with the message's Content-Length; REST without one (-1) is a stream. A content-type in
   REST's metadata (google.api.HttpBody) stands instead of ours. `compression` is that of the
   messages. `head_out` is in the arena. */
void reply_write_head(const Call *call, const Fields *metadata, Compression compression,
                      int64_t content_length, Arena *arena, HttpHead *head_out);

/* The service's trailers where they stand in the head: Connect unary and REST, as "trailer-"
   fields. To be called between reply_write_head and sending, when they are known by then; nothing
   in other dialects. */
void reply_add_trailers(const Call *call, const Fields *trailers, HttpHead *head);

/* How an answer ends. */
typedef struct ReplyEnd {
    bool has_head; /* head is to be sent first (the answer had none yet) */
    HttpHead head;
    Bytes body; /* to be sent: an error's body, gRPC-Web's trailer frame, Connect's EndStream */
    bool has_trailers;
    Fields trailers; /* HTTP trailers (gRPC, REST streams) */
    bool breaks_off; /* nothing in the answer can say that it failed: its stream is to be reset */
} ReplyEnd;

/* Error details as JSON: what their types mean is known above. A detail is a serialized
   google.protobuf.Any. False: it cannot be given. */
typedef struct DetailJson DetailJson;
struct DetailJson {
    bool (*write)(void *owner, Bytes detail, Arena *arena, Buffer *json);
    bool (*read)(void *owner, Bytes json, Arena *arena, Bytes *detail_out);
    void *owner;
};

/* What an error may say to this client, and how details are spelled as JSON. */
typedef struct ReplyOptions {
    bool full; /* an error of our own tells its causes and the instance, too; else what
                  error_message says is public */
    Bytes request_id;
    Bytes service, version,
        instance; /* for the body's extension members and ErrorInfo; may be empty */
    const DetailJson
        *detail_json; /* REST. What it cannot write, or all when it is NULL, is given as
                         {"@type", "value": base64} */
} ReplyOptions;

/*
 * The end of an answer, well or not. `head_sent`: reply_write_head's head is out already, so that
 * an error must be said in-band (gRPC trailers, gRPC-Web frame, Connect EndStream, REST stream: an
 * error object as the last line or event). `metadata` and `trailers` are the service's. For an
 * error of our own (status->error) google.rpc details are made: ErrorInfo (reason: the fault's
 * name; metadata: request id, service, version), BadRequest with the field where the chain names
 * one, RetryInfo or retryable flag where the fault is retryable; of full errors the instance, too,
 * and DebugInfo with the chain. REST errors are application/problem+json (RFC 9457) with code,
 * reason, request_id, retryable, details, and causes where they are full; Connect's are its error
 * JSON. All error bodies say that their type is not to be guessed. Fields of the answer that only
 * the gateway knows come in `metadata`: "allow" of a REST route's 405, "retry-after" (it makes the
 * RetryInfo, too).
 */
MUST_USE Result reply_write_end(const Call *call, const Status *status, const Fields *metadata,
                                const Fields *trailers, bool head_sent, const ReplyOptions *options,
                                Arena *arena, ReplyEnd *end_out);

/* The status for a failure of our own: codes from its fault (that of UPSTREAM_STATUS and the like
   from the outermost error), message from the chain. */
Status status_of_error(Arena *arena, Result why);

/* ---- Client side: towards an instance
 * ------------------------------------------------------------ */

/* How an instance speaks. */
typedef struct RequestTarget {
    Dialect dialect; /* GRPC, GRPC_WEB, CONNECT, CONNECT_STREAM; REST: the caller puts verb and path
                        into the head */
    Bytes method;    /* "/shop.orders.v3.Orders/Get" */
    Bytes authority;
    Codec codec;
    Compression compression; /* of request messages */
    uint32_t accepts;        /* compressions we can take in answers */
    int64_t timeout;         /* nanoseconds left, or NO_TIMEOUT */
    Bytes content_type;      /* REST: of the body; empty: there is none */
    bool answer_is_stream;   /* REST: asks for lines */
    bool takes_any_media;    /* REST: the answer is bytes of any type */
    bool use_get;            /* Connect GET: */
    Bytes message;           /* its message, compressed already if `compression` says so */
} RequestTarget;

/* The head of a request: content-type, te, timeout, encodings, then the call's metadata. */
MUST_USE Result request_write(const RequestTarget *target, const Fields *metadata, Arena *arena,
                              HttpHead *head_out);

/* What an answer's head said. */
typedef struct Answer {
    Dialect dialect;
    Codec codec;
    Compression compression;
    uint16_t http_status;
    Bytes content_type; /* REST: as it came */
    bool
        is_error; /* CONNECT unary, REST: the body tells the error, for answer_end. In dialects with
                     frames: `status` says all, and what body there is has none: pass it over */
    bool has_status; /* the head carried grpc-status: Trailers-Only, if it also ends the answer */
    bool had_body;   /* set by the caller when there was any body: a grpc-status of the head counts
                        only without one */
    Status status;
    Fields metadata; /* leading fields for the client, without framing ones */
    Fields trailers; /* known already: Trailers-Only, Connect unary's "trailer-" fields */
    const DetailJson *detail_json; /* REST: set by the caller; without it details are not read */
} Answer;

/* Reads an answer's head. Faults: UPSTREAM_PROTOCOL (content-type of another codec, or of REST's
   answers that are no errors another than JSON; encoding). A non-200 without grpc-status is no
   failure but a status by http-grpc-status-mapping.md; so is a content-type that is not the
   dialect's at all (UNKNOWN, with a chain in status.error). Copied to the arena. */
MUST_USE Result answer_read(const HttpHead *head, const RequestTarget *target, Arena *arena,
                            Answer *answer_out);

/*
 * The answer has ended: fills answer->status and answer->trailers in from HTTP trailers (gRPC),
 * from the end frame that message_reader_read gave with MESSAGE_END (gRPC-Web, Connect stream;
 * BYTES_NONE if none came: a broken stream), or from the body of a Connect unary or REST error. A
 * missing status is UNKNOWN or by the HTTP status.
 */
MUST_USE Result answer_end(Answer *answer, const Fields *http_trailers, Bytes end_frame,
                           Arena *arena);

#endif
