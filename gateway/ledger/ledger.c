#include "gateway/ledger/ledger_internal.h"

#include "base/arena.h"
#include "gateway/handover/handover.h"
#include "gateway/ledger/ledger_rows.h"
#include "gateway/ledger/ledger_store.h"
#include "gateway/ledger/ledger_webhooks.h"
#include "gateway/ledger/muting.h"
#include "gateway/ledger/request_list.h"
#include "gateway/redaction/redaction.h"

#include <pthread.h>
#include <stdlib.h>

/* What the main thread wants of a loop. */
struct LedgerErrand {
    LedgerErrand *next; /* of those that are done */
    LedgerBook *book;
    Tally *tally;             /* empty, then full; NULL: records are wanted */
    LedgerQuestion *question; /* whom the answer is for; NULL: nobody waits for it */
    char *record;             /* found; NULL: none */
    size_t record_size;
    RequestList *list; /* NULL: none is wanted */
};

typedef enum LedgerWish { WISH_PAGE, WISH_RECORD, WISH_LIST } LedgerWish;

/* Somebody waits until all loops have answered. */
struct LedgerQuestion {
    LedgerQuestion *next;
    LedgerWish wish;
    uint32_t n_open; /* errands */
    char *id;        /* of the record that is wanted */
    size_t id_size;
    char *record;
    size_t record_size;
    Arena *arena; /* of the query */
    RequestQuery query;
    RequestList *lists; /* one of each loop */
    void (*on_answer)(void *owner, Bytes json);
    void *owner;
};

/* The name of its blob. */
#define HANDED "ledger"

struct Ledger {
    uv_timer_t timer;
    uv_async_t done;
    Arena *arena; /* of the texts below */
    const char *node;
    const char *const *redact;
    uint32_t rows;
    size_t requests;
    MutingRules muting;
    Tally *all;
    Annotations annotations;
    LedgerStore store; /* port NULL: there is none */
    int64_t process;   /* wall time: when it began */
    bool handed_on;    /* ledger_hand_on */
    uint64_t n_handed; /* failures that a successor would get */
    bool hurries;      /* a successor is to get them as soon as they are collected */
    LedgerWebhooks webhooks;
    LedgerComplaints *complaints; /* NULL: nobody knows of any */
    void *complaints_owner;
    LedgerBook *books;
    LedgerQuestion *questions;

    pthread_mutex_t mutex; /* of the next one; held for a moment */
    LedgerErrand *errands; /* done */

    atomic_ullong n_failures, n_mistakes; /* rows */
    atomic_ullong evicted, evicted_failures;
    atomic_ullong n_damaged, n_unwritten; /* rows; tasks */
};

/* ---- On a loop ------------------------------------------------------------------------------- */

static void on_call(void *owner, const CallRecord *record, Bytes line)
{
    LedgerBook *book = owner;
    bool bad = failed(record->why);
    if (ledger_has_more(record))
        line = ledger_write_record(record, line, &book->record);
    tally_record(book->tally, record, line);
    request_ring_add(bad ? &book->bad : &book->good, record->began + record->time_total, line);
}

static void find_record(LedgerErrand *errand)
{
    const LedgerBook *book = errand->book;
    Bytes id = bytes(errand->question->id, errand->question->id_size);
    int64_t since = clock_wall() - LEDGER_REQUEST_AGE;
    Bytes found = request_ring_find(&book->bad, id, since);
    if (!found.size)
        found = request_ring_find(&book->good, id, since);
    if (!found.size)
        return;
    errand->record = malloc(found.size);
    CHECK(errand->record);
    memcpy(errand->record, found.data, found.size);
    errand->record_size = found.size;
}

static void list_records(LedgerErrand *errand)
{
    const LedgerBook *book = errand->book;
    int64_t since = clock_wall() - LEDGER_REQUEST_AGE;
    errand->list = request_list_new();
    request_list_look(errand->list, &book->bad, &errand->question->query, since);
    request_list_look(errand->list, &book->good, &errand->question->query, since);
}

