#include "gateway/webhook/webhook_sender.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/random.h"
#include "gateway/policy/policy.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/thread/thread.h"
#include "gateway/webhook/webhook_post.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TELL_EVERY (10 * SECOND) /* at most one event `webhook_failed` of a receiver */
#define BACKOFF_MOST (300 * SECOND)
#define END_TIME (1 * SECOND) /* for what is under way when the process ends */
#define POLL_MOST (3600 * SECOND)

typedef struct Receiver Receiver;
typedef struct Waiting Waiting;

struct Waiting {
    Waiting *next;
    uint32_t tries;
    char *id;
    Bytes json;
    char room[];
};

struct Receiver {
    Receiver *next;
    Arena *arena; /* of the next one */
    WebhookConfig to;
    bool gone; /* the thread frees it */
    Waiting *first, *last;
    uint32_t n_waiting; /* with the one that is under way */
    Waiting *lost;      /* those that were given up, until somebody asks for them */
    uint32_t n_lost;
    int64_t due;      /* when the first one may be sent; clock_now */
    WebhookPost post; /* of the first one; the thread's */
    uint64_t sent, failed, dropped, retries, limited;
    int64_t told;      /* when the last event `webhook_failed` was written; clock_now; 0: never */
    uint32_t n_untold; /* failures since then */
};

struct WebhookSender {
    pthread_t thread;
    CURLM *multi;
    Random random; /* the thread's */
    bool ended;    /* the thread was joined */

    pthread_mutex_t mutex; /* of the rest; never held while anything is waited for */
    Receiver *receivers;
    int64_t deadline; /* clock_now; 0: it was not told to stop */
};

/* ---- Queues: under the mutex ----------------------------------------------------------------- */

static Waiting *waiting_new(const char *id, Bytes json)
{
    size_t id_size = strlen(id) + 1;
    Waiting *waiting = malloc(sizeof *waiting + id_size + json.size);
    CHECK(waiting);
    *waiting = (Waiting){.id = waiting->room};
    memcpy(waiting->room, id, id_size);
    memcpy(waiting->room + id_size, json.data, json.size);
    waiting->json = bytes(waiting->room + id_size, json.size);
    return waiting;
}

static void add_waiting(Receiver *receiver, Waiting *waiting)
{
    if (receiver->first)
        receiver->last->next = waiting;
    else
        receiver->first = waiting;
    receiver->last = waiting;
    receiver->n_waiting++;
}

static Waiting *take_first(Receiver *receiver)
{
    Waiting *first = receiver->first;
    receiver->first = first->next;
    receiver->n_waiting--;
    receiver->due = 0;
    return first;
}

static void remove_first(Receiver *receiver)
{
    free(take_first(receiver));
}

static Waiting *take_lost(Receiver *receiver)
{
    Waiting *lost = receiver->lost;
    if (!lost)
        return NULL;
    receiver->lost = lost->next;
    receiver->n_lost--;
    return lost;
}

static void keep_lost(Receiver *receiver, Waiting *waiting)
{
    if (receiver->n_lost >= receiver->to.queue)
        free(take_lost(receiver));
    waiting->next = receiver->lost;
    receiver->lost = waiting;
    receiver->n_lost++;
}

static void drop_all(Receiver *receiver, const char *why)
{
    uint32_t n = receiver->n_waiting;
    if (n)
        telemetry_event("warning", "webhook_dropped", OK, "webhook %s: %u not sent: %s",
                        receiver->to.name, n, why);
    receiver->dropped += n;
    while (receiver->first)
        remove_first(receiver);
}

static Receiver *find(const WebhookSender *sender, const char *name)
{
    Receiver *receiver = sender->receivers;
    while (receiver && (receiver->gone || strcmp(receiver->to.name, name) != 0))
        receiver = receiver->next;
    return receiver;
}

/* ---- The thread: under the mutex, but for what libcurl does ---------------------------------- */

