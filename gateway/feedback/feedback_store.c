#include "gateway/feedback/feedback_store.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/decimal.h"
#include "base/text/json_text.h"
#include "base/text/query.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- Entering -------------------------------------------------------------------------------- */

static const char add_entry[] =
    "INSERT INTO feedback (id, at, client, kinds, entered, content)"
    " SELECT $1, $2, $3, $4, $5, $6 WHERE (SELECT count(*) FROM feedback) < $7"
    " ON CONFLICT (id) DO NOTHING";

static const char find_entry[] = "SELECT 1 FROM feedback WHERE id = $1";

static Bytes content_of(const FeedbackEntry *entry, const FeedbackContext *context, Arena *arena)
{
    Buffer out = buffer_in(arena);
    buffer_add_byte(&out, '{');
    json_text_add_member(&out, "source", entry->source);
    json_text_add_member(&out, "request", entry->request);
    json_text_add_member(&out, "words", entry->words);
    if (context->shown.size) {
        json_text_add_key(&out, "then");
        buffer_add_bytes(&out, context->shown);
    }
    buffer_add_byte(&out, '}');
    return buffer_bytes(&out);
}

static Bytes kinds_text(const FeedbackContext *context, Arena *arena)
{
    Buffer out = buffer_in(arena);
    for (uint32_t i = 0; i < context->n_kinds; i++)
        buffer_printf(&out, "%s%016" PRIx64, i ? " " : "", context->kinds[i]);
    return buffer_bytes(&out);
}

StoreTask *feedback_add_task(const FeedbackEntry *entry, const FeedbackContext *context,
                             uint64_t entries, int64_t wall, const StoreKeys *keys)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *found = store_task_add(task, find_entry);
    StoreStatement *s = store_task_add(task, add_entry);
    SealPlace place = {"feedback", "content", bytes_of(entry->id)};
    Buffer sealed = buffer_in(task->arena);
    seal(keys, &place, content_of(entry, context, task->arena), &sealed);
    store_bind_text(task, found, bytes_of(entry->id));
    store_bind_text(task, s, bytes_of(entry->id));
    store_bind_integer(s, entry->at);
    store_bind_text(task, s, entry->client);
    store_bind_text(task, s, kinds_text(context, task->arena));
    store_bind_integer(s, wall);
    store_bind_bytes(task, s, buffer_bytes(&sealed));
    store_bind_integer(s, (int64_t)entries);
    s->expected = STORE_ANY_CHANGES;
    return task;
}

FeedbackAdded feedback_added(const StoreTask *task)
{
    const StoreStatement *found = task->first, *added = found->next;
    if (added->changed)
        return FEEDBACK_ADDED;
    return found->n_rows ? FEEDBACK_KNOWN : FEEDBACK_FULL;
}

/* ---- Listing --------------------------------------------------------------------------------- */

static const char list[] = "SELECT id, at, client, kinds, content FROM feedback"
                           " WHERE ($1 = '' OR client = $1) AND ($2 = '' OR id = $2)"
                           " ORDER BY at DESC, id LIMIT $3";

static Result read_parameter(const QueryPair *pair, Arena *arena, FeedbackQuery *query)
{
    uint64_t limit;
    if (bytes_are(pair->name, "client") && pair->good) {
        query->client = pair->value;
        return OK;
    }
    if (!bytes_are(pair->name, "limit") || !bytes_to_u64(pair->value, &limit) || limit == 0 ||
        limit > FEEDBACK_LISTED_MOST)
        return FAIL(arena, FAULT_BAD_VALUE, "this takes client=NAME, and limit=N up to %d",
                    (int)FEEDBACK_LISTED_MOST);
    query->limit = (uint32_t)limit;
    return OK;
}

Result feedback_query_read(Bytes text, Arena *arena, FeedbackQuery *query_out)
{
    *query_out = (FeedbackQuery){.limit = FEEDBACK_LISTED};
    Result r = OK;
    for (QueryPair pair; !failed(r) && query_next(&text, arena, &pair);)
        r = read_parameter(&pair, arena, query_out);
    return r;
}

StoreTask *feedback_list_task(const FeedbackQuery *query)
{
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(task, list);
    store_bind_text(task, s, query->client);
    store_bind_text(task, s, query->id);
    store_bind_integer(s, query->limit);
    return task;
}

