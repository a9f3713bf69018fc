/* The instance's side of an exchange: pick, connect, send, and the response. */
#include "gateway/call/exchange_internal.h"
#include "gateway/headers/own_fields.h"
#include "gateway/rest/http_body.h"
#include "gateway/rest/rest_request.h"
#include "protocols/http/http_rules.h"

static const HttpStreamEvents instance_events;

/* ---- Picking and connecting ------------------------------------------------------------------ */

static const Dialect dialect_of[] = {
    [UPSTREAM_GRPC] = DIALECT_GRPC,         [UPSTREAM_CONNECT] = DIALECT_CONNECT,
    [UPSTREAM_GRPC_WEB] = DIALECT_GRPC_WEB, [UPSTREAM_REST] = DIALECT_REST,
    [UPSTREAM_HTTP] = DIALECT_HTTP,
};

static const Plan *response_plan(const Exchange *x, const MethodPair *back, const Version *served,
                                 Codec codec)
{
    const RestBinding *binding = x->call.reply_codec == CODEC_JSON ? x->reply_binding : NULL;
    const Plan *numbers = NULL;
    if (binding && binding->response_body[codec]) {
        if (x->call.enums_as_numbers)
            numbers = binding->number_body[codec][served->index];
        return numbers ? numbers : binding->response_body[codec][served->index];
    }
    if (back && x->call.enums_as_numbers)
        numbers = back->extras->numbers[codec];
    return numbers || !back ? numbers : back->response[codec][x->call.reply_codec];
}

/* It may be in another version than the request, if the client requested so. */
Result attempt_choose_response_plan(Attempt *attempt, Codec codec)
{
    Exchange *x = attempt->exchange;
    const Version *served = attempt->pick.served;
    attempt->reply_version = x->version.reply;
    const Method *reply_method = x->method;
    if (x->version.reply != x->version.client)
        reply_method = x->method->pairs[x->version.reply->index].target;
    const MethodPair *back = reply_method ? &reply_method->pairs[served->index] : NULL;
    attempt->response_plan = response_plan(x, back, served, codec);
    if (!attempt->response_plan)
        return FAIL(x->arena, FAULT_NO_INSTANCE,
                    "%s of %s: there is no conversion from %s to %s and back to %s",
                    x->method->type->path, served->name, x->version.client->name, served->name,
                    x->version.reply->name);
    return OK;
}

/* The plans between the caller and the picked instance. */
Result attempt_choose_plans(Attempt *attempt, Codec codec)
{
    const Exchange *x = attempt->exchange;
    const MethodPair *pair = attempt->pick.pair;
    /* What is checked by rules is protobuf by then. */
    attempt->request_plan =
        pair->request[x->method->extras->rules ? CODEC_PROTO : x->call.codec][codec];
    CHECK(attempt->request_plan); /* or this version is not picked */
    return attempt_choose_response_plan(attempt, codec);
}

static void choose_target(Attempt *attempt)
{
    const Instance *instance = attempt->pick.instance;
    Dialect dialect = dialect_of[instance->protocol];
    if (dialect == DIALECT_CONNECT && !exchange_is_unary(attempt->exchange))
        dialect = DIALECT_CONNECT_STREAM;
    attempt->target = (RequestTarget){
        .dialect = dialect,
        .method = bytes_of(attempt->pick.pair->target->type->path),
        .authority = bytes_of(instance->authority),
        .codec = instance->codec,
        /* A REST instance's message is taken apart first, into path, query and body. */
        .compression = dialect == DIALECT_REST ? COMPRESSION_IDENTITY : instance->compression,
    };
    attempt->target.accepts = attempt_accepts(attempt);
}

Result attempt_prepare(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    const Pick *pick = &attempt->pick;
    const MethodType *type = pick->pair->target->type;
    if (pick->instance->protocol == UPSTREAM_REST && type->client_streaming)
        return FAIL_TELL(x->arena, FAULT_UNSUPPORTED,
                         "%s is a stream of requests, and its instances speak REST",
                         x->method->type->path);
    Result r = exchange_is_bare(x) ? OK : attempt_choose_plans(attempt, pick->instance->codec);
    if (failed(r))
        return r;
    choose_target(attempt);
    attempt->request_run_size =
        attempt_passes_request_runs(attempt) ? exchange_light_run(x, attempt->request_plan) : 0;
    return OK;
}

/* The only allowed instance, unless it was tried. */
static Result pick_only(Attempt *attempt, const PickTried *tried)
{
    Exchange *x = attempt->exchange;
    if (tried)
        return FAIL(x->arena, FAULT_UPSTREAM_DOWN, "%s was tried already", x->only->address.text);
    attempt->pick = (Pick){
        .instance = x->only,
        .upstream = upstream_of(x->loop, x->only),
        .why = "said",
    };
    return OK;
}