static void free_receiver(WebhookSender *sender, Receiver *receiver)
{
    webhook_post_end(&receiver->post, sender->multi);
    while (receiver->first)
        remove_first(receiver);
    while (receiver->lost)
        free(take_lost(receiver));
    arena_free(receiver->arena);
    free(receiver);
}

static void free_gone(WebhookSender *sender)
{
    for (Receiver **at = &sender->receivers; *at;) {
        Receiver *receiver = *at;
        if (!receiver->gone) {
            at = &receiver->next;
            continue;
        }
        *at = receiver->next;
        free_receiver(sender, receiver);
    }
}

static void try_again(WebhookSender *sender, Receiver *receiver, int64_t after)
{
    int64_t wait = policy_backoff(receiver->to.backoff, BACKOFF_MOST, receiver->first->tries,
                                  random_next(&sender->random));
    receiver->retries++;
    receiver->due = clock_now() + (wait > after ? wait : after);
}

/* A receiver that takes nothing is told of now and then, with the number of posts that it has not
   taken meanwhile: what storms here are failures. */
static void tell_failure(Receiver *receiver, Result why)
{
    uint32_t tries = receiver->first->tries;
    int64_t now = clock_now();
    if (receiver->told && now - receiver->told < TELL_EVERY) {
        receiver->n_untold++;
        return;
    }
    char more[64] = "";
    if (receiver->n_untold)
        snprintf(more, sizeof more, "; nor were %u before it", receiver->n_untold);
    telemetry_event("warning", "webhook_failed", why,
                    "webhook %s: %s was not taken, %u attempt%s%s", receiver->to.name,
                    receiver->first->id, tries, tries == 1 ? "" : "s", more);
    receiver->told = now;
    receiver->n_untold = 0;
}

static void give_up(Receiver *receiver, Result why)
{
    tell_failure(receiver, why);
    receiver->failed++;
    keep_lost(receiver, take_first(receiver));
}

static void settle(WebhookSender *sender, Receiver *receiver, WebhookOutcome outcome, Result why,
                   int64_t after)
{
    receiver->first->tries++;
    if (outcome == WEBHOOK_TAKEN) {
        receiver->sent++;
        remove_first(receiver);
    } else if (outcome == WEBHOOK_AGAIN && receiver->first->tries < receiver->to.attempts) {
        try_again(sender, receiver, after);
    } else {
        give_up(receiver, why);
    }
}

static void take_outcome(WebhookSender *sender, Receiver *receiver, CURLcode code)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result why;
    int64_t after;
    WebhookOutcome outcome = webhook_post_outcome(&receiver->post, code, arena, &why, &after);
    webhook_post_end(&receiver->post, sender->multi);
    if (receiver->first) /* else it was dropped meanwhile */
        settle(sender, receiver, outcome, why, after);
    arena_free(arena);
}

static Receiver *receiver_of(const WebhookSender *sender, const CURL *handle)
{
    Receiver *receiver = sender->receivers;
    while (receiver->post.handle != handle)
        receiver = receiver->next;
    return receiver;
}

static void take_outcomes(WebhookSender *sender)
{
    int n_left;
    for (CURLMsg *told; (told = curl_multi_info_read(sender->multi, &n_left));)
        if (told->msg == CURLMSG_DONE)
            take_outcome(sender, receiver_of(sender, told->easy_handle), told->data.result);
}

static bool is_ready(const Receiver *receiver, int64_t now)
{
    return receiver->first && !receiver->post.handle && receiver->due <= now;
}

static void begin_posts(WebhookSender *sender)
{
    int64_t now = clock_now();
    for (Receiver *receiver = sender->receivers; receiver; receiver = receiver->next)
        if (is_ready(receiver, now))
            webhook_post_begin(&receiver->post, sender->multi, &receiver->to, "application/json",
                               receiver->first->id, receiver->first->json, clock_wall());
}

/* Until when there is nothing to do but what libcurl waits for. */
static int64_t next_due(const WebhookSender *sender, int64_t now)
{
    int64_t next = sender->deadline ? sender->deadline : now + POLL_MOST;
    for (const Receiver *receiver = sender->receivers; receiver; receiver = receiver->next)
        if (receiver->first && !receiver->post.handle && receiver->due < next)
            next = receiver->due;
    return next;
}

