#include "gateway/call/attempt.h"

#include "gateway/call/exchange_internal.h"
#include "gateway/policy/patience.h"

#define PREVIOUS_FIELD "grpc-previous-rpc-attempts"
#define TRANSPARENT_FIELD "grpc-transparent-retry-attempts"

bool attempt_add(Exchange *x, const PickTried *tried)
{
    Attempt *attempt = arena_make(x->arena, Attempt);
    if (!attempt)
        return false;
    *attempt = (Attempt){.exchange = x, .before = x->latest, .tried = {.before = tried}};
    x->latest = attempt;
    return true;
}

static void leave_instance(const Attempt *attempt)
{
    const Instance *instance = attempt->record.instance;
    if (attempt->record.asked && instance->known)
        instance_attempt_leaves(upstream_counts(attempt->exchange->loop, instance),
                                instance->known);
}

void attempt_asked(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    leave_instance(attempt); /* of an attempt that goes elsewhere */
    if (attempt->pick.instance->known)
        instance_attempt_begins(upstream_counts(x->loop, attempt->pick.instance));
    attempt->record.instance = attempt->pick.instance;
    attempt->record.asked = x->loop->now;
    if (x->record.n_attempts++ == 0)
        x->record.time_to_upstream = x->loop->now - x->began;
}

void attempt_forget_made(Attempt *attempt)
{
    arena_free(attempt->made_in);
    attempt->made_in = NULL;
}

void attempt_drop(Attempt *attempt)
{
    Side *side = &attempt->side;
    if (attempt->queued)
        gate_cancel(&attempt->gate);
    if (attempt->waiting)
        upstream_cancel(&attempt->wait);
    attempt->queued = attempt->waiting = attempt->held = false;
    attempt_end_wait(attempt);
    attempt_drop_jobs(attempt);
    attempt_forget_made(attempt);
    if (!side->stream)
        return;
    if (!side->ended)
        http_stream_reset(side->stream, HTTP2_ERROR_CANCEL);
    http_stream_release(side->stream);
    side->stream = NULL;
}

/* An instance that is full, one whose client has used up its quota, and one that finds a request
   too large say the same; and two clients that write the same make each other fail. So it is
   nobody's failure. */
static bool is_nobodys(Code code)
{
    return code == CODE_RESOURCE_EXHAUSTED || code == CODE_ABORTED;
}

/* Whether an error may be about a message that nobody can look at now: it is too large for that,
   or one of many, and gone. These are the codes that servers have for what they cannot parse. */
static bool maybe_by_request(const Attempt *attempt, const Fault *fault, Code code)
{
    const Exchange *x = attempt->exchange;
    bool is_gone = x->method && !x->only && x->method->type->client_streaming && attempt->sent &&
                   !x->binding && attempt_copies_request(attempt);
    bool is_parsing = code == CODE_INTERNAL || code == CODE_UNKNOWN;
    return fault == &FAULT_UPSTREAM_STATUS && (attempt->unsure || (is_gone && is_parsing));
}

/* The timeout that the config gives to the call: see start_deadline. */
static int64_t allowed_time(const Exchange *x)
{
    int64_t route = x->route ? x->route->timeout : NO_TIMEOUT;
    int64_t call = x->config->limits.call_time;
    return route == NO_TIMEOUT && call ? call : route;
}

/* Whether it had the time that such calls take, before the deadline. How long a stream lasts is its
   client's choice. */
static bool had_time(const Attempt *attempt)
{
    const Exchange *x = attempt->exchange;
    const int64_t *usual = pick_usual(&attempt->pick, x->method);
    int64_t asked = attempt->record.asked ? attempt->record.asked : attempt->record.began;
    Patience patience = {
        .given = x->deadline - asked, .allowed = allowed_time(x), .usual = usual ? *usual : 0};
    return exchange_is_unary(x) && patience_is_enough(&patience);
}

/* The deadline has passed, or the instance, which has it too, fails for it. */
static bool is_cut_short(const Attempt *attempt, const Fault *fault, Code code)
{
    const Exchange *x = attempt->exchange;
    bool is_time = fault == &FAULT_DEADLINE_EXCEEDED || code == CODE_DEADLINE_EXCEEDED ||
                   x->deadline - x->loop->now < DEADLINE_NEAR;
    return x->deadline != NO_TIMEOUT && is_time && !had_time(attempt);
}

