/*
 * Feedback in the store: tasks, and what was read by them. Words and what happened then are sealed.
 * Any thread.
 */
#ifndef GATEWAY_FEEDBACK_STORE_H
#define GATEWAY_FEEDBACK_STORE_H

#include "gateway/feedback/feedback_context.h"
#include "gateway/feedback/feedback_entry.h"
#include "gateway/store/seal.h"
#include "gateway/store/store_task.h"

enum { FEEDBACK_LISTED = 100, FEEDBACK_LISTED_MOST = 1000, FEEDBACK_COUNTED = 10000 };

/* Enters it, unless it is there. `entries`: that may be in the store. */
StoreTask *feedback_add_task(const FeedbackEntry *entry, const FeedbackContext *context,
                             uint64_t entries, int64_t wall, const StoreKeys *keys);

typedef enum FeedbackAdded { FEEDBACK_ADDED, FEEDBACK_KNOWN, FEEDBACK_FULL } FeedbackAdded;
FeedbackAdded feedback_added(const StoreTask *task);

/* Which are listed: of this client; only this one; empty: all. */
typedef struct FeedbackQuery {
    Bytes client, id;
    uint32_t limit;
} FeedbackQuery;

/* "client=ada&limit=10". Fault: BAD_VALUE. */
MUST_USE Result feedback_query_read(Bytes text, Arena *arena, FeedbackQuery *query_out);

/* The newest first. */
StoreTask *feedback_list_task(const FeedbackQuery *query);

/* {"feedback":[{"id", "at", "client", "kinds", "source", "request", "words", "then"}]}. What cannot
   be opened has `failure` instead. */
void feedback_list_write(const StoreTask *task, const StoreKeys *keys, Buffer *out);

/* Who complained about which kinds of failures: FEEDBACK_COUNTED entries, the newest. */
StoreTask *feedback_count_task(void);

/* How many clients complained about a kind. */
typedef struct FeedbackCount {
    uint64_t kind, clients;
} FeedbackCount;

/* By kind; on the heap, for the caller to free. NULL: there are none. */
FeedbackCount *feedback_counts(const StoreTask *task, uint32_t *n_out);

#endif
