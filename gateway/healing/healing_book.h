/*
 * HealingBook: what is being healed, what was, how often, and whether that is too often.
 *
 *      begin --> current --> end --> history, of which the newest HEALING_HISTORY are kept
 *        |
 *        +--> the count of (act, service), and its window --> judge --> an excess, itself an entry
 *
 * An entry is identified by act, service, subject, and whether it is an excess. Pure: no loop, no
 * lock, and time is passed in: monotonic nanoseconds, and for those who read it the wall time.
 * Memory is bounded: beyond HEALING_CURRENT entries and HEALING_SERVICES services acts are counted,
 * but not listed.
 */
#ifndef GATEWAY_HEALING_BOOK_H
#define GATEWAY_HEALING_BOOK_H

#include "gateway/config/healing_act.h"
#include "gateway/tally/window.h"

#include <stddef.h>

enum {
    HEALING_CURRENT = 16384,
    HEALING_HISTORY = 1000,
    HEALING_SERVICES = 16384,
    HEALING_TEXT = 512, /* bytes of each text of an entry; the rest is cut off */
};

typedef struct HealingBook HealingBook;
typedef struct HealingService HealingService;

typedef struct HealingEntry {
    struct HealingEntry *next; /* for the book */
    HealingAct act;
    bool excess;                   /* there are too many of the act, and that is the entry */
    const char *service, *subject; /* "": none */
    const char *why;               /* in words, with numbers */
    const char *cause;             /* the error behind it; "": none */
    const char *how;               /* it ended; "": it has not */
    int64_t began, ended;          /* monotonic; `ended` is 0 until then */
    int64_t began_wall;
    uint32_t again; /* how often it began again before it had ended */
    bool inherited; /* another process has begun it, and nobody has said yet that it goes on */
} HealingEntry;

HealingBook *healing_book_new(void);
void healing_book_free(HealingBook *book); /* NULL is allowed */

/* From now on these are the limits; before, there are none. */
void healing_book_limit(HealingBook *book, const HealingLimit limits[HEALING_ACTS]);

/* per 0: there is none. */
const HealingLimit *healing_book_limit_of(const HealingBook *book, HealingAct act);

/* Copies the texts. False: it had begun before and not ended, and has a new reason now. Counts the
   act, unless it is an excess. */
bool healing_book_begin(HealingBook *book, const HealingEntry *entry);

/* The entry that it was, now in the history; NULL: none is listed. Only what identifies it is read
   of `which`, and `how`; its service NULL: whichever it is. Valid until the next end. */
const HealingEntry *healing_book_end(HealingBook *book, const HealingEntry *which, int64_t now);

/* What has been counted for a service until `now`, since the process began. True: acts are among
   it. */
bool healing_book_take(HealingBook *book, const char *service, const HealingFigures *figures,
                       int64_t now);

/*
 * Compares the windows with the limits. An excess begins when there are more acts than the limit,
 * and ends when there is half of that at most. Gives the entry of the next one that has begun or
 * ended, until there are no more: NULL.
 */
const HealingEntry *healing_book_judge(HealingBook *book, int64_t now, int64_t wall);

/* False during an excess of an act that then stops. */
bool healing_book_may(const HealingBook *book, HealingAct act, const char *service);

/* Whether healing_book_may is false for any. */
bool healing_book_stops(const HealingBook *book);

/* One act of one service. */
typedef struct HealingCount {
    uint64_t total, lately; /* of all processes, one after the other; in the time of the limit */
    uint64_t most;          /* in that time */
    uint32_t now;           /* entries that have not ended */
    bool excess, stops;
} HealingCount;

HealingCount healing_book_count(const HealingBook *book, const HealingService *service,
                                HealingAct act, int64_t now);

/* NULL: no act has happened to it. */
const HealingService *healing_book_service(const HealingBook *book, const char *name);

/* Iterates over the services, in the order in which they came: NULL begins, and ends. */
const HealingService *healing_book_next(const HealingBook *book, const HealingService *service);
const char *healing_service_name(const HealingService *service);

/* Iterates over what is being healed, in no order, and over the history, newest first. */
const HealingEntry *healing_book_current(const HealingBook *book, size_t *at);
const HealingEntry *healing_book_history(const HealingBook *book, size_t *at);

/* ---- From one process to the next ------------------------------------------------------------ */

/* Puts an entry of another process where it was: with its times, and not counted. One that ended
   becomes the newest of the history. */
void healing_book_restore(HealingBook *book, const HealingEntry *entry);

/* An entry that was inherited goes on, uncounted. False: there is none. Only what identifies it is
   read; its service NULL: whichever it is. */
bool healing_book_go_on(HealingBook *book, const HealingEntry *which);

/* Any entry of the act that is still inherited; NULL: there is none. */
const HealingEntry *healing_book_inherited(const HealingBook *book, HealingAct act);

/* How often one act has happened to one service: what the next process goes on counting with. */
typedef struct HealingPast {
    uint64_t total;
    int64_t per;          /* the length of the windows; 0: there are none */
    Window lately, calls; /* in monotonic time */
    bool excess;
} HealingPast;

/* False: it has not happened. */
bool healing_book_past(const HealingBook *book, const HealingService *service, HealingAct act,
                       HealingPast *past_out);

/* Adds it to what was counted since. After healing_book_limit: windows of another length than that
   of the limit are left out. */
void healing_book_add_past(HealingBook *book, const char *service, HealingAct act,
                           const HealingPast *past);

#endif
