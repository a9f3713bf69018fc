/*
 * Ledger: the failures of this gateway by their kind, and the records of its newest calls.
 *
 *      loop  <----------- a tally, empty ------------  main thread
 *      loop  ------------ its tally, full ---------->  adds it to the sum of all
 *      loop  ------------ records of calls --------->  answers
 *
 * Each loop counts into its own book. Nothing of it is shared: the main thread posts an errand to
 * the loop, which does it between two turns and gives it back; so a loop never waits, and counts
 * are exact. Belongs to the main thread and its loop, except for the books and
 * ledger_metrics_write.
 */
#ifndef GATEWAY_LEDGER_H
#define GATEWAY_LEDGER_H

#include "gateway/config/config.h"
#include "gateway/loop/loop.h"
#include "gateway/store/store.h"
#include "gateway/tally/failure_table.h"
#include "gateway/telemetry/exposition.h"

typedef struct Ledger Ledger;
typedef struct LedgerBook LedgerBook;

/* `loop` is that of the main thread. The config stays until another one is used. */
Ledger *ledger_new(uv_loop_t *loop, const Config *config);

/* Keeps the ledger in the store: what is there is read, and added; then it is written with each
   collection, and at the end. The port belongs to the same loop. Once, at the start. */
void ledger_keep(Ledger *ledger, StorePort *port);

/* Without a store: what the process before has left is added, and a successor gets the ledger as it
   is at each collection (gateway/handover). Once, at the start; `config` is the running one. */
void ledger_hand_on(Ledger *ledger, const Config *config);

/* Collects now, and then tells the successor's ledger, not with the next collection: what has just
   been recorded may not be lost, whatever becomes of this process. */
void ledger_hurry(Ledger *ledger);

/* The settings are those of this config from now on; it stays until another one is used. */
void ledger_use(Ledger *ledger, const Config *config);

/* The book of a loop, which takes what the loop's telemetry records. Before the loop runs. */
LedgerBook *ledger_open_book(Ledger *ledger, Loop *loop);

/* The loop's thread has ended, and loop_deinit comes next: what is in the book belongs to the
   ledger from now on. */
void ledger_close_book(LedgerBook *book);

/* Collects from all loops, and gives the page as JSON, for somebody who may see who the clients
   are: see docs/seeing.md. `on_read` is called once, later, on this thread. */
void ledger_read(Ledger *ledger, void (*on_read)(void *owner, Bytes json), void *owner);

/* The record of a call that ended in the last hour, as JSON; empty: no loop has it. The id is
   copied. */
void ledger_find(Ledger *ledger, Bytes request_id, void (*on_found)(void *owner, Bytes json),
                 void *owner);

/* The records of calls that ended in the last hour, as gateway/requests/request_query.h asks for
   them:
   {"requests":[...]}, the newest first. A query that is wrong fails at once, with an error in
   `arena`, and `on_listed` is not called; else it is called once, later, on this thread. */
MUST_USE Result ledger_list(Ledger *ledger, Bytes query, Arena *arena,
                            void (*on_listed)(void *owner, Bytes json), void *owner);

/*
 * What an operator says of a kind of failures: `json` as for annotation_change. `on_done` is called
 * once, at once or later on this thread: with the fault UNKNOWN_PATH (no such kind is known here),
 * BAD_JSON or BAD_VALUE, or those of the store. With a store all gateways know it. Texts are
 * copied.
 */
typedef struct LedgerSaying {
    Bytes fingerprint; /* 16 hexadecimal digits */
    Bytes json;
    const char *who;
    Bytes why;
} LedgerSaying;
void ledger_annotate(Ledger *ledger, const LedgerSaying *saying,
                     void (*on_done)(void *owner, Result result), void *owner);

/* Who knows how many clients have complained about a kind of failures: the page shows it. `count`
   is called on this thread; NULL: nobody knows. */
typedef uint64_t LedgerComplaints(void *owner, uint64_t fingerprint);
void ledger_ask_complaints(Ledger *ledger, LedgerComplaints *count, void *owner);

/* Each kind of failures that was collected, of clients' mistakes, too. `see` must not use the
   ledger, and keeps nothing. */
typedef void LedgerSeeRow(void *owner, const FailureRow *row);
void ledger_each_row(const Ledger *ledger, LedgerSeeRow *see, void *owner);

/* The kind with this fingerprint, until the next collection; NULL: it is not known. */
const FailureRow *ledger_row(const Ledger *ledger, uint64_t fingerprint);

/* Posts to each webhook of the config that is told of such signals (WebhookConfig.signals): its
   name, that of the gateway, the time, and `json` as `signal`. */
void ledger_post_signal(Ledger *ledger, uint32_t signal, const char *id, Bytes json);

/* Adds what is still in the books; whoever waits for an answer gets it. All books are closed, and
   their loops are gone. The store gets what has changed; the port may close then. The handles
   close.
 */
void ledger_stop(Ledger *ledger);

/* After the loop has ended. */
void ledger_free(Ledger *ledger);

/* A MetricsWriter; `ledger` is a Ledger. Any thread. */
void ledger_metrics_write(Exposition *e, void *ledger);

#endif
