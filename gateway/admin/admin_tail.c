/* Readers of /tail: the log of the running gateway, line by line. */
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/admin/admin_stream.h"
#include "gateway/admin/response.h"
#include "gateway/log_output/tail.h"
#include "gateway/telemetry/telemetry.h"

#define HEARTBEAT (15 * SECOND)

/* A reader, and its response. */
typedef struct TailStream {
    AdminStream stream;  /* first */
    TailReader *reader;  /* NULL: it has ended */
    Arena *arena;        /* of the text that is being sent */
    bool events;         /* server-sent ones; else a line of JSON each */
    uint64_t generation; /* of the config that has let it in */
    int64_t told;        /* when something was sent */
} TailStream;

/* ---- Sending --------------------------------------------------------------------------------- */

static void send_text(TailStream *tail, Bytes text)
{
    tail->told = clock_now();
    admin_stream_send(&tail->stream, text);
}

/* An empty line, or comment: it tells nothing, and finds out whether the reader is still there. */
static void send_nothing(TailStream *tail)
{
    send_text(tail, bytes_of(tail->events ? ":\n\n" : "\n"));
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

/* What has come since. */
static void send_lines(TailStream *tail)
{
    if (tail->stream.sending || !tail->reader)
        return;
    arena_reset(tail->arena);
    Buffer lines = buffer_in(tail->arena), events = buffer_in(tail->arena);
    if (!tail_take(tail->reader, &lines))
        return;
    if (tail->events)
        add_events(&events, buffer_bytes(&lines));
    send_text(tail, buffer_bytes(tail->events ? &events : &lines));
}

static void close_reader(TailStream *tail)
{
    if (tail->reader)
        tail_close(tail->reader);
    tail->reader = NULL;
}

static void end(TailStream *tail)
{
    close_reader(tail);
    admin_stream_end(&tail->stream);
}

static void on_taken(AdminStream *stream)
{
    send_lines((TailStream *)stream);
}

static void on_left(AdminStream *stream)
{
    close_reader((TailStream *)stream);
}

static void on_gone(AdminStream *stream)
{
    arena_free(((TailStream *)stream)->arena);
}

static const AdminStreamEvents stream_events = {
    .taken = on_taken, .left = on_left, .gone = on_gone};

/* What is done to one may take it off the list. */
static void for_each(Admin *admin, void (*act)(TailStream *tail))
{
    for (AdminStream *next, *stream = admin->tails; stream; stream = next) {
        next = stream->next;
        act((TailStream *)stream);
    }
}

/* On the thread of the log's writer. */
static void wake(void *owner)
{
    uv_async_send(&((Admin *)owner)->tailed);
}

static void on_tailed(uv_async_t *tailed)
{
    for_each(tailed->data, send_lines);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static bool wants_events(const h2o_req_t *req)
{
    static const char type[] = "text/event-stream";
    Bytes accept = request_field(req, "accept");
    return accept.size && memmem(accept.data, accept.size, type, sizeof type - 1);
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
    TailStream *tail =
        admin_stream_begin(asking, events ? "text/event-stream" : "application/x-ndjson",
                           sizeof *tail, &stream_events, &admin->tails);
    tail->reader = reader;
    tail->arena = arena_new(ARENA_UNLIMITED);
    tail->events = events;
    tail->generation = asking->config->generation;
    send_nothing(tail);
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
    else if (admin_stream_is_closing(asking->admin) || !asking->config)
        admin_desk_send_stopping(asking->req);
    else if (admin_desk_is_head(asking->req))
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

static void look_at(TailStream *tail)
{
    if (admin_stream_has_left(&tail->stream)) {
        close_reader(tail);
        admin_stream_drop(&tail->stream);
    } else if (!tail->stream.sending && tail->reader && tail->told + HEARTBEAT <= clock_now()) {
        send_nothing(tail);
    }
}

/* What has let it in may have changed with the config: it shows it again. */
static void end_those_of_before(Admin *admin, uint64_t generation)
{
    for (AdminStream *next, *stream = admin->tails; stream; stream = next) {
        next = stream->next;
        if (((TailStream *)stream)->generation != generation)
            end((TailStream *)stream);
    }
}

void admin_tail_look(Admin *admin)
{
    Config *config = admin->tails ? telemetry_config() : NULL;
    if (!config)
        return;
    end_those_of_before(admin, config->generation);
    config_unref(config);
    if (admin_stream_is_closing(admin))
        for_each(admin, end);
    for_each(admin, look_at);
}

void admin_tail_end(Admin *admin)
{
    for_each(admin, end);
    uv_close((uv_handle_t *)&admin->tailed, NULL);
}
