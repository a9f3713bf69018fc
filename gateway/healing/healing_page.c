#include "gateway/healing/healing_page.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/healing/healing.h"
#include "gateway/healing/healing_internal.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- The page -------------------------------------------------------------------------------- */

/* Left out when it is empty. */
static void add_text(Buffer *out, const char *name, const char *text)
{
    if (text[0])
        json_text_add_member(out, name, bytes_of(text));
}

static void add_time(Buffer *out, const char *name, int64_t wall)
{
    int64_t millis = wall / MILLISECOND;
    json_text_add_time(out, name, millis / 1000, (int32_t)(millis % 1000 * MILLISECOND));
}

static void add_seconds(Buffer *out, int64_t time)
{
    json_text_add_key(out, "seconds");
    buffer_printf(out, "%.3f", (double)time / SECOND);
}

static void add_entry(Buffer *out, const HealingEntry *entry, int64_t now)
{
    json_text_open_item(out);
    json_text_add_member(out, "act", bytes_of(healing_act_name(entry->act)));
    if (entry->excess)
        json_text_add_bool(out, "excess", true);
    add_text(out, "service", entry->service);
    add_text(out, "subject", entry->subject);
    add_time(out, "since", entry->began_wall);
    if (entry->ended)
        add_time(out, "ended", entry->began_wall + (entry->ended - entry->began));
    add_seconds(out, (entry->ended ? entry->ended : now) - entry->began);
    add_text(out, "why", entry->why);
    add_text(out, "cause", entry->cause);
    add_text(out, "how", entry->how);
    if (entry->again)
        json_text_add_number(out, "again", entry->again);
    buffer_add_byte(out, '}');
}

static int compare_newest(const void *a, const void *b)
{
    const HealingEntry *const *first = a, *const *second = b;
    return ((*first)->began < (*second)->began) - ((*first)->began > (*second)->began);
}

static void add_now(Buffer *out, const HealingBook *book, int64_t now)
{
    size_t n = 0, at = 0;
    while (healing_book_current(book, &at))
        n++;
    const HealingEntry **all = calloc(n + 1, sizeof(HealingEntry *)), **next = all;
    CHECK(all);
    for (at = 0; (*next = healing_book_current(book, &at));)
        next++;
    qsort(all, n, sizeof(HealingEntry *), compare_newest);
    json_text_open_list(out, "now");
    for (size_t i = 0; i < n && i < HEALING_SHOWN; i++)
        add_entry(out, all[i], now);
    buffer_add_byte(out, ']');
    if (n > HEALING_SHOWN)
        json_text_add_number(out, "unlisted", n - HEALING_SHOWN);
    free(all);
}

static void add_count(Buffer *out, const HealingLimit *limit, const HealingService *service,
                      HealingAct act, const HealingCount *count)
{
    json_text_open_item(out);
    json_text_add_member(out, "act", bytes_of(healing_act_name(act)));
    add_text(out, "service", healing_service_name(service));
    json_text_add_number(out, "total", count->total);
    json_text_add_number(out, "now", count->now);
    if (limit->per) {
        json_text_add_number(out, "lately", count->lately);
        json_text_add_number(out, "at_most", count->most);
        json_text_add_number(out, "seconds", (uint64_t)(limit->per / SECOND));
    }
    json_text_add_bool(out, "excess", count->excess);
    json_text_add_bool(out, "stopped", count->stops);
    buffer_add_byte(out, '}');
}

static void add_acts(Buffer *out, const HealingBook *book, int64_t now)
{
    json_text_open_list(out, "acts");
    for (const HealingService *s = NULL; (s = healing_book_next(book, s));) {
        for (HealingAct act = 0; act < HEALING_ACTS; act++) {
            HealingCount count = healing_book_count(book, s, act, now);
            if (count.total || count.now)
                add_count(out, healing_book_limit_of(book, act), s, act, &count);
        }
    }
    buffer_add_byte(out, ']');
}

static void add_history(Buffer *out, const HealingBook *book, int64_t now)
{
    json_text_open_list(out, "history");
    const HealingEntry *entry;
    for (size_t at = 0; (entry = healing_book_history(book, &at));)
        add_entry(out, entry, now);
    buffer_add_byte(out, ']');
}

void healing_write(Buffer *out)
{
    healing_look();
    const HealingBook *book = healing_open_book();
    int64_t now = clock_now();
    add_now(out, book, now);
    add_acts(out, book, now);
    add_history(out, book, now);
    healing_close_book();
}

/* ---- For the gateway that comes next --------------------------------------------------------- */

/* Times are those of the monotonic clock, which goes on while the machine runs. */
static void keep_entry(Buffer *out, const HealingEntry *entry)
{
    json_text_open_item(out);
    json_text_add_member(out, "act", bytes_of(healing_act_name(entry->act)));
    add_text(out, "service", entry->service);
    add_text(out, "subject", entry->subject);
    add_text(out, "why", entry->why);
    add_text(out, "cause", entry->cause);
    add_text(out, "how", entry->how);
    json_text_add_number(out, "began", (uint64_t)entry->began);
    json_text_add_number(out, "ended", (uint64_t)entry->ended);
    json_text_add_number(out, "began_wall", (uint64_t)entry->began_wall);
    json_text_add_number(out, "again", entry->again);
    json_text_add_number(out, "excess", entry->excess);
    buffer_add_byte(out, '}');
}

