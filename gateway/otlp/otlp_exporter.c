#include "gateway/otlp/otlp_exporter.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/call/exchange.h"
#include "gateway/instances/instances.h"
#include "gateway/loop/config_use.h"
#include "gateway/memory/memory_wait.h"
#include "gateway/otlp/otlp_request.h"
#include "gateway/thread/thread.h"
#include "gateway/upstream/upstream.h"
#include "gateway/webhook/webhook_post.h"

#include <stdlib.h>

#define BACKOFF_FIRST SECOND
#define BACKOFF_MOST (30 * SECOND)
#define END_TIME (2 * SECOND)

enum { RESPONSE_MOST = 64 * 1024, SHOWN_MOST = 300, LOOK_MILLIS = 50 };

/* ---- Signals --------------------------------------------------------------------------------- */

static const OtlpTarget *target_of_traces(const Config *config)
{
    return &config->tracing.to;
}

static const OtlpTarget *target_of_metrics(const Config *config)
{
    return &config->otlp.metrics;
}

static const OtlpTarget *target_of_logs(const Config *config)
{
    return &config->otlp.logs;
}

#define SERVICE(signal, name) "/opentelemetry.proto.collector." signal ".v1." name "Service/Export"

const OtlpSignal otlp_traces = {.name = "traces",
                                .items = "spans",
                                .export = SERVICE("trace", "Trace"),
                                .event_fails = "traces_not_sent",
                                .event_works = "traces_sent_again",
                                .event_rejected = "traces_rejected",
                                .queue = "tracing.queue",
                                .target = target_of_traces};
const OtlpSignal otlp_metrics = {.name = "metrics",
                                 .items = "data points",
                                 .export = SERVICE("metrics", "Metrics"),
                                 .event_fails = "metrics_not_sent",
                                 .event_works = "metrics_sent_again",
                                 .event_rejected = "metrics_rejected",
                                 .queue = "otlp.queue",
                                 .target = target_of_metrics};
const OtlpSignal otlp_logs = {.name = "logs",
                              .items = "log records",
                              .export = SERVICE("logs", "Logs"),
                              .event_fails = "logs_not_sent",
                              .event_works = "logs_sent_again",
                              .event_rejected = "logs_rejected",
                              .queue = "otlp.queue",
                              .target = target_of_logs};

/* In its arena. */
typedef struct Batch {
    struct Batch *next;
    Arena *arena;
    Bytes items;
    uint32_t n;
} Batch;

struct OtlpExporter {
    Caller caller; /* of the exchange */
    const OtlpSignal *signal;
    MethodType export;
    OtlpGather *gather; /* NULL: nothing is to be gathered */
    void *owner;        /* of `gather` */
    Loop loop;
    pthread_t thread;
    atomic_bool started;
    bool closed;         /* the thread has ended: nothing is posted any more */
    Batch *first, *last; /* the loop's */
    Instance instance;   /* a copy of the config's, with what is known of it; */
    bool has_instance;
    Exchange *x;   /* NULL: none now */
    Arena *arena;  /* of the request */
    Result why;    /* failed: the request, in the arena */
    bool again;    /* then: it may succeed later */
    int64_t after; /* then: the collector wants to be left alone so long; 0: it said nothing */
    uint64_t rejected;
    Timer timer;          /* backoff; at the end, END_TIME */
    Timer gathering;      /* until the next time */
    uint32_t n_failures;  /* in a row */
    bool dropped_request; /* by the exporter itself: its batch waits */
    bool ending;
    CURLM *multi;          /* NULL: nothing was posted yet */
    atomic_llong deadline; /* clock_now; 0: it was not told to end */
    /* For the metrics: */
    atomic_ullong sent, dropped, rejected_items, failures;
    atomic_ullong queued; /* bytes */
    atomic_ullong most;   /* of them */
};

static OtlpExporter *exporter_of(Loop *loop)
{
    return (OtlpExporter *)((char *)loop - offsetof(OtlpExporter, loop));
}

static void begin_next(OtlpExporter *e);

/* ---- The queue: on the exporter's loop ------------------------------------------------------- */

static void free_batch(OtlpExporter *e, Batch *batch)
{
    atomic_fetch_sub(&e->queued, batch->items.size);
    arena_free(batch->arena);
}

static Batch *take_first(OtlpExporter *e)
{
    Batch *first = e->first;
    e->first = first->next;
    return first;
}

static void run_take(Loop *loop, void *argument)
{
    OtlpExporter *e = exporter_of(loop);
    Batch *batch = argument;
    if (e->first)
        e->last->next = batch;
    else
        e->first = batch;
    e->last = batch;
    begin_next(e);
}

