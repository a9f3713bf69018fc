/*
 * The memory budget of the process: what calls, buffers and connections hold, in all and by client.
 *
 *      arenas of calls ---------------------------> Account (a client) --> total, against a limit
 *      queues, connections --> MemoryTally (a connection) --^
 *      OpenSSL -----------------------------------------------------> total
 *
 * Below the high mark, three quarters of the limit, nobody is refused. Above it a client that holds
 * more than its share is: the high mark, divided by the number of clients that hold much. Above the
 * limit by an eighth everybody is. What has begun and may have had an effect is not refused but
 * waits: see arena_charge, and gateway/memory/memory_wait.h.
 *
 * Any thread, unless a function says otherwise. Threads count for themselves and tell the process
 * in steps, so that they do not share a cache line with each call: the total may be off by
 * MEMORY_STEP for each thread and kind.
 */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum MemoryKind {
    MEMORY_CALLS,       /* arenas of calls: messages, heads, conversions */
    MEMORY_BUFFERS,     /* bytes that wait to be sent */
    MEMORY_CONNECTIONS, /* connections and their streams */
    MEMORY_TLS,         /* OpenSSL */
    MEMORY_CACHE,       /* responses that are kept for calls that fail, and documents */
    MEMORY_KINDS,
} MemoryKind;

/* "calls", for metrics. */
extern const char *const memory_kind_names[MEMORY_KINDS];

enum {
    MEMORY_STEP = 64 * 1024,
    MEMORY_MUCH = 64 * 1024, /* who holds more is a client among whom shares are divided */
    TALLY_STEP = 16 * 1024,
};

/* What one client holds, over all its connections and loops. All zeros: nothing. */
typedef struct Account {
    _Atomic int64_t held;
    _Atomic int64_t queued; /* of it, what waits to be sent to the client */
    _Atomic bool growing;   /* one of its calls grows beyond the share: memory_wait.h */
    void (*refer)(struct Account *account, int more); /* counts references; NULL: nobody does */
} Account;

/* Takes another reference; returns one. NULL is allowed. Whoever returns the last one has
   subtracted everything that was added. */
void account_keep(Account *account);
void account_close(Account *account);

/* `account` may be NULL. */
void account_add(Account *account, int64_t more);

static inline int64_t account_held(const Account *account)
{
    return atomic_load_explicit(&account->held, memory_order_relaxed);
}

static inline int64_t account_queued(const Account *account)
{
    return atomic_load_explicit(&account->queued, memory_order_relaxed);
}

/* Not told yet by this thread; for memory_add. */
extern _Thread_local int64_t memory_untold[MEMORY_KINDS];
void memory_tell(MemoryKind kind);

/* Adds to the process's total only. `more` may be negative. */
static inline void memory_add(MemoryKind kind, int64_t more)
{
    int64_t untold = memory_untold[kind] += more;
    if (untold >= MEMORY_STEP || untold <= -MEMORY_STEP)
        memory_tell(kind);
}

/* Tells the process what this thread has not told yet: for tests, and threads that end or rest. */
void memory_settle(void);

/* Bytes in use, as far as told. */
int64_t memory_used(MemoryKind kind);
int64_t memory_total(void);

/* What is left below the high mark, in bytes; negative above it. For memory_ask. */
extern _Atomic int64_t memory_left;

/* The limit in bytes; at first there is none, which is UINT64_MAX. Set by one thread at a time. */
void memory_set_limit(uint64_t limit);
uint64_t memory_limit(void);

/* The same, at most half of INT64_MAX, so that sums do not overflow. */
int64_t memory_bound(void);

typedef enum MemoryVerdict {
    MEMORY_GRANTED,
    MEMORY_OVER_SHARE, /* the client holds too much of it */
    MEMORY_OVER_LIMIT, /* it does not, but all is in use */
    MEMORY_VERDICTS,
} MemoryVerdict;

/* Whether more is in use than the high mark. */
static inline bool memory_is_short(void)
{
    return atomic_load_explicit(&memory_left, memory_order_relaxed) < 0;
}

/* Whether no more than a quarter of the limit is in use. */
bool memory_is_plenty(void);

MemoryVerdict memory_ask_above(const Account *account, size_t more);

/* Whether `more` bytes may be taken for something new. `account` may be NULL: the gateway itself,
   which has no share. Nothing is added by it. */
static inline MemoryVerdict memory_ask(const Account *account, size_t more)
{
    int64_t left = atomic_load_explicit(&memory_left, memory_order_relaxed);
    return left >= 0 && more <= (size_t)left ? MEMORY_GRANTED : memory_ask_above(account, more);
}

/* A client's share now, in bytes, and among how many it is divided. */
int64_t memory_share(const Account *account);
int64_t memory_clients(void);

/* What one connection or stream holds, told to its client's account in steps: never less than it
   holds, and at most TALLY_STEP more. Its owner's thread only. All zeros: nothing. */
typedef struct MemoryTally {
    Account *account; /* tally_charge; NULL: only the process counts it */
    int64_t held, told;
    int64_t queued, queued_told; /* of it, MEMORY_BUFFERS that wait for the client */
    bool to_instance;            /* what waits in it is not for the client */
} MemoryTally;

void tally_tell(MemoryTally *tally);

/* From now on it is told to this account, of which it takes a reference, and what was told moves to
   it. NULL, and before it is forgotten: to nobody. */
void tally_charge(MemoryTally *tally, Account *account);

static inline void tally_add(MemoryTally *tally, MemoryKind kind, int64_t more)
{
    memory_add(kind, more);
    tally->held += more;
    if (kind == MEMORY_BUFFERS && !tally->to_instance)
        tally->queued += more;
    if (tally->held > tally->told || tally->told - tally->held >= TALLY_STEP)
        tally_tell(tally);
}

#endif