static void keep_entries(Buffer *out, const HealingBook *book)
{
    const HealingEntry *history[HEALING_HISTORY], *entry;
    size_t n = 0;
    json_text_open_list(out, "entries");
    for (size_t at = 0; (entry = healing_book_current(book, &at));)
        keep_entry(out, entry);
    for (size_t at = 0; (entry = healing_book_history(book, &at));)
        history[n++] = entry;
    while (n > 0) /* the oldest first, as they are put back */
        keep_entry(out, history[--n]);
    buffer_add_byte(out, ']');
}

/* [number of the newest part, count, count, ...] */
static void keep_window(Buffer *out, const char *name, const Window *window)
{
    json_text_add_key(out, name);
    buffer_printf(out, "[%" PRId64, window->latest);
    for (int i = 0; i < WINDOW_PARTS; i++)
        buffer_printf(out, ",%" PRIu64, window->counts[i]);
    buffer_add_byte(out, ']');
}

static void keep_past(Buffer *out, const char *service, HealingAct act, const HealingPast *past)
{
    json_text_open_item(out);
    json_text_add_member(out, "act", bytes_of(healing_act_name(act)));
    add_text(out, "service", service);
    json_text_add_number(out, "total", past->total);
    json_text_add_number(out, "per", (uint64_t)past->per);
    json_text_add_number(out, "excess", past->excess);
    keep_window(out, "lately", &past->lately);
    keep_window(out, "calls", &past->calls);
    buffer_add_byte(out, '}');
}

static void keep_counts(Buffer *out, const HealingBook *book)
{
    json_text_open_list(out, "counts");
    for (const HealingService *s = NULL; (s = healing_book_next(book, s));) {
        for (HealingAct act = 0; act < HEALING_ACTS; act++) {
            HealingPast past;
            if (healing_book_past(book, s, act, &past))
                keep_past(out, healing_service_name(s), act, &past);
        }
    }
    buffer_add_byte(out, ']');
}

void healing_keep(void *owner, Buffer *out)
{
    (void)owner;
    const HealingBook *book = healing_open_book();
    buffer_add_byte(out, '{');
    keep_entries(out, book);
    keep_counts(out, book);
    buffer_add_byte(out, '}');
    healing_close_book();
}

/* False: it is no act of this version. */
static bool act_of(const JsonNode *object, HealingAct *act_out)
{
    const JsonNode *name = json_member(object, "act");
    for (HealingAct act = 0; name && act < HEALING_ACTS; act++) {
        if (bytes_are(name->text, healing_act_name(act))) {
            *act_out = act;
            return true;
        }
    }
    return false;
}

/* Whether an owner knows of its acts in this process, too: healing_goes_on. */
static bool may_go_on(const HealingEntry *entry)
{
    return entry->act == HEALING_EJECT || entry->act == HEALING_CHECK ||
           entry->act == HEALING_MANUAL;
}

static void restore_entry(HealingBook *book, Arena *arena, const JsonNode *object)
{
    HealingEntry entry = {
        .excess = json_member_number(object, "excess") != 0,
        .service = arena_text(arena, json_member_text(object, "service")),
        .subject = arena_text(arena, json_member_text(object, "subject")),
        .why = arena_text(arena, json_member_text(object, "why")),
        .cause = arena_text(arena, json_member_text(object, "cause")),
        .how = arena_text(arena, json_member_text(object, "how")),
        .began = json_member_number(object, "began"),
        .ended = json_member_number(object, "ended"),
        .began_wall = json_member_number(object, "began_wall"),
        .again = (uint32_t)json_member_number(object, "again"),
    };
    if (!act_of(object, &entry.act))
        return;
    entry.inherited = !entry.ended && !entry.excess;
    if (entry.inherited && !may_go_on(&entry)) {
        entry.ended = clock_now();
        entry.how = "another process has taken over";
    }
    healing_book_restore(book, &entry);
}

/* Parts that cannot be read are 0. */
static Window window_of(const JsonNode *object, const char *name)
{
    Window window = {0};
    const JsonNode *list = json_member(object, name), *part = list ? list->first : NULL;
    uint64_t latest = 0;
    if (!part || !bytes_to_u64(part->text, &latest) || latest > INT64_MAX)
        return window;
    window.latest = (int64_t)latest;
    for (int i = 0; i < WINDOW_PARTS && (part = part->next); i++)
        bytes_to_u64(part->text, &window.counts[i]);
    return window;
}

static void restore_count(HealingBook *book, Arena *arena, const JsonNode *object)
{
    HealingAct act;
    HealingPast past = {.total = (uint64_t)json_member_number(object, "total"),
                        .per = json_member_number(object, "per"),
                        .lately = window_of(object, "lately"),
                        .calls = window_of(object, "calls"),
                        .excess = json_member_number(object, "excess") != 0};
    if (act_of(object, &act))
        healing_book_add_past(book, arena_text(arena, json_member_text(object, "service")), act,
                              &past);
}

typedef void RestoreOne(HealingBook *book, Arena *arena, const JsonNode *object);

static void restore_each(const JsonNode *list, HealingBook *book, Arena *arena, RestoreOne *one)
{
    for (const JsonNode *object = list ? list->first : NULL; object; object = object->next)
        one(book, arena, object);
}

Result healing_restore(Arena *arena, Bytes kept)
{
    JsonNode *root;
    Result r = json_parse(arena, kept, &(JsonLimits){0}, &root);
    if (failed(r))
        return FAIL_OVER(arena, r, FAULT_INTERNAL, "reading what was being healed");
    HealingBook *book = healing_open_book();
    restore_each(json_member(root, "entries"), book, arena, restore_entry);
    restore_each(json_member(root, "counts"), book, arena, restore_count);
    healing_close_book();
    return OK;
}
