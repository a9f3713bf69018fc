/*
 * Dialects: gRPC, gRPC-Web, Connect and REST as encodings of the same call.
 *
 * A dialect defines how a call begins (its head), how messages are framed in a body, and how a call
 * ends (Status and trailers), on the server side (towards the client) and on the client side
 * (towards an instance). All are plain functions from bytes to outcomes: no socket, loop or clock.
 * Results live in the arena that is given; heads and ends to send also point into the arguments.
 *
 *   server side                                   client side
 *   dialect_of_request, call_read                 request_write
 *   message_reader_* (the request's body)         message_write (the request's body)
 *   reply_write_head, message_write, reply_write_end     answer_read, message_reader_*, answer_end
 *
 * Messages are bytes here; adapters/ interprets them.
 */
#ifndef PROTOCOLS_DIALECT_H
#define PROTOCOLS_DIALECT_H

#include "base/call.h"
#include "protocols/http/http.h"
#include "protocols/rest/rest.h"

/* What the head of a request tells about its dialect (content-type, query of Connect) before its
   path is looked up. */
typedef enum RequestKind {
    REQUEST_RPC,     /* certainly an RPC dialect: gRPC, gRPC-Web, Connect streaming */
    REQUEST_CONNECT, /* Connect unary if the path names a method; else REST or opaque HTTP */
    REQUEST_PLAIN,   /* REST or opaque HTTP */
} RequestKind;

RequestKind request_kind(const HttpHead *head);

/* For a path that nothing is served at: whether the client expects a Connect error. True if the
   request has fields that only Connect clients send, or its path has the form of a method's. */
bool request_is_connect(const HttpHead *head);

/*
 * Reads the head of a request into `call`, in the given dialect (from dialect_of_request, or REST
 * or HTTP by the route): codec, compression, accepted compressions, timeout (grpc-timeout,
 * connect-timeout-ms), metadata without framing and hop-by-hop fields, the message of a Connect
 * GET. All is copied to the arena. Faults: UNSUPPORTED_MEDIA, UNSUPPORTED_ENCODING, BAD_REQUEST
 * (malformed timeout, wrong HTTP method, Connect version ...), OUT_OF_MEMORY. On failure `call` has
 * enough for reply_write_end. An unknown media type of a REST body, or a missing one of a Connect
 * POST, is not a fault here but sets call->foreign_media: the caller knows whether there is a body
 * and whether it is used.
 */
Dialect dialect_of_request(const HttpHead *head);
MUST_USE Result call_read(const HttpHead *head, Dialect dialect, Arena *arena, Call *call);

/* ---- Messages in a body ---------------------------------------------------------------------- */

typedef enum MessageOutcome {
    MESSAGE_MORE,  /* all input was used; no complete message */
    MESSAGE_DONE,  /* one message */
    MESSAGE_PIECE, /* a piece of a message that is larger than MessageReader.pieces_above */
    MESSAGE_END,   /* the frame that ends the stream: gRPC-Web trailers, Connect EndStream */
    MESSAGE_FAILED,
} MessageOutcome;

typedef struct Message {
    Bytes bytes;     /* decompressed unless `compressed`; valid until the next read */
    bool compressed; /* still compressed, as named in the head: only with
                        MessageReader.keep_compressed */
    size_t left;     /* MESSAGE_PIECE: bytes of the message after this piece; else 0 */
} Message;

/* Whether a body is a sequence of frames, each with a message; else the whole body is one
   message. */
bool dialect_is_framed(Dialect dialect);

/* The messages of a body without frames. */
typedef enum UnframedBody {
    UNFRAMED_WHOLE,  /* the whole body is one message */
    UNFRAMED_LINES,  /* each non-blank line; a line longer than the limit fails */
    UNFRAMED_PIECES, /* each piece of input, split at the limit: bytes without structure */
} UnframedBody;

