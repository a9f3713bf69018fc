/*
 * UsageFound: who uses what, as an operator asks for it: out of a UsageTable, or out of the store
 * with the sum of all gateways. All of it lives in the arena of whoever asks.
 */
#ifndef GATEWAY_USAGE_FIND_H
#define GATEWAY_USAGE_FIND_H

#include "gateway/store/store_task.h"
#include "gateway/usage/usage_names.h"
#include "gateway/usage/usage_table.h"

enum { USAGE_USES_MOST = 10000, USAGE_CLIENTS_MOST = 10000 };

typedef struct UsageQuestion {
    Bytes service, version; /* empty: all */
    bool one_client;
    Bytes client;   /* then: this one, as it is recorded */
    bool fields;    /* also those of requests */
    uint32_t limit; /* of clients that are listed; up to USAGE_CLIENTS_MOST */
} UsageQuestion;

/* The calls of a method, or those with a field. */
typedef struct UsageOfMethod {
    UsageName name;
    uint64_t calls;
    int64_t last;     /* wall time */
    uint64_t clients; /* that have rows of their own */
    bool shared;      /* and more of them, without one; of one client: these are not all its own */
} UsageOfMethod;

/* The calls of a client in a version. */
typedef struct UsageOfClient {
    Bytes client; /* empty: anonymous */
    Bytes service, version;
    uint64_t calls;
    int64_t last;
} UsageOfClient;

typedef struct UsageFound {
    UsageOfMethod *methods; /* by name */
    uint32_t n_methods;
    UsageOfClient *clients; /* the latest first */
    uint32_t n_clients;
} UsageFound;

/* "service=orders&version=v1&client=ada&fields=true&limit=100". Fault: BAD_VALUE. */
MUST_USE Result usage_question_read(Bytes query, Arena *arena, UsageQuestion *question_out);

void usage_find(UsageTable *table, UsageNames *names, const UsageQuestion *question, Arena *arena,
                UsageFound *found_out);

/* A task that asks the store; and what it has found, once it was executed. */
StoreTask *usage_find_task(const UsageQuestion *question);
void usage_find_read(const StoreTask *task, Arena *arena, UsageFound *found_out);

#endif
