/* The response to the client: its head, its messages, its end. */
#include "gateway/access/access.h"
#include "gateway/call/client_internal.h"
#include "gateway/headers/cors.h"
#include "gateway/headers/etags.h"
#include "gateway/headers/grpc_metadata.h"
#include "gateway/headers/own_fields.h"
#include "gateway/limits/limit_fields.h"
#include "gateway/version/version_headers.h"

/* ---- Fields that the gateway adds ------------------------------------------------------------ */

/* It may have room again soon. */
static bool is_refused_memory(const Exchange *x)
{
    const Error *why = x->record.why.error;
    return why && (why->fault == &FAULT_MEMORY_SHARE || why->fault == &FAULT_MEMORY_FULL);
}

/* By a limit of the gateway, which has said when to come back. */
static bool is_refused(const Exchange *x)
{
    return x->retry_after && x->own_response && x->record.status.code != CODE_OK &&
           !x->record.status.may_have_effect;
}

static bool is_grpc(const Exchange *x)
{
    return client_speaks_grpc(x->call.dialect);
}

/* The attempt that the response is about, if its instance got some of the request. */
static const Attempt *asked_attempt(const Exchange *x)
{
    const Attempt *attempt = exchange_told_attempt(x);
    return attempt->record.asked && !exchange_is_served_by_none(x) ? attempt : NULL;
}

/* "UPSTREAM_DOWN; by=stale; age=31": an Item with parameters (RFC 9651). No cache may have it. */
static void add_degraded(const Exchange *x, Fields *fields)
{
    const CallRecord *record = &x->record;
    Buffer text = buffer_in(x->arena);
    buffer_printf(&text, "%s; by=%s", record->degraded, fallback_name(record->degraded_by));
    if (record->degraded_by == FALLBACK_STALE)
        buffer_printf(&text, "; age=%u", record->degraded_age);
    fields->full |= text.full;
    fields_add(fields, bytes_of("passerelle-degraded"), buffer_bytes(&text));
    fields_add(fields, bytes_of("cache-control"), bytes_of("no-store"));
}

/* A List with parameters (RFC 9651). No cache may have what lacks a part. */
static void add_legs(const Exchange *x, Fields *fields)
{
    fields_add(fields, bytes_of("passerelle-legs"), x->record.legs);
    if (x->record.partial && !x->record.degraded)
        fields_add(fields, bytes_of("cache-control"), bytes_of("no-store"));
}

/* An Item with parameters (RFC 9651). A REST client is told where the job is, and when to look. */
static void add_job(const Exchange *x, Fields *fields)
{
    const JobNote *job = x->record.job;
    Buffer text = buffer_in(x->arena), link = buffer_in(x->arena);
    buffer_printf(&text, "%.*s; state=%s", BYTES_ARGS(job->name), job->state);
    fields_add(fields, bytes_of("passerelle-job"), buffer_bytes(&text));
    fields_add(fields, bytes_of("cache-control"), bytes_of("no-store"));
    if (x->call.dialect == DIALECT_REST && job->begun) {
        buffer_printf(&link, "/v1/%.*s", BYTES_ARGS(job->name));
        fields_add(fields, bytes_of("location"), buffer_bytes(&link));
    }
    if (x->call.dialect == DIALECT_REST && job->retry_after)
        fields_add_number(fields, "retry-after", job->retry_after);
    fields->full |= text.full || link.full;
}

/* What the instance says about a response that none may have. */
static bool is_for_caches(Bytes name)
{
    return bytes_are(name, "cache-control") || bytes_are(name, "expires") ||
           bytes_are(name, "age") || bytes_are(name, "pragma");
}

/* REST and Connect clients do not know gRPC's field: it becomes theirs, in seconds. */
static void add_retry_after(const Exchange *x, Fields *fields)
{
    const Attempt *attempt = exchange_answered(x);
    const Status *status = &x->record.status;
    int64_t after;
    if (is_grpc(x) || !attempt || status->code == CODE_OK || status->may_have_effect ||
        fields_get(fields, "retry-after").data ||
        policy_read_advice(attempt_pushback(attempt), BYTES_NONE, 0, &after) != ADVICE_AFTER)
        return;
    fields_add_number(fields, "retry-after", (uint64_t)((after + SECOND - 1) / SECOND));
}

