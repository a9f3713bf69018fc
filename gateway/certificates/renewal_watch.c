#include "gateway/certificates/renewal_watch.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/certificates/certificate_watch.h"
#include "gateway/certificates/renewal_decision.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/thread/chore.h"
#include "gateway/thread/thread.h"
#include "gateway/tls/renewal.h"

/* One context, and what a look has found. */
typedef struct Watched {
    struct Watched *next;
    const char *where;
    Renewal *renewal;
    RenewalState state;
    RenewalDecision decision;
    bool told;               /* that the files do not fit, and they still do not */
    CertificateTable *table; /* to be taken; or NULL */
    Result why;              /* to be told */
} Watched;

/* What a config has. Of the chore's thread while it runs, else of the main thread. */
typedef struct WatchList {
    Config *config; /* a reference */
    Arena *arena, *look_arena;
    Watched *first;
} WatchList;

static struct {
    uv_loop_t *loop;
    uv_timer_t timer;
    WatchList *list; /* of the running config; NULL: it has none */
    Chore *chore;    /* NULL: nobody looks */
    WatchList *seen; /* by the chore: maybe that of an earlier config */
    bool told;       /* that there is no thread for it */
} watch;

static void free_list(void *owner)
{
    WatchList *list = owner;
    if (!list)
        return;
    for (Watched *one = list->first; one; one = one->next)
        certificate_table_free(one->table);
    config_unref(list->config);
    arena_free(list->look_arena);
    arena_free(list->arena);
}

/* ---- On the chore's thread ------------------------------------------------------------------- */

static void look_at(WatchList *list, Watched *one)
{
    uint64_t before = renewal_stamp(one->renewal);
    one->decision = RENEWAL_NOTHING;
    if (!renewal_is_due(&one->state, before))
        return;
    one->why = renewal_read(one->renewal, list->look_arena, &one->table);
    if (!failed(one->why))
        one->why = renewal_check(one->renewal, list->look_arena, one->table, clock_wall());
    one->decision =
        renewal_decide(&one->state, before, renewal_stamp(one->renewal), !failed(one->why));
}

static void look(void *owner)
{
    WatchList *list = owner;
    arena_reset(list->look_arena);
    for (Watched *one = list->first; one; one = one->next)
        look_at(list, one);
}

/* ---- On the main thread ---------------------------------------------------------------------- */

/* True: it was taken. */
static bool settle(Watched *one)
{
    bool fit =
        one->decision == RENEWAL_TAKE || (one->decision == RENEWAL_NOTHING && !one->state.told);
    bool taken = one->decision == RENEWAL_TAKE && !renewal_shows(one->renewal, one->table);
    if (taken) {
        renewal_use(one->renewal, one->table);
        telemetry_event("info", "certificate_renewed", OK, "%s: new handshakes show the new files",
                        one->where);
    } else {
        certificate_table_free(one->table);
    }
    if (one->decision == RENEWAL_TELL)
        telemetry_event("error", "certificate_not_taken", one->why,
                        "%s: the new files are not used, but those from before", one->where);
    if (one->told && fit && !taken)
        telemetry_event("info", "certificate_fits", OK, "%s: the files are again what is shown",
                        one->where);
    one->told = one->decision == RENEWAL_TELL || (one->told && !fit);
    one->table = NULL;
    return taken;
}

static void on_looked(void *owner)
{
    WatchList *list = owner;
    watch.chore = NULL;
    watch.seen = NULL;
    watch.told = false;
    if (list != watch.list) {
        free_list(list);
        return;
    }
    bool taken = false;
    for (Watched *one = list->first; one; one = one->next)
        taken |= settle(one);
    if (taken)
        certificate_watch_use(list->config);
}

/* The next time may be better. */
static void on_refused(void *owner)
{
    WatchList *list = owner;
    watch.chore = NULL;
    watch.seen = NULL;
    if (!watch.told)
        telemetry_event("error", "no_thread", OK,
                        "the files of certificates are not looked at: " THREAD_NONE);
    watch.told = true;
    if (list != watch.list)
        free_list(list);
}

static void on_timer(uv_timer_t *timer)
{
    if (watch.chore || !watch.list)
        return;
    watch.seen = watch.list;
    watch.chore = chore_start(watch.loop, &(ChoreWork){.run = look,
                                                       .on_done = on_looked,
                                                       .on_refused = on_refused,
                                                       .on_left = free_list,
                                                       .owner = watch.list});
}

/* The first look reads the files: they may be newer than those that the config was made with. */
static void add(void *owner, const char *where, Renewal *renewal)
{
    WatchList *list = owner;
    Watched *one = arena_make(list->arena, Watched);
    *one = (Watched){.next = list->first, .where = where, .renewal = renewal};
    list->first = one;
}

static WatchList *list_of(Config *config)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    WatchList *list = arena_make(arena, WatchList);
    *list = (WatchList){
        .config = config_ref(config), .arena = arena, .look_arena = arena_new(ARENA_UNLIMITED)};
    config_renewals(config, arena, add, list);
    if (list->first)
        return list;
    free_list(list);
    return NULL;
}

static void forget_list(void)
{
    if (watch.list != watch.seen)
        free_list(watch.list);
    watch.list = NULL;
}

void renewal_watch_use(Config *config)
{
    uint64_t every = (uint64_t)(config->watch_every / MILLISECOND);
    forget_list();
    watch.list = list_of(config);
    if (watch.list)
        CHECK(uv_timer_start(&watch.timer, on_timer, every, every) == 0);
    else
        uv_timer_stop(&watch.timer);
}

void renewal_watch_start(uv_loop_t *loop)
{
    watch.loop = loop;
    CHECK(uv_timer_init(loop, &watch.timer) == 0);
    uv_unref((uv_handle_t *)&watch.timer);
}

void renewal_watch_stop(void)
{
    uv_close((uv_handle_t *)&watch.timer, NULL);
    forget_list();
    if (watch.chore)
        chore_leave(watch.chore);
    watch.chore = NULL;
    watch.seen = NULL;
}