static void run_errand(Loop *loop, void *argument)
{
    LedgerErrand *errand = argument;
    LedgerBook *book = errand->book;
    Ledger *ledger = book->ledger;
    if (errand->tally) {
        Tally *full = book->tally;
        book->tally = errand->tally;
        errand->tally = full;
    } else if (errand->question->wish == WISH_LIST) {
        list_records(errand);
    } else {
        find_record(errand);
    }
    pthread_mutex_lock(&ledger->mutex);
    errand->next = ledger->errands;
    ledger->errands = errand;
    pthread_mutex_unlock(&ledger->mutex);
    uv_async_send(&ledger->done);
}

/* ---- Errands --------------------------------------------------------------------------------- */

static void send_errand(LedgerBook *book, LedgerQuestion *question)
{
    LedgerErrand *errand = calloc(1, sizeof *errand);
    CHECK(errand);
    errand->book = book;
    errand->question = question;
    if (!question || question->wish == WISH_PAGE) {
        errand->tally = book->spare;
        book->spare = NULL;
    }
    if (question)
        question->n_open++;
    loop_post(book->loop, run_errand, errand);
}

static void show_counts(Ledger *ledger)
{
    const FailureTable *failures = &ledger->all->failures, *mistakes = &ledger->all->mistakes;
    atomic_store(&ledger->n_failures, failures->n);
    atomic_store(&ledger->n_mistakes, mistakes->n);
    atomic_store(&ledger->evicted, failures->evicted + mistakes->evicted);
    atomic_store(&ledger->evicted_failures,
                 failures->evicted_failures + mistakes->evicted_failures);
    atomic_store(&ledger->n_damaged, ledger->store.n_damaged);
    atomic_store(&ledger->n_unwritten, ledger->store.n_unwritten);
}

static void take_tally(Ledger *ledger, LedgerBook *book, Tally *tally)
{
    tally_take(ledger->all, tally);
    tally_count_calls(ledger->all, clock_wall());
    if (book->spare) {
        tally_free(tally);
    } else {
        tally_limit(tally, ledger->rows, 0);
        book->spare = tally;
    }
    show_counts(ledger);
}

static void take_records(LedgerErrand *errand)
{
    LedgerQuestion *question = errand->question;
    if (errand->list) {
        errand->list->next = question->lists;
        question->lists = errand->list;
    }
    if (question->record || !errand->record)
        return;
    question->record = errand->record;
    question->record_size = errand->record_size;
    errand->record = NULL;
}

static void end_errand(Ledger *ledger, LedgerErrand *errand)
{
    if (errand->tally)
        take_tally(ledger, errand->book, errand->tally);
    else
        take_records(errand);
    if (errand->question)
        errand->question->n_open--;
    free(errand->record);
    free(errand);
}

/* ---- What has changed ------------------------------------------------------------------------ */

static void notice_changes_in(Ledger *ledger, FailureTable *table, int64_t wall)
{
    for (uint32_t i = 0; ledger->annotations.n && i < table->n; i++) {
        FailureRow *row = table->rows[i];
        muting_notice(row, annotations_find(&ledger->annotations, row->fingerprint),
                      &ledger->muting, wall);
    }
}

static void notice_changes(Ledger *ledger)
{
    int64_t wall = clock_wall();
    notice_changes_in(ledger, &ledger->all->failures, wall);
    notice_changes_in(ledger, &ledger->all->mistakes, wall);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void write_page(Ledger *ledger, Buffer *out)
{
    tally_count_calls(ledger->all, clock_wall());
    notice_changes(ledger);
    LedgerPage page = {.all = ledger->all,
                       .annotations = &ledger->annotations,
                       .node = ledger->node,
                       .redact = ledger->redact,
                       .wall = clock_wall(),
                       .complaints = ledger->complaints,
                       .complaints_owner = ledger->complaints_owner};
    ledger_page_write(&page, out);
}

static void write_answer(Ledger *ledger, const LedgerQuestion *question, Buffer *out)
{
    switch (question->wish) {
    case WISH_PAGE: write_page(ledger, out); break;
    case WISH_RECORD:
        if (question->record)
            redact_record(bytes(question->record, question->record_size), ledger->redact, out);
        break;
    case WISH_LIST:
        request_list_write(question->lists, &question->query, ledger->redact, out);
        break;
    }
}

static void answer(Ledger *ledger, LedgerQuestion *question)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    write_answer(ledger, question, &out);
    question->on_answer(question->owner, buffer_bytes(&out));
    arena_free(arena);
    request_list_free(question->lists);
    if (question->arena)
        arena_free(question->arena);
    free(question->record);
    free(question->id);
    free(question);
}

