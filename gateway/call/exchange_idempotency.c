/*
 * A call with an idempotency key: it is made only if the record of its key is new and on disk, and
 * its response goes out only when that is on disk, too.
 *
 *      request complete -> ask -+-> ours ----> instances, or a maker ---> keep ---> response
 *                               +-> another's: its response, or an error; nobody is asked
 *
 * Without a response of an instance the record goes, or it says that nobody knows what became of
 * the call: claim_verdict.h has the rules.
 */
#include "base/text/date.h"
#include "gateway/call/exchange_internal.h"
#include "gateway/idempotency/claim_record.h"
#include "gateway/idempotency/claims.h"
#include "gateway/idempotency/idempotency_key.h"
#include "gateway/store/seal.h"

#define AGAIN (100 * MILLISECOND) /* between two tries to keep a response */

typedef enum KeyPhase {
    KEY_ASKING,  /* nothing was sent */
    KEY_RUNNING, /* the call is ours */
    KEY_ENDING,  /* what has become of it is being recorded */
    KEY_ENDED,
} KeyPhase;

typedef struct PrintJob PrintJob;

struct KeyedCall {
    Timer timer; /* first: of KEY_ENDING */
    Exchange *x;
    ClaimTask *task;         /* with the store; NULL: none */
    PrintJob *job;           /* on the work pool; NULL: none */
    struct Judging *judging; /* KEY_ASKING: of another call's record; else NULL */
    KeyPhase phase;
    ClaimRow row;
    ClaimRecord record;
    Attempt *attempt; /* KEY_ENDING: whose response it is; NULL: there is none */
    Message message;  /* then: of a good one */
    Status status;    /* else what the client is told, */
    Result why;       /* and of an error of the service its chain */
    Result left;      /* why the client has left, and the call goes on without it; OK: it has not */
    Arena *made_in;   /* the stored response, until it is kept */
    Bytes content;
    int64_t expires; /* wall time in nanoseconds: published with the response; 0: nothing is kept */
};

static const KeyPolicy *policy_of(const Exchange *x)
{
    return x->method->extras->keys;
}

static const Step *refuse(Exchange *x, KeyedOutcome outcome, Result why)
{
    if (x->loop->claims)
        claims_count(x->loop->claims, outcome);
    return exchange_fail(x, why);
}

/* ---- Whose key it is ------------------------------------------------------------------------- */

/* "name tenant" with the length of the name, so that no two are the same. */
static Bytes name_of(const Exchange *x)
{
    const Identity *identity = x->identity;
    Buffer text = buffer_in(x->arena);
    buffer_printf(&text, "name %zu ", identity->name.size);
    buffer_add_bytes(&text, identity->name);
    buffer_add_bytes(&text, identity->tenant);
    return text.full ? BYTES_NONE : buffer_bytes(&text);
}

/* Without an identity: whoever has these credentials. */
static Bytes credentials_of(const Exchange *x)
{
    Bytes said = fields_get(&x->call.metadata, "authorization");
    Buffer text = buffer_in(x->arena);
    if (!said.size || !x->config->identity.hash_key.size)
        return BYTES_NONE;
    buffer_add_text(&text, "authorization ");
    buffer_add_bytes(&text, said);
    if (text.full)
        return BYTES_NONE;
    Bytes hash = identity_hash(buffer_bytes(&text), x->config, x->arena);
    return bytes_of(arena_printf(x->arena, "authorization:%.*s", BYTES_ARGS(hash)));
}

static bool find_client(const Exchange *x, Bytes *client_out, Bytes *shown_out)
{
    bool named = x->identity->name.size;
    *client_out = named ? name_of(x) : credentials_of(x);
    *shown_out = named ? identity_shown(x->identity, x->config, x->arena) : *client_out;
    return client_out->size > 0;
}

/* ---- Fingerprints ---------------------------------------------------------------------------- */

/* Reading a request in several versions, on the loop, or, if it is large, on the work pool. */
struct PrintJob {
    WorkJob work; /* first */
    KeyedCall *call;
    Arena *arena;                /* the job is in it */
    Account *account;            /* that the arena is charged to; NULL: none */
    const MessageReader *reader; /* of the caller, who may leave */
    Message message;
    const Version *versions[CLAIM_PRINTS];
    Result results[CLAIM_PRINTS]; /* failed: it has no counterpart in that version */
    Fingerprint prints[CLAIM_PRINTS];
    uint32_t n;
    bool dropped; /* nobody waits for it any more */
    const Step *(*then)(KeyedCall *k, const PrintJob *job);
};

