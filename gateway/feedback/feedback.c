#include "gateway/feedback/feedback.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "base/text/percent.h"
#include "gateway/feedback/feedback_store.h"
#include "gateway/identity/identity.h"

#include <stdlib.h>

#define HOUR (3600 * SECOND)

enum { BEAT = 60000 /* milliseconds between two counts */, CALLS_MOST = 200 /* looked at */ };

struct Feedback {
    uv_timer_t timer;
    Ledger *ledger;
    StorePort *port;
    const Config *config;
    FeedbackCount *counts; /* by kind */
    uint32_t n_counts;
};

/* ---- Counting -------------------------------------------------------------------------------- */

static int by_kind(const void *a, const void *b)
{
    uint64_t one = ((const FeedbackCount *)a)->kind, other = ((const FeedbackCount *)b)->kind;
    return (one > other) - (one < other);
}

static uint64_t complaints_of(void *owner, uint64_t kind)
{
    const Feedback *feedback = owner;
    const FeedbackCount like = {.kind = kind}, *found = NULL;
    if (feedback->n_counts)
        found = bsearch(&like, feedback->counts, feedback->n_counts, sizeof like, by_kind);
    return found ? found->clients : 0;
}

static void on_counted(void *owner, Result result, StoreTask *task)
{
    Feedback *feedback = owner;
    if (failed(result))
        return;
    free(feedback->counts);
    feedback->counts = feedback_counts(task, &feedback->n_counts);
}

static void count(Feedback *feedback)
{
    store_submit(feedback->port, feedback_count_task(), on_counted, feedback);
}

static void on_time(uv_timer_t *timer)
{
    count(timer->data);
}

/* ---- What happened --------------------------------------------------------------------------- */

/* The kind that a call is one of, as far as its record tells. */
typedef struct Match {
    const FeedbackCall *call;
    uint64_t kind;
    bool sure; /* the call is a sample of it */
} Match;

static bool is_sample(const FailureRow *row, Bytes request)
{
    for (uint32_t i = 0; i < row->n_samples; i++)
        if (bytes_are(request, row->samples[i].id))
            return true;
    return false;
}

static bool is_alike(const FailureRow *row, const FeedbackCall *call)
{
    const FailureKey *key = &row->key;
    return !key->attempt && bytes_equal(key->method, call->method) &&
           bytes_equal(key->client_version, call->client_version) &&
           bytes_equal(key->served_version, call->served_version) &&
           bytes_are(call->code, code_name(key->code));
}

static void see_row(void *owner, const FailureRow *row)
{
    Match *match = owner;
    if (match->sure || row->key.attempt)
        return;
    match->sure = is_sample(row, match->call->request);
    if (match->sure || (!match->kind && is_alike(row, match->call)))
        match->kind = row->fingerprint;
}

static uint64_t kind_of(void *owner, const FeedbackCall *call)
{
    const Feedback *feedback = owner;
    Match match = {.call = call};
    ledger_each_row(feedback->ledger, see_row, &match);
    return match.kind;
}

/* ---- Entering -------------------------------------------------------------------------------- */

/* Entries on their way to the store, one after the other. */
typedef struct FeedbackPost {
    Feedback *feedback;
    Arena *arena;
    FeedbackEntry *entries;
    uint32_t n, at;
    Bytes of_request; /* the record of the request that the entry names */
    uint32_t added, known;
    void (*on_done)(void *owner, Result result, Bytes json);
    void *owner;
} FeedbackPost;

static void enter_next(FeedbackPost *post);

static void end_post(FeedbackPost *post, Result r)
{
    Buffer out = buffer_in(post->arena);
    buffer_add_byte(&out, '{');
    json_text_add_member(&out, "action", bytes_of("feedback"));
    json_text_add_number(&out, "added", post->added);
    json_text_add_number(&out, "known", post->known);
    json_text_open_list(&out, "ids");
    for (uint32_t i = 0; i < post->at; i++) {
        json_text_add_element(&out);
        json_text_add(&out, bytes_of(post->entries[i].id));
    }
    buffer_add_text(&out, "]}\n");
    post->on_done(post->owner, r, buffer_bytes(&out));
    arena_free(post->arena);
}

static void on_entered(void *owner, Result result, StoreTask *task)
{
    FeedbackPost *post = owner;
    FeedbackAdded added = failed(result) ? FEEDBACK_KNOWN : feedback_added(task);
    if (failed(result)) {
        end_post(post, result);
        return;
    }
    if (added == FEEDBACK_FULL) {
        end_post(post, FAIL(post->arena, FAULT_BAD_VALUE,
                            "the store has as much feedback as may be (feedback.entries)"));
        return;
    }
    post->added += added == FEEDBACK_ADDED;
    post->known += added == FEEDBACK_KNOWN;
    post->at++;
    enter_next(post);
}

static void enter(FeedbackPost *post, Bytes requests)
{
    Feedback *feedback = post->feedback;
    const Config *config = feedback->config;
    FeedbackEntry *entry = &post->entries[post->at];
    FeedbackContext context;
    feedback_context_make(requests, entry->at, config->feedback.window, kind_of, feedback,
                          post->arena, &context);
    if (!context.n_calls && post->of_request.size)
        feedback_context_make(post->of_request, entry->at, HOUR, kind_of, feedback, post->arena,
                              &context);
    store_submit(feedback->port,
                 feedback_add_task(entry, &context, config->feedback.entries, clock_wall(),
                                   &config->store.keys),
                 on_entered, post);
}