/* The method is called as it is. */
static Result pick_bare(Attempt *attempt, const PickWish *wish)
{
    Exchange *x = attempt->exchange;
    MethodPair *pair = arena_make(x->arena, MethodPair);
    if (!pair)
        return FAIL(x->arena, FAULT_OUT_OF_MEMORY, "calling %s", x->method->type->path);
    Result r = x->only ? pick_only(attempt, wish->tried)
                       : pick_any(x->loop, x->route->service, wish, x->arena, &attempt->pick);
    pair->target = x->method;
    attempt->pick.pair = pair;
    return r;
}

/* A bit for each that the call was sent to before it fell back to another one. */
static uint64_t failed_versions(const Exchange *x)
{
    uint64_t versions = 0;
    for (const Attempt *attempt = x->latest; attempt; attempt = attempt->before)
        if (!attempt->older && attempt->pick.served)
            versions |= UINT64_C(1) << attempt->pick.served->index;
    return versions;
}

/* The version at which an instance has seen the call, or one is being asked beside which this
   attempt begins; NULL: none. */
static const Version *settled_version(const Attempt *attempt)
{
    const Attempt *before = attempt->before;
    while (before && (before->older != attempt->older || !before->pick.served ||
                      !(before->record.asked || attempt->also)))
        before = before->before;
    return before ? before->pick.served : NULL;
}

static Result pick_any_version(Attempt *attempt, const PickWish *wish)
{
    Exchange *x = attempt->exchange;
    Pick *pick = &attempt->pick;
    if (exchange_is_bare(x))
        return pick_bare(attempt, wish);
    if (!x->method)
        return pick_any(x->loop, x->route->service, wish, x->arena, pick);
    uint64_t but = attempt->older ? failed_versions(x) : 0;
    if (x->cohort)
        but |= exchange_versions_barred(x, attempt->older);
    return pick_other_version(x->loop, x->method, but, wish, x->arena, pick);
}

/* Another version may give another response: an attempt is at the version of those before it. When
   that has no usable instance any more, the call goes where a new one would; on a route with
   `older` policy says when. */
static Result pick_for(Attempt *attempt, const PickTried *tried, bool undecided)
{
    Exchange *x = attempt->exchange;
    PickWish wish = {.tried = tried,
                     .key = x->key,
                     .undecided = undecided,
                     .candidate = x->cohort && exchange_wants_candidate(x)};
    const Version *version = settled_version(attempt);
    if (!version)
        return pick_any_version(attempt, &wish);
    Result r = pick_at_version(x->loop, x->method, version, &wish, x->arena, &attempt->pick);
    bool may_leave = failed(r) && !attempt->also && !x->route->has_older &&
                     !pick_is_served(x->loop, x->method, version, &wish);
    return may_leave ? pick_any_version(attempt, &wish) : r;
}

/* All were tried: the one that has failed just now is asked again only if it is the only one. */
static Result pick_again(Attempt *attempt)
{
    PickTried latest = {.instance = attempt->tried.before->instance};
    attempt->tried.before = NULL;
    Result r = pick_for(attempt, &latest, false);
    return failed(r) ? pick_for(attempt, NULL, false) : r;
}

Result attempt_pick(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    bool undecided = attempt->before && attempt->before->pick.cell_up;
    Result r = pick_for(attempt, attempt->tried.before, undecided);
    if (failed(r) && attempt->may_return)
        r = pick_again(attempt);
    if (failed(r) && x->cohort && exchange_leaves_arm(x))
        r = pick_for(attempt, NULL, false);
    if (failed(r))
        return r;
    attempt->tried.instance = attempt->pick.instance;
    attempt->record.served = attempt->pick.served;
    attempt->record.began = attempt->exchange->loop->now;
    if (attempt->older)
        attempt->pick.why = "fallback";
    return OK;
}

/* ---- The gate of the service ----------------------------------------------------------------- */

/* The service whose gate the attempt has not passed yet; NULL: none. */
static const Service *guarded_service(const Attempt *attempt)
{
    const Exchange *x = attempt->exchange;
    const Service *service = x->only                           ? NULL
                             : x->method && x->method->version ? x->method->version->service
                                                               : x->route->service;
    return service && service_is_guarded(service) && !attempt->pass.gate ? service : NULL;
}

static void on_place(GateWait *wait, GatePass pass, Result why)
{
    Attempt *attempt = (Attempt *)((char *)wait - offsetof(Attempt, gate));
    Exchange *x = attempt->exchange;
    attempt->queued = false;
    attempt->pass = pass;
    if (failed(why))
        x->retry_after = 1;
    attempt_run(attempt, failed(why) ? exchange_fail(x, error_copy(x->arena, why)) : &STEP_pick);
}

