#include "protocols/dialect/grpc.h"

#include "base/arena.h"
#include "base/text/base64.h"
#include "base/text/percent.h"
#include "protocols/dialect/answer_status.h"
#include "protocols/dialect/code.h"
#include "protocols/dialect/envelope.h"
#include "protocols/dialect/media.h"
#include "protocols/dialect/timeout.h"
#include "protocols/http/compression.h"
#include "protocols/http/http_rules.h"

/* ---- Server side ----------------------------------------------------------------------------- */

/* Spaces at its ends would make the field malformed (RFC 9113 section 8.2.1). */
static void encode_message(Buffer *out, Bytes message)
{
    Bytes middle = bytes_trim(message);
    size_t before = middle.size ? (size_t)(middle.data - message.data) : message.size;
    percent_encode(out, bytes_slice(message, 0, before), PERCENT_KEEP_UNRESERVED);
    percent_encode(out, middle, PERCENT_KEEP_VISIBLE);
    percent_encode(out, bytes_slice(message, before + middle.size, message.size),
                   PERCENT_KEEP_UNRESERVED);
}

static bool is_plain_message(Bytes message)
{
    if (message.data[0] == ' ' || message.data[message.size - 1] == ' ')
        return false;
    for (size_t i = 0; i < message.size; i++) {
        if (message.data[i] < ' ' || message.data[i] > '~' || message.data[i] == '%')
            return false;
    }
    return true;
}

static void add_message(Bytes message, Arena *arena, Fields *to)
{
    if (message.size == 0)
        return;
    if (!is_plain_message(message)) {
        Buffer encoded = buffer_in(arena);
        encode_message(&encoded, message);
        message = buffer_bytes(&encoded);
    }
    fields_add(to, bytes_of("grpc-message"), message);
}

static Result add_details(const Reply *reply, Fields *to)
{
    Bytes details = reply->status->details;
    if (reply->details.n) {
        Result r = error_details_write(reply->status->code, reply->message, reply->details,
                                       reply->arena, &details);
        if (failed(r))
            return r;
    }
    if (details.size) {
        Buffer text = buffer_in(reply->arena);
        base64_encode(&text, details, BASE64_STANDARD, false);
        to->full |= text.full;
        fields_add(to, bytes_of("grpc-status-details-bin"), buffer_bytes(&text));
    }
    return OK;
}

/* A code that the service defines is passed on unchanged. */
static Bytes status_digits(const Reply *reply)
{
    const Status *status = reply->status;
    return bytes_of(status->service_code
                        ? arena_printf(reply->arena, "%u", (unsigned)status->service_code)
                        : code_digits(status->code));
}

/* The status, then the service's trailers. */
static Result add_status(const Reply *reply, Fields *to)
{
    Result r = OK;
    Bytes digits = status_digits(reply);
    to->full |= digits.size == 0;
    fields_add(to, bytes_of("grpc-status"), digits);
    if (reply->status->code != CODE_OK) {
        add_message(reply->message, reply->arena, to);
        r = add_details(reply, to);
    }
    for (uint32_t i = 0; i < reply->trailers->n; i++)
        fields_add(to, reply->trailers->items[i].name, reply->trailers->items[i].value);
    return r;
}

/* The status is 200, except for 415 (PROTOCOL-HTTP2.md) and likewise 405. */
static void begin_head(const Reply *reply, HttpHead *head)
{
    uint16_t http_status = 200;
    if (reply_is_fault(reply, &FAULT_UNSUPPORTED_MEDIA) ||
        reply_is_fault(reply, &FAULT_METHOD_NOT_ALLOWED))
        http_status = reply->status->error->fault->http_status;
    reply_head_begin(http_status, reply->metadata, reply->arena, head);
    fields_add(&head->fields, bytes_of("content-type"),
               media_write(reply->call->dialect, reply->call->reply_codec));
    reply_add_error_fields(reply, "grpc-accept-encoding", &head->fields);
}