/* What waits for its next attempt does not hold up the end. */
static bool goes_on(const WebhookSender *sender, int64_t now)
{
    if (!sender->deadline)
        return true;
    bool any = false;
    for (const Receiver *receiver = sender->receivers; receiver; receiver = receiver->next)
        any |= receiver->post.handle || is_ready(receiver, now);
    return any && now < sender->deadline;
}

/* Without the mutex: it may take long. */
static void wait_and_work(WebhookSender *sender, int64_t until)
{
    int64_t wait = until - clock_now();
    int running, millis = wait > 0 ? (int)((wait + MILLISECOND - 1) / MILLISECOND) : 0;
    CHECK(curl_multi_poll(sender->multi, NULL, 0, millis, NULL) == CURLM_OK);
    CHECK(curl_multi_perform(sender->multi, &running) == CURLM_OK);
}

static void *run_thread(void *argument)
{
    WebhookSender *sender = argument;
    pthread_setname_np(pthread_self(), "webhooks");
    pthread_mutex_lock(&sender->mutex);
    while (goes_on(sender, clock_now())) {
        free_gone(sender);
        begin_posts(sender);
        int64_t until = next_due(sender, clock_now());
        pthread_mutex_unlock(&sender->mutex);
        wait_and_work(sender, until);
        pthread_mutex_lock(&sender->mutex);
        take_outcomes(sender);
    }
    pthread_mutex_unlock(&sender->mutex);
    return NULL;
}

/* ---- The main thread ------------------------------------------------------------------------- */

WebhookSender *webhook_sender_start(void)
{
    WebhookSender *sender = calloc(1, sizeof *sender);
    CHECK(sender);
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    sender->multi = curl_multi_init();
    CHECK(sender->multi);
    random_seed(&sender->random);
    CHECK(pthread_mutex_init(&sender->mutex, NULL) == 0);
    CHECK(thread_make(&sender->thread, run_thread, sender) == 0);
    return sender;
}

static void configure(Receiver *receiver, const WebhookConfig *to)
{
    arena_free(receiver->arena);
    receiver->arena = arena_new(ARENA_UNLIMITED);
    receiver->to = *to;
    receiver->to.name = arena_string(receiver->arena, to->name);
    receiver->to.url = arena_string(receiver->arena, to->url);
    receiver->to.ca = bytes_copy(receiver->arena, to->ca);
    receiver->to.token = bytes_copy(receiver->arena, to->token);
    receiver->to.secret = bytes_copy(receiver->arena, to->secret);
    receiver->to.when = (FailureTrigger){.failures = 0}; /* not for here, and borrowed */
}

static bool is_among(const char *name, const WebhookConfig *webhooks, uint32_t n)
{
    uint32_t i = 0;
    while (i < n && strcmp(webhooks[i].name, name) != 0)
        i++;
    return i < n;
}

void webhook_sender_use(WebhookSender *sender, const WebhookConfig *webhooks, uint32_t n)
{
    pthread_mutex_lock(&sender->mutex);
    for (Receiver *receiver = sender->receivers; receiver; receiver = receiver->next)
        if (!receiver->gone && !is_among(receiver->to.name, webhooks, n)) {
            drop_all(receiver, "the config has no such webhook any more");
            receiver->gone = true;
        }
    for (uint32_t i = 0; i < n; i++) {
        Receiver *receiver = find(sender, webhooks[i].name);
        if (!receiver) {
            receiver = calloc(1, sizeof *receiver);
            CHECK(receiver);
            receiver->next = sender->receivers;
            sender->receivers = receiver;
        }
        configure(receiver, &webhooks[i]);
    }
    pthread_mutex_unlock(&sender->mutex);
    CHECK(curl_multi_wakeup(sender->multi) == CURLM_OK);
}

