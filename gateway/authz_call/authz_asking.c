#include "gateway/authz_call/authz_asking.h"

#include "base/arena.h"
#include "gateway/call/exchange.h"
#include "gateway/loop/config_use.h"

static const MethodType check = {.path = "/envoy.service.auth.v3.Authorization/Check",
                                 .no_side_effects = true};

struct AuthzAsking {
    Caller caller; /* first */
    Loop *loop;
    Arena *arena;
    Config *config;
    AuthzQuestion question;
    Exchange *x; /* NULL: it has ended */
    Timer timer;
    Result why;
    Bytes response;
};

/* ---- The end --------------------------------------------------------------------------------- */

static void asking_free(AuthzAsking *asking)
{
    timer_stop(&asking->loop->timers, &asking->timer);
    config_release(asking->loop, asking->config);
    arena_free(asking->arena);
}

static Result read_response(const AuthzAsking *asking, AuthzResponse *out)
{
    const PolicyServer *server = asking->question.server;
    Result r = asking->why;
    if (!failed(r))
        r = authz_response_read(server, asking->response, asking->arena, out);
    return failed(r) ? FAIL_OVER(asking->arena, r, *r.error->fault, "asking the policy server %s",
                                 server->name)
                     : OK;
}

static void on_timer(Timer *timer)
{
    AuthzAsking *asking = (AuthzAsking *)((char *)timer - offsetof(AuthzAsking, timer));
    AuthzResponse said;
    Result r = read_response(asking, &said);
    asking->question.on_said(asking->question.owner, r, failed(r) ? NULL : &said);
    asking_free(asking);
}

/* ---- Events of the exchange ------------------------------------------------------------------ */

static Result on_response(Caller *caller, Message message, const Fields *trailers)
{
    AuthzAsking *asking = (AuthzAsking *)caller;
    asking->response = bytes_copy(asking->arena, message.bytes);
    return OK;
}

static void on_end(Caller *caller, const Status *status, const Fields *trailers)
{
    AuthzAsking *asking = (AuthzAsking *)caller;
    if (status->code != CODE_OK)
        asking->why = status_failure(asking->arena, status);
}

static void on_record(Caller *caller, const CallRecord *record)
{
    AuthzAsking *asking = (AuthzAsking *)caller;
    asking->x = NULL;
    timer_start(&asking->loop->timers, &asking->timer, 0); /* in this turn */
}

static const CallerEvents events = {
    .on_response = on_response,
    .on_end = on_end,
    .on_record = on_record,
};

/* ---- The port -------------------------------------------------------------------------------- */

static void send_request(AuthzAsking *asking)
{
    const AuthzQuestion *question = &asking->question;
    CallOrder order = {
        .type = &check,
        .route = question->server->route,
        .config = asking->config,
        .request_id = question->request_id,
        .codec = CODEC_PROTO,
        .timeout = question->server->timeout,
        .metadata = question->metadata,
        .response_bytes = question->server->response_bytes,
    };
    Message request = {.bytes = question->request};
    asking->x = exchange_new(asking->loop, &asking->caller, &order);
    if (exchange_go(asking->x))
        exchange_end(asking->x, &request);
}

static const Fields *copy_fields(Arena *arena, const Fields *from)
{
    Fields *fields = arena_make(arena, Fields);
    *fields = fields_in(arena);
    for (uint32_t i = 0; from && i < from->n; i++)
        fields_add(fields, bytes_copy(arena, from->items[i].name),
                   bytes_copy(arena, from->items[i].value));
    return fields;
}

static AuthzAsking *ask(Loop *loop, const AuthzQuestion *question)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    AuthzAsking *asking = arena_make(arena, AuthzAsking);
    *asking = (AuthzAsking){.caller = {&events},
                            .loop = loop,
                            .arena = arena,
                            .config = config_use_again(loop, question->config),
                            .question = *question,
                            .timer = {.fire = on_timer}};
    asking->question.request = bytes_copy(arena, question->request);
    asking->question.request_id = bytes_copy(arena, question->request_id);
    asking->question.metadata = copy_fields(arena, question->metadata);
    send_request(asking);
    return asking;
}

static void drop(AuthzAsking *asking)
{
    if (asking->x)
        exchange_cancel(asking->x, FAIL(asking->arena, FAULT_CANCELLED, "its call has ended"));
    asking_free(asking);
}

const AuthzPort authz_asking_port = {ask, drop};