/* Those for whom nothing is open any more. */
static void answer_questions(Ledger *ledger)
{
    for (LedgerQuestion **at = &ledger->questions; *at;) {
        LedgerQuestion *question = *at;
        if (question->n_open) {
            at = &question->next;
            continue;
        }
        *at = question->next;
        answer(ledger, question);
    }
}

static void take_errands(Ledger *ledger)
{
    pthread_mutex_lock(&ledger->mutex);
    LedgerErrand *next, *errand = ledger->errands;
    ledger->errands = NULL;
    pthread_mutex_unlock(&ledger->mutex);
    for (; errand; errand = next) {
        next = errand->next;
        end_errand(ledger, errand);
    }
}

static void hand_on_changes(Ledger *ledger)
{
    if (!ledger->handed_on || ledger_rows_count(ledger->all) == ledger->n_handed)
        return;
    ledger->hurries = false;
    handover_changed(HANDED);
}

static void on_errands_done(uv_async_t *done)
{
    Ledger *ledger = done->data;
    take_errands(ledger);
    answer_questions(ledger);
    if (ledger->hurries)
        hand_on_changes(ledger);
}

/* A loop that still has the last errand has its counts under way already. */
static void collect(Ledger *ledger)
{
    for (LedgerBook *book = ledger->books; book; book = book->next)
        if (book->loop && book->spare)
            send_errand(book, NULL);
}

/* What they post leaves the gateway: nothing in it tells who clients are. */
static void run_webhooks(Ledger *ledger)
{
    LedgerPage page = {.all = ledger->all,
                       .annotations = &ledger->annotations,
                       .node = ledger->node,
                       .redact = ledger->store.redact,
                       .wall = clock_wall()};
    ledger_webhooks_run(&ledger->webhooks, &page, clock_now());
}

static void write_rows(void *owner, Buffer *out)
{
    Ledger *ledger = owner;
    ledger->n_handed = ledger_rows_count(ledger->all);
    ledger_rows_write(ledger->all, ledger->process, ledger->redact, out);
}

void ledger_hand_on(Ledger *ledger, const Config *config)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ledger_rows_read(ledger->all, config, handover_take(HANDED, arena));
    ledger->n_handed = ledger_rows_count(ledger->all);
    ledger->process = clock_wall();
    ledger->handed_on = true;
    handover_offer(HANDED, write_rows, ledger);
    arena_free(arena);
}

void ledger_hurry(Ledger *ledger)
{
    ledger->hurries = true;
    collect(ledger);
}

/* What is written is as old as the last collection, as what webhooks are told. */
static void on_time(uv_timer_t *timer)
{
    Ledger *ledger = timer->data;
    collect(ledger);
    notice_changes(ledger);
    run_webhooks(ledger);
    if (ledger->store.port)
        ledger_store_beat(&ledger->store);
    hand_on_changes(ledger);
    show_counts(ledger);
}

static LedgerQuestion *ask(Ledger *ledger, void (*on_answer)(void *owner, Bytes json), void *owner)
{
    LedgerQuestion *question = calloc(1, sizeof *question);
    CHECK(question);
    question->on_answer = on_answer;
    question->owner = owner;
    question->next = ledger->questions;
    ledger->questions = question;
    return question;
}

/* Where the spare tally is under way, a second one is sent behind it. */
static void send_to_all(Ledger *ledger, LedgerQuestion *question)
{
    for (LedgerBook *book = ledger->books; book; book = book->next) {
        if (!book->loop)
            continue;
        if (question->wish == WISH_PAGE && !book->spare)
            book->spare = tally_new(ledger->rows);
        send_errand(book, question);
    }
    uv_async_send(&ledger->done); /* there may be no loop */
}

void ledger_read(Ledger *ledger, void (*on_read)(void *owner, Bytes json), void *owner)
{
    send_to_all(ledger, ask(ledger, on_read, owner));
}

