/*
 * Messages that would hold the loop for too long: they are converted on the work pool.
 *
 *      loop   is it light? -> convert it here
 *             else a job:     message, framing (copied)      what was made -> the kind goes on
 *      pool                                             \ convert /
 *
 * A job has an arena of its own. What it reads besides is the exchange's and settled: see
 * attempt_make_request. An exchange that ends meanwhile leaves its memory to its jobs; the last
 * one that comes back frees it.
 *
 * The job's arena is charged to the client's account from the thread that works in it, since
 * accounts are for any thread. The exchange does not touch it meanwhile, so that the job keeps the
 * account by a reference of its own, and what it was told about refusals when it began.
 */
#include "gateway/call/exchange_internal.h"
#include "gateway/memory/accounts.h"

struct MessageJob {
    WorkJob work; /* first */
    Exchange *x;
    Attempt *attempt;
    Arena *arena;     /* the job is in it */
    Account *account; /* that the arena is charged to; NULL: none */
    bool dropped;

    Message message;
    bool last;    /* of the request */
    bool is_item; /* of a REST instance's stream, not read yet */
    bool frames;
    Framing framing;

    Conversion conversion;
    Losses losses;
    Result result;
    MadeRequest made;
    Message converted; /* of a response, before it is framed */
    Framed framed;
    bool is_error_item;
};

/* ---- What is light --------------------------------------------------------------------------- */

MessageReader *exchange_reader(const Exchange *x)
{
    const CallerEvents *events = x->caller->events;
    return events->reader ? events->reader(x->caller) : NULL;
}

/* A byte may cost its plan more than others do. */
static size_t light_size(const Exchange *x, const Plan *plan)
{
    size_t most = x->config->limits.work_bytes;
    return plan ? most >> plan_cost(plan) : most;
}

uint32_t exchange_light_run(const Exchange *x, const Plan *plan)
{
    return exchange_copies(plan) ? UINT32_MAX : (uint32_t)light_size(x, plan);
}

/* How large it is when it is decompressed is known afterwards only. */
static bool is_light(Message *message, size_t most, const MessageReader *reader, Arena *arena)
{
    Bytes plain;
    if (!message->compressed)
        return message->bytes.size <= most;
    if (!message_reader_decompress_small(reader, message->bytes, most, arena, &plain))
        return false;
    *message = (Message){.bytes = plain};
    return true;
}

bool exchange_prints_fast(const Exchange *x, const Plan *plan, Message *message, Arena *arena)
{
    size_t most = light_size(x, plan) / EXCHANGE_PRINTING;
    return !x->loop->pool || is_light(message, most, exchange_reader(x), arena);
}

bool attempt_weigh_request(const Attempt *attempt, Message *message, Arena *arena)
{
    const Exchange *x = attempt->exchange;
    if (!x->loop->pool || (message->compressed && attempt_passes_request(attempt)))
        return true;
    if (!message->compressed && !x->binding && attempt->target.dialect != DIALECT_REST &&
        attempt_copies_request(attempt))
        return true; /* nobody reads it */
    size_t most = light_size(x, attempt->request_plan);
    if (x->method->extras->rules && light_size(x, x->method->extras->to_rules) < most)
        most = light_size(x, x->method->extras->to_rules);
    return is_light(message, most, exchange_reader(x), arena);
}

static const Framing *framing_of(const Exchange *x)
{
    const CallerEvents *events = x->caller->events;
    return events->framing ? events->framing(x->caller) : NULL;
}

bool attempt_weigh_answer(const Attempt *attempt, Message *message, Arena *arena)
{
    const Exchange *x = attempt->exchange;
    if (!x->loop->pool || (message->compressed && attempt->passes))
        return true;
    if (!message->compressed && attempt->target.dialect != DIALECT_REST &&
        exchange_copies(attempt->response_plan))
        return true; /* nobody reads it */
    return is_light(message, light_size(x, attempt->response_plan), &attempt->side.reader, arena);
}

bool attempt_weigh_closing(const Attempt *attempt, Message converted)
{
    const Framing *framing = framing_of(attempt->exchange);
    return !framing || framing_is_light(framing, converted);
}

/* ---- On the pool ----------------------------------------------------------------------------- */

static void run_request(WorkJob *work)
{
    MessageJob *job = (MessageJob *)work;
    job->result = attempt_make_request(job->attempt, job->message, &job->conversion, &job->made);
    memory_settle(); /* this thread may have nothing to do for long */
}

