#include "gateway/page/live.h"

#include "base/arena.h"
#include "base/result.h"
#include "base/text/json_text.h"

#include <stdatomic.h>
#include <stdlib.h>

/* What is sent of one version of a page; shared by those to whom it is being sent. */
typedef struct LiveEvent {
    Arena *arena; /* it is in */
    uint32_t users;
    int status;
    Bytes body, text; /* the body is a part of the text */
} LiveEvent;

struct LivePage {
    Live *live;
    LivePage *next;
    uint8_t *name; /* as readers asked for it, which may have any bytes */
    size_t name_size;
    uint32_t readers;
    bool asked;       /* and not yet answered */
    int64_t asked_at; /* the last time */
    int64_t cost;     /* the last time */
    int64_t due;
    uint64_t version; /* 0: not made yet */
    LiveEvent *event; /* of the version */
};

struct Live {
    LiveSource source;
    LiveReader *readers;
    uint32_t n_readers, most_readers;
    LivePage *pages;
    uint32_t n_pages;
    uint64_t versions; /* of all pages */
    bool looking;      /* no page goes away */
    LiveEvent heartbeat;
};

static atomic_uint reading;
static atomic_ullong dropped, made;

/* ---- Events ---------------------------------------------------------------------------------- */

static void event_unref(LiveEvent *event)
{
    if (event && --event->users == 0)
        arena_free(event->arena);
}

/* Between its values, where JSON may have line ends, a space is as good; fields of events end with
   their lines. */
static void add_one_line(Buffer *out, Bytes json)
{
    if (bytes_end_with(json, "\n"))
        json.size--;
    for (size_t i = 0; i < json.size; i++)
        buffer_add_byte(out, json.data[i] == '\n' || json.data[i] == '\r' ? ' ' : json.data[i]);
}

static LiveEvent *event_new(const LivePage *page, uint64_t version, int status, Bytes body)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    LiveEvent *event = arena_make(arena, LiveEvent);
    Buffer text = buffer_in(arena);
    buffer_printf(&text, "event: page\nid: %llu\ndata: {", (unsigned long long)version);
    json_text_add_member(&text, "page", live_page_name(page));
    json_text_add_number(&text, "status", (uint64_t)status);
    json_text_add_key(&text, "body");
    size_t at = text.size;
    add_one_line(&text, body);
    size_t size = text.size - at;
    buffer_add_text(&text, "}\n\n");
    *event = (LiveEvent){.arena = arena,
                         .users = 1,
                         .status = status,
                         .body = bytes(text.data + at, size),
                         .text = buffer_bytes(&text)};
    return event;
}

