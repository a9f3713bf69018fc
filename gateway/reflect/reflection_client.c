#include "gateway/reflect/reflection_client.h"

#include "base/arena.h"
#include "gateway/instances/instances.h"
#include "gateway/reflect/gathering.h"
#include "gateway/upstream/upstream.h"
#include "protocols/dialect/dialect.h"

#include <signal.h>

/* How often `cancelled` is read. A flag, since the thread that sets it does not know this loop. */
#define LOOK_TIME (50 * MILLISECOND)

static const char *const methods[] = {
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
};

/* One fetching. It ends once, in `end`, which stops the loop. */
typedef struct Fetch {
    Loop loop;
    const SchemaQuery *query;
    Instance instance;            /* the query's */
    const atomic_bool *cancelled; /* may be NULL */
    Arena *arena;
    Gathering gathering;
    Timer deadline, look;
    UpstreamWait wait;
    uint32_t method; /* in `methods` */
    HttpStream *stream;
    RequestTarget target;
    Answer answer;
    MessageReader reader;
    bool has_answer, ended;
    Result result;
} Fetch;

static void end(Fetch *f, Result r)
{
    if (f->ended)
        return;
    f->ended = true;
    f->result = failed(r) ? error_copy(f->arena, r) : OK;
    loop_stop(&f->loop);
}

static void leave_stream(Fetch *f)
{
    if (!f->stream)
        return;
    http_stream_reset(f->stream, HTTP2_ERROR_CANCEL);
    http_stream_release(f->stream);
    f->stream = NULL;
}

static void on_deadline(Timer *timer)
{
    Fetch *f = (Fetch *)((char *)timer - offsetof(Fetch, deadline));
    end(f, FAIL(f->arena, FAULT_DEADLINE_EXCEEDED, "the schema was not there within %.1f s",
                (double)f->query->timeout / SECOND));
}

