#include "gateway/job_hook/job_postman.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/random.h"
#include "gateway/job_hook/job_event.h"
#include "gateway/job_hook/job_outbox.h"
#include "gateway/policy/policy.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/thread/thread.h"
#include "gateway/webhook/webhook_post.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_MOST (300 * SECOND)
#define END_TIME (1 * SECOND)
#define IDLE_MOST (3600 * SECOND) /* without webhooks: until somebody wakes it */

typedef struct Sending {
    struct Sending *next;
    JobLetter *letter;
    WebhookPost post;
} Sending;

/* A webhook. The thread's, except for what metrics read. */
typedef struct Receiver {
    struct Receiver *next;
    const JobWebhookConfig *to; /* of the config */
    Sending *sending;
    uint32_t n_sending;
    uint32_t failures; /* one after the other */
    int64_t look_at;   /* monotonic: when it is asked what is due */
    char name[80];     /* under the mutex, as the next ones */
    uint64_t sent, given_up, retries;
} Receiver;

struct JobPostman {
    pthread_t thread;
    Store *store;
    CURLM *multi;
    bool started, ended; /* the thread; it was joined */
    atomic_bool heard;

    /* The thread's. */
    Random random;
    Config *config;

    pthread_mutex_t mutex; /* of the rest; never held while anything is waited for */
    Config *next_config;   /* NULL: it is used already */
    int64_t deadline;      /* clock_now; 0: it was not told to stop */
    Receiver *receivers;   /* the thread changes the list */
};

/* ---- Webhooks come and go -------------------------------------------------------------------- */

static void end_sending(JobPostman *postman, Receiver *receiver, Sending *sending)
{
    Sending **at = &receiver->sending;
    while (*at != sending)
        at = &(*at)->next;
    *at = sending->next;
    receiver->n_sending--;
    webhook_post_end(&sending->post, postman->multi);
    arena_free(sending->letter->arena);
    free(sending);
}

/* What is under way is cut off: it stays in the outbox. */
static void free_receiver(JobPostman *postman, Receiver *receiver)
{
    while (receiver->sending)
        end_sending(postman, receiver, receiver->sending);
    free(receiver);
}

/* Takes it out of the list; a new one if there is none. */
static Receiver *take_receiver(JobPostman *postman, const JobWebhookConfig *to)
{
    for (Receiver **at = &postman->receivers; *at; at = &(*at)->next) {
        Receiver *receiver = *at;
        if (strcmp(receiver->name, to->to.name) != 0)
            continue;
        *at = receiver->next;
        return receiver;
    }
    Receiver *receiver = calloc(1, sizeof *receiver);
    CHECK(receiver);
    strncpy(receiver->name, to->to.name, sizeof receiver->name - 1);
    return receiver;
}

/* Under the mutex. */
static void use_config(JobPostman *postman, Config *config)
{
    Receiver *receivers = NULL;
    for (uint32_t i = config->n_job_webhooks; i-- > 0;) {
        Receiver *receiver = take_receiver(postman, &config->job_webhooks[i]);
        receiver->to = &config->job_webhooks[i];
        receiver->failures = 0; /* perhaps the new config is the remedy */
        receiver->look_at = 0;
        receiver->next = receivers;
        receivers = receiver;
    }
    for (Receiver *next, *gone = postman->receivers; gone; gone = next) {
        next = gone->next;
        free_receiver(postman, gone);
    }
    postman->receivers = receivers;
    if (postman->config)
        config_unref(postman->config);
    postman->config = config;
}

static void take_config(JobPostman *postman)
{
    pthread_mutex_lock(&postman->mutex);
    if (postman->next_config)
        use_config(postman, postman->next_config);
    postman->next_config = NULL;
    pthread_mutex_unlock(&postman->mutex);
}

static int64_t deadline_of(JobPostman *postman)
{
    pthread_mutex_lock(&postman->mutex);
    int64_t deadline = postman->deadline;
    pthread_mutex_unlock(&postman->mutex);
    return deadline;
}

static void count(JobPostman *postman, uint64_t *counter)
{
    pthread_mutex_lock(&postman->mutex);
    ++*counter;
    pthread_mutex_unlock(&postman->mutex);
}

/* ---- How it went ----------------------------------------------------------------------------- */

static void say_done(JobPostman *postman, const Receiver *receiver, const JobLetter *letter,
                     Arena *arena)
{
    error_ignore(job_outbox_done(postman->store, receiver->name, letter, arena),
                 "it is told once more then, with the same id");
}

static void give_up(JobPostman *postman, Receiver *receiver, const JobLetter *letter, Result why,
                    Arena *arena)
{
    telemetry_event("warning", "job_webhook_given_up", why,
                    "webhook %s: %s was not told, %u attempt%s", receiver->name, letter->id,
                    letter->tries, letter->tries == 1 ? "" : "s");
    count(postman, &receiver->given_up);
    say_done(postman, receiver, letter, arena);
}

