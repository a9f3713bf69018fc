#include "gateway/health/probe.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "gateway/instances/instances.h"

#include <string.h>
#include <unistd.h>

enum { SERVING = 1, BODY_MOST = 256 * 1024 };

/* The rest follows from the timer, so that nothing is freed in an event of what is asked. */
static void end(Probe *probe, CheckResult result)
{
    if (probe->over)
        return;
    probe->over = true;
    probe->result = result;
    timer_start(&probe->loop->timers, &probe->timer, probe->loop->now);
}

/* A failure of the gateway itself tells nothing of the instance. */
static CheckResult result_of(const Error *error)
{
    if (error->fault->side == SIDE_GATEWAY)
        return CHECK_UNDECIDED;
    return error->fault == &FAULT_DEADLINE_EXCEEDED ? CHECK_LATE : CHECK_UNREACHABLE;
}

/* ---- By gRPC's health service ---------------------------------------------------------------- */

static const MethodType check_method = {.path = "/grpc.health.v1.Health/Check",
                                        .no_side_effects = true};

static Probe *of_caller(Caller *caller)
{
    return (Probe *)((char *)caller - offsetof(Probe, caller));
}

static uint64_t status_in(Bytes message)
{
    WireReader reader = wire_reader(message);
    uint64_t status = 0;
    for (WireField f; wire_next(&reader, &f);)
        if (f.number == 1 && f.type == WIRE_VARINT)
            status = f.value;
    return reader.bad ? 0 : status;
}

static Result on_response(Caller *caller, Message message, const Fields *trailers)
{
    (void)trailers;
    end(of_caller(caller), status_in(message.bytes) == SERVING ? CHECK_GOOD : CHECK_REFUSED);
    return OK;
}

static void on_grpc_end(Caller *caller, const Status *status, const Fields *trailers)
{
    (void)trailers;
    end(of_caller(caller), status->error ? result_of(status->error) : CHECK_REFUSED);
}

static void on_record(Caller *caller, const CallRecord *record)
{
    (void)record;
    of_caller(caller)->x = NULL;
}

static const CallerEvents caller_events = {
    .on_response = on_response,
    .on_end = on_grpc_end,
    .on_record = on_record,
};

/* One from a list outside of the config may not. */
static bool speaks_grpc(const Instance *instance)
{
    return instance->protocol != UPSTREAM_REST && instance->protocol != UPSTREAM_HTTP;
}

static void begin_grpc(Probe *probe)
{
    if (!speaks_grpc(&probe->instance)) {
        end(probe, CHECK_UNDECIDED);
        return;
    }
    Buffer request = buffer_in(loop_scratch(probe->loop));
    if (*probe->rules->service)
        wire_add_bytes(&request, 1, bytes_of(probe->rules->service));
    CHECK(!request.full && request.size <= sizeof probe->request);
    if (request.size)
        memcpy(probe->request, request.data, request.size);
    probe->message = (Message){.bytes = bytes(probe->request, request.size)};
    probe->instance.codec = CODEC_PROTO;
    probe->instance.compression = COMPRESSION_IDENTITY;
    probe->caller.events = &caller_events;
    CallOrder order = {.instance = &probe->instance,
                       .type = &check_method,
                       .codec = CODEC_PROTO,
                       .timeout = NO_TIMEOUT}; /* it is the probe's */
    probe->x = exchange_new(probe->loop, &probe->caller, &order);
    if (exchange_go(probe->x))
        exchange_end(probe->x, &probe->message);
}

/* ---- By an HTTP request ---------------------------------------------------------------------- */

static void release(Probe *probe)
{
    if (probe->stream)
        http_stream_release(probe->stream);
    probe->stream = NULL;
}

static void on_http_head(void *owner, HttpStream *stream, const HttpHead *head, bool is_end)
{
    Probe *probe = owner;
    (void)stream;
    (void)is_end;
    probe->result = check_status_is_good(probe->rules, head->status) ? CHECK_GOOD : CHECK_REFUSED;
}

/* It is read, so that its connection can be used again; but not endlessly. */
static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Probe *probe = owner;
    probe->received += piece.size;
    http_stream_consume(stream, piece.size);
    if (probe->received > BODY_MOST)
        end(probe, probe->result);
}

static void on_http_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    Probe *probe = owner;
    (void)stream;
    (void)trailers;
    end(probe, probe->result);
}

static void on_drain(void *owner, HttpStream *stream)
{
    (void)owner;
    (void)stream;
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    (void)stream;
    end(owner, result_of(why.error));
}

static const HttpStreamEvents http_events = {on_http_head, on_body, on_http_end, on_drain,
                                             on_reset};

static void open_stream(Probe *probe, HttpConnection *connection)
{
    const Instance *instance = &probe->instance;
    HttpHead head = {.method = bytes_of("GET"),
                     .scheme = bytes_of(instance->tls ? "https" : "http"),
                     .authority = bytes_of(instance->authority),
                     .path = bytes_of(probe->rules->path),
                     .content_length = -1,
                     .fields = fields_in(loop_scratch(probe->loop))};
    fields_add(&head.fields, bytes_of("user-agent"), bytes_of("passerelle-check"));
    probe->stream = http_stream_open(connection, &head, true, &http_events, probe);
    if (!probe->stream)
        end(probe, CHECK_UNDECIDED);
}