/* That of the instance that was asked, also if it was asked for another call. */
static Bytes served_version(const Exchange *x)
{
    const Attempt *asked = asked_attempt(x);
    if (x->record.joined.size)
        return x->joining->served;
    if (!asked && x->keyed) /* whose response may be recorded */
        asked = exchange_answered(x);
    return asked && asked->pick.served ? bytes_of(asked->pick.served->name) : BYTES_NONE;
}

/* Whether it is refused to a client that must not learn what is there. */
static bool tells_nothing(const Exchange *x)
{
    static const Fault *const faults[] = {&FAULT_NOT_ALLOWED,         &FAULT_CREDENTIALS_MISSING,
                                          &FAULT_CREDENTIALS_REFUSED, &FAULT_CREDENTIALS_EXPIRED,
                                          &FAULT_KEYS_UNAVAILABLE,    &FAULT_POLICY_DENIED};
    const Error *why = x->own_response ? x->record.why.error : NULL;
    for (size_t i = 0; why && i < sizeof faults / sizeof *faults; i++)
        if (why->fault == faults[i])
            return true;
    return false;
}

/* By the methods of the listener: those of a route would tell that it is there. */
static const char *challenge(const Client *c)
{
    const Exchange *x = c->x;
    const Error *why = x->record.why.error;
    bool bad = c->has_token && why && why->fault != &FAULT_CREDENTIALS_MISSING;
    const ListenerConfig *listener = client_listener(c);
    return access_challenge(access_credentials(&x->config->access, listener, NULL), bad);
}

/* In one field, as far as possible: several are merged. */
static void add_vary(const Exchange *x, Fields *fields)
{
    bool encoding = exchange_varies_by_encoding(x);
    bool accept = x->binding; /* lines, events, or a 406 */
    if (encoding || accept)
        fields_add(fields, bytes_of("vary"),
                   bytes_of(!accept     ? "accept-encoding"
                            : !encoding ? "accept"
                                        : "accept-encoding, accept"));
}

static void add_own_fields(const Client *c, Fields *fields)
{
    const Exchange *x = c->x;
    fields_add(fields, bytes_of("x-request-id"), x->record.request_id);
    if (x->own_response && x->record.status.code == CODE_UNAUTHENTICATED && !x->record.said)
        fields_add(fields, bytes_of("www-authenticate"), bytes_of(challenge(c)));
    if (tells_nothing(x)) {
        if (is_refused(x))
            fields_add_number(fields, "retry-after", x->retry_after);
        return;
    }
    if (x->version.reply)
        version_headers_write(x->version.reply, x->version.rule, x->config->identity.header,
                              x->record.began, fields);
    else if (x->record.method) /* another value of these fields would have selected a version */
        version_headers_vary(x->record.method->version->service, x->version.rule,
                             x->config->identity.header, fields);
    Bytes served = served_version(x);
    if (served.size)
        fields_add(fields, bytes_of("passerelle-served-version"), served);
    if (x->losses.names.size)
        fields_add(fields, bytes_of("passerelle-lost"), buffer_bytes(&x->losses.names));
    if (x->builtin)
        exchange_add_page_fields(x, fields);
    if (x->record.degraded)
        add_degraded(x, fields);
    if (x->record.legs.size)
        add_legs(x, fields);
    if (x->record.job)
        add_job(x, fields);
    if (x->keyed)
        exchange_add_key_fields(x, fields);
    if (c->limits)
        limit_fields_add(x->loop->limits, c->limits, x->loop->now, x->arena, fields);
    if (c->allow.size)
        fields_add(fields, bytes_of("allow"), c->allow);
    if (x->record.retry_refused && x->record.status.code != CODE_OK)
        fields_add(fields, bytes_of("passerelle-not-retried"),
                   bytes_of(retry_refusal_name(x->record.retry_refused)));
    exchange_add_previous(x, fields);
    if (is_refused_memory(x))
        fields_add(fields, bytes_of("retry-after"), bytes_of("1"));
    else if (is_refused(x))
        fields_add_number(fields, "retry-after", x->retry_after);
    add_retry_after(x, fields);
    add_vary(x, fields);
}