static const Plan *plan_to(const Exchange *x, const Version *version)
{
    return x->method->pairs[version->index].extras->print[x->call.codec];
}

static Result print_in(PrintJob *job, const Version *version, Fingerprint *out)
{
    const Exchange *x = job->call->x;
    const Method *target =
        version == x->method->version ? x->method : x->method->pairs[version->index].target;
    Conversion c = {.arena = job->arena, .reader = job->reader};
    Bytes message;
    Result r = exchange_read_with(x, job->message, plan_to(x, version), &c, &message);
    return failed(r)
               ? r
               : fingerprint_of(target->type, message, x->config->limits.depth, job->arena, out);
}

static void run_prints(PrintJob *job)
{
    for (uint32_t i = 0; i < job->n; i++)
        job->results[i] = print_in(job, job->versions[i], &job->prints[i]);
}

static void run_on_pool(WorkJob *work)
{
    run_prints((PrintJob *)work);
    memory_settle(); /* this thread may have nothing to do for long */
}

static void print_job_free(PrintJob *job)
{
    exchange_free_job(job->arena, job->account);
}

static const Step *finish_prints(PrintJob *job)
{
    const Step *step = job->then(job->call, job);
    print_job_free(job);
    return step;
}

static void on_pool_done(WorkJob *work, bool has_run)
{
    PrintJob *job = (PrintJob *)work;
    KeyedCall *k = job->call;
    Exchange *x = k->x;
    bool dropped = job->dropped;
    if (dropped)
        print_job_free(job);
    if (!exchange_job_is_back(x, dropped))
        return;
    k->job = NULL;
    if (has_run) {
        exchange_run(x, finish_prints(job));
        return;
    }
    print_job_free(job);
    exchange_run(x, exchange_fail(x, exchange_refuse_work(x)));
}

/* The call ends, and the job with it; or its client leaves, and the job ends by itself. */
static void drop_prints(KeyedCall *k)
{
    PrintJob *job = k->job;
    k->job = NULL;
    if (!job)
        return;
    job->dropped = true;
    if (!work_pool_cancel(k->x->loop->pool, &job->work))
        return;
    k->x->n_jobs--;
    print_job_free(job);
}

/* A compressed message is opened into the arena to find out. */
static bool is_light(PrintJob *job)
{
    const Exchange *x = job->call->x;
    bool light = true;
    for (uint32_t i = 0; i < job->n && light; i++)
        light = exchange_prints_fast(x, plan_to(x, job->versions[i]), &job->message, job->arena);
    return light;
}

/* `then` is told of the request in these versions: now, or when the pool has read it. */
static const Step *print(KeyedCall *k, const Version *const *versions, uint32_t n,
                         const Step *(*then)(KeyedCall *k, const PrintJob *job))
{
    Exchange *x = k->x;
    Account *account;
    Arena *arena = exchange_job_arena(x, &account);
    PrintJob *job = arena_make(arena, PrintJob);
    CHECK(job); /* an arena's first block has room for it */
    *job = (PrintJob){.call = k,
                      .arena = arena,
                      .account = account,
                      .reader = exchange_reader(x),
                      .message = x->message,
                      .n = n,
                      .then = then};
    memcpy(job->versions, versions, n * sizeof *versions);
    if (is_light(job)) {
        run_prints(job);
        return finish_prints(job);
    }
    job->work = (WorkJob){
        .run = run_on_pool, .on_done = on_pool_done, .loop = x->loop, .client = x->client};
    k->job = job;
    x->n_jobs++;
    work_pool_add(x->loop->pool, &job->work);
    return STEP_WAIT;
}

static void add_prints(ClaimRecord *record, const PrintJob *job)
{
    for (uint32_t i = 0; i < job->n; i++) {
        if (failed(job->results[i]))
            error_ignore(job->results[i],
                         "it has no counterpart there, and the call may do without");
        else
            record->prints[record->n_prints++] =
                (ClaimPrint){.version = bytes_of(job->versions[i]->name), .print = job->prints[i]};
    }
}

/* ---- Comparing ------------------------------------------------------------------------------- */