static void on_ready(UpstreamWait *wait, HttpConnection *connection, Result why);

static void want_connection(Probe *probe)
{
    HttpConnection *connection;
    probe->wait = (UpstreamWait){.on_ready = on_ready};
    upstream_want(upstream_of(probe->loop, &probe->instance), &probe->wait, &connection);
    probe->waiting = !connection;
    if (connection)
        open_stream(probe, connection);
}

static void on_ready(UpstreamWait *wait, HttpConnection *connection, Result why)
{
    Probe *probe = (Probe *)((char *)wait - offsetof(Probe, wait));
    probe->waiting = false;
    if (failed(why))
        end(probe, result_of(why.error));
    else if (connection)
        open_stream(probe, connection);
    else
        want_connection(probe); /* it is late, and no other one is checked in its place */
}

static void begin_http(Probe *probe)
{
    probe->received = 0;
    want_connection(probe);
}

/* ---- By a TCP connection --------------------------------------------------------------------- */

static void on_connected(void *owner, Dial *dial, int fd, uint32_t which)
{
    (void)dial;
    (void)which;
    close(fd);
    end(owner, CHECK_GOOD);
}

static void on_dial_failed(void *owner, Dial *dial, Result why)
{
    (void)dial;
    (void)why;
    end(owner, CHECK_UNREACHABLE);
}

static const DialEvents dial_events = {on_connected, on_dial_failed};

/* Later addresses of the name come by a second event; the dial goes on with those it has not. */
static void on_resolved(Lookup *lookup, const Resolved *resolved, Result why)
{
    Probe *probe = (Probe *)((char *)lookup - offsetof(Probe, lookup));
    if (!resolved || (resolved->n == 0 && !resolved->more)) {
        end(probe, CHECK_UNREACHABLE);
        return;
    }
    (void)why;
    uint32_t had = dial_size(probe->dial);
    for (uint32_t i = 0; i < resolved->n; i++) {
        bool known = false;
        for (uint32_t k = 0; k < had && !known; k++)
            known = ip_equal(dial_address(probe->dial, k), &resolved->addresses[i]);
        if (!known)
            dial_add(probe->dial, &resolved->addresses[i], 1, probe->instance.address.port, true);
    }
    dial_add(probe->dial, NULL, 0, probe->instance.address.port, resolved->more);
}

static void begin_tcp(Probe *probe, Resolver *resolver)
{
    const Address *address = &probe->instance.address;
    IpAddress ip;
    probe->dial =
        dial_new(probe->loop, probe->loop->config->descriptors.instances, &dial_events, probe);
    if (address->path) {
        dial_add_path(probe->dial, address->path);
    } else if (ip_read(bytes_of(address->host), &ip)) {
        dial_add(probe->dial, &ip, 1, address->port, false);
    } else {
        probe->lookup.on_resolved = on_resolved;
        resolver_use(resolver, &probe->loop->config->dns);
        lookup_begin(resolver, &probe->lookup, address->host);
    }
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void drop(Probe *probe)
{
    probe->over = true;
    timer_stop(&probe->loop->timers, &probe->timer);
    if (probe->x)
        exchange_cancel(probe->x,
                        FAIL(loop_scratch(probe->loop), FAULT_CANCELLED, "the check has ended"));
    if (probe->waiting)
        upstream_cancel(&probe->wait);
    release(probe);
    lookup_cancel(&probe->lookup);
    dial_free(probe->dial);
    probe->dial = NULL;
    probe->waiting = probe->running = false;
}

/* What waits for one of the gateway's connections to it, while others have them, was not sent. */
static CheckResult late(const Probe *probe)
{
    bool connected = upstream_is_connected(upstream_of(probe->loop, &probe->instance));
    return probe->waiting && connected ? CHECK_UNDECIDED : CHECK_LATE;
}

static void on_timer(Timer *timer)
{
    Probe *probe = (Probe *)((char *)timer - offsetof(Probe, timer));
    CheckResult result = probe->over ? probe->result : late(probe);
    drop(probe);
    probe->on_done(probe, result);
}

void probe_begin(Probe *probe, Loop *loop, Resolver *resolver, const CheckRules *rules,
                 const Instance *instance)
{
    CHECK(!probe->running && rules->kind != CHECK_NONE && instance->known);
    probe->loop = loop;
    probe->rules = rules;
    probe->instance = *instance;
    probe->running = true;
    probe->over = false;
    probe->result = CHECK_UNREACHABLE;
    probe->timer.fire = on_timer;
    timer_start(&loop->timers, &probe->timer, loop->now + rules->timeout);
    switch (rules->kind) {
    case CHECK_NONE: break;
    case CHECK_GRPC: begin_grpc(probe); break;
    case CHECK_HTTP: begin_http(probe); break;
    case CHECK_TCP: begin_tcp(probe, resolver); break;
    }
}

void probe_cancel(Probe *probe)
{
    if (probe->running)
        drop(probe);
}