/* The metadata in which the route lets the service say the status; NULL: none. */
static const char *status_field(const Exchange *x)
{
    const RestStyle *style = x->route ? x->route->rest : NULL;
    return style && x->call.dialect == DIALECT_REST ? style->status_from : NULL;
}

static void add_from_service(const Client *c, const Fields *from_service, Fields *fields)
{
    const Exchange *x = c->x;
    const char *status = status_field(x);
    bool degraded = x->record.degraded;
    for (uint32_t i = 0; i < from_service->n; i++) {
        const Field *field = &from_service->items[i];
        bool left_out =
            (degraded && is_for_caches(field->name)) || (status && bytes_are(field->name, status));
        if (!left_out)
            fields_add(fields, field->name, field->value);
    }
    if (x->config->grpc_metadata && x->call.dialect == DIALECT_REST) {
        Fields named = *fields;
        grpc_metadata_add(&named, fields->arena, fields);
    }
}

/* The fields of the service, without those that only the gateway may set, and the gateway's own. */
static Fields reply_fields(const Client *c, Arena *arena)
{
    const Attempt *attempt = exchange_answered(c->x);
    const Fields *from_service = attempt ? &attempt->answer.metadata : NULL;
    Fields fields = fields_in(arena);
    if (from_service)
        add_from_service(c, from_service, &fields);
    add_own_fields(c, &fields);
    client_apply_policy(c, &fields);
    return fields;
}

/* Adds the fields that depend on all others. */
static void complete_fields(const Client *c, Fields *fields)
{
    cors_add(&c->x->config->cors, c->origin, fields);
    own_fields_merge_vary(fields);
}

/* ---- Head and messages ----------------------------------------------------------------------- */

/* HEAD of a path whose GET is a stream. */
static bool is_head_of_stream(const Exchange *x)
{
    return x->method && x->method->type->server_streaming && bytes_are(x->call.verb, "HEAD");
}

/* The client has its response, whole; only the call to the service is cancelled. */
static void leave_stream(Client *c)
{
    http_stream_send_end(c->stream, NULL);
    exchange_cancel(c->x, OK);
}

/* The HTTP status that the service says; 0: it says none that a success can have. */
static uint16_t said_status(const Exchange *x, const Attempt *attempt)
{
    uint64_t status;
    const char *name = status_field(x);
    if (!name || !attempt || !bytes_to_u64(fields_get(&attempt->answer.metadata, name), &status))
        return 0;
    return status >= 200 && status < 400 && status != 206 ? (uint16_t)status : 0;
}

/* A REST client gets the 2xx status of a REST instance: 201, 202, 206. */
static uint16_t success_status(const Exchange *x)
{
    const Attempt *attempt = exchange_answered(x);
    const JobNote *job = x->record.job;
    if (job && job->accepted)
        return x->call.dialect == DIALECT_REST ? 202 : 200;
    uint16_t said = said_status(x, attempt);
    if (said)
        return said;
    if (exchange_page_is_known(x))
        return 304;
    bool both = x->call.dialect == DIALECT_REST && attempt &&
                (attempt->target.dialect == DIALECT_REST || x->keyed);
    return both ? attempt->answer.http_status : 200;
}

static bool is_without_content(uint16_t status)
{
    return status == 204 || status == 205 || status == 304;
}

/* Whether the body is the instance's or the gateway's own, byte for byte. */
static bool is_unchanged(const Client *c, Compression compression)
{
    const Exchange *x = c->x;
    const Attempt *attempt = exchange_answered(x);
    if (x->builtin)
        return compression == COMPRESSION_IDENTITY;
    if (!attempt || attempt->target.dialect != DIALECT_REST || c->rest_body ||
        compression != COMPRESSION_IDENTITY || attempt->answer.compression != COMPRESSION_IDENTITY)
        return false;
    return exchange_is_raw(x) ? attempt->target.takes_any_media
                              : exchange_copies(attempt->response_plan);
}

/* Without a body the tag of the one that the client has, if it was made weak. */
static void settle_tag_of_304(const Client *c, Fields *fields)
{
    if (etags_have_weakened(c->if_none_match, fields_get(fields, "etag")))
        etag_weaken(fields);
}