void otlp_exporter_take(OtlpExporter *e, Arena *arena, Bytes items, uint32_t n)
{
    Batch *batch = arena_make(arena, Batch);
    bool room = batch && !e->closed &&
                atomic_fetch_add(&e->queued, items.size) + items.size <= atomic_load(&e->most);
    if (!room) {
        atomic_fetch_add(&e->dropped, n);
        if (batch && !e->closed)
            atomic_fetch_sub(&e->queued, items.size);
        arena_free(arena);
        return;
    }
    *batch = (Batch){.arena = arena, .items = items, .n = n};
    loop_post(&e->loop, run_take, batch);
}

/* The last item may pass the size. */
void otlp_batch_begin(OtlpBatch *batch, size_t size)
{
    if (batch->arena)
        return;
    batch->arena = arena_new(ARENA_UNLIMITED);
    batch->items = buffer_in(batch->arena);
    buffer_extend(&batch->items, size + size / 8);
}

void otlp_batch_send(OtlpBatch *batch, OtlpExporter *exporter)
{
    if (batch->n)
        otlp_exporter_take(exporter, batch->arena, buffer_bytes(&batch->items), batch->n);
    else if (batch->arena)
        arena_free(batch->arena);
    *batch = (OtlpBatch){.arena = NULL};
}

void otlp_exporter_drop(OtlpExporter *e, uint32_t n)
{
    atomic_fetch_add(&e->dropped, n);
}

size_t otlp_exporter_queued(const OtlpExporter *e)
{
    return atomic_load(&e->queued);
}

size_t otlp_exporter_most(const OtlpExporter *e)
{
    return atomic_load(&e->most);
}

/* ---- How a request has ended ----------------------------------------------------------------- */

static const OtlpTarget *target_of(const OtlpExporter *e)
{
    return e->signal->target(e->loop.config);
}

static void tell_works(OtlpExporter *e)
{
    if (e->n_failures)
        telemetry_event("info", e->signal->event_works, OK, "the collector takes %s again",
                        e->signal->items);
    e->n_failures = 0;
}

static void tell_fails(OtlpExporter *e)
{
    const OtlpSignal *signal = e->signal;
    atomic_fetch_add(&e->failures, 1);
    if (e->n_failures++ > 0)
        return;
    if (e->again)
        telemetry_event("warning", signal->event_fails, e->why,
                        "%s wait for the collector, and are dropped when %s is full", signal->items,
                        signal->queue);
    else
        telemetry_event("warning", signal->event_fails, e->why,
                        "the collector does not take them: these %s are lost", signal->items);
}

/* A wait that the collector asks for counts where it is longer. */
static int64_t backoff(OtlpExporter *e)
{
    uint32_t doublings = e->n_failures - 1 < 5 ? e->n_failures - 1 : 5;
    int64_t time = BACKOFF_FIRST << doublings;
    time = time < BACKOFF_MOST ? time : BACKOFF_MOST;
    time = time / 2 + (int64_t)random_below(&e->loop.random, (uint64_t)time / 2);
    return time > e->after ? time : e->after;
}

/* The request of the first batch is over. */
static void settle(OtlpExporter *e)
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
    uint64_t lost = failed(e->why) ? batch->n : e->rejected;
    atomic_fetch_add(&e->sent, batch->n - lost);
    atomic_fetch_add(&e->rejected_items, lost);
    free_batch(e, batch);
}

static Result take_response(OtlpExporter *e, Bytes response)
{
    Bytes why;
    if (!otlp_response_read(response, &e->rejected, &why))
        return FAIL(e->arena, FAULT_UPSTREAM_MESSAGE, "it is no response of OTLP");
    if (e->rejected > e->first->n) /* a negative number, too */
        e->rejected = e->first->n;
    if (e->rejected)
        telemetry_event("warning", e->signal->event_rejected, OK,
                        "the collector rejected %llu %s: %.*s", (unsigned long long)e->rejected,
                        e->signal->items, BYTES_ARGS(bytes_cut_text(why, SHOWN_MOST)));
    return OK;
}

/* ---- By gRPC --------------------------------------------------------------------------------- */

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

static Result on_response(Caller *caller, Message message, const Fields *trailers)
{
    OtlpExporter *e = (OtlpExporter *)caller;
    (void)trailers;
    return take_response(e, message.bytes);
}

static void on_end(Caller *caller, const Status *status, const Fields *trailers)
{
    OtlpExporter *e = (OtlpExporter *)caller;
    (void)trailers;
    if (status->code == CODE_OK)
        return;
    /* What is too long to be read has been taken all the same. */
    bool is_long = status->error && status->error->fault == &FAULT_UPSTREAM_TOO_LARGE;
    e->again = may_pass(status->code) && !is_long;
    e->after = otlp_retry_delay(status->details);
    e->why = status_failure(e->arena, status);
}

