#include "gateway/healing/healing_book.h"

#include "base/bytes.h"
#include "base/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHAINS = 4096, SERVICE_CHAINS = 256 };

/* An act that has happened to a service. */
typedef struct Tally {
    uint64_t begun, counted; /* counted: of single calls, by loops */
    Window lately, calls;    /* of the length of the limit */
    uint32_t now;
    bool excess;
} Tally;

struct HealingService {
    HealingService *next, *chained; /* in the order in which they came; of the same hash */
    const char *name;
    uint64_t calls;
    uint32_t instances;
    Tally *tallies[HEALING_ACTS]; /* NULL: it has not happened */
};

struct HealingBook {
    HealingLimit limits[HEALING_ACTS];      /* per 0: none */
    HealingEntry *current[CHAINS];          /* by hash */
    HealingEntry *history[HEALING_HISTORY]; /* a ring */
    size_t n_current, n_history, newest;
    HealingService *services, **last_service, *by_name[SERVICE_CHAINS];
    size_t n_services;
    uint32_t n_stops; /* excesses of acts that stop */
};

/* ---- Texts ----------------------------------------------------------------------------------- */

static const char *copy_of(const char *text)
{
    return text_copy_bytes(bytes_cut_text(bytes_of(text ? text : ""), HEALING_TEXT));
}

static void replace(const char **text, const char *by)
{
    const char *copy = copy_of(by);
    free((char *)*text);
    *text = copy;
}

static void entry_free(HealingEntry *entry)
{
    if (!entry)
        return;
    free((char *)entry->service);
    free((char *)entry->subject);
    free((char *)entry->why);
    free((char *)entry->cause);
    free((char *)entry->how);
    free(entry);
}

/* ---- Services and what was counted ----------------------------------------------------------- */

static uint32_t chain_of(const char *name)
{
    return (uint32_t)(bytes_hash(bytes_of(name)) % SERVICE_CHAINS);
}

static HealingService *find(const HealingBook *book, const char *name)
{
    HealingService *service = book->by_name[chain_of(name)];
    while (service && strcmp(service->name, name) != 0)
        service = service->chained;
    return service;
}

/* NULL: there are too many. */
static HealingService *service_of(HealingBook *book, const char *name)
{
    HealingService *service = find(book, name);
    if (service || book->n_services == HEALING_SERVICES)
        return service;
    service = calloc(1, sizeof *service);
    CHECK(service);
    service->name = copy_of(name);
    service->chained = book->by_name[chain_of(name)];
    book->by_name[chain_of(name)] = service;
    *book->last_service = service;
    book->last_service = &service->next;
    book->n_services++;
    return service;
}

static Tally *tally_of(HealingService *service, HealingAct act)
{
    if (!service->tallies[act]) {
        service->tallies[act] = calloc(1, sizeof(Tally));
        CHECK(service->tallies[act]);
    }
    return service->tallies[act];
}

const HealingService *healing_book_service(const HealingBook *book, const char *name)
{
    return find(book, name);
}

const HealingService *healing_book_next(const HealingBook *book, const HealingService *service)
{
    return service ? service->next : book->services;
}

const char *healing_service_name(const HealingService *service)
{
    return service->name;
}

/* One that was judged by another time begins anew. */
void healing_book_limit(HealingBook *book, const HealingLimit limits[HEALING_ACTS])
{
    book->n_stops = 0;
    for (HealingAct act = 0; act < HEALING_ACTS; act++) {
        bool other_time = limits[act].per != book->limits[act].per;
        book->limits[act] = limits[act];
        for (HealingService *s = book->services; s; s = s->next) {
            if (s->tallies[act] && other_time)
                s->tallies[act]->lately = s->tallies[act]->calls = (Window){0};
            book->n_stops += limits[act].stop && s->tallies[act] && s->tallies[act]->excess;
        }
    }
}

const HealingLimit *healing_book_limit_of(const HealingBook *book, HealingAct act)
{
    return &book->limits[act];
}