/* The record of the key, while the request is compared with it. */
typedef struct Judging {
    ClaimRecord record;
    ClaimQuestion question;
    Bytes token;
    Result why; /* failed: it cannot be read */
} Judging;

/* The recorded versions in which the request can be read, too. */
static uint32_t find_common(const Exchange *x, const ClaimRecord *record, const Version **out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < record->n_prints; i++) {
        const Version *version =
            service_version(x->method->version->service, record->prints[i].version);
        if (version && x->method->pairs[version->index].target)
            out[n++] = version;
    }
    return n;
}

/* ---- Records --------------------------------------------------------------------------------- */

static SealPlace place_of(const ClaimRow *row)
{
    return (SealPlace){"idempotency", "content", row->id};
}

/* Empty: the arena is full. */
static Bytes sealed(const KeyedCall *k, Arena *arena)
{
    Buffer text = buffer_in(arena), content = buffer_in(arena);
    SealPlace place = place_of(&k->row);
    claim_record_write(&k->record, &text);
    seal(&k->x->config->store.keys, &place, buffer_bytes(&text), &content);
    return text.full || content.full ? BYTES_NONE : buffer_bytes(&content);
}

static bool fill_row(KeyedCall *k, Bytes key)
{
    Exchange *x = k->x;
    Bytes client;
    if (!find_client(x, &client, &k->row.client))
        return false;
    int64_t now = clock_wall(), left = x->deadline - x->loop->now;
    bool ends = x->deadline != NO_TIMEOUT;
    k->row.id = claim_id(bytes_of(x->method->version->service->name), client, key, x->arena);
    k->row.key = claim_key_hash(key, x->arena);
    k->record.method = bytes_of(x->method->type->path);
    k->row.node = bytes_of(x->config->node);
    k->row.token = bytes_of(arena_printf(x->arena, "%016llx%016llx",
                                         (unsigned long long)random_next(&x->loop->random),
                                         (unsigned long long)random_next(&x->loop->random)));
    k->row.at = now;
    /* What is recorded at the deadline may take as long as any task of the store. */
    k->row.until = now + (ends ? left + 2 * x->config->store.time : policy_of(x)->keep);
    k->row.expires = now + policy_of(x)->keep;
    return true;
}

/* ---- A response that is there ---------------------------------------------------------------- */

static Result gone(const Exchange *x, const char *why)
{
    return FAIL_TELL(x->arena, FAULT_IDEMPOTENCY_RESPONSE_GONE,
                     "the call was made before, and its response %s", why);
}

/* As if an instance of that version had sent it now. */
static Result prepare_replay(Attempt *attempt, const ClaimResponse *response)
{
    Exchange *x = attempt->exchange;
    const Version *served = service_version(x->method->version->service, response->version);
    if (!served || !x->method->pairs[served->index].target)
        return gone(x, "is in a version that is not served any more");
    attempt->pick.pair = &x->method->pairs[served->index];
    attempt->pick.served = served;
    attempt->pick.why = "recorded";
    attempt->record.began = x->loop->now;
    attempt->target.codec = response->codec;
    attempt->answer = (Answer){
        .codec = response->codec,
        .http_status = response->status.http_status ? response->status.http_status : 200,
        .status = response->status,
        .metadata = response->metadata,
        .trailers = response->trailers,
    };
    attempt->has_answer = true;
    Result r = attempt_choose_response_plan(attempt, response->codec);
    return failed(r) ? gone(x, "cannot be converted any more") : OK;
}

/* A call that has begun a job is told of that one. */
static void tell_job(Exchange *x, const ClaimResponse *response)
{
    JobNote *job = response->job.size ? arena_make(x->arena, JobNote) : NULL;
    if (!job)
        return;
    *job = (JobNote){.name = response->job,
                     .state = arena_text(x->arena, response->job_state),
                     .begun = true,
                     .accepted = true,
                     .retry_after = response->retry_after};
    x->record.job = job;
}

