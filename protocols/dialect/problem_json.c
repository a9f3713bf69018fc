#include "protocols/dialect/problem_json.h"

#include "base/text/json_text.h"
#include "protocols/dialect/code.h"
#include "protocols/dialect/media.h"
#include "protocols/rest/rest.h"

static uint16_t http_status_of(const Status *status)
{
    return status->http_status >= 300 ? status->http_status : rest_http_of_code(status->code);
}

static void add_text(Buffer *out, const char *name, Bytes value)
{
    if (value.size)
        json_text_add_member(out, name, value);
}

/* The chain, outermost first. */
static void add_causes(const Reply *reply, Buffer *out)
{
    const Error *link = reply->status->error;
    if (!link || !reply->options->full)
        return;
    json_text_open_list(out, "causes");
    for (; link; link = link->cause) {
        buffer_add_text(out, link == reply->status->error ? "{" : ",{");
        add_text(out, "reason", bytes_of(link->fault->name));
        add_text(out, "doing", bytes_of(link->doing));
        add_text(out, "field", bytes_of(link->field));
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

static void add_details(const Reply *reply, Buffer *out)
{
    if (reply->details.n == 0)
        return;
    json_text_add_key(out, "details");
    reply_add_details_json(reply, out);
}

static Bytes reason_of(const Reply *reply)
{
    if (reply->status->error)
        return bytes_of(reply->status->error->fault->name);
    return error_details_reason(reply->details, reply->arena);
}

/* The type is the URL that the config gives for errors of this kind, and the title then says what
   they have in common. Without a URL it is about:blank, and the title is the reason phrase of HTTP
   (RFC 9457 section 4.2.1). Programs should use `reason`. */
static void add_type(const Reply *reply, Buffer *out)
{
    const Error *error = reply->status->error;
    Bytes help = error ? error_help(error->fault, reply->options, reply->arena) : BYTES_NONE;
    bool has_type = help.size != 0;
    json_text_add_key(out, "type");
    json_text_add(out, has_type ? help : bytes_of("about:blank"));
    add_text(out, "title",
             bytes_of(has_type ? error->fault->text
                               : http_status_phrase(http_status_of(reply->status))));
}

static void add_problem(const Reply *reply, Buffer *out)
{
    const ReplyOptions *options = reply->options;
    buffer_add_byte(out, '{');
    add_type(reply, out);
    buffer_printf(out, ",\"status\":%u", http_status_of(reply->status));
    add_text(out, "detail", reply->message);
    add_text(out, "code", bytes_of(code_name(reply->status->code)));
    add_text(out, "reason", reason_of(reply));
    add_text(out, "request_id", options->request_id);
    add_text(out, "service", options->service);
    add_text(out, "version", options->version);
    add_text(out, "leg", options->leg);
    if (options->full)
        add_text(out, "served_by", options->instance);
    buffer_add_text(out, status_is_retryable(reply->status) ? ",\"retryable\":true"
                                                            : ",\"retryable\":false");
    add_causes(reply, out);
    add_details(reply, out);
    buffer_add_byte(out, '}');
}

/* ---- As Google's servers, and grpc-gateway, write them --------------------------------------- */

static void begin_error(unsigned code, const Reply *reply, Buffer *out)
{
    buffer_printf(out, "{\"error\":{\"code\":%u", code);
    json_text_add_member(out, "message", reply->message);
}

static void end_error(const Reply *reply, Buffer *out)
{
    json_text_add_key(out, "details");
    reply_add_details_json(reply, out);
    buffer_add_text(out, "}}");
}

/* AIP-193, "HTTP/1.1+JSON representation". What else a problem says is in its details. */
static void add_google_error(const Reply *reply, Buffer *out)
{
    begin_error(http_status_of(reply->status), reply, out);
    json_text_add_member(out, "status", bytes_of(code_name(reply->status->code)));
    end_error(reply, out);
}

/* A google.rpc.Status, whose code is gRPC's number: the last item of grpc-gateway's streams. */
static void add_status_error(const Reply *reply, Buffer *out)
{
    uint32_t own = reply->status->service_code;
    begin_error(own ? own : (unsigned)reply->status->code, reply, out);
    end_error(reply, out);
}

/* ---- The end --------------------------------------------------------------------------------- */

static void add_wrapped_problem(const Reply *reply, Buffer *out)
{
    buffer_add_text(out, "{\"error\":");
    add_problem(reply, out);
    buffer_add_byte(out, '}');
}

static bool is_google(const Reply *reply)
{
    return reply->options->shape == ERROR_SHAPE_GOOGLE;
}

/* The head was sent with status 200: the error is the last item of the stream. */
static void add_last_error(const Reply *reply, Buffer *out)
{
    Buffer error = buffer_in(reply->arena);
    RestBody rest_body = *reply->options->rest_body;
    if (rest_body.form == REST_STREAM_RESULTS)
        add_status_error(reply, &error);
    else if (is_google(reply))
        add_google_error(reply, &error);
    else
        add_wrapped_problem(reply, &error);
    rest_body_fail(&rest_body, buffer_bytes(&error), !status_is_retryable(reply->status), out);
    out->full |= error.full;
}

static void add_good_end(const Reply *reply, Buffer *out)
{
    Buffer end = buffer_in(reply->arena);
    buffer_add_byte(&end, '{');
    if (reply->trailers->n) {
        json_text_add_key(&end, "metadata");
        reply_add_metadata_json(reply->trailers, &end);
    }
    buffer_add_byte(&end, '}');
    rest_body_end(reply->options->rest_body, buffer_bytes(&end), out);
    out->full |= end.full;
}

static void write_error(const Reply *reply, Buffer *body, ReplyEnd *end)
{
    reply_head_begin(http_status_of(reply->status), reply->metadata, reply->arena, &end->head);
    if (is_google(reply))
        add_google_error(reply, body);
    else
        add_problem(reply, body);
    fields_add(&end->head.fields, bytes_of("content-type"),
               bytes_of(is_google(reply) ? "application/json" : "application/problem+json"));
    reply_add_error_fields(reply, "accept-encoding", &end->head.fields);
}

/* The successful end of a stream without messages. */
static void write_empty(const Reply *reply, Buffer *body, ReplyEnd *end)
{
    bool is_over = reply->options->rest_body && rest_body_is_over(reply->call);
    reply_head_begin(is_over ? 204 : 200, reply->metadata, reply->arena, &end->head);
    if (!reply->options->rest_body || is_over)
        return;
    reply_add_content_type(reply->call, reply->metadata, true, &end->head.fields);
    add_good_end(reply, body);
}

/* Redirects and 304 have no body. */
static bool is_redirect(const Status *status)
{
    return status->http_status >= 300 && status->http_status < 400;
}

static void write_whole(const Reply *reply, Buffer *body, ReplyEnd *end)
{
    end->has_head = true;
    if (is_redirect(reply->status))
        reply_head_begin(reply->status->http_status, reply->metadata, reply->arena, &end->head);
    else if (reply->status->code != CODE_OK)
        write_error(reply, body, end);
    else
        write_empty(reply, body, end);
    reply_add_prefixed(reply->trailers, reply->arena, &end->head.fields);
    /* A 304 would have the length of the representation, which is not known (RFC 9110 section 8.6).
     */
    bool is_unmodified = reply->status->http_status == 304;
    end->head.content_length = is_unmodified ? -1 : (int64_t)body->size;
}

Result problem_json_reply_end(const Reply *reply, ReplyEnd *end)
{
    Buffer body = buffer_in(reply->arena);
    bool is_error = reply->status->code != CODE_OK;
    if (!reply->head_sent) {
        write_whole(reply, &body, end);
    } else if (reply->options->rest_body) {
        if (is_error)
            add_last_error(reply, &body);
        else
            add_good_end(reply, &body);
        end->has_trailers = reply->trailers->n > 0;
        end->trailers = *reply->trailers;
    } else {
        end->breaks_off = is_error; /* a body of unknown format cannot carry an error */
    }
    if (body.full)
        return FAIL(reply->arena, FAULT_OUT_OF_MEMORY, "writing an error body");
    end->body = buffer_bytes(&body);
    return OK;
}
