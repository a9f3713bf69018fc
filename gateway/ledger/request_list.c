#include "gateway/ledger/request_list.h"

#include "base/text/json_text.h"
#include "gateway/redaction/redaction.h"

#include <stdlib.h>

RequestList *request_list_new(void)
{
    RequestList *list = calloc(1, sizeof *list);
    CHECK(list);
    list->arena = arena_new(ARENA_UNLIMITED);
    return list;
}

void request_list_free(RequestList *list)
{
    for (RequestList *next; list; list = next) {
        next = list->next;
        arena_free(list->arena);
        free(list);
    }
}

/* ---- On a loop ------------------------------------------------------------------------------- */

/* The newest that have been seen; a further one takes the place of the oldest. */
typedef struct Newest {
    const RequestQuery *query;
    ListedRequest *places; /* query->limit of them */
    uint32_t n;            /* seen */
} Newest;

static void see(void *owner, int64_t at, Bytes record)
{
    Newest *newest = owner;
    if (request_query_fits(newest->query, record))
        newest->places[newest->n++ % newest->query->limit] = (ListedRequest){at, record};
}

void request_list_look(RequestList *list, const RequestRing *ring, const RequestQuery *query,
                       int64_t since)
{
    Newest newest = {.query = query,
                     .places = arena_array(list->arena, ListedRequest, query->limit)};
    request_ring_each(ring, since, see, &newest);
    uint32_t n = newest.n < query->limit ? newest.n : query->limit;
    ListedRequest *all = arena_array(list->arena, ListedRequest, list->n + n + 1);
    for (uint32_t i = 0; i < list->n; i++)
        all[i] = list->found[i];
    for (uint32_t i = 0; i < n; i++)
        all[list->n + i] =
            (ListedRequest){newest.places[i].at, bytes_copy(list->arena, newest.places[i].record)};
    list->found = all;
    list->n += n;
}

/* ---- On the main thread ---------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    const ListedRequest *one = a, *other = b;
    return (one->at < other->at) - (one->at > other->at);
}

static ListedRequest *all_of(const RequestList *list, Arena *arena, uint32_t *n_out)
{
    uint32_t n = 0;
    for (const RequestList *one = list; one; one = one->next)
        n += one->n;
    ListedRequest *all = arena_array(arena, ListedRequest, n + 1), *at = all;
    for (const RequestList *one = list; one; one = one->next)
        for (uint32_t i = 0; i < one->n; i++)
            *at++ = one->found[i];
    qsort(all, n, sizeof *all, by_time);
    *n_out = n;
    return all;
}

void request_list_write(const RequestList *list, const RequestQuery *query,
                        const char *const *redact, Buffer *out)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    uint32_t n, written = 0;
    const ListedRequest *all = all_of(list, arena, &n);
    buffer_add_text(out, "{\"requests\":[");
    for (uint32_t i = 0; i < n && written < query->limit; i++) {
        Buffer shown = buffer_in(arena);
        redact_record(all[i].record, redact, &shown);
        if (!request_query_fits(query, buffer_bytes(&shown)))
            continue;
        json_text_add_element(out);
        buffer_add_bytes(out, buffer_bytes(&shown));
        written++;
    }
    buffer_add_text(out, "]}");
    arena_free(arena);
}