/* Fails before anything is sent. */
static MUST_USE Result send_head(Client *c, Compression compression, int64_t content_length,
                                 const Fields *trailers)
{
    Exchange *x = c->x;
    HttpHead head;
    Fields fields = reply_fields(c, x->arena);
    if (c->content_type.size)
        fields_add_copy(&fields, "content-type", c->content_type);
    if (compression != COMPRESSION_IDENTITY && c->rest_body) {
        c->compressor = compression_stream_new(compression);
        compression = c->compressor ? compression : COMPRESSION_IDENTITY;
    }
    c->framing.compression = compression;
    if (x->call.dialect == DIALECT_REST && !is_unchanged(c, compression))
        etag_weaken(&fields);
    reply_write_head(&x->call, &fields, compression, content_length, x->arena, &head);
    if (content_length >= 0)
        reply_add_trailers(&x->call, trailers, &head);
    complete_fields(c, &head.fields);
    head.status = success_status(x);
    if (is_without_content(head.status))
        fields_drop(&head.fields, bytes_of("content-type"));
    if (head.fields.full) {
        compression_stream_free(c->compressor);
        c->compressor = NULL;
        return FAIL(x->arena, FAULT_OUT_OF_MEMORY, "writing the head of a response");
    }
    http_stream_send_head(c->stream, &head, false);
    x->record.http_status = head.status;
    x->responding = true;
    return OK;
}

/* The head of a stream, unless it was sent. *over_out: it was all that the client wanted, and the
   stream is released. */
static MUST_USE Result begin_stream(Client *c, bool *over_out)
{
    Exchange *x = c->x;
    *over_out = false;
    Result r = client_flow(c);
    if (failed(r) || x->responding)
        return r;
    r = send_head(c, client_framing(&c->caller)->compression, -1, NULL);
    *over_out = !failed(r) && is_head_of_stream(x);
    if (*over_out)
        leave_stream(c);
    return r;
}

Result client_on_head(Caller *caller)
{
    bool over;
    return begin_stream((Client *)caller, &over);
}

/* Settled with the head; before, an attempt may still be followed by a default response. */
const Framing *client_framing(Caller *caller)
{
    Client *c = (Client *)caller;
    const Exchange *x = c->x;
    if (x->responding)
        return &c->framing;
    c->framing = (Framing){
        .dialect = x->call.dialect,
        .compression = exchange_answer_compression(x),
        .least = x->config->limits.compress_least,
        .always = exchange_must_compress(x),
        .empty = is_without_content(success_status(x)) &&
                 !(x->method && x->method->type->server_streaming),
        .bare = c->rest_body != NULL,
    };
    if (exchange_is_raw(x)) {
        c->framing.raw = x->reply_binding->method->type;
        c->framing.rule = x->reply_binding->rule;
    }
    return &c->framing;
}

/* A message of JSON that follows others in one body. */
static Result write_item(Client *c, Bytes message, Buffer *out)
{
    Buffer item = buffer_in(exchange_scratch(c->x));
    rest_body_add(c->rest_body, message, c->compressor ? &item : out);
    out->full |= item.full;
    return c->compressor ? compression_stream_write(c->compressor, buffer_bytes(&item), false, out)
                         : OK;
}

static void send_body(Client *c, Bytes body)
{
    c->x->record.bytes_out += body.size;
    http_stream_send_body(c->stream, body);
}

static void send_framed(Client *c, const FramedMessage *framed)
{
    if (framed->head_size)
        send_body(c, bytes(framed->head, framed->head_size));
    send_body(c, framed->rest);
}

static Result send_item(Client *c, Bytes message)
{
    Buffer item = buffer_in(exchange_scratch(c->x));
    Result r = write_item(c, message, &item);
    if (!failed(r) && item.full)
        r = FAIL(c->x->arena, FAULT_OUT_OF_MEMORY, "framing a response of %zu bytes", message.size);
    if (!failed(r))
        send_body(c, buffer_bytes(&item));
    return r;
}

Result client_on_framed(Caller *caller, const Framed *framed)
{
    Client *c = (Client *)caller;
    bool over;
    if (c->framing.raw)
        c->content_type = framed->content_type;
    Result r = begin_stream(c, &over);
    if (failed(r) || over)
        return r;
    if (c->framing.bare)
        return send_item(c, framed->message.bytes);
    send_framed(c, &framed->frame);
    return OK;
}

