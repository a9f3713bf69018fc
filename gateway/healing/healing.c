#include "gateway/healing/healing.h"

#include "base/arena.h"
#include "gateway/handover/handover.h"
#include "gateway/healing/healing_internal.h"
#include "gateway/healing/healing_page.h"
#include "gateway/telemetry/log_line.h"
#include "gateway/telemetry/metrics.h"
#include "gateway/telemetry/telemetry.h"

#include <pthread.h>
#include <stdarg.h>

/* The handover's name of what is kept for the process that takes over. */
#define KEPT "healing"

enum { TICK = 1000 }; /* milliseconds: the parts of the shortest windows are not much shorter */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static HealingBook *book;    /* under the lock; NULL: nothing has happened */
static atomic_bool stopped;  /* healing_may is false for some act of some service */
static uv_timer_t ticks;     /* on the main thread */
static atomic_bool is_new;   /* it is not kept yet as it is */
static atomic_llong kept_at; /* when it was kept last */

static const char *const names[HEALING_ACTS] = {
    [HEALING_EJECT] = "eject",       [HEALING_CHECK] = "check",
    [HEALING_BREAKER] = "breaker",   [HEALING_RECONNECT] = "reconnect",
    [HEALING_RESTART] = "restart",   [HEALING_RETRY] = "retry",
    [HEALING_HEDGE] = "hedge",       [HEALING_SHED] = "shed",
    [HEALING_OLDER] = "older",       [HEALING_CELL] = "cell",
    [HEALING_SCHEMA] = "schema",     [HEALING_DISCOVERY] = "discovery",
    [HEALING_ALL_USED] = "all_used", [HEALING_MANUAL] = "manual",
};

const char *healing_act_name(HealingAct act)
{
    return names[act];
}

HealingBook *healing_open_book(void)
{
    pthread_mutex_lock(&lock);
    if (!book)
        book = healing_book_new();
    return book;
}

void healing_close_book(void)
{
    pthread_mutex_unlock(&lock);
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* What it is about, and once it has ended how long it took. */
static void tell(const char *level, const char *event, const HealingEntry *entry, Result cause,
                 const char *text)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer members = buffer_in(arena);
    log_line_word(&members, LOG_KEY("act"), names[entry->act]);
    log_line_text(&members, LOG_KEY("service"), bytes_of(entry->service));
    log_line_text(&members, LOG_KEY("subject"), bytes_of(entry->subject));
    if (entry->ended)
        log_line_millis(&members, LOG_KEY("ms"), entry->ended - entry->began);
    telemetry_event_members(level, event, cause, buffer_bytes(&members), "%s", text);
    arena_free(arena);
}

static void judge(HealingBook *open)
{
    const HealingEntry *changed;
    while ((changed = healing_book_judge(open, clock_now(), clock_wall()))) {
        if (changed->ended)
            tell("info", "healing_excess_over", changed, OK, changed->how);
        else
            tell("warning", "healing_excess", changed, OK, changed->why);
    }
    atomic_store(&stopped, healing_book_stops(open));
}

/* Writing takes a while where there is much: so at most once in a tick, unless it is rare. */
static void keep_soon(bool at_once)
{
    int64_t now = clock_now();
    if (!at_once && now - atomic_load(&kept_at) < TICK * MILLISECOND) {
        atomic_store(&is_new, true);
        return;
    }
    atomic_store(&kept_at, now);
    atomic_store(&is_new, false);
    handover_changed(KEPT);
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
        .how = "",
        .began = clock_now(),
        .began_wall = clock_wall(),
    };
    HealingBook *open = healing_open_book();
    healing_book_begin(open, &entry);
    tell("warning", "healing_begun", &entry, cause, why);
    judge(open);
    healing_close_book();
    keep_soon(act == HEALING_RESTART);
    arena_free(arena);
}

void healing_end(HealingAct act, const char *service, const char *subject, const char *format, ...)
{
    char how[HEALING_TEXT + 1];
    va_list args;
    va_start(args, format);
    text_format(how, sizeof how, format, args);
    va_end(args);

    HealingEntry which = {
        .act = act, .service = service, .subject = subject ? subject : "", .how = how};
    const HealingEntry *ended = healing_book_end(healing_open_book(), &which, clock_now());
    if (ended)
        tell("info", "healing_ended", ended, OK, how);
    healing_close_book();
    if (ended)
        keep_soon(act == HEALING_RESTART);
}

bool healing_goes_on(HealingAct act, const char *service, const char *subject)
{
    HealingEntry which = {.act = act, .service = service, .subject = subject};
    bool goes_on = healing_book_go_on(healing_open_book(), &which);
    healing_close_book();
    return goes_on;
}