static const Step *replay(KeyedCall *k, const ClaimResponse *response)
{
    Exchange *x = k->x;
    Attempt *attempt = x->latest;
    Result r = prepare_replay(attempt, response);
    if (failed(r))
        return refuse(x, KEYED_UNREADABLE, r);
    claims_count(x->loop->claims, KEYED_REPLAYED);
    x->record.key = KEYED_AS_REPLAYED;
    tell_job(x, response);
    k->phase = KEY_ENDED;
    k->expires = k->row.expires;
    if (response->status.code == CODE_OK)
        return attempt_reply_with(attempt, (Message){.bytes = response->message});
    attempt->has_error = true;
    return exchange_respond(
        attempt, FAIL(x->arena, FAULT_UPSTREAM_STATUS, "the recorded response is %s: %.*s",
                      code_name(response->status.code),
                      BYTES_ARGS(bytes_cut_text(response->status.message, 500))));
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static const Step *run_call(KeyedCall *k, KeyedOutcome outcome)
{
    Exchange *x = k->x;
    k->phase = KEY_RUNNING;
    x->record.key = outcome == KEYED_AGAIN ? KEYED_AS_AGAIN : KEYED_AS_FIRST;
    claims_count(x->loop->claims, outcome);
    return exchange_serve(x);
}

static const Step *without_store(KeyedCall *k, Result why)
{
    Exchange *x = k->x;
    k->phase = KEY_ENDED;
    if (!policy_of(x)->proceeds)
        return refuse(x, KEYED_STORE_DOWN,
                      FAIL_OVER(x->arena, error_copy(x->arena, why), FAULT_IDEMPOTENCY_STORE_DOWN,
                                "recording the idempotency key of %s", x->method->type->path));
    if (x->loop->claims)
        claims_count(x->loop->claims, KEYED_UNPROTECTED);
    x->record.key = KEYED_AS_UNPROTECTED;
    return exchange_serve(x);
}

static const Step *in_use(KeyedCall *k)
{
    Exchange *x = k->x;
    k->phase = KEY_ENDED;
    x->retry_after = 1;
    return refuse(x, KEYED_IN_USE,
                  FAIL_TELL(x->arena, FAULT_IDEMPOTENCY_KEY_IN_USE,
                            "the call of %s with this key has not ended", x->method->type->path));
}

static void on_taken(void *owner, Result why)
{
    Exchange *x = owner;
    KeyedCall *k = x->keyed;
    k->task = NULL;
    if (!failed(why))
        exchange_run(x, run_call(k, KEYED_AGAIN));
    else if (why.error->fault == &FAULT_STORE_CONFLICT)
        exchange_run(x, in_use(k));
    else
        exchange_run(x, without_store(k, why));
}

static const Step *refuse_by(KeyedCall *k, ClaimVerdict verdict, Result why)
{
    Exchange *x = k->x;
    KeyedOutcome outcome = verdict == CLAIM_REUSED       ? KEYED_REUSED
                           : verdict == CLAIM_UNREADABLE ? KEYED_UNREADABLE
                                                         : KEYED_UNCERTAIN;
    k->phase = KEY_ENDED;
    if (verdict == CLAIM_UNREADABLE)
        return refuse(x, outcome, gone(x, "was too large to be kept"));
    if (failed(why))
        return refuse(x, outcome,
                      FAIL_OVER(x->arena, why, *claim_fault(verdict), "reading what is recorded"));
    return refuse(x, outcome,
                  FAIL_TELL(x->arena, *claim_fault(verdict),
                            verdict == CLAIM_REUSED
                                ? "the key was used for another request to %s"
                                : "whether an earlier call with this key took effect is not known, "
                                  "for %s",
                            x->method->version->service->name));
}

static const Step *decide(KeyedCall *k, RequestLikeness likeness)
{
    Exchange *x = k->x;
    Judging *judging = k->judging;
    judging->question.likeness = likeness;
    ClaimVerdict verdict = claim_decide(&judging->question);
    switch (verdict) {
    case CLAIM_REPLAY: return replay(k, &judging->record.response);
    case CLAIM_IN_USE: return in_use(k);
    case CLAIM_AGAIN:
        k->task = claim_take(x->loop->claims, &k->row, judging->token, on_taken, x);
        return STEP_WAIT;
    case CLAIM_REUSED:
    case CLAIM_UNCERTAIN:
    case CLAIM_UNREADABLE: break;
    }
    return refuse_by(k, verdict, judging->why);
}

/* What cannot be read in any of the recorded versions is another request. */
static const Step *compare_printed(KeyedCall *k, const PrintJob *job)
{
    ClaimRecord asked = {.n_prints = 0};
    add_prints(&asked, job);
    RequestLikeness likeness = claim_record_compare(&k->judging->record, &asked);
    return decide(k, likeness == LIKENESS_UNKNOWN ? LIKENESS_OTHER : likeness);
}

static const Step *compare(KeyedCall *k)
{
    const Version *versions[CLAIM_PRINTS];
    const ClaimRecord *recorded = &k->judging->record;
    RequestLikeness likeness = claim_record_compare(recorded, &k->record);
    uint32_t n = likeness == LIKENESS_UNKNOWN ? find_common(k->x, recorded, versions) : 0;
    return n ? print(k, versions, n, compare_printed) : decide(k, likeness);
}

static const Step *judge(KeyedCall *k, const ClaimFound *found)
{
    Exchange *x = k->x;
    Judging *judging = arena_make(x->arena, Judging);
    SealPlace place = place_of(&k->row);
    Bytes text;
    if (!found->token.size) /* it has just been released */
        return in_use(k);
    if (!judging)
        return exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "reading what is recorded"));
    ClaimRecord *record = &judging->record;
    Result r = unseal(&x->config->store.keys, &place, found->content, x->arena, &text);
    if (!failed(r))
        r = claim_record_read(text, x->arena, record);
    *judging = (Judging){.record = failed(r) ? (ClaimRecord){.n_prints = 0} : *record,
                         .why = r,
                         .token = bytes_copy(x->arena, found->token)};
    judging->question = (ClaimQuestion){
        .state = found->state,
        .overdue = clock_wall() > found->until,
        .honoured = policy_of(x)->honoured,
        .kept = record->response.version.size && !record->response.too_large,
    };
    k->judging = judging;
    k->row.expires = found->expires;
    return compare(k);
}

