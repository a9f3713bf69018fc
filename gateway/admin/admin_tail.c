/* Readers of /tail: the log of the running gateway, line by line. */
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/admin/admin_internal.h"
#include "gateway/admin/response.h"
#include "gateway/log_output/tail.h"
#include "gateway/telemetry/telemetry.h"

#define HEARTBEAT (15 * SECOND)

/* The response to a reader; in the request's pool. */
struct TailStream {
    h2o_generator_t generator; /* first */
    Admin *admin;
    h2o_req_t *req;
    TailStream *next, **at; /* `at` NULL: it is in no list any more */
    TailReader *reader;     /* NULL: it has ended */
    Arena *arena;           /* of the text that is being sent */
    bool events;            /* server-sent ones; else a line of JSON each */
    bool sending, ending;
    uint64_t generation; /* of the config that has let it in */
    int64_t told;        /* when something was sent */
};

/* ---- Sending --------------------------------------------------------------------------------- */

static void send_text(TailStream *stream, Bytes text, h2o_send_state_t state)
{
    h2o_iovec_t part = h2o_iovec_init(text.data, text.size);
    stream->sending = true;
    stream->told = clock_now();
    h2o_send(stream->req, &part, part.len ? 1 : 0, state);
}

static void add_events(Buffer *out, Bytes lines)
{
    Bytes line;
    while (lines.size && bytes_split(&lines, '\n', &line)) {
        buffer_add_text(out, "data: ");
        buffer_add_bytes(out, line);
        buffer_add_text(out, "\n\n");
    }
}

/* What has come since. libh2o takes one piece at a time. */
static void send_lines(TailStream *stream)
{
    if (stream->sending || !stream->reader)
        return;
    arena_reset(stream->arena);
    Buffer lines = buffer_in(stream->arena), events = buffer_in(stream->arena);
    if (!tail_take(stream->reader, &lines))
        return;
    if (stream->events)
        add_events(&events, buffer_bytes(&lines));
    send_text(stream, buffer_bytes(stream->events ? &events : &lines), H2O_SEND_STATE_IN_PROGRESS);
}

static void finish(TailStream *stream)
{
    stream->ending = false;
    send_text(stream, BYTES_NONE, H2O_SEND_STATE_FINAL);
}

static void close_reader(TailStream *stream)
{
    if (stream->reader)
        tail_close(stream->reader);
    stream->reader = NULL;
}

static void end(TailStream *stream)
{
    if (!stream->reader)
        return;
    close_reader(stream);
    stream->ending = stream->sending;
    if (!stream->sending)
        finish(stream);
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    TailStream *stream = (TailStream *)generator;
    stream->sending = false;
    admin_connections_asked(&stream->admin->connections, req->conn);
    if (stream->ending)
        finish(stream);
    else
        send_lines(stream);
}

/* ---- Coming and going ------------------------------------------------------------------------ */

static void leave(TailStream *stream)
{
    close_reader(stream);
    if (!stream->at)
        return;
    *stream->at = stream->next;
    if (stream->next)
        stream->next->at = stream->at;
    stream->at = NULL;
}

static void on_stop(h2o_generator_t *generator, h2o_req_t *req)
{
    leave((TailStream *)generator);
}

static void on_gone(void *argument)
{
    TailStream *stream = argument;
    leave(stream);
    arena_free(stream->arena);
}

static TailStream *stream_new(const Asking *asking, bool events)
{
    Admin *admin = asking->admin;
    TailStream *stream = h2o_mem_alloc_shared(&asking->req->pool, sizeof *stream, on_gone);
    *stream = (TailStream){.generator = {.proceed = on_proceed, .stop = on_stop},
                           .admin = admin,
                           .req = asking->req,
                           .next = admin->tails,
                           .at = &admin->tails,
                           .arena = arena_new(ARENA_UNLIMITED),
                           .events = events,
                           .told = clock_now()};
    if (stream->next)
        stream->next->at = &stream->next;
    admin->tails = stream;
    return stream;
}