bool webhook_sender_send(WebhookSender *sender, const char *name, const char *id, Bytes json)
{
    pthread_mutex_lock(&sender->mutex);
    Receiver *receiver = find(sender, name);
    bool has_room = receiver && receiver->n_waiting < receiver->to.queue;
    if (has_room)
        add_waiting(receiver, waiting_new(id, json));
    else if (receiver)
        receiver->dropped++;
    pthread_mutex_unlock(&sender->mutex);
    if (has_room)
        CHECK(curl_multi_wakeup(sender->multi) == CURLM_OK);
    else
        telemetry_event("warning", "webhook_dropped", OK,
                        "webhook %s: %s not sent: its queue is full", name, id);
    return has_room;
}

const char *webhook_sender_lost(WebhookSender *sender, const char *name, Arena *arena)
{
    pthread_mutex_lock(&sender->mutex);
    Receiver *receiver = find(sender, name);
    Waiting *lost = receiver ? take_lost(receiver) : NULL;
    pthread_mutex_unlock(&sender->mutex);
    const char *id = lost ? arena_string(arena, lost->id) : NULL;
    free(lost);
    return id;
}

void webhook_sender_count_limited(WebhookSender *sender, const char *name)
{
    pthread_mutex_lock(&sender->mutex);
    Receiver *receiver = find(sender, name);
    if (receiver)
        receiver->limited++;
    pthread_mutex_unlock(&sender->mutex);
}

void webhook_sender_stop(WebhookSender *sender)
{
    pthread_mutex_lock(&sender->mutex);
    int64_t deadline = sender->deadline = clock_now() + END_TIME;
    pthread_mutex_unlock(&sender->mutex);
    CHECK(curl_multi_wakeup(sender->multi) == CURLM_OK);
    sender->ended = thread_join_by(sender->thread, deadline + END_TIME);
    pthread_mutex_lock(&sender->mutex);
    for (Receiver *receiver = sender->receivers; receiver; receiver = receiver->next)
        drop_all(receiver, "the gateway stops");
    pthread_mutex_unlock(&sender->mutex);
}

void webhook_sender_free(WebhookSender *sender)
{
    if (!sender || !sender->ended)
        return;
    for (Receiver *next, *receiver = sender->receivers; receiver; receiver = next) {
        next = receiver->next;
        free_receiver(sender, receiver);
    }
    curl_multi_cleanup(sender->multi);
    curl_global_cleanup();
    pthread_mutex_destroy(&sender->mutex);
    free(sender);
}

/* ---- Metrics --------------------------------------------------------------------------------- */

static void write_posts(Exposition *e, const Receiver *receiver)
{
    const struct {
        const char *result;
        uint64_t n;
    } results[] = {
        {"sent", receiver->sent}, {"failed", receiver->failed}, {"dropped", receiver->dropped}};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        Label labels[] = {{"webhook", receiver->to.name}, {"result", results[i].result}};
        exposition_number(e, "", labels, 2, results[i].n);
    }
}

static void write_all(Exposition *e, const WebhookSender *sender, size_t at)
{
    for (const Receiver *receiver = sender->receivers; receiver; receiver = receiver->next)
        if (!receiver->gone)
            exposition_number(e, "", &(Label){"webhook", receiver->to.name}, 1,
                              *(const uint64_t *)((const char *)receiver + at));
}

void webhook_sender_metrics_write(Exposition *e, WebhookSender *sender)
{
    pthread_mutex_lock(&sender->mutex);
    exposition_family(e, "passerelle_webhook_posts", METRIC_COUNTER,
                      "Posts about kinds of failures, by what became of them.");
    for (const Receiver *receiver = sender->receivers; receiver; receiver = receiver->next)
        if (!receiver->gone)
            write_posts(e, receiver);
    exposition_family(e, "passerelle_webhook_retries", METRIC_COUNTER,
                      "Further attempts of posts.");
    write_all(e, sender, offsetof(Receiver, retries));
    exposition_family(e, "passerelle_webhook_limited", METRIC_COUNTER,
                      "How often a kind of failures was held back by per_hour.");
    write_all(e, sender, offsetof(Receiver, limited));
    pthread_mutex_unlock(&sender->mutex);
}