static void on_look(Timer *timer)
{
    Fetch *f = (Fetch *)((char *)timer - offsetof(Fetch, look));
    if (atomic_load(f->cancelled))
        end(f, FAIL(f->arena, FAULT_CANCELLED, "the schema is no longer wanted"));
    else
        timer_start(&f->loop.timers, timer, f->loop.now + LOOK_TIME);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

/* Sends the next request; without one, all is there. */
static void ask_next(Fetch *f)
{
    Buffer request = buffer_in(f->arena), framed = buffer_in(f->arena);
    if (!gathering_ask(&f->gathering, &request)) {
        http_stream_send_end(f->stream, NULL);
        end(f, OK);
        return;
    }
    Result r =
        message_write(DIALECT_GRPC, buffer_bytes(&request), COMPRESSION_IDENTITY, false, &framed);
    if (failed(r))
        end(f, r);
    else
        http_stream_send_body(f->stream, buffer_bytes(&framed));
}

static const HttpStreamEvents stream_events;

static void open_stream(Fetch *f, HttpConnection *connection)
{
    f->target = (RequestTarget){
        .dialect = DIALECT_GRPC,
        .method = bytes_of(methods[f->method]),
        .authority = bytes_of(f->query->instance->authority),
        .codec = CODEC_PROTO,
        .timeout = NO_TIMEOUT, /* ours, which knows what it means */
    };
    Fields said = fields_in(f->arena);
    fields_add(&said, bytes_of(f->query->version_header), bytes_of(f->query->version));
    HttpHead head;
    Result r = request_write(&f->target, &said, f->arena, &head);
    if (failed(r)) {
        end(f, r);
        return;
    }
    f->stream = http_stream_open(connection, &head, false, &stream_events, f);
    if (!f->stream) {
        end(f, FAIL(f->arena, FAULT_UPSTREAM_RESET, "its connection takes no call"));
        return;
    }
    f->has_answer = false;
    message_reader_init(&f->reader, DIALECT_GRPC, true, COMPRESSION_IDENTITY, f->query->most,
                        f->arena);
    ask_next(f);
}

static void on_ready(UpstreamWait *wait, HttpConnection *connection, Result why)
{
    Fetch *f = (Fetch *)((char *)wait - offsetof(Fetch, wait));
    if (failed(why))
        end(f, why);
    else
        open_stream(f, connection);
}

/* A method from the top: whatever was asked before was not answered. */
static void begin(Fetch *f)
{
    gathering_begin(&f->gathering, f->arena, f->query->package, f->query->most);
    f->wait.on_ready = on_ready;
    HttpConnection *connection;
    upstream_want(upstream_of(&f->loop, &f->instance), &f->wait, &connection);
    if (connection)
        open_stream(f, connection);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool is_end)
{
    Fetch *f = owner;
    Result r = answer_read(head, &f->target, f->arena, &f->answer);
    if (failed(r)) {
        end(f, r);
        return;
    }
    f->has_answer = true;
    f->reader.compression = f->answer.compression;
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Fetch *f = owner;
    http_stream_consume(stream, piece.size);
    if (f->answer.is_error)
        return; /* the head has said all */
    f->answer.had_body = true;
    while (!f->ended) {
        Message message;
        Result why = OK;
        MessageOutcome outcome = message_reader_read(&f->reader, &piece, &message, &why);
        if (outcome == MESSAGE_MORE)
            return;
        if (outcome == MESSAGE_DONE)
            why = gathering_take(&f->gathering, message.bytes);
        if (failed(why))
            end(f, why);
        else if (outcome == MESSAGE_DONE)
            ask_next(f);
    }
}

static Result failure_of(Fetch *f, const Status *status)
{
    Bytes said = bytes_slice(status->message, 0, 500);
    if (status->code == CODE_OK)
        return FAIL(f->arena, FAULT_UPSTREAM_PROTOCOL, "it ended the call before all was told");
    if (status->code == CODE_UNIMPLEMENTED)
        return FAIL(f->arena, FAULT_UPSTREAM_STATUS, "it has no server reflection: %.*s",
                    BYTES_ARGS(said));
    if (status->code == CODE_UNAVAILABLE)
        return FAIL(f->arena, FAULT_UPSTREAM_DOWN, "it answered UNAVAILABLE: %.*s",
                    BYTES_ARGS(said));
    return FAIL(f->arena, FAULT_UPSTREAM_STATUS, "it answered %s: %.*s", code_name(status->code),
                BYTES_ARGS(said));
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    Fetch *f = owner;
    if (f->ended)
        return;
    Result r = answer_end(&f->answer, trailers, BYTES_NONE, f->arena);
    if (failed(r)) {
        end(f, r);
        return;
    }
    bool again = f->answer.status.code == CODE_UNIMPLEMENTED && f->method == 0;
    if (!again) {
        end(f, failure_of(f, &f->answer.status));
        return;
    }
    leave_stream(f);
    f->method = 1;
    begin(f);
}

static void on_drain(void *owner, HttpStream *stream)
{
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    Fetch *f = owner;
    http_stream_release(stream);
    f->stream = NULL;
    end(f, why);
}

static const HttpStreamEvents stream_events = {on_head, on_body, on_end, on_drain, on_reset};

/* ---- The whole ------------------------------------------------------------------------------- */

static void run(Fetch *f, Config *config)
{
    Loop *loop = &f->loop;
    Result r = loop_open(loop, 0, f->arena);
    if (failed(r)) {
        f->result = r;
        return;
    }
    loop->config = config;
    loop->upstreams = upstreams_new(loop);
    f->deadline.fire = on_deadline;
    timer_start(&loop->timers, &f->deadline, loop->now + f->query->timeout);
    f->look.fire = on_look;
    if (f->cancelled)
        on_look(&f->look);
    begin(f);
    loop_run(loop);

    timer_stop(&loop->timers, &f->deadline);
    timer_stop(&loop->timers, &f->look);
    upstream_cancel(&f->wait);
    leave_stream(f);
    upstreams_close(loop->upstreams, FAIL(f->arena, FAULT_CANCELLED, "nothing more is asked"));
    loop_deinit(loop);
    upstreams_free(loop->upstreams);
}

/* What was told must be what was promised: a file in place of another would leave a service out. */
static Result check_services(Arena *arena, const Gathering *gathering, const Schema *schema)
{
    size_t at = 0;
    for (Bytes name; gathering_service(gathering, &at, &name);) {
        if (!schema_service(schema, name))
            return FAIL(arena, FAULT_BAD_SCHEMA, "no file that it tells declares its service %.*s",
                        BYTES_ARGS(bytes_slice(name, 0, 200)));
    }
    return OK;
}

static Result load(const Fetch *f, Arena *arena, Bytes *set_out, const Schema **schema_out)
{
    if (failed(f->result))
        return error_copy(arena, f->result);
    *set_out = bytes_copy(arena, buffer_bytes(&f->gathering.set));
    Result r = schema_load(arena, *set_out, f->query->instance->address.text, schema_out);
    return failed(r) ? r : check_services(arena, &f->gathering, *schema_out);
}

static Result ask(void *owner, Config *config, const SchemaQuery *query, Arena *arena,
                  Bytes *set_out, const Schema **schema_out)
{
    signal(SIGPIPE, SIG_IGN); /* an instance that leaves shall not end the process */
    Fetch f = {.query = query,
               .instance = *query->instance,
               .cancelled = owner,
               .arena = arena_new(ARENA_UNLIMITED)};
    f.instance.known = known_instance_of(&f.instance);
    run(&f, config);
    known_instance_unref(f.instance.known);
    Result r = load(&f, arena, set_out, schema_out);
    arena_free(f.arena);
    return failed(r) ? FAIL_OVER(arena, r, *r.error->fault, "asking %s for the schema of %s",
                                 query->instance->address.text, query->package)
                     : OK;
}

SchemaAsk reflection_ask(const atomic_bool *cancelled)
{
    return (SchemaAsk){ask, (void *)cancelled};
}