static void run_next(Loop *loop, void *argument)
{
    (void)argument;
    begin_next(exporter_of(loop));
}

/* Not from within the exchange's last event. */
static void on_record(Caller *caller, const CallRecord *record)
{
    OtlpExporter *e = (OtlpExporter *)caller;
    (void)record;
    e->x = NULL;
    if (e->dropped_request)
        return;
    settle(e);
    loop_post(&e->loop, run_next, NULL);
}

static const CallerEvents caller_events = {
    .on_response = on_response,
    .on_end = on_end,
    .on_record = on_record,
};

static void call(OtlpExporter *e, Bytes body)
{
    CallOrder order = {.instance = &e->instance,
                       .type = &e->export,
                       .codec = CODEC_PROTO,
                       .timeout = target_of(e)->timeout,
                       .response_bytes = RESPONSE_MOST,
                       .memory = ARENA_UNLIMITED}; /* limited by the target's batch */
    Message request = {.bytes = body};
    /* The wait between two tries is this file's: without it, the connection would have its own. */
    known_instance_is_back(e->instance.known);
    e->x = exchange_new(&e->loop, &e->caller, &order);
    if (exchange_go(e->x))
        exchange_end(e->x, &request);
}

/* ---- By HTTP --------------------------------------------------------------------------------- */

static bool is_late(const OtlpExporter *e)
{
    int64_t deadline = atomic_load(&e->deadline);
    return deadline && clock_now() >= deadline;
}

/* Waits on this thread, which does nothing else then. False: the process ends before. */
static bool wait_for_response(OtlpExporter *e, CURLcode *code_out)
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

static void post(OtlpExporter *e, Bytes body)
{
    Buffer response = buffer_in(e->arena);
    WebhookPost post = {.body = &response};
    CURLcode code;
    if (!e->multi)
        CHECK((e->multi = curl_multi_init()));
    webhook_post_begin(&post, e->multi, target_of(e)->receiver, "application/x-protobuf", "", body,
                       clock_wall());
    if (wait_for_response(e, &code)) {
        WebhookOutcome outcome = webhook_post_outcome(&post, code, e->arena, &e->why, &e->after);
        e->again = outcome == WEBHOOK_AGAIN;
        if (outcome == WEBHOOK_TAKEN)
            e->why = take_response(e, buffer_bytes(&response));
    } else {
        e->why = FAIL(e->arena, FAULT_SHUTTING_DOWN, "the gateway stops");
        e->again = true;
    }
    webhook_post_end(&post, e->multi);
    settle(e);
    loop_post(&e->loop, run_next, NULL);
}

/* ---- One after the other --------------------------------------------------------------------- */

static void begin_next(OtlpExporter *e)
{
    const OtlpTarget *target = target_of(e);
    if (e->x || (timer_running(&e->timer) && !e->ending))
        return;
    if (!e->first || !target->on) {
        if (e->ending)
            loop_stop(&e->loop);
        return;
    }
    arena_free(e->arena);
    e->arena = arena_new(ARENA_UNLIMITED);
    e->why = OK;
    e->again = false;
    e->after = 0;
    e->rejected = 0;
    Buffer body = buffer_in(e->arena);
    otlp_request_write(target->service, e->loop.config->node, e->first->items, &body);
    if (e->has_instance)
        call(e, buffer_bytes(&body));
    else
        post(e, buffer_bytes(&body));
}

static void on_timer(Timer *timer)
{
    OtlpExporter *e = (OtlpExporter *)((char *)timer - offsetof(OtlpExporter, timer));
    if (e->ending)
        loop_stop(&e->loop);
    else
        begin_next(e);
}

/* ---- What is gathered ------------------------------------------------------------------------ */

static void gather(OtlpExporter *e)
{
    if (e->gather && target_of(e)->on)
        e->gather(e->owner, e, e->loop.config);
}

static void start_gathering(OtlpExporter *e)
{
    if (e->gather && target_of(e)->on)
        timer_start(&e->loop.timers, &e->gathering, e->loop.now + target_of(e)->every);
    else
        timer_stop(&e->loop.timers, &e->gathering);
}

static void on_gathering(Timer *timer)
{
    OtlpExporter *e = (OtlpExporter *)((char *)timer - offsetof(OtlpExporter, gathering));
    start_gathering(e);
    gather(e);
}

static void run_gather(Loop *loop, void *argument)
{
    (void)argument;
    gather(exporter_of(loop));
}

void otlp_exporter_gather_now(OtlpExporter *e)
{
    loop_post(&e->loop, run_gather, NULL);
}

void otlp_exporter_gathers(OtlpExporter *e, OtlpGather *source, void *owner)
{
    e->gather = source;
    e->owner = owner;
}

/* ---- Configs --------------------------------------------------------------------------------- */