static void on_found(void *owner, const ClaimFound *found)
{
    Exchange *x = owner;
    KeyedCall *k = x->keyed;
    k->task = NULL;
    if (failed(found->why))
        exchange_run(x, without_store(k, found->why));
    else
        exchange_run(x, found->ours ? run_call(k, KEYED_FIRST) : judge(k, found));
}

/* Without a fingerprint in the client's own version it is no request of the method. */
static const Step *ask_with(KeyedCall *k, const PrintJob *job)
{
    Exchange *x = k->x;
    if (failed(job->results[0]))
        return exchange_fail(x, exchange_keep_error(x, job->arena, job->results[0]));
    add_prints(&k->record, job);
    Bytes content = sealed(k, job->arena);
    if (!content.size || !k->row.id.size || !k->row.key.size)
        return exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "recording a key"));
    k->task = claim_ask(x->loop->claims, &k->row, content, on_found, x);
    return STEP_WAIT;
}

/* In the client's version, and in the newest one, in which other clients' can be compared; what has
   no counterpart there is compared in the client's alone. */
static const Step *ask(KeyedCall *k)
{
    const Version *own = k->x->method->version, *newest = k->x->method->extras->print_in;
    const Version *versions[] = {own, newest};
    return print(k, versions, newest == own ? 1 : 2, ask_with);
}

static const Step *begin(Exchange *x, Bytes key)
{
    KeyedCall *k = arena_make(x->arena, KeyedCall);
    if (!k)
        return exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "recording a key"));
    k->x = x;
    if (!fill_row(k, key))
        return refuse(
            x, KEYED_ANONYMOUS,
            FAIL_TELL(x->arena, FAULT_IDEMPOTENCY_CLIENT_UNKNOWN,
                      "an Idempotency-Key belongs to a client, and this one is anonymous"));
    x->keyed = k;
    return x->loop->claims
               ? ask(k)
               : without_store(k, FAIL(x->arena, FAULT_STORE_DOWN,
                                       "the gateway was started without a store: restart it"));
}

/* A leg is a part of the call that has the key; the gateway's own calls have their own promises. */
static bool is_of_client(const Exchange *x)
{
    return !x->record.leg && x->record.listener;
}

