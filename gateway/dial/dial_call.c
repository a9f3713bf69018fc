#include "gateway/dial/dial_call.h"

#include "base/arena.h"
#include "gateway/call/exchange.h"
#include "gateway/instances/instances.h"
#include "gateway/loop/config_use.h"
#include "gateway/memory/memory_wait.h"
#include "gateway/upstream/upstream.h"

#include <signal.h>

/* The caller of its exchange. */
typedef struct Dialling {
    Caller caller; /* first */
    Loop loop;
    const DialCall *call;
    Instance instance;
    Arena *arena;
    Exchange *x;    /* NULL: it has ended */
    uint32_t n;     /* messages that were sent */
    bool completed; /* and the end of them, too */
    DialEnd *end;
} Dialling;

/* ---- The request ----------------------------------------------------------------------------- */

/* Each function may end the call. */
static void send_more(Dialling *d)
{
    const DialCall *call = d->call;
    while (d->x && !d->completed && exchange_wants(d->x)) {
        Message message = {.bytes = d->n < call->n ? call->messages[d->n] : BYTES_NONE};
        bool last = d->n + 1 >= call->n;
        d->completed = last;
        d->n++;
        if (!(last ? exchange_end(d->x, call->n ? &message : NULL) : exchange_send(d->x, message)))
            return;
    }
}

static void on_room(Caller *caller)
{
    send_more((Dialling *)caller);
}

/* ---- The response ---------------------------------------------------------------------------- */

static Result on_message(Caller *caller, Message message)
{
    const Dialling *d = (Dialling *)caller;
    return d->call->on_message(d->call->owner, message.bytes);
}

static Fields copy_fields(Arena *arena, const Fields *from)
{
    Fields fields = fields_in(arena);
    for (uint32_t i = 0; from && i < from->n; i++)
        fields_add(&fields, bytes_copy(arena, from->items[i].name),
                   bytes_copy(arena, from->items[i].value));
    return fields;
}

static Result on_response(Caller *caller, Message message, const Fields *trailers)
{
    return on_message(caller, message);
}

static void on_end(Caller *caller, const Status *status, const Fields *trailers)
{
    Dialling *d = (Dialling *)caller;
    d->end->status = *status;
    d->end->status.message = bytes_copy(d->arena, status->message);
    d->end->status.details = bytes_copy(d->arena, status->details);
    if (status->error)
        d->end->status.error = error_copy(d->arena, (Result){status->error}).error;
    d->end->head = copy_fields(d->arena, exchange_metadata(d->x));
    d->end->trailers = copy_fields(d->arena, trailers);
}

/* Neither it nor a connection to it: nothing was sent. */
static bool is_unreached(const Status *status, const CallRecord *record)
{
    return status->error && status->error->fault == &FAULT_UPSTREAM_DOWN && !record->n_attempts;
}

static void on_record(Caller *caller, const CallRecord *record)
{
    Dialling *d = (Dialling *)caller;
    d->end->time = record->time_total;
    d->end->unreached = is_unreached(&d->end->status, record);
    d->x = NULL;
    loop_stop(&d->loop);
}

static const CallerEvents events = {
    .on_room = on_room,
    .on_message = on_message,
    .on_response = on_response,
    .on_end = on_end,
    .on_record = on_record,
};

/* ---- The whole ------------------------------------------------------------------------------- */

static void begin(Dialling *d)
{
    const DialCall *call = d->call;
    CallOrder order = {.instance = &d->instance,
                       .type = call->type,
                       .codec = call->codec,
                       .timeout = call->timeout,
                       .metadata = call->metadata};
    d->x = exchange_new(&d->loop, &d->caller, &order);
    if (exchange_go(d->x))
        send_more(d);
}

Result dial_call(Config *config, const DialCall *call, Arena *arena, DialEnd *end_out)
{
    signal(SIGPIPE, SIG_IGN); /* writing to a closed connection must not end the process */
    Dialling d = {.caller = {&events},
                  .call = call,
                  .instance = *call->instance,
                  .arena = arena,
                  .end = end_out};
    *end_out = (DialEnd){.status = {.code = CODE_UNKNOWN}};
    Result r = loop_open(&d.loop, 0, arena);
    if (failed(r))
        return r;
    d.instance.known = known_instance_of(&d.instance);
    d.loop.config = config;
    d.loop.upstreams = upstreams_new(&d.loop);
    begin(&d);
    if (d.x)
        loop_run(&d.loop);
    upstreams_close(d.loop.upstreams, FAIL(arena, FAULT_CANCELLED, "no more calls"));
    loop_deinit(&d.loop);
    upstreams_free(d.loop.upstreams);
    memory_waits_free(&d.loop);
    d.loop.config = NULL;
    config_uses_trim(&d.loop);
    known_instance_unref(d.instance.known);
    return OK;
}
