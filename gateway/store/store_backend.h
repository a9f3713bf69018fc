/*
 * StoreBackend: the operations of one kind of database. For the files of this folder.
 *
 * A session belongs to one of the store's threads, which may wait in it. Faults of all operations:
 * STORE_DOWN (the session is of no use any more), STORE_CONFLICT (a condition or a constraint
 * failed; nothing took effect), STORE_UNKNOWN (the connection was lost while the transaction was
 * being committed), INTERNAL (a statement is wrong).
 */
#ifndef GATEWAY_STORE_BACKEND_H
#define GATEWAY_STORE_BACKEND_H

#include "gateway/store/store.h"
#include "gateway/store/store_task.h"

typedef struct StoreSession StoreSession;

typedef struct StoreBackend {
    const char *name; /* "sqlite" */

    /* Statements, each for one number: the bytes of the database; whether it has the table $1; the
       bytes of the table $1 with its indexes. */
    const char *size, *has_table, *table_size;
    const char *integrity; /* each row is a damage, or "ok"; NULL: the server has no such check */

    /* Opens the file, or connects. */
    Result (*open)(const StoreSettings *settings, Arena *arena, StoreSession **out);
    void (*close)(StoreSession *session);

    /* Executes statements without parameters, separated by ";", in one transaction. */
    Result (*script)(StoreSession *session, Arena *arena, const char *sql);

    /* Executes tasks in order, each in a transaction or as good as in one, and sets the result of
       each. False: the session is of no use any more. */
    bool (*execute)(StoreSession *session, StoreTask **tasks, size_t n);
} StoreBackend;

extern const StoreBackend store_sqlite, store_postgresql;

#endif