/* Only the first attempt waits: others add to the load that makes it wait. An older version is
   asked because the newer one fails: the breaker is not about it. */
static Result enter_gate(Attempt *attempt, const Service *service)
{
    Exchange *x = attempt->exchange;
    bool may_wait = !attempt->before;
    uint32_t retry_after;
    GateQuestion question = {.service = service,
                             .client = &x->client,
                             .stream = x->kind->streams,
                             .apart = attempt->older,
                             .wait = may_wait ? &attempt->gate : NULL};
    attempt->gate.on_ready = on_place;
    Result r = gate_enter(x->loop, &question, x->arena, &attempt->pass, &retry_after);
    attempt->queued = !failed(r) && !attempt->pass.gate;
    if (failed(r))
        x->retry_after = retry_after;
    return r;
}

static const Step *exchange_pick(Exchange *x, Attempt *attempt)
{
    const Service *guarded = guarded_service(attempt);
    Result r = guarded ? enter_gate(attempt, guarded) : OK;
    if (attempt->queued)
        return STEP_WAIT;
    if (x->route && x->route->affinity.by && !attempt->before)
        exchange_find_key(x);
    if (x->config->n_rollouts && !attempt->before)
        exchange_find_arm(x);
    if (x->config->baggage.withheld && !attempt->before)
        exchange_withhold_baggage(x);
    if (!failed(r) && !attempt->pick.instance)
        r = attempt_pick(attempt);
    if (failed(r))
        return exchange_nobody_left(x, r);
    if (attempt->pick.spilled) {
        x->record.n_spilled++;
        exchange_heal(x, HEALING_CELL);
    }
    exchange_plan_hedge(attempt);
    if (attempt->trial)
        pick_charge(x->loop, &attempt->pick, CHARGE_TRIAL);
    r = x->kind->prepare ? x->kind->prepare(attempt) : OK;
    return failed(r) ? attempt_unusable(attempt, r) : x->kind->picked;
}

const Step STEP_pick = {"pick", exchange_pick};

/* The scratch of a stream is for the message at hand; this one may wait long for a connection. What
   becomes of a large message on its way is freed as soon as it is sent, and not with the call. */
static Arena *arena_of_one(Attempt *attempt)
{
    enum { LARGE = 32 * 1024 };
    Exchange *x = attempt->exchange;
    bool is_small = !x->message.compressed && x->message.bytes.size < LARGE;
    if (x->scratch == x->arena && is_small)
        return x->arena;
    return attempt->made_in = exchange_arena_new(x);
}

/* `unclosed_out` has data if the message is converted, but is to be compressed on the pool. */
static Result make_here(Attempt *attempt, Message message, Arena *arena, Message *unclosed_out)
{
    Exchange *x = attempt->exchange;
    *unclosed_out = (Message){.bytes = BYTES_NONE};
    if (attempt->request_run_size && !message.compressed && attempt_copies_request(attempt))
        return message_frame(attempt->target.dialect, &message, COMPRESSION_IDENTITY, arena,
                             &attempt->made.framed);
    Conversion c = {.arena = arena,
                    .reader = exchange_reader(x),
                    .losses = &x->losses,
                    .most_closed = exchange_most_closed(x)};
    Result r = attempt_make_request(attempt, message, &c, &attempt->made);
    x->record.n_unknown += c.n_unknown;
    *unclosed_out = c.unclosed;
    return r;
}

/* Before it connects: a message that cannot be given troubles no instance. */
static const Step *exchange_convert(Exchange *x, Attempt *attempt)
{
    Message message = x->message, unclosed;
    Arena *arena = arena_of_one(attempt);
    if (!attempt_is_light_request(attempt, &message, arena)) {
        attempt_forget_made(attempt);
        return attempt_work_on_request(attempt, message, true);
    }
    Result r = make_here(attempt, message, arena, &unclosed);
    if (unclosed.bytes.data)
        return attempt_close_request(attempt, unclosed, true);
    return failed(r) ? attempt_unusable(attempt, exchange_keep_error(x, arena, r)) : &STEP_connect;
}

const Step STEP_convert = {"convert", exchange_convert};

/* Whether there is an instance that is up, and was not tried. */
static bool has_another_one(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    Pick own = attempt->pick;
    attempt->pick = (Pick){.instance = NULL};
    Result r = pick_for(attempt, &attempt->tried, own.cell_up);
    bool has = !failed(r) && upstream_state(attempt->pick.upstream, x->loop->now) == UPSTREAM_READY;
    error_ignore(r, "it only is asked whether there is one");
    pick_release(x->loop, &attempt->pick);
    attempt->pick = own;
    return has;
}