/* Extracts messages from a body that arrives in pieces of any size. */
typedef struct MessageReader {
    Dialect dialect;
    UnframedBody unframed;   /* the caller sets it after init; default: UNFRAMED_WHOLE */
    Compression compression; /* named in the head */
    uint32_t most_growth;    /* highest ratio of decompressed to compressed size, for outputs above
                                1 MiB; 0: no limit. The caller sets it after init */
    size_t limit;            /* bytes of one message, before and after decompression */
    const char *limit_name;  /* the setting that it comes from; NULL: none. The caller sets it */
    size_t pieces_above;     /* bytes; larger messages are returned in pieces, unless they are
                                decompressed; framed dialects only. The caller sets it after init;
                                default: never */
    Buffer partial;          /* received part of the next message */
    Arena *arena;
    bool client : 1;          /* reads responses: expects end frames */
    bool keep_compressed : 1; /* do not decompress (pass-through); the caller sets it after init */
    /* the rest is private to message_reader.c */
    bool ended : 1;             /* the end frame was read */
    uint8_t head[5], head_size; /* received part of the next frame head */
    size_t left;                /* bytes left of the message that is returned in pieces */
    Buffer plain;               /* the latest message, decompressed */
    struct WebText *text;       /* gRPC-Web-text; NULL: there was none yet */
} MessageReader;

void message_reader_init(MessageReader *reader, Dialect dialect, bool client,
                         Compression compression, size_t limit, Arena *arena);

/*
 * Consumes the front of *input; call again until MESSAGE_MORE. A message that is complete within
 * the input is not copied, and neither are pieces. Dialects without frames (CONNECT, REST) return
 * their single message from message_reader_finish. The memory of the previous message is reused.
 * `why_out` is set with MESSAGE_FAILED.
 */
MessageOutcome message_reader_read(MessageReader *reader, Bytes *input, Message *message_out,
                                   Result *why_out) MUST_USE;

/* Messages that lie whole in a body, one after the other, with their frames. */
typedef struct MessageRun {
    Bytes frames;
    uint32_t n;
} MessageRun;

/* Takes the first message off the run. False: there is none. */
bool message_run_next(MessageRun *run, Bytes *message_out);

/* One message as it goes into a body: the head of its frame, if any, and what follows it. */
typedef struct FramedMessage {
    uint8_t head[5], head_size;
    Bytes rest;
} FramedMessage;

/* As message_write, but a message that is sent unchanged is not copied: `rest` then is the message
   itself, else it is in the arena. In a frame, a message is sent uncompressed if there is no memory
   to compress it. Of a message in pieces, call this for the first piece, without compression; the
   other pieces follow without a head. */
MUST_USE Result message_frame(Dialect dialect, const Message *message, Compression compression,
                              Arena *arena, FramedMessage *framed_out);

/* To write a frame around a message: begin it, append the message to `out`, and end it with the
   offset that message_frame_begin returned. Out of memory: Buffer.full is set. Fault of
   message_frame_end: MESSAGE_TOO_LARGE (4 GiB). */
size_t message_frame_begin(Buffer *out);
MUST_USE Result message_frame_end(Buffer *out, size_t at);

/* Bytes that the reader wants to take for the message at hand, of which a part is here: all of a
   response's that is announced, since an instance sends what it announces; else as much again as it
   has. 0: there is room for what comes next. */
size_t message_reader_wants(const MessageReader *reader);

/* Takes them now, so that they count. Without memory nothing happens: reading will fail. */
void message_reader_take_room(MessageReader *reader);

/* Whether the bodies of both dialects have the same frames around uncompressed messages. */
bool dialects_share_frames(Dialect one, Dialect other);

/* Removes the run of messages at the front of *input, without a copy. It is empty if the next frame
   needs message_reader_read: it is incomplete, compressed, larger than `most`, too large or not a
   message. Only for dialects that share frames. */
MessageRun message_reader_run(const MessageReader *reader, size_t most, Bytes *input);

/* Makes the message that was read last valid as long as the reader's arena, without a copy if it is
   in the reader's own memory. `data` NULL: out of memory. */
Bytes message_reader_keep(MessageReader *reader, Bytes message);

/* Whether the message that was read last lies in the reader's own memory, where it stays until the
   next one is read. */
bool message_reader_holds(const MessageReader *reader, Bytes message);

/* Decompresses a message that was kept compressed, within the limits of reading, and with the same
   faults. Any thread: reads only what message_reader_init and its caller have set. */
MUST_USE Result message_reader_decompress(const MessageReader *reader, Bytes compressed,
                                          Arena *arena, Bytes *plain_out);

/* The same if neither the message nor what it becomes is larger than `most` bytes. False: it is, or
   something is wrong with it. */
bool message_reader_decompress_small(const MessageReader *reader, Bytes compressed, size_t most,
                                     Arena *arena, Bytes *plain_out);

/* The body has ended. MESSAGE_DONE: the whole body of an unframed dialect (also when empty), or the
   last line when it has no newline. MESSAGE_MORE: nothing is left. MESSAGE_FAILED: a frame is
   truncated. */
