/*
 * StoreReport: what is in a store and whether it is sound, read without a running gateway; also
 * beside one. Changes nothing. Blocks.
 */
#ifndef GATEWAY_STORE_REPORT_H
#define GATEWAY_STORE_REPORT_H

#include "gateway/store/store.h"
#include "gateway/store/store_kinds.h"

/* Of one kind. */
typedef struct StoreTable {
    const char *name;
    int64_t rows, bytes; /* bytes with its indexes; -1: this SQLite cannot tell */
    int64_t oldest;      /* wall time in nanoseconds; 0: there are no rows */
} StoreTable;

typedef struct StoreReport {
    const char *kind; /* "sqlite" */
    int64_t bytes;
    int64_t schema;        /* the last migration; 0: no gateway has used it yet */
    int64_t oldest_reader; /* a gateway must know this migration to use it */
    StoreTable *tables;    /* those that the schema has and this gateway knows */
    uint32_t n_tables;
    const char **damage; /* what SQLite's integrity_check has found, line by line */
    uint32_t n_damage;
} StoreReport;

/*
 * In the arena. `check`: the whole file is read and checked for damage; PostgreSQL's server looks
 * after that itself. Faults: STORE_DOWN (it cannot be reached or opened), over STORE_DAMAGED where
 * it cannot be read because it is damaged.
 */
MUST_USE Result store_report(const StoreSettings *settings, const StoreKinds *kinds, bool check,
                             Arena *arena, StoreReport *out);

/* The address of a PostgreSQL as it may be shown, in the arena: without its passwords. */
const char *store_shown_address(Arena *arena, const char *address);

/* Whether this gateway can use it. */
bool store_report_is_usable(const StoreReport *report);

#endif