const Step *exchange_claim(Exchange *x)
{
    const KeyPolicy *policy = policy_of(x);
    Bytes key;
    if (!is_of_client(x))
        return exchange_serve(x);
    Result r = idempotency_key_read(&x->call.metadata, policy->key_bytes, x->arena, &key);
    if (failed(r))
        return refuse(x, KEYED_MALFORMED, r);
    if (key.data)
        return begin(x, key);
    return policy->required ? refuse(x, KEYED_MISSING,
                                     FAIL_TELL(x->arena, FAULT_IDEMPOTENCY_KEY_MISSING,
                                               "%s takes calls with an Idempotency-Key only",
                                               x->method->type->path))
                            : exchange_serve(x);
}

/* ---- Keeping --------------------------------------------------------------------------------- */

static void end_phase(KeyedCall *k)
{
    k->phase = KEY_ENDED;
    timer_stop(&k->x->loop->timers, &k->timer);
    arena_free(k->made_in);
    k->made_in = NULL;
}

/* From here on nothing but the client's response is left: no fallback, no other attempt. */
static void begin_ending(KeyedCall *k, Attempt *attempt)
{
    k->phase = KEY_ENDING;
    k->attempt = attempt;
    k->why = k->x->record.why;
    k->x->record.why = OK; /* if it cannot be kept, that is what the client is told */
    k->x->used_up = UINT8_MAX;
}

static const Step *go_on(KeyedCall *k)
{
    Exchange *x = k->x;
    x->record.why = k->why;
    if (!k->attempt)
        return exchange_give_end(x, &k->status, NULL);
    if (k->attempt->answer.status.code == CODE_OK)
        return attempt_reply_with(k->attempt, k->message);
    return exchange_give_end(x, &k->status, &k->attempt->answer.trailers);
}

static void on_kept(void *owner, Result why);

static void keep_again(Timer *timer)
{
    KeyedCall *k = (KeyedCall *)timer;
    k->task = claim_keep(k->x->loop->claims, &k->row, k->content, on_kept, k->x);
}

static void on_kept(void *owner, Result why)
{
    Exchange *x = owner;
    KeyedCall *k = x->keyed;
    k->task = NULL;
    if (failed(why) && !policy_of(x)->proceeds) { /* until the deadline */
        k->timer.fire = keep_again;
        timer_start(&x->loop->timers, &k->timer, x->loop->now + AGAIN);
        return;
    }
    bool large = k->record.response.too_large;
    claims_count_close(x->loop->claims, failed(why) ? CLOSE_NOT_KEPT
                                        : large     ? CLOSE_TOO_LARGE
                                                    : CLOSE_KEPT);
    if (!failed(why) && !large)
        k->expires = k->row.expires;
    end_phase(k);
    exchange_run(x, go_on(k));
}

static ClaimResponse response_of(const Attempt *attempt, Bytes message)
{
    const Answer *answer = &attempt->answer;
    const Exchange *x = attempt->exchange;
    bool rest = attempt->target.dialect == DIALECT_REST;
    size_t size = message.size + answer->status.message.size + answer->status.details.size;
    ClaimResponse response = {
        .version = bytes_of(attempt->pick.served->name),
        .too_large = size > policy_of(x)->response_bytes,
        .codec = attempt->target.codec,
        .status = answer->status,
        .at = clock_wall(),
    };
    if (rest && answer->status.code == CODE_OK)
        response.status.http_status = answer->http_status;
    if (response.too_large) {
        response.status = (Status){.code = answer->status.code};
        return response;
    }
    const JobNote *job = x->record.job;
    if (job && job->accepted) {
        response.job = job->name;
        response.job_state = bytes_of(job->state);
        response.retry_after = job->retry_after;
    }
    response.message = message;
    response.metadata = answer->metadata;
    response.trailers = answer->trailers;
    return response;
}

/* False: there is no room for it, and the call ends as if nobody knew what became of it. */
static bool keep(KeyedCall *k, Attempt *attempt, Bytes message)
{
    Exchange *x = k->x;
    k->record.response = response_of(attempt, message);
    k->content = sealed(k, k->made_in);
    if (!k->content.size)
        return false;
    k->task = claim_keep(x->loop->claims, &k->row, k->content, on_kept, x);
    return true;
}

bool exchange_keeps_for_key(Attempt *attempt, Message *message)
{
    Exchange *x = attempt->exchange;
    KeyedCall *k = x->keyed;
    if (k->phase != KEY_RUNNING)
        return false;
    Bytes plain;
    begin_ending(k, attempt);
    k->made_in = exchange_arena_new(x);
    Result r = attempt_read_answer(attempt, message, k->made_in, &plain);
    k->message = *message;
    if (!failed(r) && keep(k, attempt, plain))
        return true;
    /* What is wrong with it is told by those who convert it. */
    error_ignore(r, "the call fails for the same reason");
    x->record.why = k->why;
    end_phase(k);
    k->phase = KEY_RUNNING;
    return false;
}

