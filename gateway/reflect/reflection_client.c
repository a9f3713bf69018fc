#include "gateway/reflect/reflection_client.h"

#include "base/arena.h"
#include "gateway/call/exchange.h"
#include "gateway/instances/instances.h"
#include "gateway/loop/config_use.h"
#include "gateway/memory/memory_wait.h"
#include "gateway/reflect/gathering.h"
#include "gateway/upstream/upstream.h"

#include <signal.h>

/* The interval at which `cancelled` is read. */
#define LOOK_TIME (50 * MILLISECOND)

static const MethodType methods[] = {
    {.path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
     .client_streaming = true,
     .server_streaming = true},
    {.path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
     .client_streaming = true,
     .server_streaming = true},
};

/* One request for a schema: the caller of its exchange. It ends once, in `end`, which stops the
   loop. */
typedef struct Fetch {
    Caller caller;
    Loop loop;
    const SchemaQuery *query;
    Instance instance;            /* the query's */
    const atomic_bool *cancelled; /* may be NULL */
    Arena *arena;
    Gathering gathering;
    Timer deadline, look;
    uint32_t method; /* in `methods` */
    Exchange *x;     /* NULL: none now */
    bool asked, ended;
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

static void on_deadline(Timer *timer)
{
    Fetch *f = (Fetch *)((char *)timer - offsetof(Fetch, deadline));
    end(f, FAIL(f->arena, FAULT_DEADLINE_EXCEEDED, "the schema was not received within %.1f s",
                (double)f->query->timeout / SECOND));
}

static void on_look(Timer *timer)
{
    Fetch *f = (Fetch *)((char *)timer - offsetof(Fetch, look));
    if (atomic_load(f->cancelled))
        end(f, FAIL(f->arena, FAULT_CANCELLED, "the request for the schema was cancelled"));
    else
        timer_start(&f->loop.timers, timer, f->loop.now + LOOK_TIME);
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* Starts from the beginning with the current method. */
static void begin(Fetch *f)
{
    gathering_begin(&f->gathering, f->arena, f->query->package, f->query->most);
    f->gathering.mixins = f->query->mixins;
    f->gathering.n_mixins = f->query->n_mixins;
    Fields said = fields_in(f->arena);
    if (f->query->version)
        fields_add(&said, bytes_of(f->query->version_header), bytes_of(f->query->version));
    CallOrder order = {
        .instance = &f->instance,
        .type = &methods[f->method],
        .codec = CODEC_PROTO,
        .timeout = NO_TIMEOUT, /* `deadline` has a better error */
        .metadata = &said,
        .response_bytes = f->query->most,
        .memory = ARENA_UNLIMITED, /* limited by Gathering.limit */
    };
    f->asked = false;
    f->x = exchange_new(&f->loop, &f->caller, &order);
    exchange_go(f->x);
}

/* Sends the next request; if there is none, the schema is complete. */
static void ask_next(Fetch *f)
{
    Buffer request = buffer_in(f->arena);
    f->asked = true;
    if (gathering_ask(&f->gathering, &request))
        exchange_send(f->x, (Message){.bytes = buffer_bytes(&request)});
    else
        end(f, OK);
}

static void on_room(Caller *caller)
{
    Fetch *f = (Fetch *)caller;
    if (!f->asked && exchange_wants(f->x))
        ask_next(f);
}

/* ---- Responses ------------------------------------------------------------------------------- */

static Result on_message(Caller *caller, Message message)
{
    Fetch *f = (Fetch *)caller;
    if (f->ended)
        return OK;
    Result r = gathering_take(&f->gathering, message.bytes);
    if (!failed(r))
        ask_next(f);
    return r;
}

static Result failure_of(Fetch *f, const Status *status)
{
    Bytes said = bytes_cut_text(status->message, 500);
    if (status->error)
        return status_failure(f->arena, status);
    if (status->code == CODE_OK)
        return FAIL(f->arena, FAULT_UPSTREAM_PROTOCOL,
                    "it ended the call before all responses were sent");
    if (status->code == CODE_UNIMPLEMENTED)
        return FAIL(f->arena, FAULT_UPSTREAM_STATUS, "it has no server reflection: %.*s",
                    BYTES_ARGS(said));
    if (status->code == CODE_UNAVAILABLE)
        return FAIL(f->arena, FAULT_UPSTREAM_DOWN, "it returned UNAVAILABLE: %.*s",
                    BYTES_ARGS(said));
    return status_failure(f->arena, status);
}

static bool tries_the_older(const Fetch *f, const Status *status)
{
    return status->code == CODE_UNIMPLEMENTED && !status->error && f->method == 0;
}

static void on_end(Caller *caller, const Status *status, const Fields *trailers)
{
    Fetch *f = (Fetch *)caller;
    if (tries_the_older(f, status))
        f->method = 1;
    else
        end(f, failure_of(f, status));
}

static void on_record(Caller *caller, const CallRecord *record)
{
    Fetch *f = (Fetch *)caller;
    f->x = NULL;
    if (!f->ended)
        begin(f);
}

static const CallerEvents events = {
    .on_room = on_room,
    .on_message = on_message,
    .on_end = on_end,
    .on_record = on_record,
};

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
    Result over = FAIL(f->arena, FAULT_CANCELLED, "no more requests");
    if (f->x)
        exchange_cancel(f->x, over);
    upstreams_close(loop->upstreams, over);
    loop_deinit(loop);
    upstreams_free(loop->upstreams);
    memory_waits_free(loop);
    loop->config = NULL;
    config_uses_trim(loop);
}

/* Checks that the files declare every service that the instance listed: it may have returned
   another file. */
static Result check_services(Arena *arena, const Gathering *gathering, const Schema *schema)
{
    size_t at = 0;
    for (Bytes name; gathering_service(gathering, &at, &name);) {
        if (!schema_service(schema, name))
            return FAIL(arena, FAULT_BAD_SCHEMA,
                        "no file from its reflection declares its service %.*s",
                        BYTES_ARGS(bytes_cut_text(name, 200)));
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
    signal(SIGPIPE, SIG_IGN); /* writing to a closed connection must not end the process */
    Fetch f = {.caller = {&events},
               .query = query,
               .instance = *query->instance,
               .cancelled = owner,
               .arena = arena_new(ARENA_UNLIMITED)};
    f.instance.known = known_instance_of(&f.instance);
    run(&f, config);
    known_instance_unref(f.instance.known);
    Result r = load(&f, arena, set_out, schema_out);
    arena_free(f.arena);
    return failed(r) ? FAIL_OVER(arena, r, *r.error->fault, "asking %s for the schema of %s",
                                 query->instance->address.text,
                                 query->package ? query->package : "its services")
                     : OK;
}

SchemaAsk reflection_ask(const atomic_bool *cancelled)
{
    return (SchemaAsk){ask, (void *)cancelled};
}
