#include "gateway/trace/trace_exporter.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/call/exchange.h"
#include "gateway/instances/instances.h"
#include "gateway/loop/config_use.h"
#include "gateway/memory/memory_wait.h"
#include "gateway/thread/thread.h"
#include "gateway/trace/span_write.h"
#include "gateway/upstream/upstream.h"
#include "gateway/webhook/webhook_post.h"

#include <stdlib.h>

#define BACKOFF_FIRST SECOND
#define BACKOFF_MOST (30 * SECOND)
#define END_TIME (2 * SECOND)

enum { RESPONSE_MOST = 64 * 1024, SHOWN_MOST = 300, LOOK_MILLIS = 50 };

static const MethodType export = {
    .path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"};

/* In its arena. */
typedef struct Batch {
    struct Batch *next;
    Arena *arena;
    Bytes spans;
    uint32_t n;
} Batch;

struct TraceExporter {
    Caller caller; /* of the exchange */
    Loop loop;
    pthread_t thread;
    atomic_bool started;
    bool closed;         /* the thread has ended: nothing is posted any more */
    Batch *first, *last; /* the loop's */
    Instance instance;   /* a copy of the config's, with what is known of it; */
    bool has_instance;
    Exchange *x;  /* NULL: none now */
    Arena *arena; /* of the request */
    Result why;   /* failed: the request, in the arena */
    bool again;   /* then: it may succeed later */
    uint64_t rejected;
    Timer timer;          /* backoff; at the end, END_TIME */
    uint32_t n_failures;  /* in a row */
    bool dropped_request; /* by the exporter itself: its batch waits */
    bool ending;
    CURLM *multi;          /* NULL: nothing was posted yet */
    atomic_llong deadline; /* clock_now; 0: it was not told to end */
    /* For the metrics: */
    atomic_ullong sent, dropped, rejected_spans, failures;
    atomic_ullong queued; /* bytes */
    atomic_ullong most;   /* of them */
};

static TraceExporter *exporter_of(Loop *loop)
{
    return (TraceExporter *)((char *)loop - offsetof(TraceExporter, loop));
}

static void begin_next(TraceExporter *e);

/* ---- The queue: on the exporter's loop --------------------------------------------------------
 */

static void free_batch(TraceExporter *e, Batch *batch)
{
    atomic_fetch_sub(&e->queued, batch->spans.size);
    arena_free(batch->arena);
}

static Batch *take_first(TraceExporter *e)
{
    Batch *first = e->first;
    e->first = first->next;
    return first;
}

static void run_take(Loop *loop, void *argument)
{
    TraceExporter *e = exporter_of(loop);
    Batch *batch = argument;
    if (e->first)
        e->last->next = batch;
    else
        e->first = batch;
    e->last = batch;
    begin_next(e);
}

void trace_exporter_take(TraceExporter *e, Arena *arena, Bytes spans, uint32_t n)
{
    Batch *batch = arena_make(arena, Batch);
    bool room = batch && !e->closed &&
                atomic_fetch_add(&e->queued, spans.size) + spans.size <= atomic_load(&e->most);
    if (!room) {
        atomic_fetch_add(&e->dropped, n);
        if (batch && !e->closed)
            atomic_fetch_sub(&e->queued, spans.size);
        arena_free(arena);
        return;
    }
    *batch = (Batch){.arena = arena, .spans = spans, .n = n};
    loop_post(&e->loop, run_take, batch);
}

/* ---- How a request has ended ------------------------------------------------------------------
 */

static void tell_works(TraceExporter *e)
{
    if (e->n_failures)
        telemetry_event("info", "traces_sent_again", OK, "the collector takes spans again");
    e->n_failures = 0;
}

static void tell_fails(TraceExporter *e)
{
    atomic_fetch_add(&e->failures, 1);
    if (e->n_failures++ == 0)
        telemetry_event("warning", "traces_not_sent", e->why,
                        e->again
                            ? "spans wait for the collector, and are dropped when tracing.queue "
                              "is full"
                            : "the collector does not take them: these spans are lost");
}

static int64_t backoff(TraceExporter *e)
{
    uint32_t doublings = e->n_failures - 1 < 5 ? e->n_failures - 1 : 5;
    int64_t time = BACKOFF_FIRST << doublings;
    time = time < BACKOFF_MOST ? time : BACKOFF_MOST;
    return time / 2 + (int64_t)random_below(&e->loop.random, (uint64_t)time / 2);
}

/* The request of the first batch is over. */
static void settle(TraceExporter *e)
{
    bool later = failed(e->why) && e->again;
    if (failed(e->why))
        tell_fails(e);
    else
        tell_works(e);
    if (later && e->ending) {
        loop_stop(&e->loop);
        return;
    }
    if (later) {
        timer_start(&e->loop.timers, &e->timer, e->loop.now + backoff(e));
        return;
    }
    Batch *batch = take_first(e);
    uint64_t lost = failed(e->why) ? batch->n : e->rejected < batch->n ? e->rejected : batch->n;
    atomic_fetch_add(&e->sent, batch->n - lost);
    atomic_fetch_add(&e->rejected_spans, lost);
    free_batch(e, batch);
}

static Result take_response(TraceExporter *e, Bytes response)
{
    Bytes why;
    if (!spans_response_read(response, &e->rejected, &why))
        return FAIL(e->arena, FAULT_UPSTREAM_MESSAGE, "it is no ExportTraceServiceResponse");
    if (e->rejected > e->first->n) /* a negative number, too */
        e->rejected = e->first->n;
    if (e->rejected)
        telemetry_event("warning", "traces_rejected", OK, "the collector rejected %llu spans: %.*s",
                        (unsigned long long)e->rejected,
                        BYTES_ARGS(bytes_cut_text(why, SHOWN_MOST)));
    return OK;
}

/* ---- By gRPC ----------------------------------------------------------------------------------
 */

/* OTLP/gRPC response: which codes a client should try again. */
static bool may_pass(Code code)
{
    switch (code) {
    case CODE_CANCELLED:
    case CODE_DEADLINE_EXCEEDED:
    case CODE_RESOURCE_EXHAUSTED:
    case CODE_ABORTED:
    case CODE_OUT_OF_RANGE:
    case CODE_UNAVAILABLE:
    case CODE_DATA_LOSS: return true;
    default: return false;
    }
}

static void on_room(Caller *caller)
{
    (void)caller;
}

static Result on_head(Caller *caller)
{
    (void)caller;
    return OK;
}

static Result on_response(Caller *caller, Message message, const Fields *trailers)
{
    TraceExporter *e = (TraceExporter *)caller;
    (void)trailers;
    return take_response(e, message.bytes);
}

static void on_end(Caller *caller, const Status *status, const Fields *trailers)
{
    TraceExporter *e = (TraceExporter *)caller;
    (void)trailers;
    if (status->code == CODE_OK)
        return;
    /* What is too long to be read has been taken all the same. */
    bool is_long = status->error && status->error->fault == &FAULT_UPSTREAM_TOO_LARGE;
    e->again = may_pass(status->code) && !is_long;
    if (status->error)
        e->why = error_copy(e->arena, (Result){status->error});
    else
        e->why =
            FAIL(e->arena, FAULT_UPSTREAM_STATUS, "it returned %s: %.*s", code_name(status->code),
                 BYTES_ARGS(bytes_cut_text(status->message, SHOWN_MOST)));
}

static void run_next(Loop *loop, void *argument)
{
    (void)argument;
    begin_next(exporter_of(loop));
}

/* Not from within the exchange's last event. */
static void on_record(Caller *caller, const CallRecord *record)
{
    TraceExporter *e = (TraceExporter *)caller;
    (void)record;
    e->x = NULL;
    if (e->dropped_request)
        return;
    settle(e);
    loop_post(&e->loop, run_next, NULL);
}

static bool has_room(const Caller *caller)
{
    (void)caller;
    return true;
}

static const CallerEvents caller_events = {
    .on_room = on_room,
    .on_head = on_head,
    .on_response = on_response,
    .on_end = on_end,
    .on_record = on_record,
    .has_room = has_room,
};

static void call(TraceExporter *e, Bytes body)
{
    CallOrder order = {.instance = &e->instance,
                       .type = &export,
                       .codec = CODEC_PROTO,
                       .timeout = e->loop.config->tracing.timeout,
                       .response_bytes = RESPONSE_MOST,
                       .memory = ARENA_UNLIMITED}; /* limited by tracing.batch */
    Message request = {.bytes = body};
    /* The wait between two tries is this file's: without it, the connection would have its own. */
    known_instance_is_back(e->instance.known);
    e->x = exchange_new(&e->loop, &e->caller, &order);
    if (exchange_go(e->x))
        exchange_end(e->x, &request);
}

/* ---- By HTTP ----------------------------------------------------------------------------------
 */

static bool is_late(const TraceExporter *e)
{
    int64_t deadline = atomic_load(&e->deadline);
    return deadline && clock_now() >= deadline;
}

/* Waits on this thread, which does nothing else then. False: the process ends before. */
static bool wait_for_response(TraceExporter *e, CURLcode *code_out)
{
    int running = 1, left;
    while (running) {
        CHECK(curl_multi_perform(e->multi, &running) == CURLM_OK);
        if (running && is_late(e))
            return false;
        if (running)
            CHECK(curl_multi_poll(e->multi, NULL, 0, LOOK_MILLIS, NULL) == CURLM_OK);
    }
    const CURLMsg *told = curl_multi_info_read(e->multi, &left);
    CHECK(told);
    *code_out = told->data.result;
    return true;
}

static void post(TraceExporter *e, Bytes body)
{
    WebhookPost post = {0};
    CURLcode code;
    int64_t after;
    if (!e->multi)
        CHECK((e->multi = curl_multi_init()));
    webhook_post_begin(&post, e->multi, e->loop.config->tracing.receiver, "application/x-protobuf",
                       "", body, clock_wall());
    if (wait_for_response(e, &code)) {
        WebhookOutcome outcome = webhook_post_outcome(&post, code, e->arena, &e->why, &after);
        e->again = outcome == WEBHOOK_AGAIN;
    } else {
        e->why = FAIL(e->arena, FAULT_SHUTTING_DOWN, "the gateway stops");
        e->again = true;
    }
    webhook_post_end(&post, e->multi);
    settle(e);
    loop_post(&e->loop, run_next, NULL);
}

/* ---- One after the other ----------------------------------------------------------------------
 */

static void begin_next(TraceExporter *e)
{
    const Config *config = e->loop.config;
    if (e->x || (timer_running(&e->timer) && !e->ending))
        return;
    if (!e->first || !config->tracing.on) {
        if (e->ending)
            loop_stop(&e->loop);
        return;
    }
    arena_free(e->arena);
    e->arena = arena_new(ARENA_UNLIMITED);
    e->why = OK;
    e->again = false;
    e->rejected = 0;
    Buffer body = buffer_in(e->arena);
    spans_wrap(config->tracing.service, config->node, e->first->spans, &body);
    if (e->has_instance)
        call(e, buffer_bytes(&body));
    else
        post(e, buffer_bytes(&body));
}

static void on_timer(Timer *timer)
{
    TraceExporter *e = (TraceExporter *)((char *)timer - offsetof(TraceExporter, timer));
    if (e->ending)
        loop_stop(&e->loop);
    else
        begin_next(e);
}

/* ---- Configs ----------------------------------------------------------------------------------
 */

static void forget_instance(TraceExporter *e)
{
    if (e->has_instance)
        known_instance_unref(e->instance.known);
    e->has_instance = false;
}

static void take_instance(TraceExporter *e)
{
    const TracingConfig *tracing = &e->loop.config->tracing;
    forget_instance(e);
    if (!tracing->collector)
        return;
    e->instance = *tracing->collector;
    e->instance.known = known_instance_of(&e->instance);
    e->has_instance = true;
}

static void drop_request(TraceExporter *e, Result why)
{
    e->dropped_request = true;
    if (e->x)
        exchange_cancel(e->x, why);
    e->dropped_request = false;
    timer_stop(&e->loop.timers, &e->timer);
}

static void run_use(Loop *loop, void *argument)
{
    TraceExporter *e = exporter_of(loop);
    Config *old = loop->config;
    drop_request(e, FAIL(loop_scratch(loop), FAULT_CANCELLED, "the config is another one"));
    loop->config = argument;
    take_instance(e);
    config_uses_trim(loop);
    config_unref(old);
    begin_next(e);
}

static void *run_thread(void *argument)
{
    loop_run(&((TraceExporter *)argument)->loop);
    return NULL;
}

static void start(TraceExporter *e, Config *config)
{
    Loop *loop = &e->loop;
    loop_init(loop, 0);
    loop->config = config_ref(config);
    loop->upstreams = upstreams_new(loop);
    take_instance(e);
    CHECK(thread_make(&e->thread, run_thread, e) == 0);
    e->started = true;
}

TraceExporter *trace_exporter_new(void)
{
    TraceExporter *e = calloc(1, sizeof *e);
    CHECK(e);
    e->caller.events = &caller_events;
    e->timer.fire = on_timer;
    return e;
}

void trace_exporter_use(TraceExporter *e, Config *config)
{
    atomic_store(&e->most, config->tracing.queue);
    if (e->started)
        loop_post(&e->loop, run_use, config_ref(config));
    else if (config->tracing.on)
        start(e, config);
}

/* ---- The end ----------------------------------------------------------------------------------
 */

static void run_end(Loop *loop, void *argument)
{
    TraceExporter *e = exporter_of(loop);
    (void)argument;
    e->ending = true;
    timer_start(&loop->timers, &e->timer, loop->now + END_TIME);
    begin_next(e);
}

static void close_loop(TraceExporter *e)
{
    Loop *loop = &e->loop;
    Result why = FAIL(loop_scratch(loop), FAULT_SHUTTING_DOWN, "the gateway stops");
    atomic_store(&e->deadline, clock_now() + END_TIME);
    loop_post(loop, run_end, NULL);
    CHECK(pthread_join(e->thread, NULL) == 0);
    e->closed = true;
    drop_request(e, why);
    upstreams_close(loop->upstreams, why);
    loop_deinit(loop);
    upstreams_free(loop->upstreams);
    memory_waits_free(loop);
    config_uses_trim(loop);
    config_unref(loop->config);
}

void trace_exporter_end(TraceExporter *e)
{
    if (e->started)
        close_loop(e);
    while (e->first) {
        Batch *batch = take_first(e);
        atomic_fetch_add(&e->dropped, batch->n);
        free_batch(e, batch);
    }
    forget_instance(e);
    if (e->multi)
        curl_multi_cleanup(e->multi);
    arena_free(e->arena);
    free(e);
}

void trace_exporter_metrics_write(Exposition *out, void *exporter)
{
    TraceExporter *e = exporter;
    if (!e->started)
        return;
    exposition_family(out, "passerelle_trace_spans", METRIC_COUNTER,
                      "Spans of recorded calls: sent to the collector, rejected by it, or dropped "
                      "since they would have been more than tracing.queue.");
    exposition_number(out, "", &(Label){"result", "sent"}, 1, atomic_load(&e->sent));
    exposition_number(out, "", &(Label){"result", "rejected"}, 1, atomic_load(&e->rejected_spans));
    exposition_number(out, "", &(Label){"result", "dropped"}, 1, atomic_load(&e->dropped));
    exposition_family(out, "passerelle_trace_requests_failed", METRIC_COUNTER,
                      "Requests to the collector that failed; most are made again.");
    exposition_number(out, "", NULL, 0, atomic_load(&e->failures));
    exposition_family(out, "passerelle_trace_queue_bytes", METRIC_GAUGE,
                      "Spans that wait for the collector.");
    exposition_number(out, "", NULL, 0, atomic_load(&e->queued));
}