/* On the thread of the log's writer. */
static void wake(void *owner)
{
    uv_async_send(&((Admin *)owner)->tailed);
}

static void on_tailed(uv_async_t *tailed)
{
    Admin *admin = tailed->data;
    for (TailStream *next, *stream = admin->tails; stream; stream = next) {
        next = stream->next;
        send_lines(stream);
    }
}

/* ---- Requests -------------------------------------------------------------------------------- */

static bool wants_events(const h2o_req_t *req)
{
    static const char type[] = "text/event-stream";
    Bytes accept = request_field(req, "accept");
    return accept.size && memmem(accept.data, accept.size, type, sizeof type - 1);
}

static bool is_over(const Admin *admin)
{
    return admin->stopping || atomic_load(&admin->leaving) || !atomic_load(admin->sees.ready);
}

static void begin(const Asking *asking, const LogFilter *filter)
{
    Admin *admin = asking->admin;
    bool events = wants_events(asking->req);
    TailReader *reader = tail_open(filter, wake, admin);
    if (!reader) {
        admin_desk_refuse_busy(asking, "the log has 16 readers already");
        return;
    }
    TailStream *stream = stream_new(asking, events);
    stream->reader = reader;
    stream->generation = asking->config->generation;
    response_begin_stream(asking->req, events ? "text/event-stream" : "application/x-ndjson",
                          &stream->generator);
    send_text(stream, bytes_of(events ? ":\n\n" : "\n"), H2O_SEND_STATE_IN_PROGRESS);
}

/* Readers cost something: no page of another site may be one. */
void admin_tail_respond(const Asking *asking)
{
    LogFilter filter;
    if (!admin_desk_is_same_origin(asking))
        return;
    Result r = log_filter_read(admin_desk_query(asking->req), asking->arena, &filter);
    if (failed(r))
        response_send_problem(asking->req, 400, "Bad Request", r.error->doing);
    else if (is_over(asking->admin) || !asking->config)
        admin_desk_send_stopping(asking->req);
    else if (h2o_memis(asking->req->method.base, asking->req->method.len, H2O_STRLIT("HEAD")))
        response_send(asking->req, 200, "OK", "application/x-ndjson", BYTES_NONE);
    else
        begin(asking, &filter);
}

/* ---- Beginning and ending -------------------------------------------------------------------- */

void admin_tail_begin(Admin *admin)
{
    CHECK(uv_async_init(&admin->loop, &admin->tailed, on_tailed) == 0);
    admin->tailed.data = admin;
}

/* libh2o notices that a connection is gone when it sends something. */
static void look_at(TailStream *stream)
{
    if (admin_connections_has_left(stream->req->conn)) {
        admin_connections_drop(&stream->admin->connections, stream->req->conn);
        end(stream);
    } else if (!stream->sending && stream->reader && stream->told + HEARTBEAT <= clock_now()) {
        send_text(stream, bytes_of(stream->events ? ":\n\n" : "\n"), H2O_SEND_STATE_IN_PROGRESS);
    }
}

/* What has let it in may have changed with the config: it shows it again. */
static void look_at_all(const Admin *admin, uint64_t generation)
{
    bool over = is_over(admin);
    for (TailStream *next, *stream = admin->tails; stream; stream = next) {
        next = stream->next;
        if (over || stream->generation != generation)
            end(stream);
        look_at(stream);
    }
}

void admin_tail_look(Admin *admin)
{
    Config *config = admin->tails ? telemetry_config() : NULL;
    if (!config)
        return;
    look_at_all(admin, config->generation);
    config_unref(config);
}

static void end_all(Admin *admin)
{
    for (TailStream *next, *stream = admin->tails; stream; stream = next) {
        next = stream->next;
        end(stream);
    }
}

void admin_tail_end(Admin *admin)
{
    end_all(admin);
    uv_close((uv_handle_t *)&admin->tailed, NULL);
}