/* Of the same bytes, but for line ends. */
static bool says_the_same(const LiveEvent *a, const LiveEvent *b)
{
    return a && a->status == b->status && bytes_equal(a->body, b->body);
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static LivePage *find_page(const Live *live, Bytes name)
{
    LivePage *page = live->pages;
    while (page && !bytes_equal(name, live_page_name(page)))
        page = page->next;
    return page;
}

static LivePage *page_new(Live *live, Bytes name)
{
    LivePage *page = calloc(1, sizeof *page);
    CHECK(page);
    page->live = live;
    page->name = malloc(name.size + 1); /* an empty one is no NULL */
    CHECK(page->name);
    memcpy(page->name, name.data, name.size);
    page->name_size = name.size;
    LivePage **at = &live->pages;
    while (*at)
        at = &(*at)->next;
    *at = page;
    live->n_pages++;
    return page;
}

static void page_free(LivePage *page)
{
    event_unref(page->event);
    free(page->name);
    free(page);
}

/* One that is being made stays until it is answered. */
static void free_unread(Live *live)
{
    for (LivePage **at = &live->pages; *at;) {
        LivePage *page = *at;
        if (page->readers || page->asked) {
            at = &page->next;
            continue;
        }
        *at = page->next;
        live->n_pages--;
        page_free(page);
    }
}

static void ask(LivePage *page, int64_t now)
{
    page->asked = true;
    page->asked_at = now;
    page->live->source.ask(page->live->source.owner, page);
}

/* All that is watched, made once. */
static int64_t cost_of(const Live *live)
{
    int64_t cost = 0;
    for (const LivePage *page = live->pages; page; page = page->next)
        cost += page->cost;
    return cost;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* From asking for a page to asking again. `took`: until it was here. */
static int64_t pause_of(const Live *live, int64_t took)
{
    int64_t pause = larger(LIVE_SHARE * cost_of(live), LIVE_WAITS * took);
    return pause < LIVE_SELDOM ? larger(pause, LIVE_EVERY) : LIVE_SELDOM;
}

Bytes live_page_name(const LivePage *page)
{
    return bytes(page->name, page->name_size);
}

/* ---- Readers --------------------------------------------------------------------------------- */

static void send(LiveReader *reader, LiveEvent *event, int64_t now)
{
    event->users++;
    reader->sending = event;
    reader->moved = now;
    reader->send(reader, event->text);
}

/* The first page that it has not seen as it is now. */
static void send_next(LiveReader *reader, int64_t now)
{
    for (uint32_t i = 0; !reader->sending && i < reader->n_watched; i++) {
        struct LiveWatch *watch = &reader->watched[i];
        if (watch->seen == watch->page->version)
            continue;
        watch->seen = watch->page->version;
        send(reader, watch->page->event, now);
    }
}

static void forget_sent(LiveReader *reader)
{
    event_unref(reader->sending);
    reader->sending = NULL;
}

/* What is being sent to it stays. */
static void take_out(LiveReader *reader)
{
    Live *live = reader->live;
    if (!live)
        return;
    *reader->at = reader->next;
    if (reader->next)
        reader->next->at = reader->at;
    for (uint32_t i = 0; i < reader->n_watched; i++)
        reader->watched[i].page->readers--;
    reader->live = NULL;
    live->n_readers--;
    atomic_fetch_sub(&reading, 1);
    if (!live->looking)
        free_unread(live);
}

void live_leave(LiveReader *reader)
{
    forget_sent(reader);
    take_out(reader);
}

static void end(LiveReader *reader, LiveEnd why)
{
    take_out(reader);
    if (why == LIVE_SLOW)
        atomic_fetch_add(&dropped, 1);
    reader->end(reader, why);
}

void live_taken(LiveReader *reader, int64_t now)
{
    forget_sent(reader);
    if (!reader->live)
        return;
    reader->moved = now;
    send_next(reader, now);
}

static size_t count_new(const Live *live, const Bytes *pages, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += !find_page(live, pages[i]);
    return count;
}

/* While pages are asked, which may be answered at once, none goes away. */
static void ask_for(Live *live, bool (*is_due)(const LivePage *page, int64_t now), int64_t now)
{
    live->looking = true;
    for (LivePage *page = live->pages; page; page = page->next)
        if (page->readers && !page->asked && is_due(page, now))
            ask(page, now);
    live->looking = false;
    free_unread(live);
}

static bool is_new(const LivePage *page, int64_t now)
{
    return !page->version;
}

static bool is_due(const LivePage *page, int64_t now)
{
    return page->due <= now;
}

LiveRoom live_room(const Live *live, const Bytes *pages, size_t n)
{
    if (live->n_readers >= live->most_readers)
        return LIVE_TOO_MANY_READERS;
    return live->n_pages + count_new(live, pages, n) > LIVE_PAGES ? LIVE_TOO_MANY_PAGES : LIVE_ROOM;
}

static void watch(Live *live, struct LiveWatch *watch, Bytes name)
{
    LivePage *page = find_page(live, name);
    page = page ? page : page_new(live, name);
    page->readers++;
    *watch = (struct LiveWatch){.page = page};
}

static void add_reader(Live *live, LiveReader *reader)
{
    reader->live = live;
    reader->next = live->readers;
    reader->at = &live->readers;
    if (reader->next)
        reader->next->at = &reader->next;
    live->readers = reader;
    live->n_readers++;
    atomic_fetch_add(&reading, 1);
}

void live_join(Live *live, LiveReader *reader, const Bytes *pages, size_t n, int64_t now)
{
    CHECK(n >= 1 && n <= LIVE_PAGES_EACH && live_room(live, pages, n) == LIVE_ROOM);
    reader->joined = reader->moved = now;
    reader->sending = NULL;
    reader->n_watched = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        watch(live, &reader->watched[i], pages[i]);
    add_reader(live, reader);
    send_next(reader, now);
    ask_for(live, is_new, now);
}

/* ---- What happens ---------------------------------------------------------------------------- */

void live_answer(LivePage *page, int status, Bytes body, int64_t cost, int64_t now)
{
    Live *live = page->live;
    LiveEvent *event = event_new(page, live->versions + 1, status, body);
    page->asked = false;
    page->cost = cost;
    page->due = page->asked_at + pause_of(live, now - page->asked_at);
    atomic_fetch_add(&made, 1);
    if (says_the_same(page->event, event)) {
        event_unref(event);
    } else {
        event_unref(page->event);
        page->event = event;
        page->version = ++live->versions;
        for (LiveReader *reader = live->readers; reader; reader = reader->next)
            send_next(reader, now);
    }
    if (!live->looking)
        free_unread(live);
}

static void look_at(LiveReader *reader, int64_t now)
{
    if (reader->sending && now - reader->moved >= LIVE_PATIENCE)
        end(reader, LIVE_SLOW);
    else if (!reader->sending && now - reader->joined >= LIVE_LIFE)
        end(reader, LIVE_OVER);
    else if (!reader->sending && now - reader->moved >= LIVE_HEARTBEAT)
        send(reader, &reader->live->heartbeat, now);
}

void live_look(Live *live, int64_t now)
{
    for (LiveReader *next, *reader = live->readers; reader; reader = next) {
        next = reader->next;
        look_at(reader, now);
    }
    ask_for(live, is_due, now);
}

void live_end(Live *live)
{
    while (live->readers)
        end(live->readers, LIVE_OVER);
}

Live *live_new(const LiveSource *source)
{
    Live *live = calloc(1, sizeof *live);
    CHECK(live);
    live->source = *source;
    live->heartbeat = (LiveEvent){.users = 1, .text = bytes_of(":\n\n")};
    return live;
}

void live_allow(Live *live, uint32_t readers)
{
    live->most_readers = readers;
}

void live_free(Live *live)
{
    if (!live)
        return;
    CHECK(!live->readers);
    for (LivePage *next; live->pages; live->pages = next) {
        next = live->pages->next;
        page_free(live->pages);
    }
    free(live);
}

void live_metrics_write(Exposition *e, void *unused)
{
    exposition_family(e, "passerelle_admin_live_readers", METRIC_GAUGE,
                      "Readers of /live: open web pages.");
    exposition_number(e, "", NULL, 0, atomic_load(&reading));
    exposition_family(e, "passerelle_admin_live_dropped", METRIC_COUNTER,
                      "Readers of /live that took nothing for 5 seconds, and were dropped.");
    exposition_number(e, "", NULL, 0, atomic_load(&dropped));
    exposition_family(e, "passerelle_admin_live_pages", METRIC_COUNTER,
                      "Pages that were made for the readers of /live.");
    exposition_number(e, "", NULL, 0, atomic_load(&made));
}