static void on_ended(void *owner, Result why)
{
    Exchange *x = owner;
    error_ignore(why, "a record that stays says that nobody knows, when its time is over");
    x->keyed->task = NULL;
    end_phase(x->keyed);
    exchange_run(x, go_on(x->keyed));
}

/* The store's own timeout is enough. */
static bool record_end(KeyedCall *k, ClaimEnd end)
{
    timer_stop(&k->x->loop->timers, &k->x->deadline_timer);
    k->task = claim_end(k->x->loop->claims, &k->row, end, on_ended, k->x);
    return true;
}

bool exchange_keeps_error_for_key(Attempt *attempt, const Status *given)
{
    KeyedCall *k = attempt->exchange->keyed;
    if (k->phase != KEY_RUNNING)
        return false;
    ClaimEnd end = claim_end_of_code(attempt->answer.status.code, policy_of(k->x)->honoured);
    begin_ending(k, attempt);
    k->status = *given;
    k->made_in = exchange_arena_new(k->x);
    if (end == CLAIM_END_KEEP)
        return keep(k, attempt, BYTES_NONE) || record_end(k, CLAIM_END_UNKNOWN);
    return record_end(k, end);
}

bool exchange_ends_key(Exchange *x, const Status *status)
{
    KeyedCall *k = x->keyed;
    if (k->phase == KEY_ENDED)
        return false;
    bool runs = k->phase == KEY_RUNNING;
    drop_prints(k);
    claim_abandon(k->task);
    k->task = NULL;
    if (k->phase == KEY_ENDING)
        claims_count_close(x->loop->claims, CLOSE_NOT_KEPT);
    end_phase(k);
    if (!runs)
        return false;
    begin_ending(k, NULL);
    k->status = *status;
    return record_end(k, claim_end_of_failure(exchange_may_have_effect(x), policy_of(x)->honoured));
}

/* It may have taken effect: its response is for the time when the client asks again. */
static bool is_worth_ending(const KeyedCall *k)
{
    const Exchange *x = k->x;
    return k->phase == KEY_ENDING ||
           (k->phase == KEY_RUNNING && (x->making || exchange_may_have_effect(x)));
}

bool exchange_outlives_client(Exchange *x, Result why)
{
    if (!x->keyed || !is_worth_ending(x->keyed))
        return false;
    x->keyed->left = why;
    return true;
}

Result exchange_why_left(const Exchange *x)
{
    return x->keyed->left;
}

void exchange_leave_key(Exchange *x)
{
    KeyedCall *k = x->keyed;
    drop_prints(k);
    claim_abandon(k->task);
    k->task = NULL;
    if (k->phase == KEY_RUNNING)
        claim_end(x->loop->claims, &k->row,
                  claim_end_of_failure(exchange_may_have_effect(x), policy_of(x)->honoured), NULL,
                  NULL);
    end_phase(k);
}

/* ---- What others ask ------------------------------------------------------------------------- */

bool exchange_is_honoured(const Exchange *x)
{
    return x->keyed && policy_of(x)->honoured;
}

bool exchange_asks_for_key(const Exchange *x)
{
    return x->keyed && x->keyed->phase == KEY_ASKING && !x->keyed->job;
}

bool exchange_is_printing(const Exchange *x)
{
    return x->keyed && x->keyed->job;
}

bool exchange_is_ending(const Exchange *x)
{
    return x->keyed && x->keyed->phase == KEY_ENDING;
}

void exchange_add_key_fields(const Exchange *x, Fields *fields)
{
    char *date = x->keyed->expires ? arena_alloc(x->arena, DATE_HTTP_SIZE) : NULL;
    if (x->record.key == KEYED_AS_REPLAYED)
        fields_add(fields, bytes_of("idempotent-replayed"), bytes_of("true"));
    if (!date)
        return;
    date_write_http(x->keyed->expires / SECOND, date);
    fields_add(fields, bytes_of("passerelle-key-expires"), bytes(date, DATE_HTTP_SIZE));
}