void ledger_find(Ledger *ledger, Bytes request_id, void (*on_found)(void *owner, Bytes json),
                 void *owner)
{
    LedgerQuestion *question = ask(ledger, on_found, owner);
    question->wish = WISH_RECORD;
    question->id_size = request_id.size;
    question->id = malloc(request_id.size + 1);
    CHECK(question->id);
    memcpy(question->id, request_id.data, request_id.size);
    send_to_all(ledger, question);
}

Result ledger_list(Ledger *ledger, Bytes query, Arena *arena,
                   void (*on_listed)(void *owner, Bytes json), void *owner)
{
    RequestQuery read;
    Arena *kept = arena_new(ARENA_UNLIMITED);
    Result r = request_query_read(query, kept, &read);
    if (failed(r)) {
        r = error_copy(arena, r);
        arena_free(kept);
        return r;
    }
    LedgerQuestion *question = ask(ledger, on_listed, owner);
    question->wish = WISH_LIST;
    question->arena = kept;
    question->query = read;
    send_to_all(ledger, question);
    return OK;
}

void ledger_ask_complaints(Ledger *ledger, LedgerComplaints *count, void *owner)
{
    ledger->complaints = count;
    ledger->complaints_owner = owner;
}

static void each_row_in(const FailureTable *table, LedgerSeeRow *see, void *owner)
{
    for (uint32_t i = 0; i < table->n; i++)
        see(owner, table->rows[i]);
}

void ledger_each_row(const Ledger *ledger, LedgerSeeRow *see, void *owner)
{
    each_row_in(&ledger->all->failures, see, owner);
    each_row_in(&ledger->all->mistakes, see, owner);
}

const FailureRow *ledger_row(const Ledger *ledger, uint64_t fingerprint)
{
    const FailureRow *row = failure_table_find(&ledger->all->failures, fingerprint);
    return row ? row : failure_table_find(&ledger->all->mistakes, fingerprint);
}

void ledger_post_signal(Ledger *ledger, uint32_t signal, const char *id, Bytes json)
{
    LedgerSignal what = {signal, id, json};
    ledger_webhooks_tell_signal(&ledger->webhooks, &what, ledger->node, clock_wall());
}

/* ---- Annotations ----------------------------------------------------------------------------- */

/* An operator waits until the others know what was said. */
typedef struct LedgerNote {
    Ledger *ledger;
    Arena *arena;
    LedgerSaying saying;
    Annotation annotation;
    void (*on_done)(void *owner, Result result);
    void *owner;
} LedgerNote;

static void end_note(void *owner, Result result)
{
    LedgerNote *note = owner;
    if (!failed(result))
        annotations_put(&note->ledger->annotations, &note->annotation);
    notice_changes(note->ledger);
    note->on_done(note->owner, result);
    arena_free(note->arena);
}

static Result make_note(Ledger *ledger, const LedgerSaying *saying, Arena *arena,
                        Annotation *annotation)
{
    uint64_t fingerprint;
    if (!fingerprint_read(saying->fingerprint, &fingerprint))
        return FAIL(arena, FAULT_UNKNOWN_PATH, "a fingerprint has 16 hexadecimal digits");
    const FailureRow *row = ledger_row(ledger, fingerprint);
    const Annotation *known = annotations_find(&ledger->annotations, fingerprint);
    if (!row && !known)
        return FAIL(arena, FAULT_UNKNOWN_PATH,
                    "this gateway knows no failure with that fingerprint");
    if (known && known->closed)
        return FAIL(arena, FAULT_STORE_SEALED,
                    "what was said of it before is sealed with a key that this gateway does not "
                    "have: it would be lost");
    *annotation = known ? *known : (Annotation){.fingerprint = fingerprint};
    int64_t wall = clock_wall();
    Result r = annotation_change(arena, saying->json, wall, annotation);
    if (failed(r))
        return r;
    annotation->who = bytes_of(saying->who);
    annotation->why = bytes_slice(saying->why, 0, ANNOTATION_TEXT_SIZE);
    annotation->at = wall;
    return OK;
}

