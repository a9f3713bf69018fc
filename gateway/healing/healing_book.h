/*
 * HealingBook: what is being healed, what was, and how often.
 *
 *      begin --> current --> end --> history, of which the newest HEALING_HISTORY are kept
 *        |
 *        +--> the count of (act, service)
 *
 * An entry is identified by act, service and subject. Pure: no loop, no lock, and time is passed
 * in. Memory is bounded: beyond HEALING_CURRENT entries and HEALING_SERVICES services acts are
 * counted, but not listed.
 */
#ifndef GATEWAY_HEALING_BOOK_H
#define GATEWAY_HEALING_BOOK_H

#include "gateway/config/healing_act.h"

#include <stddef.h>

enum {
    HEALING_CURRENT = 16384,
    HEALING_HISTORY = 1000,
    HEALING_SERVICES = 16384,
    HEALING_TEXT = 512, /* bytes of each text of an entry; the rest is cut off */
};

typedef struct HealingBook HealingBook;

typedef struct HealingEntry {
    struct HealingEntry *next; /* in the chain of its hash, or an older one of the history */
    HealingAct act;
    const char *service, *subject; /* "": none */
    const char *why;               /* in words, with numbers */
    const char *cause;             /* the error behind it; "": none */
    const char *how;               /* it ended; "": it has not */
    int64_t began, ended;          /* wall, nanoseconds; 0: it has not ended */
    uint32_t again;                /* how often it began again before it had ended */
} HealingEntry;

HealingBook *healing_book_new(void);
void healing_book_free(HealingBook *book);

/* Copies the texts. False: it had begun before and not ended, and has a new reason now. */
bool healing_book_begin(HealingBook *book, const HealingEntry *entry);

/* The entry, now in the history; NULL: it is not listed. Valid until the next end. */
const HealingEntry *healing_book_end(HealingBook *book, HealingAct act, const char *service,
                                     const char *subject, const char *how, int64_t now);

/* The loops have counted so many acts of calls of the service, since the process began. */
void healing_book_counted(HealingBook *book, HealingAct act, const char *service, uint64_t n);

/* How often this act was begun for the service, and counted. */
uint64_t healing_book_count(const HealingBook *book, HealingAct act, const char *service);

/* Iterates over the services, in the order in which they came: NULL begins, and ends. */
typedef struct HealingService HealingService;
const HealingService *healing_book_next(const HealingBook *book, const HealingService *service);
const char *healing_service_name(const HealingService *service);
uint64_t healing_service_count(const HealingService *service, HealingAct act);

/* Iterates over what is being healed, in no order, and over the history, newest first. */
const HealingEntry *healing_book_current(const HealingBook *book, size_t *at);
const HealingEntry *healing_book_history(const HealingBook *book, size_t *at);

#endif