Result client_on_message(Caller *caller, Message message)
{
    Framed framed;
    Result r = framing_apply(client_framing(caller), message,
                             exchange_scratch(((Client *)caller)->x), &framed);
    return failed(r) ? r : client_on_framed(caller, &framed);
}

Result client_on_run(Caller *caller, MessageRun run)
{
    Client *c = (Client *)caller;
    bool over;
    Result r = begin_stream(c, &over);
    if (!failed(r) && !over)
        send_body(c, run.frames);
    return r;
}

Result client_on_piece(Caller *caller, Message piece)
{
    Client *c = (Client *)caller;
    Exchange *x = c->x;
    FramedMessage framed = {.rest = piece.bytes};
    Result r = OK;
    if (!x->responding)
        r = send_head(c, client_framing(caller)->compression, -1, NULL);
    if (!failed(r) && !c->piece_left)
        r = message_frame(x->call.dialect, &piece, COMPRESSION_IDENTITY, x->arena, &framed);
    if (failed(r))
        return r;
    send_framed(c, &framed);
    c->piece_left = piece.left;
    return OK;
}

/* Where the single message is the whole body. Elsewhere a frame that ends the answer follows it. */
static bool body_is_message(Dialect dialect)
{
    return dialect == DIALECT_CONNECT || dialect == DIALECT_REST;
}

Result client_on_framed_response(Caller *caller, const Framed *framed, const Fields *trailers)
{
    Client *c = (Client *)caller;
    bool whole = body_is_message(c->framing.dialect);
    Compression head = c->framing.compression;
    if (whole && !framed->message.compressed)
        head = framed->compression;
    if (c->framing.raw)
        c->content_type = framed->content_type;
    /* A 304 would have the length of the representation, which is not known. */
    bool is_sized = whole && success_status(c->x) != 304;
    Result r = send_head(c, head, is_sized ? (int64_t)framed->frame.rest.size : -1, trailers);
    if (!failed(r))
        send_framed(c, &framed->frame);
    return r;
}

Result client_on_response(Caller *caller, Message message, const Fields *trailers)
{
    Framed framed;
    Result r = framing_apply(client_framing(caller), message,
                             exchange_scratch(((Client *)caller)->x), &framed);
    return failed(r) ? r : client_on_framed_response(caller, &framed, trailers);
}

/* ---- The end --------------------------------------------------------------------------------- */

/* What ends a body that is compressed as a whole. */
static Result end_compressed(Client *c, ReplyEnd *end)
{
    Buffer rest = buffer_in(exchange_last_arena(c->x));
    Result r = compression_stream_write(c->compressor, end->body, true, &rest);
    end->body = buffer_bytes(&rest);
    return r;
}

/* What an error says beside its status. */
static ReplyOptions error_options(const Client *c, DetailJson *detail_json)
{
    const Exchange *x = c->x;
    bool hides = tells_nothing(x);
    const Method *method = hides ? NULL : x->record.method;
    const Service *service = method ? method->version->service : NULL;
    const Version *version = hides ? NULL : x->version.reply;
    const Attempt *asked = asked_attempt(x);
    const char *listener = c->connection->listener;
    bool google = config_errors_google(x->config, listener, hides ? NULL : x->route);
    *detail_json = exchange_detail_json(x, version);
    return (ReplyOptions){
        .shape = google ? ERROR_SHAPE_GOOGLE : ERROR_SHAPE_PROBLEM,
        .full = !hides && config_errors_full(x->config, listener, x->route),
        .help = x->config->error_help,
        .request_id = x->record.request_id,
        .service = bytes_of(service ? service->name : NULL),
        .version = bytes_of(version ? version->name : NULL),
        .leg = bytes_of(x->record.failed_leg),
        .instance = bytes_of(asked ? asked->pick.instance->address.text : NULL),
        .detail_json = detail_json,
        .rest_body = c->rest_body,
    };
}

