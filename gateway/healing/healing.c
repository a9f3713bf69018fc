#include "gateway/healing/healing.h"

#include "base/arena.h"
#include "gateway/healing/healing_book.h"
#include "gateway/telemetry/log_line.h"
#include "gateway/telemetry/metrics.h"
#include "gateway/telemetry/telemetry.h"

#include <pthread.h>
#include <stdarg.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static HealingBook *book; /* under the lock; NULL: nothing has happened */

static const char *const names[HEALING_ACTS] = {
    [HEALING_EJECT] = "eject",     [HEALING_CHECK] = "check",
    [HEALING_BREAKER] = "breaker", [HEALING_RECONNECT] = "reconnect",
    [HEALING_RESTART] = "restart", [HEALING_RETRY] = "retry",
    [HEALING_HEDGE] = "hedge",     [HEALING_SHED] = "shed",
    [HEALING_OLDER] = "older",     [HEALING_CELL] = "cell",
    [HEALING_SCHEMA] = "schema",   [HEALING_DISCOVERY] = "discovery",
};

const char *healing_act_name(HealingAct act)
{
    return names[act];
}

static HealingBook *open_book(void)
{
    pthread_mutex_lock(&lock);
    if (!book)
        book = healing_book_new();
    return book;
}

static void close_book(void)
{
    pthread_mutex_unlock(&lock);
}

/* The members of an event that say what it is about. */
static Buffer members_in(Arena *arena, HealingAct act, const char *service, const char *subject)
{
    Buffer members = buffer_in(arena);
    log_line_word(&members, LOG_KEY("act"), names[act]);
    log_line_text(&members, LOG_KEY("service"), bytes_of(service));
    log_line_text(&members, LOG_KEY("subject"), bytes_of(subject));
    return members;
}

void healing_begin(HealingAct act, const char *service, const char *subject, Result cause,
                   const char *format, ...)
{
    char why[HEALING_TEXT + 1];
    va_list args;
    va_start(args, format);
    text_format(why, sizeof why, format, args);
    va_end(args);

    Arena *arena = arena_new(ARENA_UNLIMITED);
    HealingEntry entry = {
        .act = act,
        .service = service ? service : "",
        .subject = subject ? subject : "",
        .why = why,
        .cause = failed(cause) ? error_text(arena, cause) : "",
        .began = clock_wall(),
    };
    healing_book_begin(open_book(), &entry);
    close_book();

    Buffer members = members_in(arena, act, service, subject);
    telemetry_event_members("warning", "healing_begun", cause, buffer_bytes(&members), "%s", why);
    arena_free(arena);
}

void healing_end(HealingAct act, const char *service, const char *subject, const char *format, ...)
{
    char how[HEALING_TEXT + 1];
    va_list args;
    va_start(args, format);
    text_format(how, sizeof how, format, args);
    va_end(args);

    const HealingEntry *entry = healing_book_end(open_book(), act, service ? service : "",
                                                 subject ? subject : "", how, clock_wall());
    int64_t time = entry ? entry->ended - entry->began : 0;
    close_book();
    if (!entry)
        return;

    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer members = members_in(arena, act, service, subject);
    log_line_millis(&members, LOG_KEY("ms"), time);
    telemetry_event_members("info", "healing_ended", OK, buffer_bytes(&members), "%s", how);
    arena_free(arena);
}

void healing_count(Loop *loop, HealingAct act, const Service *service)
{
    telemetry_count_healing(loop, act, service);
}

/* So far there are no limits. */
bool healing_may(HealingAct act, const char *service)
{
    (void)act, (void)service;
    return true;
}

/* ---- Metrics --------------------------------------------------------------------------------- */

static void take_counted(void *owner, const char *service, const uint64_t *acts)
{
    (void)owner;
    HealingBook *open = open_book();
    for (HealingAct act = 0; act < HEALING_ACTS; act++)
        healing_book_counted(open, act, service, acts[act]);
    close_book();
}

static void write_service(Exposition *e, const HealingService *service)
{
    for (HealingAct act = 0; act < HEALING_ACTS; act++) {
        Label labels[] = {{"act", names[act]}, {"service", healing_service_name(service)}};
        uint64_t n = healing_service_count(service, act);
        if (n)
            exposition_number(e, "", labels, 2, n);
    }
}

static void write_metrics(Exposition *e, void *owner)
{
    (void)owner;
    telemetry_read_healing(take_counted, NULL);
    exposition_family(e, "passerelle_healing", METRIC_COUNTER,
                      "What the gateway did about what was broken, by act and service.");
    const HealingBook *open = open_book();
    for (const HealingService *s = healing_book_next(open, NULL); s; s = healing_book_next(open, s))
        write_service(e, s);
    close_book();
}

void healing_start(void)
{
    metrics_add_writer(write_metrics, &book);
}

void healing_stop(void)
{
    metrics_remove_writer(&book);
    open_book();
    healing_book_free(book);
    book = NULL;
    close_book();
}
