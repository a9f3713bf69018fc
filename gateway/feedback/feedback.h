/*
 * Feedback: what customers say, beside what happened to them then.
 *
 *      POST /feedback --entries--> [ one after the other ] --records of its calls--> ledger
 *                                          |
 *                                          +--> store: the words, what happened, kinds of failures
 *                                          '--> ledger: how many clients complained about a kind
 *
 * Only calls of the last hour are known by client (gateway/ledger); what was said of earlier ones
 * is kept without. With a store only. Belongs to the main thread and its loop.
 */
#ifndef GATEWAY_FEEDBACK_H
#define GATEWAY_FEEDBACK_H

#include "gateway/ledger/ledger.h"

typedef struct Feedback Feedback;

/* `port` belongs to the same loop. All is borrowed until feedback_free. */
Feedback *feedback_new(uv_loop_t *loop, Ledger *ledger, StorePort *port, const Config *config);

/* The settings are those of this config from now on, which stays until another one is used. */
void feedback_use(Feedback *feedback, const Config *config);

/* Enters what is in the lines (feedback_entry.h), which are copied. `on_done` is called once, later
   or at once on this thread, with {"action":"feedback","added":2,"known":0,"ids":[...]}. Faults:
   BAD_JSON, BAD_VALUE: nothing was entered; BAD_VALUE as well if the store has as many as may be,
   and those of the store: some may be entered. */
void feedback_post(Feedback *feedback, Bytes lines,
                   void (*on_done)(void *owner, Result result, Bytes json), void *owner);

/* The list; of one `id`, or by the query (feedback_store.h). Fault: BAD_VALUE, UNKNOWN_PATH (there
   is no such one), those of the store. */
void feedback_ask(Feedback *feedback, Bytes id, Bytes query,
                  void (*on_done)(void *owner, Result result, Bytes json), void *owner);

/* The handle closes. The port may close then: who waits for an answer gets none. */
void feedback_stop(Feedback *feedback);

/* After the loop has ended; the ledger does not ask any more. */
void feedback_free(Feedback *feedback);

#endif