static void on_calls(void *owner, Bytes json)
{
    FeedbackPost *post = owner;
    enter(post, bytes_copy(post->arena, json));
}

/* The client's calls of the last hour. */
static void look_at_client(FeedbackPost *post)
{
    FeedbackEntry *entry = &post->entries[post->at];
    Buffer query = buffer_in(post->arena);
    buffer_add_text(&query, "client=");
    percent_encode(&query, entry->client, PERCENT_KEEP_UNRESERVED);
    buffer_printf(&query, "&limit=%d", (int)CALLS_MOST);
    Result r =
        entry->client.size
            ? ledger_list(post->feedback->ledger, buffer_bytes(&query), post->arena, on_calls, post)
            : FAIL(post->arena, FAULT_UNKNOWN_PATH, "nobody knows who has said it");
    error_ignore(r, "it is entered without what happened to the client");
    if (failed(r))
        enter(post, BYTES_NONE);
}

static void on_request(void *owner, Bytes json)
{
    FeedbackPost *post = owner;
    FeedbackEntry *entry = &post->entries[post->at];
    post->of_request = bytes_copy(post->arena, json);
    if (!entry->client.size)
        entry->client = feedback_client_of(post->of_request, post->arena);
    look_at_client(post);
}

/* Of what was said long ago no call is known any more. */
static void enter_next(FeedbackPost *post)
{
    if (post->at == post->n) {
        count(post->feedback);
        end_post(post, OK);
        return;
    }
    const FeedbackEntry *entry = &post->entries[post->at];
    post->of_request = BYTES_NONE;
    if (entry->at + HOUR + post->feedback->config->feedback.window < clock_wall())
        enter(post, BYTES_NONE);
    else if (entry->request.size)
        ledger_find(post->feedback->ledger, entry->request, on_request, post);
    else
        look_at_client(post);
}

/* As the gateway records clients. */
static void show_clients(FeedbackPost *post)
{
    for (uint32_t i = 0; i < post->n; i++) {
        Identity client = {.name = post->entries[i].client, .how = PROOF_HEADER};
        post->entries[i].client = identity_shown(&client, post->feedback->config, post->arena);
    }
}

void feedback_post(Feedback *feedback, Bytes lines,
                   void (*on_done)(void *owner, Result result, Bytes json), void *owner)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    FeedbackPost *post = arena_make(arena, FeedbackPost);
    FeedbackRules rules = {.size = feedback->config->feedback.size, .wall = clock_wall()};
    *post =
        (FeedbackPost){.feedback = feedback, .arena = arena, .on_done = on_done, .owner = owner};
    Result r =
        feedback_entries_read(arena, bytes_copy(arena, lines), &rules, &post->entries, &post->n);
    if (failed(r)) {
        end_post(post, r);
        return;
    }
    show_clients(post);
    enter_next(post);
}

/* ---- Listing --------------------------------------------------------------------------------- */

typedef struct FeedbackAsking {
    Feedback *feedback;
    Arena *arena;
    bool one;
    void (*on_done)(void *owner, Result result, Bytes json);
    void *owner;
} FeedbackAsking;

static void answer(FeedbackAsking *asking, Result r, const StoreTask *task)
{
    Buffer out = buffer_in(asking->arena);
    if (!failed(r) && asking->one && !task->first->n_rows)
        r = FAIL(asking->arena, FAULT_UNKNOWN_PATH, "there is no feedback with that id");
    if (!failed(r))
        feedback_list_write(task, &asking->feedback->config->store.keys, &out);
    asking->on_done(asking->owner, r, buffer_bytes(&out));
    arena_free(asking->arena);
}

static void on_listed(void *owner, Result result, StoreTask *task)
{
    answer(owner, result, task);
}

void feedback_ask(Feedback *feedback, Bytes id, Bytes query,
                  void (*on_done)(void *owner, Result result, Bytes json), void *owner)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    FeedbackAsking *asking = arena_make(arena, FeedbackAsking);
    FeedbackQuery read;
    *asking = (FeedbackAsking){feedback, arena, id.size, on_done, owner};
    Result r = feedback_query_read(query, arena, &read);
    read.id = id;
    if (failed(r)) {
        answer(asking, r, NULL);
        return;
    }
    Identity client = {.name = read.client, .how = PROOF_HEADER};
    read.client = identity_shown(&client, feedback->config, arena);
    store_submit(feedback->port, feedback_list_task(&read), on_listed, asking);
}

/* ---- The whole ------------------------------------------------------------------------------- */

void feedback_use(Feedback *feedback, const Config *config)
{
    feedback->config = config;
}

Feedback *feedback_new(uv_loop_t *loop, Ledger *ledger, StorePort *port, const Config *config)
{
    Feedback *feedback = calloc(1, sizeof *feedback);
    CHECK(feedback);
    feedback->ledger = ledger;
    feedback->port = port;
    feedback->config = config;
    CHECK(uv_timer_init(loop, &feedback->timer) == 0);
    feedback->timer.data = feedback;
    CHECK(uv_timer_start(&feedback->timer, on_time, 0, BEAT) == 0);
    ledger_ask_complaints(ledger, complaints_of, feedback);
    return feedback;
}

void feedback_stop(Feedback *feedback)
{
    ledger_ask_complaints(feedback->ledger, NULL, NULL);
    uv_close((uv_handle_t *)&feedback->timer, NULL);
}

void feedback_free(Feedback *feedback)
{
    free(feedback->counts);
    free(feedback);
}