/* What the outcome tells of the instance: see telemetry_side. */
static AttemptVerdict verdict_of(const Attempt *attempt, Code code, Result why)
{
    if (!failed(why))
        return ATTEMPT_GOOD;
    const Fault *fault = why.error->fault;
    if (fault == &FAULT_SUPERSEDED && !attempt->record.headed &&
        exchange_is_unary(attempt->exchange))
        return ATTEMPT_UNANSWERED;
    bool said = fault == &FAULT_UPSTREAM_STATUS;
    if (said && (code_is_callers(code) || attempt->answer.http_status == 431))
        return ATTEMPT_GOOD;
    if (said && is_nobodys(code))
        return ATTEMPT_UNJUDGED;
    if (fault == &FAULT_UPSTREAM_RESET || fault == &FAULT_UPSTREAM_REFUSED)
        return ATTEMPT_LOST;
    bool is_its_own = fault->side == SIDE_UPSTREAM && !maybe_by_request(attempt, fault, code) &&
                      !is_cut_short(attempt, fault, code);
    return is_its_own ? ATTEMPT_FAILED : ATTEMPT_UNJUDGED;
}

/* Nanoseconds until it responded, or was given up for want of a response; 0: of a stream, which may
   take its time. */
static int64_t time_of(const Attempt *attempt, AttemptVerdict verdict, Result why)
{
    const AttemptRecord *record = &attempt->record;
    const Exchange *x = attempt->exchange;
    const Fault *fault = failed(why) ? why.error->fault : NULL;
    if (x->method && !exchange_is_unary(x))
        return 0;
    if (record->headed)
        return record->headed - record->asked;
    bool given_up = fault == &FAULT_SUPERSEDED || fault == &FAULT_CLIENT_DEADLINE ||
                    fault == &FAULT_DEADLINE_EXCEEDED;
    return given_up && verdict != ATTEMPT_UNJUDGED ? record->ended - record->asked : 0;
}

static void tell_instance(const Attempt *attempt, AttemptVerdict verdict, Result why)
{
    const AttemptRecord *record = &attempt->record;
    const Exchange *x = attempt->exchange;
    InstanceCounts *counts =
        record->asked && !x->only ? upstream_counts(x->loop, record->instance) : NULL;
    if (record->asked && !record->headed)
        upstream_measured(x->loop, record->instance, record->ended - record->asked, false);
    if (counts)
        instance_attempt_ended(counts, verdict, time_of(attempt, verdict, why), record->ended);
}

/* Whether a code says that the service does not work. Others are answers, also if they tell of a
   full instance. */
static bool is_failure(Code code)
{
    switch (code) {
    case CODE_UNKNOWN:
    case CODE_DEADLINE_EXCEEDED:
    case CODE_INTERNAL:
    case CODE_UNAVAILABLE:
    case CODE_DATA_LOSS: return true;
    default: return false;
    }
}

/* Without an instance that was chosen it is the gateway that refused, as by `cells.spill`. */
static BreakerOutcome outcome_of(const Attempt *attempt, AttemptVerdict verdict, Code code,
                                 Result why)
{
    bool said = failed(why) && why.error->fault == &FAULT_UPSTREAM_STATUS;
    if (said && is_nobodys(code) && !attempt->unsure)
        return OUTCOME_GOOD;
    if (verdict == ATTEMPT_UNJUDGED || verdict == ATTEMPT_UNANSWERED || !attempt->record.instance)
        return OUTCOME_UNKNOWN;
    return verdict == ATTEMPT_GOOD || (said && !is_failure(code)) ? OUTCOME_GOOD : OUTCOME_FAILED;
}

/* The time of a stream is its client's. */
static void leave_gate(Attempt *attempt, BreakerOutcome outcome)
{
    Exchange *x = attempt->exchange;
    bool measured = outcome == OUTCOME_GOOD && attempt->record.asked && !x->kind->streams;
    int64_t took = measured ? x->loop->now - attempt->record.asked + 1 : 0;
    gate_leave(x->loop, &attempt->pass, outcome, took);
}