/* Nothing was sent, so that any call may go elsewhere. */
static const Step *connects_late(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    if (!has_another_one(attempt))
        return &STEP_connect;
    attempt->record.instance = attempt->pick.instance;
    return attempt_failed(attempt,
                          FAIL(x->arena, FAULT_UPSTREAM_DOWN,
                               "no connection to %s within %lld ms "
                               "(limits.connect_patience)",
                               attempt->pick.instance->address.text,
                               (long long)(x->config->limits.connect_patience / MILLISECOND)));
}

static void on_ready(UpstreamWait *wait, HttpConnection *connection, Result why)
{
    Attempt *attempt = (Attempt *)((char *)wait - offsetof(Attempt, wait));
    attempt->waiting = false;
    if (failed(why)) {
        attempt->record.instance = attempt->pick.instance; /* which is why it failed */
        attempt_run(attempt, attempt_failed(attempt, error_copy(attempt->exchange->arena, why)));
        return;
    }
    attempt->side.connection = connection;
    if (!connection)
        attempt_run(attempt, connects_late(attempt));
    else if (attempt_may_be_sent_also(attempt))
        attempt_run(attempt, &STEP_send);
    else
        attempt_give_way(attempt);
}

static CallerHas caller_has(const Exchange *x)
{
    return x->caller->events->has ? x->caller->events->has(x->caller) : CALLER_HAS_ALL;
}

static const Step *exchange_connect(Exchange *x, Attempt *attempt)
{
    CallerHas has = caller_has(x);
    attempt->held = has == CALLER_HAS_NOTHING && !attempt->pick.instance->http2;
    if (attempt->held)
        return STEP_WAIT;
    attempt->wait.on_ready = on_ready;
    attempt->wait.client = x->client;
    attempt->wait.partial = has != CALLER_HAS_ALL;
    attempt->wait.urgent = exchange_is_urgent(x);
    upstream_want(attempt->pick.upstream, &attempt->wait, &attempt->side.connection);
    attempt->waiting = !attempt->side.connection;
    return attempt->waiting ? STEP_WAIT : &STEP_send;
}

const Step STEP_connect = {"connect", exchange_connect};

/* ---- Sending --------------------------------------------------------------------------------- */

/* Range fields are passed on only if the client can get a 206 and the bytes are not converted; else
   the whole is requested. A part of compressed bytes cannot be decompressed. */
static const Fields *choose_part(Attempt *attempt, Fields *space)
{
    Exchange *x = attempt->exchange;
    RequestTarget *target = &attempt->target;
    const Fields *metadata = &x->call.metadata;
    if (!fields_get(metadata, "range").data)
        return metadata;
    target->takes_part = exchange_is_raw(x) && target->takes_any_media;
    if (target->takes_part) {
        target->accepts = 0;
        return metadata;
    }
    *space = fields_in(x->arena);
    for (uint32_t i = 0; i < metadata->n; i++) {
        const Field *field = &metadata->items[i];
        if (!bytes_are(field->name, "range") && !bytes_are(field->name, "if-range"))
            fields_add(space, field->name, field->value);
    }
    return space;
}

/* The message was split into path, query and body. */
static Result write_rest_head(Attempt *attempt, HttpHead *head, bool *has_body_out)
{
    Exchange *x = attempt->exchange;
    const MethodType *method = attempt->pick.pair->target->type;
    RequestTarget *target = &attempt->target;
    const RestRequest *rest = attempt->made.rest;
    attempt->rest_rule = rest->rule;
    target->content_type = rest->content_type;
    target->takes_any_media = http_body_out(method, rest->rule);
    target->answer_is_stream = method->server_streaming;
    Fields space = fields_in(x->arena);
    const Fields *metadata = choose_part(attempt, &space);
    Result r = space.full ? FAIL(x->arena, FAULT_OUT_OF_MEMORY, "writing a head")
                          : request_write(target, metadata, loop_scratch(x->loop), head);
    if (failed(r))
        return r;
    head->method = rest->verb;
    head->path = rest->path;
    attempt->made.framed = (FramedMessage){.rest = rest->body};
    *has_body_out = rest->has_body;
    return OK;
}

/* A GET is sent on as a GET, so that caches on the way can be used, unless its path became longer
   than the gateway itself accepts. */
static Result write_connect_head(Attempt *attempt, HttpHead *head, bool *has_body_out)
{
    Exchange *x = attempt->exchange;
    RequestTarget *target = &attempt->target;
    target->use_get = x->call.is_get && attempt->pick.pair->target->type->no_side_effects;
    target->message = attempt->made.framed.rest;
    Result r = request_write(target, &x->call.metadata, loop_scratch(x->loop), head);
    if (!failed(r) && target->use_get && head->path.size > x->config->limits.http.path_bytes) {
        target->use_get = false;
        r = request_write(target, &x->call.metadata, loop_scratch(x->loop), head);
    }
    *has_body_out = !target->use_get;
    return r;
}

