#include "gateway/signal/signal_list.h"

#include "base/clock.h"
#include "base/result.h"
#include "base/text/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

SignalEntry signal_entry_of(const Finding *finding, const char *node, int64_t at, Arena *arena)
{
    Buffer evidence = buffer_in(arena);
    finding_write_evidence(finding, &evidence);
    SignalEntry entry = {.kind = finding_kind_name(finding->kind),
                         .subject = bytes_copy(arena, bytes_of(finding->subject)),
                         .client = bytes_copy(arena, finding->client),
                         .node = bytes_copy(arena, bytes_of(node)),
                         .evidence = buffer_bytes(&evidence),
                         .since = finding->since,
                         .at = at};
    snprintf(entry.id, sizeof entry.id, "%016" PRIx64, finding_id(finding));
    return entry;
}

/* ---- The list -------------------------------------------------------------------------------- */

static ListedSignal *find(const SignalList *list, Bytes id)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (bytes_are(id, list->items[i].entry.id))
            return &list->items[i];
    return NULL;
}

static ListedSignal *oldest(const SignalList *list)
{
    ListedSignal *found = list->items;
    for (uint32_t i = 1; i < list->n; i++)
        if (list->items[i].entry.at < found->entry.at)
            found = &list->items[i];
    return found;
}

static ListedSignal *room(SignalList *list)
{
    if (!list->items) {
        list->items = calloc(SIGNALS_LISTED, sizeof *list->items);
        CHECK(list->items);
    }
    ListedSignal *listed = list->n < SIGNALS_LISTED ? &list->items[list->n++] : oldest(list);
    arena_free(listed->arena);
    *listed = (ListedSignal){.arena = NULL};
    return listed;
}

static void put(ListedSignal *listed, const SignalEntry *entry, uint64_t times)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    SignalEntry copy = *entry;
    copy.subject = bytes_copy(arena, entry->subject);
    copy.client = bytes_copy(arena, entry->client);
    copy.node = bytes_copy(arena, entry->node);
    copy.evidence = bytes_copy(arena, entry->evidence);
    copy.who = bytes_copy(arena, entry->who);
    copy.why = bytes_copy(arena, entry->why);
    copy.times = times;
    arena_free(listed->arena);
    *listed = (ListedSignal){copy, arena};
}

bool signal_list_take(SignalList *list, const SignalEntry *entry, int64_t every)
{
    ListedSignal *known = find(list, bytes_of(entry->id));
    if (known && entry->at - known->entry.at < every)
        return false;
    uint64_t times = known ? known->entry.times + 1 : 1;
    put(known ? known : room(list), entry, times);
    return true;
}

bool signal_list_acknowledge(SignalList *list, Bytes id, Bytes who, Bytes why, int64_t wall)
{
    ListedSignal *known = find(list, id);
    if (!known)
        return false;
    SignalEntry entry = known->entry;
    entry.acknowledged = wall;
    entry.who = who;
    entry.why = why;
    put(known, &entry, entry.times);
    return true;
}

void signal_list_forget_client(SignalList *list, Bytes client)
{
    for (uint32_t i = 0; client.size && i < list->n;) {
        if (!bytes_equal(list->items[i].entry.client, client)) {
            i++;
            continue;
        }
        arena_free(list->items[i].arena);
        list->items[i] = list->items[--list->n];
        list->items[list->n] = (ListedSignal){.arena = NULL};
    }
}

static int latest_first(const void *a, const void *b)
{
    const SignalEntry *one = *(const SignalEntry *const *)a,
                      *other = *(const SignalEntry *const *)b;
    if (one->at != other->at)
        return one->at > other->at ? -1 : 1;
    return strcmp(one->id, other->id);
}

const SignalEntry **signal_list_sorted(const SignalList *list, Arena *arena)
{
    const SignalEntry **sorted = arena_array(arena, const SignalEntry *, list->n + 1);
    for (uint32_t i = 0; i < list->n; i++)
        sorted[i] = &list->items[i].entry;
    qsort(sorted, list->n, sizeof(const SignalEntry *), latest_first);
    return sorted;
}

void signal_list_deinit(SignalList *list)
{
    for (uint32_t i = 0; i < list->n; i++)
        arena_free(list->items[i].arena);
    free(list->items);
    *list = (SignalList){.n = 0};
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void add_time(Buffer *out, const char *name, int64_t wall)
{
    json_text_add_time(out, name, wall / SECOND, 0);
}

void signal_entry_write(const SignalEntry *entry, Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_add_member(out, "id", bytes_of(entry->id));
    json_text_add_member(out, "kind", bytes_of(entry->kind));
    json_text_add_member(out, "subject", entry->subject);
    add_time(out, "since", entry->since);
    add_time(out, "at", entry->at);
    if (entry->times)
        json_text_add_number(out, "times", entry->times);
    json_text_add_member(out, "node", entry->node);
    if (entry->evidence.size) {
        json_text_add_key(out, "evidence");
        buffer_add_bytes(out, entry->evidence);
    }
    if (entry->acknowledged) {
        add_time(out, "acknowledged", entry->acknowledged);
        json_text_add_member(out, "who", entry->who);
        json_text_add_member(out, "why", entry->why);
    }
    buffer_add_byte(out, '}');
}

void signal_page_write(const char *node, const SignalEntry *const *entries, uint32_t n,
                       int64_t wall, Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_add_member(out, "node", bytes_of(node));
    add_time(out, "as_of", wall);
    json_text_open_list(out, "signals");
    for (uint32_t i = 0; i < n; i++) {
        json_text_add_element(out);
        signal_entry_write(entries[i], out);
    }
    buffer_add_text(out, "]}\n");
}