void healing_settle(HealingAct act)
{
    static const char how[] = "it had ended when this process took over";
    const HealingEntry *left;
    bool some = false;
    HealingBook *open = healing_open_book();
    while ((left = healing_book_inherited(open, act))) {
        HealingEntry which = *left;
        which.how = how;
        tell("info", "healing_ended", healing_book_end(open, &which, clock_now()), OK, how);
        some = true;
    }
    healing_close_book();
    if (some)
        keep_soon(false);
}

/* ---- Acts of calls --------------------------------------------------------------------------- */

void healing_count(Loop *loop, HealingAct act, const Service *service)
{
    telemetry_count_healing(loop, act, service);
}

bool healing_may(HealingAct act, const char *service)
{
    if (!atomic_load_explicit(&stopped, memory_order_relaxed))
        return true;
    bool may = healing_book_may(healing_open_book(), act, service ? service : "");
    healing_close_book();
    return may;
}

static void take(void *owner, const char *service, const HealingFigures *figures)
{
    (void)owner;
    bool has_acts = healing_book_take(healing_open_book(), service, figures, clock_now());
    healing_close_book();
    if (has_acts)
        atomic_store(&is_new, true);
}

void healing_look(void)
{
    telemetry_read_healing(take, NULL);
    judge(healing_open_book());
    healing_close_book();
}

static void limit_by(const Config *config)
{
    healing_book_limit(healing_open_book(), config->healing);
    healing_close_book();
}

void healing_use(const Config *config)
{
    limit_by(config);
    healing_look();
}

/* ---- Metrics --------------------------------------------------------------------------------- */

typedef void WriteCount(Exposition *e, const Label *labels, const HealingCount *count);

static void write_total(Exposition *e, const Label *labels, const HealingCount *count)
{
    exposition_number(e, "", labels, 2, count->total);
}

static void write_now(Exposition *e, const Label *labels, const HealingCount *count)
{
    exposition_number(e, "", labels, 2, count->now);
}

static void write_excess(Exposition *e, const Label *labels, const HealingCount *count)
{
    exposition_number(e, "", labels, 2, count->excess);
}

/* A sample for each act that has happened to a service. */
static void write_each(Exposition *e, WriteCount *write)
{
    const HealingBook *open = healing_open_book();
    int64_t now = clock_now();
    for (const HealingService *s = healing_book_next(open, NULL); s;
         s = healing_book_next(open, s)) {
        for (HealingAct act = 0; act < HEALING_ACTS; act++) {
            HealingCount count = healing_book_count(open, s, act, now);
            Label labels[] = {{"act", names[act]}, {"service", healing_service_name(s)}};
            if (count.total || count.now)
                write(e, labels, &count);
        }
    }
    healing_close_book();
}

static void write_metrics(Exposition *e, void *owner)
{
    (void)owner;
    healing_look();
    exposition_family(e, "passerelle_healing", METRIC_COUNTER,
                      "What the gateway did about what was broken, by act and service.");
    write_each(e, write_total);
    exposition_family(e, "passerelle_healing_now", METRIC_GAUGE,
                      "Of the acts that last: how many have begun and not ended.");
    write_each(e, write_now);
    exposition_family(e, "passerelle_healing_excess", METRIC_GAUGE,
                      "1 while there are more such acts than the limit in healing.");
    write_each(e, write_excess);
}

/* ---- The process ----------------------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
    healing_look();
    if (atomic_load(&is_new))
        keep_soon(true);
}

static void take_over(void)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes kept = handover_take(KEPT, arena);
    Result r = kept.size ? healing_restore(arena, kept) : OK;
    if (failed(r))
        telemetry_event("warning", "healing_lost", r, "what was being healed before is forgotten");
    handover_offer(KEPT, healing_keep, NULL);
    arena_free(arena);
}

void healing_start(uv_loop_t *loop, const Config *config)
{
    limit_by(config);
    take_over();
    healing_look();
    metrics_add_writer(write_metrics, &book);
    CHECK(uv_timer_init(loop, &ticks) == 0);
    CHECK(uv_timer_start(&ticks, on_tick, TICK, TICK) == 0);
}

void healing_stop(void)
{
    uv_close((uv_handle_t *)&ticks, NULL);
}

void healing_forget(void)
{
    handover_withdraw(KEPT);
    metrics_remove_writer(&book);
    healing_open_book();
    healing_book_free(book);
    book = NULL;
    healing_close_book();
    atomic_store(&stopped, false);
}