static void forget_instance(OtlpExporter *e)
{
    if (e->has_instance)
        known_instance_unref(e->instance.known);
    e->has_instance = false;
}

static void take_instance(OtlpExporter *e)
{
    const OtlpTarget *target = target_of(e);
    forget_instance(e);
    if (!target->collector)
        return;
    e->instance = *target->collector;
    e->instance.known = known_instance_of(&e->instance);
    e->has_instance = true;
}

static void drop_request(OtlpExporter *e, Result why)
{
    e->dropped_request = true;
    if (e->x)
        exchange_cancel(e->x, why);
    e->dropped_request = false;
    timer_stop(&e->loop.timers, &e->timer);
}

static void run_use(Loop *loop, void *argument)
{
    OtlpExporter *e = exporter_of(loop);
    Config *old = loop->config;
    drop_request(e, FAIL(loop_scratch(loop), FAULT_CANCELLED, "the config is another one"));
    loop->config = argument;
    take_instance(e);
    config_uses_trim(loop);
    config_unref(old);
    start_gathering(e);
    begin_next(e);
}

static void *run_thread(void *argument)
{
    pthread_setname_np(pthread_self(), "otlp");
    loop_run(&((OtlpExporter *)argument)->loop);
    return NULL;
}

static void start(OtlpExporter *e, Config *config)
{
    Loop *loop = &e->loop;
    loop_init(loop, 0);
    loop->config = config_ref(config);
    loop->upstreams = upstreams_new(loop);
    take_instance(e);
    start_gathering(e);
    CHECK(thread_make(&e->thread, run_thread, e) == 0);
    e->started = true;
}

OtlpExporter *otlp_exporter_new(const OtlpSignal *signal)
{
    OtlpExporter *e = calloc(1, sizeof *e);
    CHECK(e);
    e->caller.events = &caller_events;
    e->signal = signal;
    e->export = (MethodType){.path = signal->export};
    e->timer.fire = on_timer;
    e->gathering.fire = on_gathering;
    return e;
}

void otlp_exporter_use(OtlpExporter *e, Config *config)
{
    const OtlpTarget *target = e->signal->target(config);
    atomic_store(&e->most, target->queue);
    if (e->started)
        loop_post(&e->loop, run_use, config_ref(config));
    else if (target->on)
        start(e, config);
}

/* ---- The end --------------------------------------------------------------------------------- */

/* After what run_end has gathered. */
static void run_last(Loop *loop, void *argument)
{
    OtlpExporter *e = exporter_of(loop);
    (void)argument;
    e->ending = true;
    timer_start(&loop->timers, &e->timer, loop->now + END_TIME);
    begin_next(e);
}

static void run_end(Loop *loop, void *argument)
{
    OtlpExporter *e = exporter_of(loop);
    timer_stop(&loop->timers, &e->gathering);
    gather(e);
    loop_post(loop, run_last, argument);
}

static void close_loop(OtlpExporter *e)
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

void otlp_exporter_end(OtlpExporter *e)
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

/* ---- Metrics --------------------------------------------------------------------------------- */

static void write_items(Exposition *e, OtlpExporter *exporter)
{
    Label labels[] = {{"signal", exporter->signal->name}, {"result", "sent"}};
    exposition_number(e, "", labels, 2, atomic_load(&exporter->sent));
    labels[1].value = "rejected";
    exposition_number(e, "", labels, 2, atomic_load(&exporter->rejected_items));
    labels[1].value = "dropped";
    exposition_number(e, "", labels, 2, atomic_load(&exporter->dropped));
}

static void write_signal(Exposition *e, const OtlpExporter *exporter, uint64_t number)
{
    if (exporter->started)
        exposition_number(e, "", &(Label){"signal", exporter->signal->name}, 1, number);
}

void otlp_exporters_metrics_write(Exposition *e, OtlpExporter *const *exporters, uint32_t n)
{
    exposition_family(e, "passerelle_otlp_items", METRIC_COUNTER,
                      "Spans, data points and log records: sent to the collector, rejected by it, "
                      "or dropped since they would have been more than the queue holds.");
    for (uint32_t i = 0; i < n; i++)
        if (exporters[i]->started)
            write_items(e, exporters[i]);
    exposition_family(e, "passerelle_otlp_requests_failed", METRIC_COUNTER,
                      "Requests to the collector that failed; most are made again.");
    for (uint32_t i = 0; i < n; i++)
        write_signal(e, exporters[i], atomic_load(&exporters[i]->failures));
    exposition_family(e, "passerelle_otlp_queue_bytes", METRIC_GAUGE,
                      "What waits for the collector.");
    for (uint32_t i = 0; i < n; i++)
        write_signal(e, exporters[i], atomic_load(&exporters[i]->queued));
}