/* In the attempt's dialect. */
static Result write_head_of_call(Attempt *attempt, HttpHead *head, bool *has_body_out)
{
    Exchange *x = attempt->exchange;
    RequestTarget *target = &attempt->target;
    *has_body_out = true;
    /* That a stream's credentials end is the gateway's to say. */
    bool none = x->deadline == NO_TIMEOUT || (x->by_proof && !exchange_is_unary(x));
    target->timeout = none ? NO_TIMEOUT : x->deadline - x->loop->now;
    if (target->timeout <= 0)
        return FAIL(x->arena, *exchange_deadline_fault(x), "nothing was sent in time");
    if (dialect_is_framed(target->dialect))
        return request_write(target, &x->call.metadata, loop_scratch(x->loop), head);
    target->compression = attempt->made.compression; /* said of the whole body */
    Result r = target->dialect == DIALECT_REST ? write_rest_head(attempt, head, has_body_out)
                                               : write_connect_head(attempt, head, has_body_out);
    if (!failed(r) && *has_body_out)
        head->content_length = (int64_t)attempt->made.framed.rest.size;
    return r;
}

void attempt_begin_span(Attempt *attempt, Fields *head)
{
    const TraceContext *trace = attempt->exchange->record.trace;
    if (trace && trace->recorded)
        attempt->record.span = trace_context_attempt(trace, &attempt->exchange->loop->random, head);
}

/* The head of the request, until the turn ends, and whether `framed` is to follow as its body. */
static Result write_request_head(Attempt *attempt, HttpHead *head, bool *has_body_out)
{
    Exchange *x = attempt->exchange;
    attempt_begin_span(attempt, &x->call.metadata);
    Result r = write_head_of_call(attempt, head, has_body_out);
    if (failed(r))
        return error_copy(x->arena, r);
    if (exchange_is_first(x))
        return OK;
    exchange_add_attempts(x, &head->fields);
    return head->fields.full ? FAIL(x->arena, FAULT_OUT_OF_MEMORY, "writing a head") : OK;
}

/* A head that the instance does not take is the caller's: no other attempt can send it either. */
static Result check_size(const Attempt *attempt, const HttpHead *head)
{
    const HttpConnection *connection = attempt->side.connection;
    uint32_t most = http_connection_head_most(connection);
    size_t size = most == UINT32_MAX ? 0 : http_connection_head_size(connection, head);
    return size <= most ? OK
                        : FAIL_TELL(attempt->exchange->arena, FAULT_HEAD_TOO_LARGE,
                                    "the head of the request takes %zu bytes on its way to the "
                                    "service, which takes %u at most",
                                    size, most);
}

const Step *attempt_open_stream(Attempt *attempt, const HttpHead *head, bool end,
                                const HttpStreamEvents *events)
{
    Result r = check_size(attempt, head);
    if (failed(r))
        return attempt_unusable(attempt, r);
    attempt_asked(attempt);
    attempt->side.stream = http_stream_open(attempt->side.connection, head, end, events, attempt);
    if (attempt->side.stream)
        return STEP_WAIT;
    return attempt_failed(attempt, FAIL(attempt->exchange->arena, FAULT_UPSTREAM_REFUSED,
                                        "%s has no capacity for another stream",
                                        attempt->pick.instance->address.text));
}

void attempt_send_made(Attempt *attempt)
{
    HttpStream *stream = attempt->side.stream;
    const FramedMessage *framed = &attempt->made.framed;
    if (framed->head_size)
        http_stream_send_body(stream, bytes(framed->head, framed->head_size));
    http_stream_send_body(stream, framed->rest);
}

const Step *attempt_send_one(Attempt *attempt)
{
    HttpHead head;
    bool has_body;
    Result r = write_request_head(attempt, &head, &has_body);
    if (failed(r))
        return attempt_unusable(attempt, r);
    const Step *step = attempt_open_stream(attempt, &head, !has_body, &instance_events);
    if (step != STEP_WAIT)
        return step;
    exchange_sent(attempt);
    if (has_body) {
        attempt_charge_request(attempt, attempt->made.framed.rest.size);
        attempt_send_made(attempt);
        http_stream_send_end(attempt->side.stream, NULL);
    }
    attempt_forget_made(attempt);
    return STEP_WAIT;
}

/* The beginning of a message stays in the client's reader, also for a retry. */
const Step *attempt_send_head(Attempt *attempt)
{
    HttpHead head;
    bool has_body;
    Result r = write_request_head(attempt, &head, &has_body);
    if (failed(r))
        return attempt_unusable(attempt, r);
    const Step *step = attempt_open_stream(attempt, &head, !has_body, &instance_events);
    if (step != STEP_WAIT)
        return step;
    return exchange_ask_for_more(attempt->exchange);
}

