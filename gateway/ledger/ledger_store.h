/*
 * LedgerStore: the rows of the ledger and the annotations in the store.
 *
 * No count that is stored is ever lowered. At the start the rows of this gateway are read that were
 * seen last, failures and mistakes of clients apart, and added to what was counted since. A kind
 * that is new afterwards may be in the store all the same: what is there is read, and added, before
 * the row is written. A row that gives way in memory is in the store by then. The store keeps
 * LEDGER_STORED times as many rows as the memory, those that were seen last.
 *
 * A row that cannot be read is told as the event `ledger_row_damaged`, and set aside under another
 * key. One that is sealed with an unknown key is told, and stays as it is: what is counted is
 * stored beside it, and added to it when the key is there.
 *
 * Annotations belong to all gateways that share the store, and are read with each beat. Nothing
 * waits for the store: what was not written is written with a later beat. Belongs to the main
 * thread.
 */
#ifndef GATEWAY_LEDGER_STORE_H
#define GATEWAY_LEDGER_STORE_H

#include "gateway/ledger/annotations.h"
#include "gateway/store/store.h"
#include "gateway/tally/tally.h"

enum { LEDGER_STORED = 4 };

/* The key of a stored row: of one that is folded into another one, and goes when that is written;
   or of one that cannot be opened. */
typedef struct LedgerKey {
    struct LedgerKey *next;
    uint64_t fingerprint;
    char id[];
} LedgerKey;

typedef struct LedgerStore {
    StorePort *port;
    Tally *all;
    Annotations *annotations;
    /* Of the running config; borrowed. */
    const char *node;
    const char *const *redact;
    const StoreKeys *keys;
    const Config *config; /* NULL: no names of methods are known */
    uint32_t rows;

    int64_t process;    /* wall time: of the first beat */
    bool reading, read; /* the kept rows */
    uint32_t n_looking; /* tasks under way that look for rows of new kinds */
    uint32_t n_writing; /* tasks under way that write */
    bool grown;         /* rows were added since the oldest ones were deleted */
    LedgerKey *folded, *closed;
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
