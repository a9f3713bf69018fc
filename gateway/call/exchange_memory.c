/* What an exchange holds, whose account it is charged to, and when it must do without. */
#include "base/blocks.h"
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
        if (each->answer_in)
            arena_charge(each->answer_in, x->account, x->firm);
    }
}

static void promise(Attempt *attempt, int64_t more)
{
    attempt->promised += (uint32_t)more;
    memory_add(MEMORY_CALLS, more);
    account_add(attempt->exchange->account, more);
}

void attempt_forget_promise(Attempt *attempt)
{
    if (attempt->promised)
        promise(attempt, -(int64_t)attempt->promised);
}

void attempt_stop_waiting(Attempt *attempt)
{
    if (attempt->memory_wait)
        memory_wait_end(attempt->exchange->loop, &attempt->memory_wait->wait);
    attempt_forget_promise(attempt);
}

/* Waits and promises are of one account. */
static void end_waits(Exchange *x)
{
    for (Attempt *attempt = x->latest; attempt; attempt = attempt->before)
        attempt_end_wait(attempt);
    if (x->memory_wait)
        memory_wait_end(x->loop, &x->memory_wait->wait);
}

void exchange_charge(Exchange *x, Account *account, bool owned)
{
    Account *before = x->owns_account ? x->account : NULL;
    if (x->account)
        end_waits(x);
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

/* Small bodies are not counted: http_queue.c. */
void attempt_charge_request(Attempt *attempt, size_t bytes)
{
    const Exchange *x = attempt->exchange;
    if (x->account && bytes >= block_bytes[BLOCK_SMALL] / 2)
        http_stream_charge(attempt->side.stream, x->account);
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
    const CallWait *call = (const CallWait *)wait;
    Exchange *x = call->x;
    exchange_run(x, call->attempt ? attempt_settle(call->attempt) : exchange_ask_for_more(x));
}

/* It may have had an effect: the client is not told that it may try again. */
static void shed(MemoryWait *wait)
{
    Exchange *x = ((const CallWait *)wait)->x;
    Result r = refuse_memory(x, MEMORY_OVER_SHARE);
    exchange_run(x, exchange_fail(x, r));
}

/* Not in the call's arena: the message grows at its end. */
static MemoryWait *wait_at(Exchange *x, Attempt *attempt, CallWait **at)
{
    if (!*at)
        *at = arena_make(exchange_last_arena(x), CallWait);
    CHECK(*at); /* that arena has no limit */
    (*at)->wait.look = look_for_memory;
    (*at)->wait.shed = shed;
    (*at)->x = x;
    (*at)->attempt = attempt;
    return &(*at)->wait;
}

bool exchange_must_wait(Exchange *x, MessageReader *reader)
{
    size_t more = reader->partial.size ? message_reader_wants(reader) : 0;
    if (!more) {
        if (x->memory_wait && !reader->partial.size)
            memory_wait_end(x->loop, &x->memory_wait->wait);
        return false;
    }
    if (memory_ask(x->account, more) != MEMORY_GRANTED || x->memory_wait) {
        MemoryWait *wait = wait_at(x, NULL, &x->memory_wait);
        if (memory_wait_for(x->loop, wait, x->account, more))
            return true;
    }
    message_reader_take_room(reader);
    return false;
}

/* The room for the rest, and for what it is converted to, counts at once: before others ask. */
static bool waits_for_rest(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    MessageReader *reader = &attempt->side.reader;
    size_t more = message_reader_wants(reader), whole = reader->partial.capacity + more;
    if (!more)
        return false;
    size_t converted = exchange_copies(attempt->response_plan) || whole < attempt->promised
                           ? 0
                           : whole - attempt->promised;
    if (memory_ask(x->account, more + converted) != MEMORY_GRANTED || attempt->memory_wait) {
        MemoryWait *wait = wait_at(x, attempt, &attempt->memory_wait);
        if (memory_wait_for(x->loop, wait, x->account, more + converted))
            return true;
    }
    message_reader_take_room(reader);
    promise(attempt, (int64_t)converted);
    return false;
}

/* What goes on as it came waits while the caller has not taken what it was given. */
static bool waits_for_caller(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    const CallerEvents *events = x->caller->events;
    size_t window = x->config->limits.http.stream_window;
    if (memory_ask(x->account, window) == MEMORY_GRANTED || !events->is_idle ||
        events->is_idle(x->caller))
        return false;
    memory_wait_begin(x->loop, wait_at(x, attempt, &attempt->memory_wait), x->account);
    return true;
}

bool attempt_must_wait(Attempt *attempt)
{
    if (attempt->side.reader.partial.size)
        return waits_for_rest(attempt);
    if (attempt->has_answer_message && !attempt->passed)
        return false; /* what is kept has the turn until it is sent */
    if (waits_for_caller(attempt))
        return true;
    attempt_stop_waiting(attempt);
    return false;
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