static const Step *exchange_send_step(Exchange *x, Attempt *attempt)
{
    return x->kind->send(attempt);
}

const Step STEP_send = {"send", exchange_send_step};

/* Many messages may wait; until the first one comes, the stream holds as little as it can. */
static void charge_first(Attempt *attempt)
{
    if (!attempt->sent)
        attempt_charge_request(attempt, SIZE_MAX);
}

/* A request of many messages is not kept, so that the latest attempt is the only live one. A
   message has left the caller, also if it does not reach the instance. */
const Step *exchange_forward_request(Exchange *x, Message message, bool last)
{
    Attempt *attempt = x->latest;
    Arena *scratch = exchange_scratch(x);
    Message unclosed;
    charge_first(attempt);
    if (!attempt_is_light_request(attempt, &message, scratch)) {
        attempt->sent = true;
        return attempt_work_on_request(attempt, message, last);
    }
    Result r = make_here(attempt, message, scratch, &unclosed);
    if (unclosed.bytes.data) {
        attempt->sent = true;
        return attempt_close_request(attempt, unclosed, last);
    }
    if (failed(r))
        return exchange_fail(x, error_copy(x->arena, r));
    exchange_sent(attempt);
    x->record.messages_in++;
    attempt_send_made(attempt);
    exchange_forget_message(x);
    if (last)
        http_stream_send_end(attempt->side.stream, NULL);
    return STEP_WAIT;
}

Result exchange_forward_run(Exchange *x, MessageRun run)
{
    Result r = OK;
    while (run.n && !failed(r)) {
        MessageRun converted;
        r = attempt_convert_requests(x->latest, &run, &converted);
        if (!converted.n)
            break;
        charge_first(x->latest);
        exchange_sent(x->latest);
        x->record.messages_in += converted.n;
        http_stream_send_body(x->latest->side.stream, converted.frames);
        exchange_forget_message(x);
    }
    return r;
}

/* ---- What comes back ------------------------------------------------------------------------- */

void attempt_remove_own(const Attempt *attempt, Fields *fields)
{
    const Exchange *x = attempt->exchange;
    OwnFields own = {
        .version = x->version.reply,
        .served = attempt->pick.served,
        .cors = x->config->cors.n_origins > 0,
    };
    own_fields_remove(&own, fields);
}

static Arena *answer_arena(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    if (x->hedge && x->latest->before && exchange_has_other(attempt))
        attempt->answer_in = exchange_arena_new(x);
    return attempt->answer_in ? attempt->answer_in : x->arena;
}

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    Attempt *attempt = owner;
    Exchange *x = attempt->exchange;
    attempt->side.ended = end;
    attempt->record.headed = x->loop->now;
    Result r = answer_read(head, &attempt->target, x->arena, &attempt->answer);
    if (failed(r)) {
        attempt_run(attempt, attempt_unusable(attempt, r));
        return;
    }
    attempt->has_answer = true;
    exchange_learn_head(attempt);
    attempt_remove_own(attempt, &attempt->answer.metadata);
    attempt_remove_own(attempt, &attempt->answer.trailers);
    attempt->end_frame = BYTES_NONE;
    MessageReader *reader = &attempt->side.reader;
    message_reader_init(reader, attempt->target.dialect, true, attempt->answer.compression,
                        x->response_bytes, answer_arena(attempt));
    if (x->response_bytes == x->config->limits.answer_bytes)
        reader->limit_name = "limits.answer_bytes";
    if (attempt->target.answer_is_stream && !attempt->answer.is_error)
        reader->unframed = attempt->target.takes_any_media ? UNFRAMED_PIECES : UNFRAMED_LINES;
    reader->keep_compressed = !attempt->answer.is_error; /* they are opened where they are read */
    attempt->passes = attempt_keeps_answer(attempt);
    if (x->kind->piece && attempt_passes_answer_pieces(attempt))
        reader->pieces_above = x->config->limits.http.queue_high;
    attempt->response_run_size =
        attempt_passes_answer_runs(attempt) ? exchange_light_run(x, attempt->response_plan) : 0;
    attempt_run(attempt, x->kind->head(attempt, end));
}

/* Reads how the answer ended. */
static Result read_end(Attempt *attempt, const Fields *trailers)
{
    Exchange *x = attempt->exchange;
    Answer *answer = &attempt->answer;
    DetailJson detail_json = exchange_detail_json(x, attempt->pick.served);
    answer->detail_json = &detail_json;
    Result r = answer_end(answer, trailers, attempt->end_frame, x->arena);
    answer->detail_json = NULL;
    attempt_remove_own(attempt, &answer->trailers);
    return r;
}

