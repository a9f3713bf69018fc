#include "gateway/healing/healing_book.h"

#include "base/bytes.h"
#include "base/result.h"

#include <stdlib.h>
#include <string.h>

enum { CHAINS = 1024 };

struct HealingService {
    HealingService *next;
    const char *name;
    uint64_t begun[HEALING_ACTS], counted[HEALING_ACTS];
};

struct HealingBook {
    HealingEntry *current[CHAINS];
    HealingEntry *history[HEALING_HISTORY]; /* a ring */
    size_t n_current, n_history, newest;
    HealingService *services, **last_service;
    size_t n_services;
};

/* ---- Texts ----------------------------------------------------------------------------------- */

static const char *copy_of(const char *text)
{
    Bytes cut = bytes_cut_text(bytes_of(text ? text : ""), HEALING_TEXT);
    char *copy = strndup((const char *)cut.data, cut.size);
    CHECK(copy);
    return copy;
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

/* ---- Services -------------------------------------------------------------------------------- */

static HealingService *service_find(const HealingBook *book, const char *name)
{
    HealingService *service = book->services;
    while (service && strcmp(service->name, name) != 0)
        service = service->next;
    return service;
}

/* NULL: there are too many. */
static HealingService *service_of(HealingBook *book, const char *name)
{
    HealingService *service = service_find(book, name);
    if (service || book->n_services == HEALING_SERVICES)
        return service;
    service = calloc(1, sizeof *service);
    CHECK(service);
    service->name = copy_of(name);
    *book->last_service = service;
    book->last_service = &service->next;
    book->n_services++;
    return service;
}

const HealingService *healing_book_next(const HealingBook *book, const HealingService *service)
{
    return service ? service->next : book->services;
}

const char *healing_service_name(const HealingService *service)
{
    return service->name;
}

uint64_t healing_service_count(const HealingService *service, HealingAct act)
{
    return service->begun[act] + service->counted[act];
}

uint64_t healing_book_count(const HealingBook *book, HealingAct act, const char *service)
{
    const HealingService *found = service_find(book, service);
    return found ? healing_service_count(found, act) : 0;
}

void healing_book_counted(HealingBook *book, HealingAct act, const char *service, uint64_t n)
{
    HealingService *found = n ? service_of(book, service) : NULL;
    if (found)
        found->counted[act] = n;
}

/* ---- What is being healed -------------------------------------------------------------------- */

static bool is_of(const HealingEntry *entry, HealingAct act, const char *service,
                  const char *subject)
{
    return entry->act == act && strcmp(entry->service, service) == 0 &&
           strcmp(entry->subject, subject) == 0;
}

/* Where the entry is, or where it would be. */
static HealingEntry **entry_at(HealingBook *book, HealingAct act, const char *service,
                               const char *subject)
{
    uint64_t hash = bytes_hash(bytes_of(subject)) ^ bytes_hash(bytes_of(service)) ^ (uint64_t)act;
    HealingEntry **at = &book->current[hash % CHAINS];
    while (*at && !is_of(*at, act, service, subject))
        at = &(*at)->next;
    return at;
}

static void entry_add(HealingBook *book, HealingEntry **at, const HealingEntry *said)
{
    if (book->n_current == HEALING_CURRENT)
        return;
    HealingEntry *entry = malloc(sizeof *entry);
    CHECK(entry);
    *entry = (HealingEntry){
        .act = said->act,
        .service = copy_of(said->service),
        .subject = copy_of(said->subject),
        .why = copy_of(said->why),
        .cause = copy_of(said->cause),
        .how = copy_of(""),
        .began = said->began,
    };
    *at = entry;
    book->n_current++;
}

bool healing_book_begin(HealingBook *book, const HealingEntry *said)
{
    HealingService *service = service_of(book, said->service);
    if (service)
        service->begun[said->act]++;
    HealingEntry **at = entry_at(book, said->act, said->service, said->subject);
    if (!*at) {
        entry_add(book, at, said);
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

const HealingEntry *healing_book_end(HealingBook *book, HealingAct act, const char *service,
                                     const char *subject, const char *how, int64_t now)
{
    HealingEntry **at = entry_at(book, act, service, subject);
    HealingEntry *entry = *at;
    if (!entry)
        return NULL;
    *at = entry->next;
    entry->next = NULL;
    book->n_current--;
    replace(&entry->how, how);
    entry->ended = now;
    history_add(book, entry);
    return entry;
}

/* `at` counts chains in its upper part, and entries of the chain in its lower one. */
const HealingEntry *healing_book_current(const HealingBook *book, size_t *at)
{
    for (size_t chain = *at / HEALING_CURRENT; chain < CHAINS;
         chain++, *at = chain * HEALING_CURRENT) {
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

/* ---- The book -------------------------------------------------------------------------------- */

HealingBook *healing_book_new(void)
{
    HealingBook *book = calloc(1, sizeof *book);
    CHECK(book);
    book->last_service = &book->services;
    return book;
}

static void chain_free(HealingEntry *entry)
{
    while (entry) {
        HealingEntry *next = entry->next;
        entry_free(entry);
        entry = next;
    }
}

void healing_book_free(HealingBook *book)
{
    if (!book)
        return;
    for (size_t i = 0; i < CHAINS; i++)
        chain_free(book->current[i]);
    for (size_t i = 0; i < HEALING_HISTORY; i++)
        entry_free(book->history[i]);
    for (HealingService *next, *service = book->services; service; service = next) {
        next = service->next;
        free((char *)service->name);
        free(service);
    }
    free(book);
}