void attempt_goes_well(Attempt *attempt)
{
    leave_gate(attempt, OUTCOME_GOOD);
}

void attempt_end(Attempt *attempt, Code code, Result why)
{
    AttemptRecord *record = &attempt->record;
    Exchange *x = attempt->exchange;
    if (record->ended)
        return;
    record->ended = x->loop->now;
    record->code = code;
    record->why = why;
    AttemptVerdict verdict = verdict_of(attempt, code, why);
    tell_instance(attempt, verdict, why);
    leave_instance(attempt);
    if (attempt->pass.gate)
        leave_gate(attempt, outcome_of(attempt, verdict, code, why));
    if (failed(why))
        exchange_learn_failure(attempt, why.error->fault);
}

bool attempt_is_live(const Attempt *attempt)
{
    CHECK(attempt->record.began);
    return !attempt->record.ended;
}

bool attempt_counts(const Attempt *attempt)
{
    return attempt->record.instance != NULL;
}

/* ---- Attempts of all gateways ---------------------------------------------------------------- */

uint32_t exchange_n_attempts(const Exchange *x)
{
    return x->record.n_attempts - (x->n_refused > 0) + x->n_elsewhere;
}

void exchange_add_attempts(const Exchange *x, Fields *fields)
{
    fields_remove(fields, PREVIOUS_FIELD);
    if (exchange_n_attempts(x))
        fields_add_number(fields, PREVIOUS_FIELD, exchange_n_attempts(x));
    fields_remove(fields, TRANSPARENT_FIELD);
    if (x->n_refused)
        fields_add_number(fields, TRANSPARENT_FIELD, 1);
}

void exchange_add_previous(const Exchange *x, Fields *fields)
{
    if (exchange_n_attempts(x) > 1)
        fields_add_number(fields, PREVIOUS_FIELD, exchange_n_attempts(x) - 1);
}

/* A gateway behind tells how many attempts came before its last one. */
static void count_behind(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    Bytes said = fields_get(&attempt->answer.metadata, PREVIOUS_FIELD);
    if (!said.data)
        said = fields_get(&attempt->answer.trailers, PREVIOUS_FIELD);
    if (!said.data)
        return;
    uint32_t before = policy_read_previous(said), known = exchange_n_attempts(x);
    if (before >= known)
        x->n_elsewhere += before + 1 - known;
}

/* ---- Learning -------------------------------------------------------------------------------- */

void exchange_learn_failure(Attempt *attempt, const Fault *fault)
{
    Exchange *x = attempt->exchange;
    bool refused = fault == &FAULT_UPSTREAM_REFUSED && attempt->record.asked;
    bool slow =
        fault == &FAULT_SUPERSEDED || (fault == &FAULT_DEADLINE_EXCEEDED && had_time(attempt));
    x->n_refused += refused;
    pick_end_trial(x->loop, &attempt->pick, refused);
    DelaySketch *delays = slow ? pick_delays(&attempt->pick, x->method) : NULL;
    if (delays && !attempt->record.headed)
        delay_sketch_add(delays, x->loop->now - attempt->record.began);
}

/* An instance that fails at once is not a fast one. */
static void measure(const Attempt *attempt)
{
    const Loop *loop = attempt->exchange->loop;
    const Answer *answer = &attempt->answer;
    bool answered = !answer->is_error && (!answer->has_status || answer->status.code == CODE_OK);
    int64_t took = loop->now - attempt->record.asked;
    int64_t *usual = answered ? pick_usual(&attempt->pick, attempt->exchange->method) : NULL;
    if (usual)
        *usual = patience_usual(*usual, took);
    upstream_measured(loop, attempt->pick.instance, took, answered);
}

void exchange_learn_head(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    pick_end_trial(x->loop, &attempt->pick, false);
    measure(attempt);
    DelaySketch *delays = pick_delays(&attempt->pick, x->method);
    if (delays)
        delay_sketch_add(delays, x->loop->now - attempt->record.began);
    count_behind(attempt);
}

void exchange_learn_end(const Exchange *x)
{
    const Attempt *answered = exchange_answered(x);
    if (answered && x->record.status.code != CODE_UNAVAILABLE)
        pick_earn(x->loop, &answered->pick);
}