static void add_kinds(Buffer *out, Bytes kinds)
{
    json_text_open_list(out, "kinds");
    for (Bytes kind; kinds.size && bytes_split(&kinds, ' ', &kind);) {
        json_text_add_element(out);
        json_text_add(out, kind);
    }
    buffer_add_byte(out, ']');
}

/* The members of the content, which is an object, follow those of the row. */
static void add_content(Buffer *out, const StoreValue *v, const StoreKeys *keys)
{
    SealPlace place = {"feedback", "content", v[0].bytes};
    Bytes content;
    Result r = unseal(keys, &place, v[4].bytes, out->arena, &content);
    error_ignore(r, "the entry is shown without it");
    if (failed(r) || content.size < 3)
        json_text_add_member(out, "failure",
                             bytes_of("it is sealed with a key that is not in "
                                      "store.keys"));
    else
        buffer_printf(out, ",%.*s", BYTES_ARGS(bytes_slice(content, 1, content.size - 2)));
}

static void add_row(Buffer *out, const StoreValue *v, const StoreKeys *keys)
{
    json_text_open_item(out);
    json_text_add_member(out, "id", v[0].bytes);
    json_text_add_time(out, "at", v[1].integer / SECOND, 0);
    json_text_add_member(out, "client", v[2].bytes);
    add_kinds(out, v[3].bytes);
    add_content(out, v, keys);
    buffer_add_byte(out, '}');
}

void feedback_list_write(const StoreTask *task, const StoreKeys *keys, Buffer *out)
{
    buffer_add_text(out, "{\"feedback\":[");
    for (const StoreRow *row = task->first->rows; row; row = row->next)
        add_row(out, row->values, keys);
    buffer_add_text(out, "]}\n");
}

/* ---- Counting -------------------------------------------------------------------------------- */

static const char count_kinds[] =
    "SELECT kinds, client FROM feedback WHERE kinds <> '' ORDER BY at DESC LIMIT $1";

StoreTask *feedback_count_task(void)
{
    StoreTask *task = store_task_new(STORE_SOON);
    store_bind_integer(store_task_add(task, count_kinds), FEEDBACK_COUNTED);
    return task;
}

/* A client that complained about a kind. */
typedef struct Complaint {
    uint64_t kind, client; /* hashes */
} Complaint;

static int by_kind(const void *a, const void *b)
{
    const Complaint *one = a, *other = b;
    if (one->kind != other->kind)
        return one->kind > other->kind ? 1 : -1;
    return (one->client > other->client) - (one->client < other->client);
}

static uint64_t kind_of(Bytes text)
{
    char digits[FEEDBACK_ID_SIZE] = "";
    if (text.size < sizeof digits)
        memcpy(digits, text.data, text.size);
    return strtoull(digits, NULL, 16);
}

static void gather(const StoreTask *task, Buffer *complaints)
{
    for (const StoreRow *row = task->first->rows; row; row = row->next) {
        Bytes kinds = row->values[0].bytes;
        for (Bytes kind; kinds.size && bytes_split(&kinds, ' ', &kind);) {
            Complaint complaint = {kind_of(kind), bytes_hash(row->values[1].bytes)};
            buffer_add(complaints, &complaint, sizeof complaint);
        }
    }
}

FeedbackCount *feedback_counts(const StoreTask *task, uint32_t *n_out)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer gathered = buffer_in(arena);
    gather(task, &gathered);
    Complaint *complaints = (Complaint *)(void *)gathered.data;
    uint32_t n = (uint32_t)(gathered.size / sizeof *complaints), kept = 0;
    FeedbackCount *counts = n ? calloc(n, sizeof *counts) : NULL;
    CHECK(counts || !n);
    if (n)
        qsort(complaints, n, sizeof *complaints, by_kind);
    for (uint32_t i = 0; i < n; i++) {
        bool same_kind = kept && counts[kept - 1].kind == complaints[i].kind;
        if (!same_kind)
            counts[kept++] = (FeedbackCount){.kind = complaints[i].kind};
        if (!same_kind || complaints[i].client != complaints[i - 1].client)
            counts[kept - 1].clients++;
    }
    arena_free(arena);
    *n_out = kept;
    return counts;
}