static void make_answer(MessageJob *job)
{
    Message message = job->message;
    if (job->is_item && rest_item_read(job->attempt->pick.pair->target->type, &message.bytes,
                                       job->arena) == REST_ITEM_ERROR) {
        job->is_error_item = true;
        job->framed.message = message;
        return;
    }
    Result r = OK;
    if (!job->conversion.converted)
        r = attempt_make_answer(job->attempt, message, &job->conversion, &message);
    job->framed.message = job->converted = message;
    if (!failed(r) && job->frames)
        r = framing_apply(&job->framing, message, job->arena, &job->framed);
    job->result = r;
}

static void run_answer(WorkJob *work)
{
    make_answer((MessageJob *)work);
    memory_settle();
}

/* ---- Back on the loop ------------------------------------------------------------------------ */

/* The job is in the arena. */
void exchange_free_job(Arena *arena, Account *account)
{
    arena_free(arena);
    account_close(account);
}

static void job_free(MessageJob *job)
{
    exchange_free_job(job->arena, job->account);
}

bool exchange_job_is_back(Exchange *x, bool dropped)
{
    x->n_jobs--;
    if (dropped && x->over && x->n_jobs == 0)
        exchange_free(x);
    return !dropped;
}

Result exchange_refuse_work(Exchange *x)
{
    return FAIL(x->arena, FAULT_OVERLOADED,
                "too many large messages wait for the work pool "
                "(limits.work_waits)");
}

static void take_report(const MessageJob *job)
{
    Exchange *x = job->x;
    losses_add(&x->losses, &job->losses);
    x->record.n_unknown += job->conversion.n_unknown;
}

static Result result_of(const MessageJob *job, bool has_run)
{
    Exchange *x = job->x;
    if (!has_run)
        return exchange_refuse_work(x);
    return failed(job->result) ? exchange_keep_error(x, job->arena, job->result) : OK;
}

/* One message, which has an arena for itself from here on; or the next of many. */
static const Step *request_is_made(MessageJob *job)
{
    Attempt *attempt = job->attempt;
    Exchange *x = job->x;
    attempt->made = job->made;
    if (x->kind->picked == &STEP_convert) {
        arena_charge(job->arena, x->account, x->firm);
        attempt->made_in = job->arena;
        job->arena = NULL;
        return &STEP_connect;
    }
    exchange_sent(attempt);
    x->record.messages_in++;
    attempt_send_made(attempt);
    if (!job->last)
        return exchange_ask_for_more(x);
    http_stream_send_end(attempt->side.stream, NULL);
    return STEP_WAIT;
}

static const Step *answer_is_made(MessageJob *job)
{
    Exchange *x = job->x;
    Attempt *attempt = job->attempt;
    if (job->is_error_item)
        return attempt_take_error_item(attempt, job->framed.message.bytes);
    if (!x->method->type->server_streaming) {
        const Step *end = exchange_give_framed_response(x, &job->framed, &attempt->answer.trailers);
        return exchange_keep(attempt, job->converted, end);
    }
    const Step *step = exchange_give_framed(x, &job->framed);
    return step == STEP_WAIT ? attempt_take_backlog(attempt) : step;
}

/* `made` is what follows if the message could be converted. */
static void job_done(MessageJob *job, bool has_run, const Step *(*made)(MessageJob *job))
{
    Attempt *attempt = job->attempt;
    take_report(job);
    Result r = result_of(job, has_run);
    const Step *step = failed(r) ? attempt_unusable(attempt, r) : made(job);
    job_free(job);
    attempt_run(attempt, step);
}

/* False: nobody waits for the job any more. */
static bool job_is_back(MessageJob *job)
{
    Exchange *x = job->x;
    bool dropped = job->dropped;
    if (dropped)
        job_free(job);
    return exchange_job_is_back(x, dropped);
}

static void on_request_done(WorkJob *work, bool has_run)
{
    MessageJob *job = (MessageJob *)work;
    if (!job_is_back(job))
        return;
    job->attempt->request_job = NULL;
    job_done(job, has_run, request_is_made);
}

static void on_answer_done(WorkJob *work, bool has_run)
{
    MessageJob *job = (MessageJob *)work;
    if (!job_is_back(job))
        return;
    job->attempt->answer_job = NULL;
    attempt_forget_promise(job->attempt);
    job_done(job, has_run, answer_is_made);
}

/* ---- Starting and dropping ------------------------------------------------------------------- */

Arena *exchange_job_arena(const Exchange *x, Account **account_out)
{
    Arena *arena = arena_new(x->memory);
    account_keep(x->account);
    arena_charge(arena, x->account, x->firm);
    *account_out = x->account;
    return arena;
}