/* The trailers as lines of text in a frame. Fields that are not safe to write are dropped. */
static void write_web_trailers(const Fields *trailers, const Reply *reply, ReplyEnd *end)
{
    Buffer lines = buffer_in(reply->arena), frame = buffer_in(reply->arena);
    for (uint32_t i = 0; i < trailers->n; i++) {
        if (!http_may_go_out(&trailers->items[i]))
            continue;
        buffer_add_bytes(&lines, trailers->items[i].name);
        buffer_add_text(&lines, ": ");
        buffer_add_bytes(&lines, trailers->items[i].value);
        buffer_add_text(&lines, "\r\n");
    }
    envelope_write(reply->call->dialect, ENVELOPE_WEB_TRAILERS, buffer_bytes(&lines), &frame);
    end->trailers.full |= lines.full || frame.full || trailers->full;
    end->body = buffer_bytes(&frame);
}

Result grpc_reply_end(const Reply *reply, ReplyEnd *end)
{
    end->trailers = fields_in(reply->arena);
    if (!reply->head_sent) {
        end->has_head = true;
        begin_head(reply, &end->head);
    }
    if (reply->call->dialect != DIALECT_GRPC) {
        Fields trailers = fields_in(reply->arena);
        Result r = add_status(reply, &trailers);
        write_web_trailers(&trailers, reply, end);
        return r;
    }
    /* Trailers-Only is for errors, and only without leading metadata: it has one list for both. */
    bool trailers_only =
        !reply->head_sent && reply->status->code != CODE_OK && reply->metadata->n == 0;
    end->has_trailers = !trailers_only;
    return add_status(reply, trailers_only ? &end->head.fields : &end->trailers);
}

/* ---- Client side ----------------------------------------------------------------------------- */

void grpc_request_fields(const RequestTarget *target, Arena *arena, Fields *to)
{
    fields_add(to, bytes_of("content-type"), media_write(target->dialect, target->codec));
    if (target->dialect == DIALECT_GRPC)
        fields_add(to, bytes_of("te"), bytes_of("trailers"));
    else
        fields_add(to, bytes_of("x-grpc-web"), bytes_of("1"));
    if (target->timeout != NO_TIMEOUT)
        fields_add(to, bytes_of("grpc-timeout"), timeout_write_grpc(target->timeout, arena));
    if (target->compression != COMPRESSION_IDENTITY)
        fields_add(to, bytes_of("grpc-encoding"), bytes_of(compression_name(target->compression)));
    if (target->accepts)
        fields_add(to, bytes_of("grpc-accept-encoding"),
                   compressions_write(target->accepts, arena));
}

/* Reads grpc-status, grpc-message and grpc-status-details-bin. */
static Status read_status(Bytes code, Bytes message, Bytes details, Arena *arena)
{
    Status status = {.message = message};
    bool good = code_read_digits(code, &status.code, &status.service_code);
    if (percent_is_in(message)) {
        Buffer decoded = buffer_in(arena);
        percent_decode_leniently(&decoded, message);
        status.message = buffer_bytes(&decoded);
    }
    if (!good)
        return answer_malformed_status(code, status.message, arena);
    Buffer packed = buffer_in(arena);
    if (details.size && base64_decode(&packed, details))
        status.details = buffer_bytes(&packed);
    return status;
}

static Result check_answer(const HeadFields *fields, const RequestTarget *target, Arena *arena,
                           Answer *answer)
{
    Bytes content_type = fields->values[FIELD_CONTENT_TYPE];
    Media media = media_read(content_type);
    MediaKind expected = target->dialect == DIALECT_GRPC ? MEDIA_GRPC : MEDIA_GRPC_WEB;
    if (media.kind != expected) {
        answer->is_error = true;
        if (!answer->has_status)
            answer->status = answer_foreign_status(content_type, arena);
        return OK;
    }
    if (!media.has_codec || media.codec != target->codec)
        return FAIL(arena, FAULT_UPSTREAM_PROTOCOL,
                    "the response's content-type is \"%.*s\", but the request's codec was %s",
                    BYTES_ARGS(content_type), codec_name(target->codec));
    if (!compression_by_name(fields->values[FIELD_GRPC_ENCODING], &answer->compression))
        return FAIL(arena, FAULT_UPSTREAM_PROTOCOL,
                    "the response's compression \"%.*s\" is unknown",
                    BYTES_ARGS(fields->values[FIELD_GRPC_ENCODING]));
    return OK;
}

