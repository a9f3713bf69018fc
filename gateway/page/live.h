/*
 * Live: pages that readers watch, and what each reader has seen of them, as server-sent events.
 *
 *      live_look   pages that are due: ask ........ live_answer: other bytes than before?
 *                                                        | readers that have not seen them:
 *      reader      waits ... send one event ... live_taken: the next page, or it waits
 *
 * A page is made once, however many watch it, and not at all when nobody does. Making pages takes
 * at most a hundredth of a processor: what takes long is made seldom. A reader gets a page's newest
 * version when it has taken what it got before; what came in between, nobody keeps. One that takes
 * nothing for LIVE_PATIENCE is dropped and counted; each ends after LIVE_LIFE, to show its
 * credentials again.
 *
 * An event: "event: page", an id, and {"page": NAME, "status": STATUS, "body": JSON}: what GET
 * says.
 *
 * Knows nothing of HTTP. Used on one thread. Time is passed in: clock_now.
 */
#ifndef GATEWAY_LIVE_H
#define GATEWAY_LIVE_H

#include "base/bytes.h"
#include "base/clock.h"
#include "gateway/telemetry/exposition.h"

#define LIVE_EVERY (SECOND * 9 / 10) /* of pages that are made quickly; less than what look has */
#define LIVE_SELDOM (10 * SECOND)    /* of those that are not */
#define LIVE_PATIENCE (5 * SECOND)
#define LIVE_HEARTBEAT (15 * SECOND)
#define LIVE_LIFE (15 * 60 * SECOND)

enum {
    LIVE_PAGES = 64,      /* of all readers, each counted once */
    LIVE_PAGES_EACH = 16, /* of one reader */
    LIVE_SHARE = 100,     /* one part of so many of a processor is spent on making pages */
    LIVE_WAITS = 10,      /* a page is waited for one part of so many of the time */
};

typedef struct Live Live;
typedef struct LivePage LivePage;
typedef struct LiveReader LiveReader;

typedef enum LiveEnd {
    LIVE_OVER, /* its time is over, or all are ended */
    LIVE_SLOW,
} LiveEnd;

/* Embedded in its owner, which sets the functions. Neither may call back before it returns. */
struct LiveReader {
    /* `text` stays until live_taken, which is called once for each, or live_leave: one of them also
       follows `end`, if something was sent and not taken. */
    void (*send)(LiveReader *reader, Bytes text);
    /* It is no reader any more. */
    void (*end)(LiveReader *reader, LiveEnd why);

    /* Live's own. */
    Live *live; /* NULL: it is no reader */
    LiveReader *next, **at;
    struct LiveEvent *sending; /* NULL: it waits */
    int64_t joined, moved;     /* when it was sent or took something */
    struct LiveWatch {
        LivePage *page;
        uint64_t seen; /* the version; 0: none */
    } watched[LIVE_PAGES_EACH];
    uint32_t n_watched;
};

/* Who makes the pages. `ask`: live_answer follows once, maybe before it returns. */
typedef struct LiveSource {
    void (*ask)(void *owner, LivePage *page);
    void *owner;
} LiveSource;

Live *live_new(const LiveSource *source);

/* At most so many readers from now on; at first there is room for none. Those who are there stay.
 */
void live_allow(Live *live, uint32_t readers);

/* Its readers are ended, and nobody answers any more. NULL is allowed. */
void live_free(Live *live);

typedef enum LiveRoom { LIVE_ROOM, LIVE_TOO_MANY_READERS, LIVE_TOO_MANY_PAGES } LiveRoom;

/* Whether there is room for one more reader, of these pages. */
LiveRoom live_room(const Live *live, const Bytes *pages, size_t n);

/* Begins to read the pages: 1 to LIVE_PAGES_EACH, no two of the same name; there is room. Copies
   the names. Sends what is known already. */
void live_join(Live *live, LiveReader *reader, const Bytes *pages, size_t n, int64_t now);

/* It reads no more, and nothing is being sent to it; `end` is not called. Nothing happens a second
   time. */
void live_leave(LiveReader *reader);

/* What was sent has been taken. */
void live_taken(LiveReader *reader, int64_t now);

/* The name with which readers asked for it. */
Bytes live_page_name(const LivePage *page);

/* The page is made. `status`: of HTTP; `body`: JSON; `cost`: nanoseconds of a processor, as far as
   is known. The page may be gone afterwards. */
void live_answer(LivePage *page, int status, Bytes body, int64_t cost, int64_t now);

/* To be called once a second: asks for pages that are due, tells readers that nothing has changed,
   and drops those that are slow. */
void live_look(Live *live, int64_t now);

/* Ends all readers. */
void live_end(Live *live);

/* A MetricsWriter: of all listeners. Any thread. */
void live_metrics_write(Exposition *e, void *unused);

#endif
