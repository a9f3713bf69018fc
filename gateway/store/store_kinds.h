/*
 * StoreKind: a kind of record that the store keeps, as one row of a table: how long it is kept, how
 * much there is of it, and what becomes of the records of a client that is to be forgotten.
 *
 * Whoever adds a table to store_schema.c adds its kind to store_kinds.c. Retention, metrics,
 * `passerelle store check`, backups and `passerelle client forget` then know it. Constant; any
 * thread.
 */
#ifndef GATEWAY_STORE_KINDS_H
#define GATEWAY_STORE_KINDS_H

#include "gateway/config/config.h"
#include "gateway/store/store_task.h"

/* Rows that one step deletes at most, so that no task waits long behind it. */
#define STORE_STEP "1000"
enum { STORE_STEP_ROWS = 1000 };

typedef struct StoreKind {
    const char *table; /* also the label of its metrics, and its key under store.keep */
    int64_t since;     /* the migration that makes the table */

    /* How long a record is kept, in nanoseconds. */
    int64_t (*keep)(const Config *config);

    /* Deletes records that are older than $1 (wall time in nanoseconds), STORE_STEP at most. */
    const char *delete_old;

    /* Before that, in the same transaction: takes what will be deleted, of $1, out of what is
       counted elsewhere. NULL: it is counted nowhere. One gateway at a time does so. */
    const char *uncount;

    /* One row: the number of records, and the time from which the oldest counts. */
    const char *measure;

    /*
     * Takes the client out of its records: $1 a pseudonym that nobody else has, $2 the client's
     * name, $3 its keyed hash (identity_hash), or the name again. NULL: the records name no
     * client. Deletes them, or sets the pseudonym where the rest is still needed.
     */
    const char *forget_client;
} StoreKind;

typedef struct StoreKinds {
    const StoreKind *kinds;
    size_t n;
} StoreKinds;

/* All kinds of this gateway. */
extern const StoreKinds store_kinds;

/* As the kind says; what names clients is not kept longer than clients.retention. */
int64_t store_kind_keep(const StoreKind *kind, const Config *config);

/*
 * A task that takes the client out of the records of all kinds. Fails with STORE_CONFLICT, without
 * an effect, if the store has a newer schema: it may have kinds that this gateway does not know.
 */
StoreTask *store_kinds_forget_client(const StoreKinds *kinds, Bytes pseudonym, Bytes name,
                                     Bytes hash);

/* The number of records that the task has changed, when it was executed. */
int64_t store_kinds_forgotten(const StoreTask *task);

#endif