/* Whoever takes nothing is told of once: when it begins. */
static void tell_failure(const Receiver *receiver, const JobLetter *letter, Result why)
{
    if (receiver->failures == 1)
        telemetry_event("warning", "job_webhook_failed", why,
                        "webhook %s: %s was not taken; it is tried again", receiver->name,
                        letter->id);
}

static int64_t backoff(JobPostman *postman, const Receiver *receiver, uint32_t n, int64_t after)
{
    int64_t wait =
        policy_backoff(receiver->to->to.backoff, BACKOFF_MOST, n, random_next(&postman->random));
    return wait > after ? wait : after;
}

static void try_again(JobPostman *postman, Receiver *receiver, const JobLetter *letter, Result why,
                      int64_t after, Arena *arena)
{
    int64_t due = clock_wall() + backoff(postman, receiver, letter->tries, after);
    receiver->failures++;
    receiver->look_at = clock_now() + backoff(postman, receiver, receiver->failures, after);
    tell_failure(receiver, letter, why);
    if (due - letter->at > receiver->to->tries_for) {
        give_up(postman, receiver, letter, why, arena);
        return;
    }
    count(postman, &receiver->retries);
    error_ignore(job_outbox_later(postman->store, receiver->name, letter, due, arena),
                 "it is due again without that, when the time for this attempt is over");
}

static void settle(JobPostman *postman, Receiver *receiver, Sending *sending, CURLcode code)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result why;
    int64_t after;
    WebhookOutcome outcome = webhook_post_outcome(&sending->post, code, arena, &why, &after);
    if (outcome == WEBHOOK_TAKEN) {
        receiver->failures = 0;
        receiver->look_at = 0;
        count(postman, &receiver->sent);
        say_done(postman, receiver, sending->letter, arena);
    } else {
        try_again(postman, receiver, sending->letter, why, after, arena);
    }
    arena_free(arena);
}

static Sending *find_sending(const Receiver *receiver, const CURL *handle)
{
    Sending *sending = receiver->sending;
    while (sending && sending->post.handle != handle)
        sending = sending->next;
    return sending;
}

static void take_outcome(JobPostman *postman, const CURL *handle, CURLcode code)
{
    for (Receiver *receiver = postman->receivers; receiver; receiver = receiver->next) {
        Sending *sending = find_sending(receiver, handle);
        if (!sending)
            continue;
        settle(postman, receiver, sending, code);
        end_sending(postman, receiver, sending);
        return;
    }
}

static void take_outcomes(JobPostman *postman)
{
    int n_left;
    for (CURLMsg *told; (told = curl_multi_info_read(postman->multi, &n_left));)
        if (told->msg == CURLMSG_DONE)
            take_outcome(postman, told->easy_handle, told->data.result);
}

/* ---- Sending --------------------------------------------------------------------------------- */

static void send_letter(JobPostman *postman, Receiver *receiver, JobLetter *letter, Arena *arena)
{
    if (failed(letter->damage)) {
        give_up(postman, receiver, letter, letter->damage, arena);
        arena_free(letter->arena);
        return;
    }
    Sending *sending = calloc(1, sizeof *sending);
    CHECK(sending);
    sending->letter = letter;
    sending->next = receiver->sending;
    receiver->sending = sending;
    receiver->n_sending++;
    webhook_post_begin(&sending->post, postman->multi, &receiver->to->to, JOB_EVENT_TYPE,
                       letter->id, letter->json, clock_wall());
}

static uint32_t room(const Receiver *receiver)
{
    uint32_t most = receiver->failures ? 1 : receiver->to->at_once; /* one finds out */
    return most > receiver->n_sending ? most - receiver->n_sending : 0;
}

/* Somebody else takes them when the time for the attempt is over, and a bit more for the store. */
static int64_t time_for_attempt(const Receiver *receiver)
{
    return 2 * receiver->to->to.timeout + SECOND;
}

static void look(JobPostman *postman, Receiver *receiver)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JobLetter *letters;
    int64_t wall = clock_wall();
    Result r =
        job_outbox_take(postman->store, &postman->config->store.keys, receiver->name,
                        room(receiver), wall, wall + time_for_attempt(receiver), arena, &letters);
    error_ignore(r, "the store tells when it cannot be used");
    receiver->look_at = clock_now() + postman->config->store.job_look;
    for (JobLetter *next; letters; letters = next) {
        next = letters->next;
        send_letter(postman, receiver, letters, arena);
    }
    arena_free(arena);
}

static void look_all(JobPostman *postman)
{
    bool heard = atomic_exchange(&postman->heard, false);
    for (Receiver *receiver = postman->receivers; receiver; receiver = receiver->next) {
        if (heard && !receiver->failures)
            receiver->look_at = 0;
        if (room(receiver) && receiver->look_at <= clock_now())
            look(postman, receiver);
    }
}

/* ---- The thread ------------------------------------------------------------------------------ */

