/*
 * LedgerStore: the rows of the ledger and the annotations in the store.
 *
 * The rows that this gateway has kept are read first, and added to what was counted since the
 * start; only then rows are written, those that have changed, so that no count is ever lowered. A
 * row that cannot be read is told as the event `ledger_row_damaged`, and set aside under another
 * key; one that is sealed with an unknown key is told only. Annotations belong to all gateways that
 * share the store, and are read with each beat. Nothing waits for the store: what was not written
 * is written with a later beat. Belongs to the main thread.
 */
#ifndef GATEWAY_LEDGER_STORE_H
#define GATEWAY_LEDGER_STORE_H

#include "gateway/ledger/annotations.h"
#include "gateway/store/store.h"
#include "gateway/tally/tally.h"

/* A row with a key of its own, which another one has in it: it goes when that one is written. */
typedef struct LedgerFolded {
    struct LedgerFolded *next;
    uint64_t fingerprint;
    char id[];
} LedgerFolded;

typedef struct LedgerStore {
    StorePort *port;
    Tally *all;
    Annotations *annotations;
    /* Of the running config; borrowed. */
    const char *node;
    const char *const *redact;
    const StoreKeys *keys;
    uint32_t rows;

    bool reading, read; /* the kept rows */
    uint32_t n_writing; /* tasks under way */
    LedgerFolded *folded;
    uint64_t n_damaged, n_unwritten;
} LedgerStore;

/* Reads, or writes what has changed. */
void ledger_store_beat(LedgerStore *store);

/* The last beat, before the port is closed: writes what has changed. */
void ledger_store_end(LedgerStore *store);

/* Shares what an operator said. `on_done` is called once, later; unless the port is closed before.
   The error lives during the call only. */
void ledger_store_annotate(LedgerStore *store, const Annotation *annotation,
                           void (*on_done)(void *owner, Result result), void *owner);

#endif