MessageOutcome message_reader_finish(MessageReader *reader, Message *message_out,
                                     Result *why_out) MUST_USE;

/*
 * Appends one message to a body, framed as the dialect requires, and compressed with `compression`.
 * In a frame it is compressed only if that makes it smaller; an empty message never is.
 * `compressed`: the message is already compressed. Faults: OUT_OF_MEMORY, MESSAGE_TOO_LARGE (4
 * GiB).
 */
MUST_USE Result message_write(Dialect dialect, Bytes message, Compression compression,
                              bool compressed, Buffer *out);

/* ---- Server side: the client response -------------------------------------------------------- */

/* The head of a successful client response. `metadata`: the leading fields of the service, or NULL.
   In unary dialects (CONNECT, REST) the message is known and `content_length` is its size; REST
   with -1 is a stream. A content-type in REST metadata (google.api.HttpBody) replaces the default
   one. `compression`: of the messages. The fields of `head_out` are in the arena; out of memory,
   they are full. */
void reply_write_head(const Call *call, const Fields *metadata, Compression compression,
                      int64_t content_length, Arena *arena, HttpHead *head_out);

/* Adds the trailers of the service as "trailer-" fields of the head: Connect unary and REST;
   nothing in other dialects. Call it after reply_write_head and before sending, if the trailers are
   known by then. `trailers` may be NULL. */
void reply_add_trailers(const Call *call, const Fields *trailers, HttpHead *head);

/* The end of a client response. */
typedef struct ReplyEnd {
    bool has_head; /* `head` is to be sent first: none was sent yet */
    HttpHead head;
    Bytes body; /* to send: error body, gRPC-Web trailer frame or Connect EndStream */
    bool has_trailers;
    Fields trailers; /* HTTP trailers (gRPC, REST streams) */
    bool breaks_off; /* the response cannot carry the error: reset its stream */
} ReplyEnd;

/* Converts error details to and from JSON; implemented by modules that know their types. A detail
   is a serialized google.protobuf.Any. False: it cannot be converted. */
typedef struct DetailJson DetailJson;
struct DetailJson {
    bool (*write)(void *owner, Bytes detail, Arena *arena, Buffer *json);
    bool (*read)(void *owner, Bytes json, Arena *arena, Bytes *detail_out);
    void *owner;
};

/* How errors are written in REST. */
typedef enum ErrorShape {
    ERROR_SHAPE_PROBLEM, /* application/problem+json (RFC 9457) */
    ERROR_SHAPE_GOOGLE,  /* {"error": {...}} (AIP-193) */
} ErrorShape;

/* What an error may tell this client, and how details become JSON. */
typedef struct ReplyOptions {
    ErrorShape shape;
    bool full;        /* an error of our own includes its causes and the instance; else only what
                         error_message allows */
    const char *help; /* URL about errors of our own, in which "{reason}" is replaced; or NULL */
    Bytes request_id;
    Bytes service, version, instance,
        leg; /* for extension members of the body and ErrorInfo; may be empty */
    const DetailJson
        *detail_json;          /* REST. NULL, or what it cannot write: {"@type", "value": base64} */
    const RestBody *rest_body; /* REST: the state of a JSON stream; NULL: no stream */
} ReplyOptions;

/*
 * The end of a client response, successful or not.
 *
 * `head_sent`: the head of reply_write_head was sent, so that an error must be in-band: gRPC
 * trailers, gRPC-Web frame, Connect EndStream; REST stream: an error object as the last line, event
 * or element (options->rest_body). `metadata` and `trailers` are those of the service; they may be
 * NULL, and so may `options`. Fields that only the gateway knows come in `metadata`: "allow" of a
 * REST 405, "retry-after" (which also makes a RetryInfo).
 *
 * An error of our own (status->error) gets google.rpc details: ErrorInfo (reason: the name of the
 * fault; metadata: request id, service, version, leg, retryable), BadRequest when the chain names a
 * field and the caller is responsible, RetryInfo, RequestInfo, Help (options->help); with
 * options->full also the instance, and DebugInfo with the chain. REST errors are
 * application/problem+json (RFC 9457) with code, reason, request_id, retryable, details, and causes
 * if full; their type is the URL of options->help; with ERROR_SHAPE_GOOGLE they are AIP-193's.
 * Connect errors are its error JSON. Error bodies have x-content-type-options: nosniff. Fault:
 * OUT_OF_MEMORY.
 */