/* Where all that a call makes is in one arena, its limit is that of both. */
static size_t room_for_job(const Exchange *x)
{
    size_t used = x->scratch == x->arena ? arena_size(x->arena) : 0;
    return used < x->memory ? x->memory - used : 0;
}

/* `stays`: the message does so while the job runs; else it is copied. */
static MUST_USE Result job_make(Attempt *attempt, Message message, bool stays,
                                const MessageReader *reader, MessageJob **job_out)
{
    Exchange *x = attempt->exchange;
    Arena *arena = arena_new(room_for_job(x));
    MessageJob *job = arena_make(arena, MessageJob);
    CHECK(job); /* an arena's first block has room for it */
    *job = (MessageJob){.x = x, .attempt = attempt, .arena = arena, .message = message};
    job->account = x->account;
    account_keep(job->account);
    arena_charge(arena, job->account, x->firm);
    if (!stays)
        job->message.bytes = bytes_copy(arena, message.bytes);
    if (!job->message.bytes.data) {
        Result r =
            exchange_name_refusal(x, arena,
                                  FAIL(x->arena, FAULT_OUT_OF_MEMORY,
                                       "keeping a message of %zu bytes", message.bytes.size));
        job_free(job);
        return r;
    }
    job->losses = losses_in(arena, x->config);
    job->conversion = (Conversion){
        .arena = arena, .reader = reader, .losses = &job->losses, .most_closed = SIZE_MAX};
    job->work.loop = x->loop;
    job->work.client = x->client;
    *job_out = job;
    return OK;
}

static const Step *start(MessageJob *job)
{
    job->x->n_jobs++;
    work_pool_add(job->x->loop->pool, &job->work);
    return STEP_WAIT;
}

static const Step *begin_request(Attempt *attempt, Message message, bool last, bool converted)
{
    Exchange *x = attempt->exchange;
    const MessageReader *reader = exchange_reader(x);
    bool is_kept = x->kind->picked == &STEP_convert;
    bool stays = reader && !converted && (is_kept || message_reader_holds(reader, message.bytes));
    MessageJob *job;
    Result r = job_make(attempt, message, stays, reader, &job);
    if (failed(r))
        return attempt_unusable(attempt, r);
    attempt_forget_made(attempt);
    exchange_forget_message(x);
    job->last = last;
    job->conversion.converted = converted;
    job->work.run = run_request;
    job->work.on_done = on_request_done;
    attempt->request_job = job;
    return start(job);
}

const Step *attempt_work_on_request(Attempt *attempt, Message message, bool last)
{
    return begin_request(attempt, message, last, false);
}

const Step *attempt_close_request(Attempt *attempt, Message converted, bool last)
{
    return begin_request(attempt, converted, last, true);
}

/* How the response is framed depends on which one it is. */
static const Step *begin_answer(Attempt *attempt, Message message, bool converted)
{
    Exchange *x = attempt->exchange;
    const MessageReader *reader = &attempt->side.reader;
    bool is_kept = !x->method->type->server_streaming;
    bool stays = !converted && (is_kept || message_reader_holds(reader, message.bytes));
    MessageJob *job;
    Result r = job_make(attempt, message, stays, reader, &job);
    if (failed(r))
        return attempt_unusable(attempt, r);
    if (!is_kept && attempt->memory_wait) /* what is kept has the turn until it is sent */
        memory_wait_end(x->loop, &attempt->memory_wait->wait);
    exchange_choose(attempt);
    const Framing *framing = framing_of(x);
    job->conversion.converted = converted;
    job->is_item = reader->unframed == UNFRAMED_LINES && !converted;
    job->frames = framing != NULL;
    if (framing)
        job->framing = *framing;
    job->work.run = run_answer;
    job->work.on_done = on_answer_done;
    attempt->answer_job = job;
    return start(job);
}

const Step *attempt_work_on_answer(Attempt *attempt, Message message)
{
    return begin_answer(attempt, message, false);
}

const Step *attempt_close_answer(Attempt *attempt, Message converted)
{
    return begin_answer(attempt, converted, true);
}

static void drop(MessageJob **at)
{
    MessageJob *job = *at;
    *at = NULL;
    job->dropped = true;
    if (!work_pool_cancel(job->x->loop->pool, &job->work))
        return;
    job->x->n_jobs--;
    job_free(job);
}

void attempt_drop_jobs(Attempt *attempt)
{
    if (attempt->request_job)
        drop(&attempt->request_job);
    if (attempt->answer_job)
        drop(&attempt->answer_job);
}
