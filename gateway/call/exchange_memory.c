/* What an exchange holds, whose account it is charged to, and when it must do without. */
#include "gateway/call/exchange_internal.h"
#include "gateway/memory/accounts.h"

enum { CALL_LEAST = 4096 /* bytes that a new call needs */ };

/* ---- Whose it is ----------------------------------------------------------------------------- */

static inline void charge_arenas(Exchange *x)
{
    arena_charge(x->arena, x->account, x->firm);
    if (x->scratch && x->scratch != x->arena)
        arena_charge(x->scratch, x->account, x->firm);
    for (Attempt *each = x->latest; each; each = each->before) {
        if (each->made_in)
            arena_charge(each->made_in, x->account, x->firm);
    }
}

void exchange_charge(Exchange *x, Account *account, bool owned)
{
    Account *before = x->owns_account ? x->account : NULL;
    x->account = account;
    x->owns_account = owned;
    charge_arenas(x);
    if (before)
        account_close(before);
}

void exchange_sent(Attempt *attempt)
{
    attempt->sent = true;
    exchange_set_firm(attempt->exchange);
}

void exchange_set_firm(Exchange *x)
{
    if (x->firm)
        return;
    x->firm = true;
    charge_arenas(x);
}

/* ---- Doing without --------------------------------------------------------------------------- */

/* In an arena that is not refused. */
static Result refuse_memory(Exchange *x, MemoryVerdict verdict)
{
    Arena *arena = exchange_last_arena(x);
    bool share = verdict == MEMORY_OVER_SHARE;
    telemetry_count(x->loop, share ? COUNTER_MEMORY_SHARE : COUNTER_MEMORY_FULL);
    if (!share)
        return FAIL(arena, FAULT_MEMORY_FULL, "%lld of %llu bytes are in use",
                    (long long)memory_total(), (unsigned long long)memory_limit());
    return FAIL(arena, FAULT_MEMORY_SHARE, "%lld bytes, where a share is %lld",
                (long long)account_held(x->account), (long long)memory_share(x->account));
}

Result exchange_admit(Exchange *x)
{
    MemoryVerdict verdict = memory_ask(x->account, CALL_LEAST);
    return verdict == MEMORY_GRANTED ? OK : refuse_memory(x, verdict);
}

/* What the budget refuses looks like the limit of a call to the function that needs memory. */
Result exchange_name_refusal(Exchange *x, const Arena *where, Result why)
{
    if (why.error->fault != &FAULT_OUT_OF_MEMORY)
        return why;
    MemoryVerdict verdict = arena_refusal(x->arena);
    if (verdict == MEMORY_GRANTED && where)
        verdict = arena_refusal(where);
    if (verdict == MEMORY_GRANTED)
        return why;
    Arena *arena = exchange_last_arena(x);
    const char *doing = arena_string(arena, why.error->doing);
    Result refused = refuse_memory(x, verdict);
    return FAIL_OVER(arena, refused, *refused.error->fault, "%s", doing);
}

Result exchange_keep_error(Exchange *x, const Arena *arena, Result why)
{
    Result named = exchange_name_refusal(x, arena, why);
    bool is_kept = arena == x->arena || named.error != why.error;
    return is_kept ? named : error_copy(x->arena, why);
}

static void look_for_memory(MemoryWait *wait)
{
    Attempt *attempt = (Attempt *)((char *)wait - offsetof(Attempt, memory_wait));
    exchange_run(attempt->exchange, attempt_settle(attempt));
}

/* Of a message that has to be kept, only a part is here. */
bool attempt_waits_for_memory(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    if (!attempt->side.reader.partial.size) {
        if (attempt->memory_wait.at)
            memory_wait_end(x->loop, &attempt->memory_wait);
        return false;
    }
    attempt->memory_wait.look = look_for_memory;
    return memory_wait_for(x->loop, &attempt->memory_wait, x->account,
                           x->config->limits.http.stream_window);
}

/* ---- Arenas ---------------------------------------------------------------------------------- */

Arena *exchange_arena_new(const Exchange *x)
{
    Arena *arena = arena_new(x->memory);
    arena_charge(arena, x->account, x->firm);
    return arena;
}

Arena *exchange_scratch(Exchange *x)
{
    if (!x->scratch)
        x->scratch = exchange_arena_new(x);
    return x->scratch;
}

void exchange_forget_message(Exchange *x)
{
    if (x->scratch && x->scratch != x->arena)
        arena_reset(x->scratch);
}

void exchange_forget_messages(Exchange *x)
{
    if (x->scratch == x->arena)
        return;
    arena_free(x->scratch);
    x->scratch = NULL;
}

Arena *exchange_last_arena(Exchange *x)
{
    if (!x->last)
        x->last = arena_new(ARENA_UNLIMITED);
    return x->last;
}
