/*
 * RequestList: the newest calls that fit a query, from the rings of a loop, for the main thread.
 *
 * The loop copies at most `query->limit` records of each ring; what is to be hidden in them is
 * hidden on the main thread. Owned by whoever has it.
 */
#ifndef GATEWAY_REQUEST_LIST_H
#define GATEWAY_REQUEST_LIST_H

#include "base/arena.h"
#include "gateway/requests/request_query.h"
#include "gateway/requests/request_ring.h"

typedef struct ListedRequest {
    int64_t at; /* wall time of its end */
    Bytes record;
} ListedRequest;

typedef struct RequestList RequestList;
struct RequestList {
    RequestList *next; /* for whoever has several */
    Arena *arena;
    ListedRequest *found;
    uint32_t n;
};

RequestList *request_list_new(void);

/* NULL: nothing is done. Frees the ones behind it as well. */
void request_list_free(RequestList *list);

/* Copies those of the ring that fit the query, and are not from before `since`. */
void request_list_look(RequestList *list, const RequestRing *ring, const RequestQuery *query,
                       int64_t since);

/* Adds {"requests":[...]} to `out`, of this list and those behind it: the newest first, without
   what `redact` names (gateway/redaction/redaction.h). What only a hidden value has made fit is
   left out, so that nobody can find out such values by asking. */
void request_list_write(const RequestList *list, const RequestQuery *query,
                        const char *const *redact, Buffer *out);

#endif