static void store_note(LedgerNote *note)
{
    Ledger *ledger = note->ledger;
    Annotations said = {.arena = note->arena};
    Result r = make_note(ledger, &note->saying, note->arena, &note->annotation);
    if (!failed(r)) { /* the texts of what was said before may go while the store writes */
        annotations_put(&said, &note->annotation);
        note->annotation = said.items[0];
    }
    if (failed(r) || !ledger->store.port)
        end_note(note, r);
    else
        ledger_store_annotate(&ledger->store, &note->annotation, end_note, note);
}

static void on_collected(void *owner, Bytes page)
{
    store_note(owner);
}

/* What has failed just now is still in the book of a loop. */
static bool may_be_in_a_book(const Ledger *ledger, const LedgerSaying *saying)
{
    uint64_t fingerprint;
    return fingerprint_read(saying->fingerprint, &fingerprint) &&
           !ledger_row(ledger, fingerprint) && !annotations_find(&ledger->annotations, fingerprint);
}

void ledger_annotate(Ledger *ledger, const LedgerSaying *saying,
                     void (*on_done)(void *owner, Result result), void *owner)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    LedgerNote *note = arena_make(arena, LedgerNote);
    *note = (LedgerNote){.ledger = ledger, .arena = arena, .on_done = on_done, .owner = owner};
    note->saying = (LedgerSaying){.fingerprint = bytes_copy(arena, saying->fingerprint),
                                  .json = bytes_copy(arena, saying->json),
                                  .who = arena_string(arena, saying->who),
                                  .why = bytes_copy(arena, saying->why)};
    if (may_be_in_a_book(ledger, &note->saying))
        ledger_read(ledger, on_collected, note);
    else
        store_note(note);
}

/* ---- Books ----------------------------------------------------------------------------------- */

LedgerBook *ledger_open_book(Ledger *ledger, Loop *loop)
{
    LedgerBook *book = calloc(1, sizeof *book);
    CHECK(book);
    book->ledger = ledger;
    book->loop = loop;
    book->tally = tally_new(ledger->rows);
    book->spare = tally_new(ledger->rows);
    book->arena = arena_new(ARENA_UNLIMITED);
    book->record = buffer_in(book->arena);
    request_ring_init(&book->bad, ledger->requests / 2);
    request_ring_init(&book->good, ledger->requests / 2);
    book->next = ledger->books;
    ledger->books = book;
    telemetry_feed(loop->telemetry, on_call, book);
    return book;
}

/* Calls that end from now on are those that loop_deinit cuts off: they are counted, too. */
void ledger_close_book(LedgerBook *book)
{
    book->loop = NULL;
}

static void free_book(LedgerBook *book)
{
    tally_free(book->tally);
    tally_free(book->spare);
    request_ring_free(&book->bad);
    request_ring_free(&book->good);
    arena_free(book->arena);
    free(book);
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* Members that tell who a client is. Nothing in the store does. */
static const char *const client_names[] = {"client",        "tenant", "class",   "claims",
                                           "forwarded_for", "peer",   "baggage", "user_agent",
                                           "referer",       NULL};

static size_t count_names(const char *const *names)
{
    size_t n = 0;
    while (names && names[n])
        n++;
    return n;
}

/* Both lists in one; `more` may be NULL. */
static const char *const *copy_names(Arena *arena, const char *const *names,
                                     const char *const *more)
{
    size_t n = count_names(names), n_more = count_names(more);
    const char **copy = arena_array(arena, const char *, n + n_more + 1);
    for (size_t i = 0; i < n; i++)
        copy[i] = arena_string(arena, names[i]);
    for (size_t i = 0; i < n_more; i++)
        copy[n + i] = more[i];
    return copy;
}

/* With a store, rows above the limit stay until they are stored: twice as many at most. */
static void limit_rows(Ledger *ledger)
{
    uint32_t rows = ledger->store.port ? 2 * ledger->rows : ledger->rows;
    tally_limit(ledger->all, rows, clock_wall());
}

void ledger_use(Ledger *ledger, const Config *config)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    uint64_t millis = (uint64_t)(config->ledger.every / MILLISECOND);
    ledger->node = arena_string(arena, config->node);
    ledger->redact = copy_names(arena, config->ledger.redact, NULL);
    ledger->rows = config->ledger.rows;
    ledger->store.node = ledger->node;
    ledger->store.redact = copy_names(arena, config->ledger.redact, client_names);
    ledger->store.rows = ledger->rows;
    ledger->store.keys = &config->store.keys;
    ledger->store.config = config;
    ledger->muting =
        (MutingRules){.rate = config->ledger.unmute_rate, .pause = config->ledger.unmute_pause};
    arena_free(ledger->arena);
    ledger->arena = arena;
    limit_rows(ledger);
    ledger_webhooks_use(&ledger->webhooks, config, clock_wall());
    CHECK(uv_timer_start(&ledger->timer, on_time, millis, millis) == 0);
}