const Step *attempt_take_error_item(Attempt *attempt, Bytes item)
{
    Exchange *x = attempt->exchange;
    attempt->answer.is_error = true;
    attempt->end_frame = bytes_copy(x->arena, item);
    Result r = read_end(attempt, NULL);
    return failed(r) ? attempt_unusable(attempt, r) : &STEP_reply;
}

/* A REST instance may send an error in place of a message of a stream. It ends the call. */
static const Step *take_line(Attempt *attempt, Message line)
{
    Exchange *x = attempt->exchange;
    if (!attempt_is_light_answer(attempt, &line, exchange_scratch(x)))
        return attempt_work_on_answer(attempt, line);
    return rest_item_read(attempt->pick.pair->target->type, &line.bytes, exchange_scratch(x)) ==
                   REST_ITEM_MESSAGE
               ? x->kind->item(attempt, line)
               : attempt_take_error_item(attempt, line.bytes);
}

static const Step *take_item(Attempt *attempt, Message message)
{
    return attempt->side.reader.unframed == UNFRAMED_LINES
               ? take_line(attempt, message)
               : attempt->exchange->kind->item(attempt, message);
}

/* The first message of a stream. */
static inline void begin_many(Attempt *attempt)
{
    if (attempt->pass.gate && attempt->exchange->method->type->server_streaming)
        attempt_goes_well(attempt);
}

/* Inlined, as take_messages is: small messages of streams cost little more than this call. */
static inline __attribute__((always_inline)) const Step *take_run(Attempt *attempt, Bytes *piece)
{
    Exchange *x = attempt->exchange;
    MessageRun run = message_reader_run(&attempt->side.reader, attempt->response_run_size, piece);
    const Step *step = STEP_WAIT;
    while (run.n && step == STEP_WAIT) {
        MessageRun converted;
        Result r = attempt_convert_answers(attempt, &run, &converted);
        if (converted.n) {
            begin_many(attempt);
            exchange_choose(attempt);
            step = exchange_give_run(x, converted);
        }
        if (failed(r) && step == STEP_WAIT)
            step = attempt_unusable(attempt, r);
        exchange_forget_message(x);
    }
    return step;
}

/* Takes the answer's messages out of a piece of body, as far as none goes to the work pool. */
static inline __attribute__((always_inline)) const Step *take_messages(Attempt *attempt,
                                                                       Bytes *piece)
{
    Exchange *x = attempt->exchange;
    const Step *step = STEP_WAIT;
    while (step == STEP_WAIT && !attempt->answer_job) {
        Message message;
        Result why = OK;
        step = attempt->response_run_size ? take_run(attempt, piece) : STEP_WAIT;
        if (step != STEP_WAIT)
            return step;
        switch (message_reader_read(&attempt->side.reader, piece, &message, &why)) {
        case MESSAGE_MORE: exchange_forget_messages(x); return attempt_settle(attempt);
        case MESSAGE_FAILED: return attempt_unusable(attempt, why);
        case MESSAGE_END: attempt->end_frame = bytes_copy(x->arena, message.bytes); break;
        case MESSAGE_DONE:
            step = take_item(attempt, message);
            if (step == STEP_WAIT)
                begin_many(attempt);
            break;
        case MESSAGE_PIECE: step = x->kind->piece(attempt, message); break;
        }
    }
    return step;
}

static const Step *no_room_for_backlog(Exchange *x)
{
    return exchange_fail(
        x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "keeping the response while converting"));
}

/* NULL: out of memory. */
static Backlog *backlog_of(Attempt *attempt)
{
    Arena *arena = attempt->exchange->arena;
    if (attempt->backlog)
        return attempt->backlog;
    attempt->backlog = arena_make(arena, Backlog);
    if (attempt->backlog)
        *attempt->backlog = (Backlog){.body = buffer_in(arena), .trailers = fields_in(arena)};
    return attempt->backlog;
}

/* The stream's window bounds it. */
static const Step *keep_body(Attempt *attempt, Bytes piece)
{
    Backlog *backlog = backlog_of(attempt);
    if (backlog)
        buffer_add_bytes(&backlog->body, piece);
    return backlog && !backlog->body.full ? STEP_WAIT : no_room_for_backlog(attempt->exchange);
}

static const Step *take_answer(Attempt *attempt, Bytes piece)
{
    const Step *step = attempt->answer_job ? STEP_WAIT : take_messages(attempt, &piece);
    return step == STEP_WAIT && attempt->answer_job ? keep_body(attempt, piece) : step;
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Attempt *attempt = owner;
    attempt->answer.had_body = true;
    if (attempt->answer.is_error &&
        dialect_is_framed(attempt->target.dialect)) { /* a page of some proxy's, say */
        if (!attempt->answer.foreign.data)
            attempt->answer.foreign =
                bytes_copy(attempt->exchange->arena, bytes_slice(piece, 0, FOREIGN_SHOWN));
        http_stream_consume(stream, piece.size);
        return;
    }
    attempt->side.owed += piece.size;
    attempt_run(attempt, take_answer(attempt, piece));
}