static void add_lately(const HealingBook *book, HealingAct act, Tally *tally, int64_t now,
                       uint64_t acts, uint64_t calls)
{
    int64_t per = book->limits[act].per;
    if (!per)
        return;
    window_add(&tally->lately, per, now, acts);
    window_add(&tally->calls, per, now, calls);
}

bool healing_book_take(HealingBook *book, const char *name, const HealingFigures *figures,
                       int64_t now)
{
    bool has_acts = false;
    HealingService *service = service_of(book, name);
    if (!service)
        return false;
    uint64_t calls = figures->calls - service->calls;
    service->calls = figures->calls;
    service->instances = figures->instances;
    for (HealingAct act = 0; act < HEALING_ACTS; act++) {
        if (!figures->acts[act] && !service->tallies[act])
            continue;
        Tally *tally = tally_of(service, act);
        add_lately(book, act, tally, now, figures->acts[act] - tally->counted, calls);
        has_acts |= figures->acts[act] != tally->counted;
        tally->counted = figures->acts[act];
    }
    return has_acts;
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static uint64_t most_of(const HealingBook *book, const HealingService *service, HealingAct act,
                        int64_t now)
{
    const HealingLimit *limit = &book->limits[act];
    const Tally *tally = service->tallies[act];
    if (!limit->per)
        return UINT64_MAX;
    uint64_t base = service->instances;
    if (healing_act_is_of_calls(act))
        base = tally ? window_count(&tally->calls, limit->per, now) : 0;
    uint64_t share = base * limit->percent / 100;
    return share > limit->at_most ? share : limit->at_most;
}

static uint64_t lately_of(const HealingBook *book, const HealingService *service, HealingAct act,
                          int64_t now)
{
    const Tally *tally = service->tallies[act];
    int64_t per = book->limits[act].per;
    return tally && per ? window_count(&tally->lately, per, now) : 0;
}

HealingCount healing_book_count(const HealingBook *book, const HealingService *service,
                                HealingAct act, int64_t now)
{
    const Tally *tally = service->tallies[act];
    return (HealingCount){
        .total = tally ? tally->begun + tally->counted : 0,
        .lately = lately_of(book, service, act, now),
        .most = most_of(book, service, act, now),
        .now = tally ? tally->now : 0,
        .excess = tally && tally->excess,
        .stops = tally && tally->excess && book->limits[act].stop,
    };
}

bool healing_book_may(const HealingBook *book, HealingAct act, const char *service)
{
    const HealingService *found = book->limits[act].stop ? find(book, service) : NULL;
    return !found || !found->tallies[act] || !found->tallies[act]->excess;
}

bool healing_book_stops(const HealingBook *book)
{
    return book->n_stops > 0;
}

/* ---- What is being healed -------------------------------------------------------------------- */

/* `b` may leave out its service. */
static bool is_same(const HealingEntry *a, const HealingEntry *b)
{
    return a->act == b->act && a->excess == b->excess && strcmp(a->subject, b->subject) == 0 &&
           (!b->service || strcmp(a->service, b->service) == 0);
}

/* Where the entry is, or where it would be. */
static HealingEntry **entry_at(HealingBook *book, const HealingEntry *which)
{
    HealingEntry **at = &book->current[bytes_hash(bytes_of(which->subject)) % CHAINS];
    while (*at && !is_same(*at, which))
        at = &(*at)->next;
    return at;
}

static HealingEntry *entry_copy(const HealingEntry *said)
{
    HealingEntry *entry = malloc(sizeof *entry);
    CHECK(entry);
    *entry = *said;
    entry->next = NULL;
    entry->service = copy_of(said->service);
    entry->subject = copy_of(said->subject);
    entry->why = copy_of(said->why);
    entry->cause = copy_of(said->cause);
    entry->how = copy_of(said->how);
    return entry;
}

/* How many of the act have begun and not ended. */
static void count_now(HealingBook *book, const HealingEntry *entry, int more)
{
    HealingService *service = entry->excess ? NULL : service_of(book, entry->service);
    if (service)
        tally_of(service, entry->act)->now += (uint32_t)more;
}

static void current_add(HealingBook *book, HealingEntry **at, const HealingEntry *said)
{
    if (book->n_current >= HEALING_CURRENT && !said->excess)
        return;
    *at = entry_copy(said);
    book->n_current++;
    count_now(book, *at, 1);
}

bool healing_book_begin(HealingBook *book, const HealingEntry *said)
{
    HealingService *service = said->excess ? NULL : service_of(book, said->service);
    if (service) {
        Tally *tally = tally_of(service, said->act);
        tally->begun++;
        add_lately(book, said->act, tally, said->began, 1, 0);
    }
    HealingEntry **at = entry_at(book, said);
    if (!*at) {
        current_add(book, at, said);
        return true;
    }
    (*at)->again++;
    replace(&(*at)->why, said->why);
    replace(&(*at)->cause, said->cause);
    return false;
}

static void history_add(HealingBook *book, HealingEntry *entry)
{
    book->newest = (book->newest + 1) % HEALING_HISTORY;
    entry_free(book->history[book->newest]);
    book->history[book->newest] = entry;
    if (book->n_history < HEALING_HISTORY)
        book->n_history++;
}

const HealingEntry *healing_book_end(HealingBook *book, const HealingEntry *which, int64_t now)
{
    HealingEntry **at = entry_at(book, which), *entry = *at;
    if (!entry)
        return NULL;
    *at = entry->next;
    entry->next = NULL;
    book->n_current--;
    count_now(book, entry, -1);
    replace(&entry->how, which->how);
    entry->ended = now;
    history_add(book, entry);
    return entry;
}

void healing_book_restore(HealingBook *book, const HealingEntry *entry)
{
    HealingEntry **at = entry_at(book, entry);
    if (entry->ended)
        history_add(book, entry_copy(entry));
    else if (!*at)
        current_add(book, at, entry);
}

bool healing_book_go_on(HealingBook *book, const HealingEntry *which)
{
    HealingEntry *entry = *entry_at(book, which);
    bool goes_on = entry && entry->inherited;
    if (goes_on)
        entry->inherited = false;
    return goes_on;
}

const HealingEntry *healing_book_inherited(const HealingBook *book, HealingAct act)
{
    const HealingEntry *entry;
    for (size_t at = 0; (entry = healing_book_current(book, &at));)
        if (entry->inherited && entry->act == act)
            return entry;
    return NULL;
}

bool healing_book_past(const HealingBook *book, const HealingService *service, HealingAct act,
                       HealingPast *past_out)
{
    const Tally *tally = service->tallies[act];
    if (!tally)
        return false;
    *past_out = (HealingPast){.total = tally->begun + tally->counted,
                              .per = book->limits[act].per,
                              .lately = tally->lately,
                              .calls = tally->calls,
                              .excess = tally->excess};
    return true;
}

void healing_book_add_past(HealingBook *book, const char *name, HealingAct act,
                           const HealingPast *past)
{
    HealingService *service = service_of(book, name);
    if (!service)
        return;
    Tally *tally = tally_of(service, act);
    tally->begun += past->total;
    if (past->per && past->per == book->limits[act].per) {
        window_merge(&tally->lately, &past->lately);
        window_merge(&tally->calls, &past->calls);
    }
    if (past->excess && !tally->excess && book->limits[act].stop)
        book->n_stops++;
    tally->excess |= past->excess;
}

/* `at` has the chain in its upper part, and in its lower one the place in it. */
const HealingEntry *healing_book_current(const HealingBook *book, size_t *at)
{
    for (size_t chain = *at / HEALING_CURRENT; chain < CHAINS; *at = ++chain * HEALING_CURRENT) {
        const HealingEntry *entry = book->current[chain];
        for (size_t i = *at % HEALING_CURRENT; entry && i > 0; i--)
            entry = entry->next;
        if (entry) {
            ++*at;
            return entry;
        }
    }
    return NULL;
}

const HealingEntry *healing_book_history(const HealingBook *book, size_t *at)
{
    if (*at >= book->n_history)
        return NULL;
    return book->history[(book->newest + HEALING_HISTORY - (*at)++) % HEALING_HISTORY];
}

/* ---- Too many -------------------------------------------------------------------------------- */

static HealingEntry excess_of(const HealingService *service, HealingAct act)
{
    return (HealingEntry){.act = act,
                          .excess = true,
                          .service = service->name,
                          .subject = "",
                          .why = "",
                          .cause = "",
                          .how = ""};
}

static const HealingEntry *begin_excess(HealingBook *book, const HealingService *service,
                                        const HealingCount *count, HealingAct act, int64_t now,
                                        int64_t wall)
{
    char why[HEALING_TEXT];
    const HealingLimit *limit = &book->limits[act];
    HealingEntry which = excess_of(service, act);
    snprintf(why, sizeof why, "%llu in %.0f s, at most %llu%s", (unsigned long long)count->lately,
             (double)limit->per / SECOND, (unsigned long long)count->most,
             limit->stop ? ": no more are done" : "");
    which.why = why;
    which.began = now;
    which.began_wall = wall;
    healing_book_begin(book, &which);
    return *entry_at(book, &which);
}

static const HealingEntry *end_excess(HealingBook *book, const HealingService *service,
                                      const HealingCount *count, HealingAct act, int64_t now)
{
    char how[HEALING_TEXT];
    HealingEntry which = excess_of(service, act);
    snprintf(how, sizeof how, "%llu in %.0f s", (unsigned long long)count->lately,
             (double)book->limits[act].per / SECOND);
    which.how = how;
    return healing_book_end(book, &which, now);
}

/* The entry, if the act has become too frequent, or ceased to be. */
static const HealingEntry *judge(HealingBook *book, HealingService *service, HealingAct act,
                                 int64_t now, int64_t wall)
{
    Tally *tally = service->tallies[act];
    HealingCount count = healing_book_count(book, service, act, now);
    bool excess = count.lately > (tally->excess ? count.most / 2 : count.most);
    if (excess == tally->excess)
        return NULL;
    tally->excess = excess;
    if (book->limits[act].stop)
        book->n_stops += excess ? 1 : (uint32_t)-1;
    return excess ? begin_excess(book, service, &count, act, now, wall)
                  : end_excess(book, service, &count, act, now);
}

const HealingEntry *healing_book_judge(HealingBook *book, int64_t now, int64_t wall)
{
    for (HealingService *service = book->services; service; service = service->next) {
        for (HealingAct act = 0; act < HEALING_ACTS; act++) {
            const HealingEntry *changed =
                service->tallies[act] ? judge(book, service, act, now, wall) : NULL;
            if (changed)
                return changed;
        }
    }
    return NULL;
}

/* ---- The book -------------------------------------------------------------------------------- */

HealingBook *healing_book_new(void)
{
    HealingBook *book = calloc(1, sizeof *book);
    CHECK(book);
    book->last_service = &book->services;
    return book;
}

static void service_free(HealingService *service)
{
    for (HealingAct act = 0; act < HEALING_ACTS; act++)
        free(service->tallies[act]);
    free((char *)service->name);
    free(service);
}

void healing_book_free(HealingBook *book)
{
    if (!book)
        return;
    for (size_t i = 0; i < CHAINS; i++) {
        for (HealingEntry *next, *entry = book->current[i]; entry; entry = next) {
            next = entry->next;
            entry_free(entry);
        }
    }
    for (size_t i = 0; i < HEALING_HISTORY; i++)
        entry_free(book->history[i]);
    for (HealingService *next, *service = book->services; service; service = next) {
        next = service->next;
        service_free(service);
    }
    free(book);
}