static Result write_end(const Client *c, Arena *arena, const Status *status, const Fields *trailers,
                        ReplyEnd *end)
{
    const Exchange *x = c->x;
    DetailJson detail_json;
    ReplyOptions options = {.rest_body = c->rest_body};
    if (status->code != CODE_OK || !x->responding)
        options = error_options(c, &detail_json);
    Fields fields = x->responding ? fields_in(arena) : reply_fields(c, arena);
    settle_tag_of_304(c, &fields);
    Result r =
        reply_write_end(&x->call, status, &fields, trailers, x->responding, &options, arena, end);
    if (failed(r) || !end->has_head)
        return r;
    complete_fields(c, &end->head.fields);
    return end->head.fields.full
               ? FAIL(arena, FAULT_OUT_OF_MEMORY, "writing the head of a response")
               : OK;
}

/* gRPC clients retry UNAVAILABLE, where their own policy says so, and do not read the details of an
   error. What the service says of it itself is its own word. */
static const Fields *with_pushback(const Exchange *x, const Status *status, const Fields *trailers,
                                   Arena *arena, Fields *space)
{
    if (!is_grpc(x) || status->code == CODE_OK)
        return trailers;
    bool invites = x->own_response || status->code == CODE_UNAVAILABLE;
    bool is_said =
        !x->own_response && trailers && fields_get(trailers, "grpc-retry-pushback-ms").data;
    if (is_refused(x)) {
        *space = fields_copy(arena, trailers, 1);
        fields_add_number(space, "grpc-retry-pushback-ms", (uint64_t)x->retry_after * 1000);
        return space;
    }
    if (!status->may_have_effect || !invites || is_said)
        return trailers;
    *space = fields_copy(arena, trailers, 1);
    fields_set(space, "grpc-retry-pushback-ms", bytes_of("-1"));
    return space;
}

/* An error can always be sent: without the details and metadata of the service it is small. */
static Result write_last_end(Client *c, Result why, ReplyEnd *end)
{
    enum { LONGEST_MESSAGE = 1024 };
    Exchange *x = c->x;
    Arena *arena = exchange_last_arena(x);
    Status *status = &x->record.status;
    if (status->code == CODE_OK) {
        x->record.why = why;
        bool may_have_effect = status->may_have_effect;
        *status = status_of_error(arena, why);
        status->may_have_effect = may_have_effect;
    }
    status->details = BYTES_NONE;
    status->message = bytes_cut_text(status->message, LONGEST_MESSAGE);
    x->own_response = true;
    Fields space;
    return write_end(c, arena, status, with_pushback(x, status, NULL, arena, &space), end);
}

/* Most losses of a stream come after its head, so its trailers list them all. */
static const Fields *with_losses(const Exchange *x, const Fields *trailers, Fields *space)
{
    if (!x->responding || !x->losses.names.size || !x->method || !x->method->type->server_streaming)
        return trailers;
    *space = fields_copy(x->arena, trailers, 1);
    fields_add(space, bytes_of("passerelle-lost"), buffer_bytes(&x->losses.names));
    return space;
}

void client_send_end(Client *c, const ReplyEnd *end)
{
    if (end->has_head) {
        c->x->record.http_status = end->head.status;
        http_stream_send_head(c->stream, &end->head, !end->body.size && !end->has_trailers);
    }
    if (end->body.size)
        send_body(c, end->body);
    if (!end->has_head || end->body.size || end->has_trailers)
        http_stream_send_end(c->stream, end->has_trailers ? &end->trailers : NULL);
}

void client_on_end(Caller *caller, const Status *status, const Fields *trailers)
{
    Client *c = (Client *)caller;
    Exchange *x = c->x;
    ReplyEnd end;
    Fields space, pushed;
    trailers = with_losses(x, trailers, &space);
    trailers = with_pushback(x, status, trailers, x->arena, &pushed);
    Result r = trailers && trailers->full
                   ? FAIL(x->arena, FAULT_OUT_OF_MEMORY, "writing the trailers")
                   : write_end(c, x->arena, status, trailers, &end);
    if (failed(r))
        r = write_last_end(c, r, &end);
    if (!failed(r) && c->compressor)
        r = end_compressed(c, &end);
    if (failed(r)) {
        x->record.why = r;
        x->record.status = status_of_error(x->arena, r);
        end.breaks_off = true;
    }
    end.breaks_off |= c->piece_left > 0; /* within a frame no error can be sent */
    if (end.breaks_off) {                /* no client takes this for success */
        http_stream_cut(c->stream, HTTP2_ERROR_INTERNAL);
        return;
    }
    client_send_end(c, &end);
}