/* The rest in a dialect without frames: the last line of a stream, or the whole body. */
static const Step *take_rest(Attempt *attempt, Message message)
{
    if (attempt->side.reader.unframed == UNFRAMED_LINES)
        return take_line(attempt, message);
    attempt->has_answer_message = !attempt->answer.is_error;
    attempt->answer_message = message;
    attempt->end_frame = message.bytes;
    return STEP_WAIT;
}

/* The trailers may be kept already: when the last message is the second one on the pool. */
static const Step *keep_end(Attempt *attempt, const Fields *trailers)
{
    Exchange *x = attempt->exchange;
    Backlog *backlog = backlog_of(attempt);
    if (!backlog)
        return no_room_for_backlog(x);
    backlog->ended = true;
    for (uint32_t i = 0; trailers != &backlog->trailers && i < trailers->n; i++)
        fields_add(&backlog->trailers, bytes_copy(x->arena, trailers->items[i].name),
                   bytes_copy(x->arena, trailers->items[i].value));
    return backlog->trailers.full ? no_room_for_backlog(x) : STEP_WAIT;
}

/* The body cannot be read. If the service ended it with an error, it had its reason to stop within
   a message, and its error is what counts. */
static const Step *answer_cut(Attempt *attempt, const Fields *trailers, Result why)
{
    if (attempt->target.dialect != DIALECT_GRPC || !fields_get(trailers, "grpc-status").data)
        return attempt_unusable(attempt, why);
    Result r = read_end(attempt, trailers);
    bool is_error = !failed(r) && attempt->answer.status.code != CODE_OK;
    return is_error ? &STEP_reply : attempt_unusable(attempt, why);
}

static const Step *answer_ended(Attempt *attempt, const Fields *trailers)
{
    Message message;
    Result why = OK;
    const Step *step = STEP_WAIT;
    switch (message_reader_finish(&attempt->side.reader, &message, &why)) {
    case MESSAGE_FAILED: return answer_cut(attempt, trailers, why);
    case MESSAGE_DONE: step = take_rest(attempt, message); break;
    case MESSAGE_MORE:
    case MESSAGE_PIECE:
    case MESSAGE_END: break;
    }
    if (step != STEP_WAIT)
        return step;
    if (attempt->answer_job)
        return keep_end(attempt, trailers);
    Result r = read_end(attempt, trailers);
    return failed(r) ? attempt_unusable(attempt, r) : &STEP_reply;
}

const Step *attempt_take_backlog(Attempt *attempt)
{
    Backlog *backlog = backlog_of(attempt);
    if (!backlog)
        return no_room_for_backlog(attempt->exchange);
    Bytes rest = buffer_bytes(&backlog->body);
    const Step *step = take_messages(attempt, &rest);
    if (step != STEP_WAIT)
        return step;
    if (rest.size)
        memmove(backlog->body.data, rest.data, rest.size);
    backlog->body.size = rest.size;
    return backlog->ended && !attempt->answer_job ? answer_ended(attempt, &backlog->trailers)
                                                  : STEP_WAIT;
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    Attempt *attempt = owner;
    attempt->side.ended = true;
    attempt_run(attempt, attempt->answer_job ? keep_end(attempt, trailers)
                                             : answer_ended(attempt, trailers));
}

static const Step *exchange_reply(Exchange *x, Attempt *attempt)
{
    return attempt->answer.status.code == CODE_OK ? x->kind->reply(attempt)
                                                  : attempt_failed_by_service(attempt);
}

const Step STEP_reply = {"reply", exchange_reply};

static void on_drain(void *owner, HttpStream *stream)
{
    Exchange *x = ((Attempt *)owner)->exchange;
    exchange_run(x, exchange_ask_for_more(x));
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    Attempt *attempt = owner;
    Exchange *x = attempt->exchange;
    /* The instance has the same deadline, and its clock may be slightly ahead. */
    bool late = x->deadline != NO_TIMEOUT && x->deadline - x->loop->now < DEADLINE_NEAR;
    Result r =
        FAIL_OVER(x->arena, error_copy(x->arena, why),
                  *(late ? exchange_deadline_fault(x) : why.error->fault), "%s broke off %.*s",
                  attempt->pick.instance->address.text, BYTES_ARGS(attempt->target.method));
    attempt->side.ended = attempt->broken = true;
    attempt_run(attempt, attempt_failed(attempt, r));
}

static const HttpStreamEvents instance_events = {on_head, on_body, on_end, on_drain, on_reset};