MUST_USE Result reply_write_end(const Call *call, const Status *status, const Fields *metadata,
                                const Fields *trailers, bool head_sent, const ReplyOptions *options,
                                Arena *arena, ReplyEnd *end_out);

/* The status of a failure of our own: codes of the outermost fault, message from the whole chain.
   `why` has failed, and must live as long as the status. */
Status status_of_error(Arena *arena, Result why);

/* The other way round, for a call of our own: its failure, or what the peer returned: "it returned
   NOT_FOUND: ...". The status is not OK. In `arena`. Faults: the failure's; UPSTREAM_STATUS. */
MUST_USE Result status_failure(Arena *arena, const Status *status);

/* ---- Client side: towards an instance -------------------------------------------------------- */

/* How a request is sent to an instance. */
typedef struct RequestTarget {
    Dialect dialect; /* GRPC, GRPC_WEB, CONNECT, CONNECT_STREAM; REST: the caller sets method and
                        path of the head */
    Codec codec;
    Compression compression; /* of request messages */
    uint32_t accepts;        /* compressions that we accept in responses */
    Bytes method;            /* "/shop.orders.v3.Orders/Get" */
    Bytes authority;
    int64_t timeout;       /* remaining nanoseconds, or NO_TIMEOUT */
    Bytes content_type;    /* REST: of the body; empty: no body */
    Bytes message;         /* of a Connect GET, compressed with `compression` */
    bool answer_is_stream; /* REST: accept lines of JSON */
    bool takes_any_media;  /* REST: the response may have any type */
    bool takes_part;       /* REST: the metadata has a Range: the response may be 206 */
    bool use_get;          /* Connect GET: `message` is in the path */
} RequestTarget;

/* The head of a request: content-type, te, timeout, encodings, then `metadata`, which may be NULL.
   Faults: UNSUPPORTED (a dialect that is for clients only), OUT_OF_MEMORY. */
MUST_USE Result request_write(const RequestTarget *target, const Fields *metadata, Arena *arena,
                              HttpHead *head_out);

/* The head and status of an upstream response. */
typedef struct Answer {
    Dialect dialect;
    Codec codec;
    Compression compression;
    uint16_t http_status;
    bool is_error : 1; /* CONNECT unary, REST: the body has the error, for answer_end. Dialects with
                          frames: `status` is complete; ignore the body */
    bool has_status : 1; /* the head had grpc-status: Trailers-Only, if it also ends the response */
    bool had_body : 1;   /* set by the caller if there was any body; then a grpc-status in the head
                            does not count */
    Bytes content_type;  /* REST: as received */
    Status status;
    Fields metadata; /* leading fields, without framing ones */
    Fields trailers; /* of the head (Trailers-Only, "trailer-" fields), then those of answer_end */
    const DetailJson *detail_json; /* REST: set by the caller; NULL: details are not read */
    Bytes foreign; /* the body of an error, or its beginning, if it is in no form that says a
                      status; any bytes. Dialects with frames: set by the caller */
} Answer;

/* Whether it is the status of a final response, 200 to 599 (RFC 9110 section 15). Fault:
   UPSTREAM_PROTOCOL. */
MUST_USE Result answer_check_http_status(uint16_t status, Arena *arena);

/* Reads the head of an upstream response; all is copied to the arena. Faults: UPSTREAM_PROTOCOL
   (HTTP status, content-type of another codec, or of a successful REST response other than JSON;
   unknown encoding), UNSUPPORTED, OUT_OF_MEMORY. Not failures: a status other than 200 without
   grpc-status gives a status by http-grpc-status-mapping.md; a content-type of another protocol
   gives UNKNOWN, with a chain in status.error. */
MUST_USE Result answer_read(const HttpHead *head, const RequestTarget *target, Arena *arena,
                            Answer *answer_out);

/*
 * The upstream response has ended: sets answer->status and answer->trailers from the HTTP trailers
 * (gRPC; may be NULL), from the end frame of MESSAGE_END (gRPC-Web, Connect stream; BYTES_NONE:
 * there was none), or from the body of a Connect unary or REST error, passed as `end_frame`. A
 * missing status is UNKNOWN, or derived from the HTTP status. Fault: UPSTREAM_PROTOCOL.
 */
MUST_USE Result answer_end(Answer *answer, const Fields *http_trailers, Bytes end_frame,
                           Arena *arena);

#endif