Result grpc_answer_read(const HeadFields *fields, const RequestTarget *target, Arena *arena,
                        Answer *answer)
{
    Bytes code = fields->values[FIELD_GRPC_STATUS];
    if (code.data) {
        answer->has_status = true;
        answer->status = read_status(code, fields->values[FIELD_GRPC_MESSAGE],
                                     fields->values[FIELD_GRPC_DETAILS], arena);
        answer->is_error = answer->http_status != 200;
        return answer->is_error ? OK : check_answer(fields, target, arena, answer);
    }
    if (answer->http_status != 200) {
        answer->is_error = true;
        answer->status = answer_inferred_status(answer->http_status, arena);
        return OK;
    }
    return check_answer(fields, target, arena, answer);
}

/* Whether there is a code and nothing beside it, as most calls end: then nothing has to be kept. */
static bool is_code_alone(const Fields *from, Bytes *code_out)
{
    *code_out = BYTES_NONE;
    for (uint32_t i = 0; i < from->n; i++) {
        Field field = from->items[i];
        bool is_code = bytes_are(field.name, "grpc-status") && !code_out->data;
        if (!is_code && (field.value.size || !bytes_are(field.name, "grpc-message")))
            return false;
        if (is_code)
            *code_out = field.value;
    }
    return code_out->data;
}

/* Separates the fields of the status from the service's trailers. */
static Result take_trailers(const Fields *from, Arena *arena, Answer *answer, bool *found_out)
{
    HeadFields sorted;
    Status status = {.code = CODE_OK};
    Bytes code;
    *found_out =
        is_code_alone(from, &code) && code_read_digits(code, &status.code, &status.service_code);
    if (*found_out) {
        answer->status = status;
        answer->trailers = fields_in(arena);
    }
    if (*found_out || from->n == 0)
        return OK;
    Result r = head_fields_read(from, HEAD_OF_TRAILERS, arena, &sorted);
    answer->trailers = sorted.metadata;
    if (sorted.values[FIELD_GRPC_STATUS].data) {
        *found_out = true;
        answer->status =
            read_status(sorted.values[FIELD_GRPC_STATUS], sorted.values[FIELD_GRPC_MESSAGE],
                        sorted.values[FIELD_GRPC_DETAILS], arena);
    }
    return r;
}

static Bytes lower_case(Bytes name, Arena *arena)
{
    Buffer lower = buffer_in(arena);
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        buffer_add_byte(&lower, c >= 'A' && c <= 'Z' ? (uint8_t)(c | 32) : c);
    }
    return buffer_bytes(&lower);
}

/* The lines of a trailer frame. Names should be in lower case; those of some older servers are not.
   Lines that an HTTP field cannot carry are dropped. */
static Result read_web_trailers(Bytes frame, Arena *arena, Fields *fields_out)
{
    *fields_out = fields_in(arena);
    Bytes line;
    while (bytes_split(&frame, '\n', &line)) {
        if (line.size && line.data[line.size - 1] == '\r')
            line.size--;
        if (line.size == 0)
            continue;
        size_t colon = bytes_find(line, ':');
        if (colon == 0 || colon == line.size)
            return FAIL(arena, FAULT_UPSTREAM_PROTOCOL, "a line of the trailer frame has no name");
        Field field = {lower_case(bytes_slice(line, 0, colon), arena),
                       bytes_trim(bytes_slice(line, colon + 1, SIZE_MAX))};
        if (http_may_go_out(&field))
            fields_add(fields_out, field.name, field.value);
    }
    return OK;
}

Result grpc_answer_end(Answer *answer, const Fields *http_trailers, Bytes end_frame, Arena *arena)
{
    if (answer->is_error)
        return OK;
    Fields trailers = http_trailers ? *http_trailers : fields_in(arena);
    if (end_frame.data) {
        Result r = read_web_trailers(end_frame, arena, &trailers);
        if (failed(r))
            return r;
    }
    bool found;
    Result r = take_trailers(&trailers, arena, answer, &found);
    if (failed(r) || found)
        return r;
    if (answer->has_status &&
        !answer->had_body) { /* Trailers-Only: the metadata of the head are trailers */
        answer->trailers = answer->metadata;
        answer->metadata = fields_in(arena);
        return OK;
    }
    answer->status = (Status){
        .code = CODE_UNKNOWN,
        .message = bytes_of("the service ended the call without a status"),
    };
    return OK;
}