static int64_t next_look(const JobPostman *postman, int64_t deadline, int64_t now)
{
    int64_t next = deadline ? deadline : now + IDLE_MOST;
    for (const Receiver *r = postman->receivers; !deadline && r; r = r->next)
        if (room(r) && r->look_at < next)
            next = r->look_at;
    return next;
}

static bool goes_on(const JobPostman *postman, int64_t deadline)
{
    bool sends = false;
    for (const Receiver *receiver = postman->receivers; receiver; receiver = receiver->next)
        sends |= receiver->n_sending != 0;
    return !deadline || (sends && clock_now() < deadline);
}

static void wait_and_work(JobPostman *postman, int64_t until)
{
    int64_t wait = until - clock_now();
    int running, millis = wait > 0 ? (int)((wait + MILLISECOND - 1) / MILLISECOND) : 0;
    CHECK(curl_multi_poll(postman->multi, NULL, 0, millis, NULL) == CURLM_OK);
    CHECK(curl_multi_perform(postman->multi, &running) == CURLM_OK);
}

static void *run_thread(void *argument)
{
    JobPostman *postman = argument;
    int64_t deadline = 0;
    pthread_setname_np(pthread_self(), "job webhooks");
    while (goes_on(postman, deadline)) {
        take_config(postman);
        if (!deadline)
            look_all(postman);
        wait_and_work(postman, next_look(postman, deadline, clock_now()));
        take_outcomes(postman);
        deadline = deadline_of(postman);
    }
    return NULL;
}

static void wake(JobPostman *postman)
{
    CHECK(curl_multi_wakeup(postman->multi) == CURLM_OK);
}

void job_postman_hear(JobPostman *postman)
{
    if (!atomic_exchange(&postman->heard, true))
        wake(postman);
}

/* ---- The main thread ------------------------------------------------------------------------- */

/* From the first config on that has webhooks. */
static void start_thread(JobPostman *postman, const Config *config)
{
    if (postman->started || !config->n_job_webhooks)
        return;
    CHECK(thread_make(&postman->thread, run_thread, postman) == 0);
    postman->started = true;
}

JobPostman *job_postman_start(Store *store, Config *config)
{
    JobPostman *postman = calloc(1, sizeof *postman);
    CHECK(postman);
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    postman->store = store;
    postman->multi = curl_multi_init();
    postman->next_config = config_ref(config);
    CHECK(postman->multi);
    random_seed(&postman->random);
    CHECK(pthread_mutex_init(&postman->mutex, NULL) == 0);
    start_thread(postman, config);
    return postman;
}

void job_postman_use(JobPostman *postman, Config *config)
{
    pthread_mutex_lock(&postman->mutex);
    if (postman->next_config)
        config_unref(postman->next_config);
    postman->next_config = config_ref(config);
    pthread_mutex_unlock(&postman->mutex);
    start_thread(postman, config);
    wake(postman);
}

void job_postman_stop(JobPostman *postman)
{
    int64_t deadline = clock_now() + END_TIME;
    pthread_mutex_lock(&postman->mutex);
    postman->deadline = deadline;
    pthread_mutex_unlock(&postman->mutex);
    wake(postman);
    int64_t for_store = store_settings(postman->store)->time;
    postman->ended =
        !postman->started || thread_join_by(postman->thread, deadline + END_TIME + for_store);
}

void job_postman_free(JobPostman *postman)
{
    if (!postman || !postman->ended)
        return;
    for (Receiver *next, *receiver = postman->receivers; receiver; receiver = next) {
        next = receiver->next;
        free_receiver(postman, receiver);
    }
    if (postman->config)
        config_unref(postman->config);
    if (postman->next_config)
        config_unref(postman->next_config);
    curl_multi_cleanup(postman->multi);
    curl_global_cleanup();
    pthread_mutex_destroy(&postman->mutex);
    free(postman);
}

/* ---- Metrics --------------------------------------------------------------------------------- */

static void write_posts(Exposition *e, const Receiver *receiver)
{
    Label sent[] = {{"webhook", receiver->name}, {"result", "sent"}};
    Label given_up[] = {{"webhook", receiver->name}, {"result", "given_up"}};
    exposition_number(e, "", sent, 2, receiver->sent);
    exposition_number(e, "", given_up, 2, receiver->given_up);
}

void job_postman_metrics_write(Exposition *e, void *owner)
{
    JobPostman *postman = owner;
    pthread_mutex_lock(&postman->mutex);
    if (postman->receivers)
        exposition_family(e, "passerelle_job_webhook_posts", METRIC_COUNTER,
                          "What was to be told of jobs, by what became of it.");
    for (const Receiver *receiver = postman->receivers; receiver; receiver = receiver->next)
        write_posts(e, receiver);
    if (postman->receivers)
        exposition_family(e, "passerelle_job_webhook_retries", METRIC_COUNTER,
                          "Attempts that failed, and are made again.");
    for (const Receiver *receiver = postman->receivers; receiver; receiver = receiver->next)
        exposition_number(e, "", &(Label){"webhook", receiver->name}, 1, receiver->retries);
    pthread_mutex_unlock(&postman->mutex);
}