Ledger *ledger_new(uv_loop_t *loop, const Config *config)
{
    Ledger *ledger = calloc(1, sizeof *ledger);
    CHECK(ledger);
    ledger->requests = config->ledger.requests;
    ledger->all = tally_new(config->ledger.rows);
    CHECK(pthread_mutex_init(&ledger->mutex, NULL) == 0);
    CHECK(uv_timer_init(loop, &ledger->timer) == 0);
    CHECK(uv_async_init(loop, &ledger->done, on_errands_done) == 0);
    ledger->timer.data = ledger->done.data = ledger;
    ledger_use(ledger, config);
    return ledger;
}

void ledger_keep(Ledger *ledger, StorePort *port)
{
    ledger->store.port = port;
    ledger->store.all = ledger->all;
    ledger->store.annotations = &ledger->annotations;
    limit_rows(ledger);
    ledger_store_beat(&ledger->store);
}

void ledger_stop(Ledger *ledger)
{
    take_errands(ledger);
    for (LedgerBook *book = ledger->books; book; book = book->next)
        tally_take(ledger->all, book->tally);
    show_counts(ledger);
    answer_questions(ledger);
    tally_count_calls(ledger->all, clock_wall());
    notice_changes(ledger);
    run_webhooks(ledger);
    if (ledger->store.port)
        ledger_store_end(&ledger->store);
    ledger_webhooks_stop(&ledger->webhooks);
    uv_close((uv_handle_t *)&ledger->timer, NULL);
    uv_close((uv_handle_t *)&ledger->done, NULL);
}

void ledger_free(Ledger *ledger)
{
    if (ledger->handed_on)
        handover_withdraw(HANDED);
    for (LedgerBook *next, *book = ledger->books; book; book = next) {
        next = book->next;
        free_book(book);
    }
    ledger_webhooks_free(&ledger->webhooks);
    tally_free(ledger->all);
    annotations_clear(&ledger->annotations);
    arena_free(ledger->arena);
    pthread_mutex_destroy(&ledger->mutex);
    free(ledger);
}

/* ---- Metrics --------------------------------------------------------------------------------- */

void ledger_metrics_write(Exposition *e, void *owner)
{
    Ledger *ledger = owner;
    exposition_family(e, "passerelle_ledger_rows", METRIC_GAUGE,
                      "Kinds of failures in the ledger.");
    exposition_number(e, "", &(Label){"side", "gateway"}, 1, atomic_load(&ledger->n_failures));
    exposition_number(e, "", &(Label){"side", "client"}, 1, atomic_load(&ledger->n_mistakes));
    exposition_single(e, "passerelle_ledger_evicted", METRIC_COUNTER,
                      "Kinds of failures that gave way to others because the ledger was full.",
                      atomic_load(&ledger->evicted));
    exposition_single(e, "passerelle_ledger_evicted_failures", METRIC_COUNTER,
                      "Failures of those kinds.", atomic_load(&ledger->evicted_failures));
    exposition_single(e, "passerelle_ledger_damaged", METRIC_COUNTER,
                      "Records of the ledger in the store that were damaged, and set aside.",
                      atomic_load(&ledger->n_damaged));
    exposition_single(e, "passerelle_ledger_unwritten", METRIC_COUNTER,
                      "Groups of records that the store did not take; they are written again.",
                      atomic_load(&ledger->n_unwritten));
    ledger_webhooks_metrics_write(e, &ledger->webhooks);
}
