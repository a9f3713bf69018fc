#include "base/memory/budget.h"

const char *const memory_kind_names[MEMORY_KINDS] = {
    [MEMORY_CALLS] = "calls", [MEMORY_BUFFERS] = "buffers", [MEMORY_CONNECTIONS] = "connections",
    [MEMORY_TLS] = "tls",     [MEMORY_CACHE] = "cache",
};

static struct {
    _Atomic int64_t used[MEMORY_KINDS];
    _Atomic int64_t clients; /* accounts that hold more than MEMORY_MUCH */
    _Atomic uint64_t limit;
} process = {.limit = UINT64_MAX};

_Thread_local int64_t memory_untold[MEMORY_KINDS];
_Atomic int64_t memory_left = INT64_MAX / 2 - INT64_MAX / 2 / 4; /* high_mark without a limit */

static int64_t read_count(const _Atomic int64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

/* ---- The process ----------------------------------------------------------------------------- */

void memory_tell(MemoryKind kind)
{
    int64_t more = memory_untold[kind];
    memory_untold[kind] = 0;
    atomic_fetch_add_explicit(&process.used[kind], more, memory_order_relaxed);
    atomic_fetch_sub_explicit(&memory_left, more, memory_order_relaxed);
}

void memory_settle(void)
{
    for (int kind = 0; kind < MEMORY_KINDS; kind++)
        memory_tell((MemoryKind)kind);
}

int64_t memory_used(MemoryKind kind)
{
    return read_count(&process.used[kind]);
}

int64_t memory_total(void)
{
    int64_t total = 0;
    for (int kind = 0; kind < MEMORY_KINDS; kind++)
        total += memory_used((MemoryKind)kind);
    return total;
}

static int64_t bounded(uint64_t limit)
{
    return limit < INT64_MAX / 2 ? (int64_t)limit : INT64_MAX / 2;
}

static int64_t high_mark(int64_t limit)
{
    return limit - limit / 4;
}

/* By one thread at a time. */
void memory_set_limit(uint64_t limit)
{
    uint64_t before = atomic_exchange_explicit(&process.limit, limit, memory_order_relaxed);
    int64_t more = high_mark(bounded(limit)) - high_mark(bounded(before));
    atomic_fetch_add_explicit(&memory_left, more, memory_order_relaxed);
}

uint64_t memory_limit(void)
{
    return atomic_load_explicit(&process.limit, memory_order_relaxed);
}

int64_t memory_bound(void)
{
    return bounded(memory_limit());
}

bool memory_is_plenty(void)
{
    return memory_total() <= memory_bound() / 4;
}

/* ---- Clients --------------------------------------------------------------------------------- */

static void refer(Account *account, int more)
{
    if (account && account->refer)
        account->refer(account, more);
}

void account_keep(Account *account)
{
    refer(account, 1);
}

void account_close(Account *account)
{
    refer(account, -1);
}

void account_add(Account *account, int64_t more)
{
    if (!account || !more)
        return;
    int64_t before = atomic_fetch_add_explicit(&account->held, more, memory_order_relaxed);
    int64_t crossed = (before + more > MEMORY_MUCH) - (before > MEMORY_MUCH);
    if (crossed)
        atomic_fetch_add_explicit(&process.clients, crossed, memory_order_relaxed);
}

static void add_queued(Account *account, int64_t more)
{
    if (account && more)
        atomic_fetch_add_explicit(&account->queued, more, memory_order_relaxed);
}

void tally_tell(MemoryTally *tally)
{
    account_add(tally->account, tally->held - tally->told);
    add_queued(tally->account, tally->queued - tally->queued_told);
    tally->told = tally->held;
    tally->queued_told = tally->queued;
}

void tally_charge(MemoryTally *tally, Account *account)
{
    account_keep(account);
    account_add(tally->account, -tally->told);
    add_queued(tally->account, -tally->queued_told);
    account_close(tally->account);
    tally->account = account;
    account_add(tally->account, tally->told);
    add_queued(tally->account, tally->queued_told);
}

int64_t memory_clients(void)
{
    return read_count(&process.clients);
}

int64_t memory_share(const Account *account)
{
    int64_t clients = memory_clients();
    clients += account_held(account) <= MEMORY_MUCH; /* this account is one of them now */
    return high_mark(memory_bound()) / (clients > 0 ? clients : 1);
}

static bool is_within_share(const Account *account, int64_t wanted)
{
    return !account || account_held(account) + wanted <= memory_share(account);
}

/* The last eighth, above the limit, is for who holds less than its share: others have too much. */
MemoryVerdict memory_ask_above(const Account *account, size_t more)
{
    int64_t limit = memory_bound(), total = memory_total();
    int64_t wanted = bounded(more);
    if (wanted <= high_mark(limit) - total)
        return MEMORY_GRANTED;
    if (!is_within_share(account, wanted))
        return MEMORY_OVER_SHARE;
    return wanted <= limit + limit / 8 - total ? MEMORY_GRANTED : MEMORY_OVER_LIMIT;
}
