#include "gateway/limits/rate_limits_internal.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/handover/handover.h"
#include "gateway/limits/limit_blob.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FIXED_BUCKETS = 65536, /* what the config names, and shared ones */
    SHARED = 256,          /* buckets of a limit that clients without room share */
    SHOWN_MOST = 100,      /* of who is limited, on a page */
};

#define HANDED "rate limits"             /* for a successor */
#define RECORD_EVERY (100 * MILLISECOND) /* for each limit */

RateLimits *rate_limits_new(void)
{
    RateLimits *limits = calloc(1, sizeof *limits);
    CHECK(limits && pthread_mutex_init(&limits->lock, NULL) == 0);
    limits->seed = key_seed_new();
    limits->hot = limit_hot_new();
    limits->shares = limit_share_map_new();
    atomic_init(&limits->share, RATE_WHOLE);
    return limits;
}

void rate_limits_free(RateLimits *limits)
{
    if (!limits)
        return;
    for (LimitTally *tally = limits->tallies, *next; tally; tally = next) {
        next = tally->next;
        free(tally);
    }
    handover_withdraw(HANDED);
    limit_table_free(limits->table);
    limit_hot_free(limits->hot);
    limit_share_map_free(limits->shares);
    pthread_mutex_destroy(&limits->lock);
    free(limits);
}

/* ---- Configs --------------------------------------------------------------------------------- */

static LimitTally *tally_of(RateLimits *limits, const char *name)
{
    LimitTally *tally = limits->tallies;
    while (tally && strcmp(tally->name, name) != 0)
        tally = tally->next;
    if (tally)
        return tally;
    tally = calloc(1, sizeof *tally);
    CHECK(tally);
    snprintf(tally->name, sizeof tally->name, "%s", name);
    tally->next = limits->tallies;
    limits->tallies = tally;
    return tally;
}

static RateLimitState *state_of(RateLimits *limits, const RateLimit *limit, Arena *arena)
{
    RateLimitState *state = arena_make(arena, RateLimitState);
    CHECK(state); /* a config's arena has no limit */
    if (limit->rate)
        state->rate = rate_of(limit->rate, limit->period, limit->burst);
    state->tally = tally_of(limits, limit->name);
    state->tally->per_second = limit->rate && limit->count == LIMIT_CALLS
                                   ? (double)limit->rate * (double)SECOND / (double)limit->period
                                   : 0;
    return state;
}

static void make_table(RateLimits *limits, const LimitRoom *room)
{
    if (!atomic_load(&limits->table))
        atomic_store(&limits->table, limit_table_new((uint64_t[LIMIT_PARTS]){
                                         [LIMIT_PART_FIXED] = FIXED_BUCKETS,
                                         [LIMIT_PART_PROVED] = room->clients,
                                         [LIMIT_PART_ADDRESSES] = room->addresses,
                                     }));
}

void rate_limits_use(RateLimits *limits, Config *config)
{
    RateLimit *const failures[] = {config->access.failures, config->admin_failures};
    if (!config->n_rate_limits && !failures[0] && !failures[1])
        return;
    make_table(limits, &config->limit_room);
    pthread_mutex_lock(&limits->lock);
    for (uint32_t i = 0; i < config->n_rate_limits; i++)
        config->rate_limits[i].state = state_of(limits, &config->rate_limits[i], config->arena);
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        if (failures[i])
            failures[i]->state = state_of(limits, failures[i], config->arena);
    pthread_mutex_unlock(&limits->lock);
}

void rate_limits_share(RateLimits *limits, uint32_t share)
{
    atomic_store_explicit(&limits->share, share ? share : 1, memory_order_relaxed);
}

/* ---- Upgrades -------------------------------------------------------------------------------- */

enum { HANDED_MOST = 48 << 20 /* bytes: 2.9 million buckets */ };

static void write_blob(void *owner, Buffer *out)
{
    RateLimits *limits = owner;
    LimitTable *table = atomic_load(&limits->table);
    if (table)
        limit_blob_write(table, &limits->seed, clock_now(), clock_wall(), HANDED_MOST, out);
}

void rate_limits_agree(RateLimits *limits, KeySeed seed)
{
    limits->seed = seed;
    limits->agreed = true;
}

void rate_limits_hand_on(RateLimits *limits)
{
    LimitTable *table = atomic_load(&limits->table);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes blob = handover_take(HANDED, arena);
    KeySeed seed;
    bool known =
        limit_blob_seed(blob, &seed) &&
        (!limits->agreed || (seed.low == limits->seed.low && seed.high == limits->seed.high));
    if (known)
        limits->seed = seed;
    if (known && table)
        limit_blob_read(table, blob, clock_now(), clock_wall(), &seed);
    arena_free(arena);
    handover_offer(HANDED, write_blob, limits);
}

/* ---- Whether a limit is met ------------------------------------------------------------------ */

static bool is_class(const char *const *classes, Bytes class)
{
    for (; *classes; classes++)
        if (bytes_are(class, *classes))
            return true;
    return false;
}

/* "test-*" is every name that begins so. */
static bool is_client(const char *const *clients, Bytes name)
{
    for (; *clients; clients++) {
        size_t size = strcspn(*clients, "*");
        bool all = (*clients)[size] || name.size == size;
        if (name.size && all && bytes_equal(bytes_slice(name, 0, size), bytes(*clients, size)))
            return true;
    }
    return false;
}

static bool is_version(const char *const *versions, const MethodLimit *item)
{
    for (; item->version && *versions; versions++)
        if (strcmp(item->version, *versions) == 0)
            return true;
    return false;
}

static bool holds(const LimitTest *test, const MethodLimit *item, const Identity *identity)
{
    return (!test->versions || is_version(test->versions, item)) &&
           (!test->classes || is_class(test->classes, identity->class)) &&
           (!test->clients || is_client(test->clients, identity->name)) &&
           (!test->anonymous || !identity->name.size);
}

static bool meets(const MethodLimit *item, const Identity *identity)
{
    const RateLimit *limit = item->limit;
    return (!limit->on.said || holds(&limit->on, item, identity)) &&
           !(limit->unless.said && holds(&limit->unless, item, identity));
}

/* ---- Whose bucket it is ---------------------------------------------------------------------- */

enum { TAG_NAME = 1, TAG_ADDRESS, TAG_TENANT, TAG_CLASS };

enum { IPV6_NETWORK = 8 /* bytes of an address that one client has all of */ };

/* One client has as many IPv6 addresses as it likes, all in one network. */
static Bytes place_of(const IpAddress *address)
{
    if (!address->known)
        return BYTES_NONE;
    return bytes(address->bytes, ip_is_v4(address) ? sizeof address->bytes : IPV6_NETWORK);
}

/* How a client is told from others. */
typedef struct Told {
    uint64_t tag;
    Bytes text;
} Told;

static inline Told told_of(const LimitCall *call)
{
    Bytes name = call->identity->name;
    return name.size ? (Told){TAG_NAME, name} : (Told){TAG_ADDRESS, place_of(call->address)};
}

static inline LimitPart part_of(Told client)
{
    return client.tag == TAG_NAME ? LIMIT_PART_PROVED : LIMIT_PART_ADDRESSES;
}

enum { REMEMBERED = 64 /* a power of two */, SHORTEST = 8, LONGEST = 24 /* bytes of a text */ };

/* The keys of the latest clients of a thread: a keyed hash costs a third of what a limit does. */
typedef struct Remembered {
    uint64_t seed, fixed, tag, size, key;
    uint8_t text[LONGEST];
} Remembered;

static __attribute__((noinline)) uint64_t hash_client(const RateLimits *limits, uint64_t fixed,
                                                      Told client)
{
    KeyHash hash;
    key_begin(&hash, &limits->seed);
    key_add_number(&hash, fixed);
    key_add(&hash, client.tag, client.text);
    return key_end(&hash).low;
}

/* Which of them it is, is no secret: another client there only costs the hash. */
static Remembered *place_for(uint64_t fixed, Bytes text)
{
    static _Thread_local Remembered all[REMEMBERED];
    uint64_t ends = bytes_word(text.data) ^ bytes_word(text.data + text.size - 8) * 3 ^ fixed;
    return &all[ends * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (REMEMBERED - 1)];
}

static uint64_t key_of_client(const RateLimits *limits, uint64_t fixed, Told client)
{
    Bytes text = client.text;
    if (text.size < SHORTEST || text.size > LONGEST)
        return hash_client(limits, fixed, client);
    Remembered *one = place_for(fixed, text);
    if (one->fixed == fixed && one->seed == limits->seed.low && one->tag == client.tag &&
        one->size == text.size && bytes_are_at(one->text, text))
        return one->key;
    *one = (Remembered){.seed = limits->seed.low,
                        .fixed = fixed,
                        .tag = client.tag,
                        .size = text.size,
                        .key = hash_client(limits, fixed, client)};
    bytes_put(one->text, text);
    return one->key;
}

static __attribute__((noinline)) void find_other_key(const RateLimits *limits,
                                                     const LimitCall *call, LimitTicket *ticket)
{
    const Identity *identity = call->identity;
    uint32_t per = ticket->of->limit->per;
    KeyHash hash;
    bool of_tenant = (per & LIMIT_PER_TENANT) && identity->tenant.size;
    bool of_client = (per & LIMIT_PER_CLIENT) || ((per & LIMIT_PER_TENANT) && !of_tenant);
    key_begin(&hash, &limits->seed);
    key_add_number(&hash, ticket->of->fixed);
    ticket->part = per & LIMIT_PER_CALLER ? LIMIT_PART_PROVED : LIMIT_PART_FIXED;
    if (of_tenant)
        key_add(&hash, TAG_TENANT, identity->tenant);
    if (per & LIMIT_PER_CLASS)
        key_add(&hash, TAG_CLASS, identity->class);
    if (of_client) {
        Told client = told_of(call);
        ticket->part = part_of(client);
        key_add(&hash, client.tag, client.text);
    }
    ticket->key = key_end(&hash).low;
}

static void find_key(const RateLimits *limits, const LimitCall *call, LimitTicket *ticket)
{
    if ((ticket->of->limit->per & LIMIT_PER_CALLER) != LIMIT_PER_CLIENT) {
        find_other_key(limits, call, ticket);
        return;
    }
    Told client = told_of(call);
    ticket->part = part_of(client);
    ticket->key = key_of_client(limits, ticket->of->fixed, client);
}

/* ---- Buckets --------------------------------------------------------------------------------- */

/* What is done with a bucket. */
typedef struct Doing {
    Rate rate;
    uint64_t cost;
    uint32_t concurrent;
    int64_t now;
    bool good; /* admitted, or nothing is owed */
    int64_t wait;
} Doing;

static void ask(Doing *it, RateVerdict verdict)
{
    it->good = verdict.admitted;
    it->wait = verdict.wait;
}

static bool take(void *how, uint64_t word, uint64_t *word_out)
{
    Doing *it = how;
    uint64_t fit = rate_fit(&it->rate, word, RATE_TAKEN, it->now);
    RateVerdict verdict = rate_take(&it->rate, fit, it->cost, it->now);
    ask(it, verdict);
    *word_out = verdict.word;
    return verdict.word != word; /* also of who is refused, so that its time passes */
}

/* What passes is charged as it does: for now there only has to be some. */
static bool look(void *how, uint64_t word, uint64_t *word_out)
{
    Doing *it = how;
    *word_out = rate_fit(&it->rate, word, RATE_OWED, it->now);
    ask(it, rate_take(&it->rate, *word_out, it->cost, it->now));
    return *word_out != word;
}

static bool put_back(void *how, uint64_t word, uint64_t *word_out)
{
    const Doing *it = how;
    *word_out = rate_return(&it->rate, word, it->cost);
    return true;
}

static bool charge(void *how, uint64_t word, uint64_t *word_out)
{
    Doing *it = how;
    bool owes;
    *word_out = rate_charge(&it->rate, word, it->cost, it->now, &owes);
    it->good = !owes;
    return true;
}

static bool enter(void *how, uint64_t word, uint64_t *word_out)
{
    Doing *it = how;
    uint64_t count = word & LIMIT_COUNT ? word : LIMIT_COUNT;
    it->good = count - LIMIT_COUNT < it->concurrent;
    it->wait = SECOND;
    *word_out = count + 1;
    return it->good;
}

/* The part of it that this gateway has. */
static inline uint32_t share_here(const RateLimits *limits, uint64_t key)
{
    uint32_t share = limit_share_map_get(limits->shares, key);
    return share ? share : atomic_load_explicit(&limits->share, memory_order_relaxed);
}

static inline Rate rate_here(const RateLimits *limits, const LimitTicket *ticket)
{
    uint32_t share = share_here(limits, ticket->key);
    Rate rate = ticket->of->limit->state->rate;
    return share == RATE_WHOLE ? rate : rate_share(rate, share);
}

static uint32_t concurrent_here(const RateLimits *limits, const RateLimit *limit)
{
    uint32_t share = atomic_load_explicit(&limits->share, memory_order_relaxed);
    uint32_t most = (uint32_t)((uint64_t)limit->concurrent * share / RATE_WHOLE);
    return most ? most : 1;
}

static inline Doing doing_of(const RateLimits *limits, const LimitTicket *ticket, uint64_t cost,
                             int64_t now)
{
    const RateLimit *limit = ticket->of->limit;
    Doing doing = {.cost = cost, .now = now, .good = true};
    if (limit->rate)
        doing.rate = rate_here(limits, ticket);
    else
        doing.concurrent = concurrent_here(limits, limit);
    return doing;
}

/* Without room in its part a client shares a bucket with others that have none. Without room for
   that nobody counts it: the config has more buckets than there can be. */
static LimitSlot *change(RateLimits *limits, LimitTicket *ticket, LimitChange *how, Doing *doing)
{
    LimitTable *table = limits->table;
    LimitSlot *slot = limit_table_change(table, ticket->part, ticket->key, doing->now, how, doing);
    if (slot || ticket->part == LIMIT_PART_FIXED)
        return slot;
    const RateLimit *limit = ticket->of->limit;
    atomic_fetch_add_explicit(&limit->state->tally->shared, 1, memory_order_relaxed);
    ticket->part = LIMIT_PART_FIXED;
    ticket->key = (limit->id + ticket->key % SHARED + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return limit_table_change(table, ticket->part, ticket->key, doing->now, how, doing);
}

/* ---- Admitting ------------------------------------------------------------------------------- */

static bool admit_one(RateLimits *limits, LimitTicket *ticket, uint64_t cost, int64_t now,
                      int64_t *wait_out)
{
    const RateLimit *limit = ticket->of->limit;
    Doing doing = doing_of(limits, ticket, cost, now);
    LimitChange *how = limit->concurrent ? enter : limit->count == LIMIT_CALLS ? take : look;
    LimitSlot *slot = change(limits, ticket, how, &doing);
    if (limit->concurrent && doing.good)
        ticket->place = slot;
    *wait_out = doing.wait;
    return doing.good;
}

static void undo_one(RateLimits *limits, LimitTicket *ticket, int64_t now)
{
    const RateLimit *limit = ticket->of->limit;
    if (ticket->place)
        limit_slot_leave(ticket->place);
    ticket->place = NULL;
    if (limit->concurrent || limit->count != LIMIT_CALLS || ticket->later)
        return;
    Doing doing = doing_of(limits, ticket, 1, now);
    limit_table_change(limits->table, ticket->part, ticket->key, now, put_back, &doing);
}

static Bytes shown_of(const LimitCall *call)
{
    if (call->shown.size || !call->address->known)
        return call->shown;
    char *text = arena_array(call->arena, char, IP_TEXT_SIZE);
    return text ? bytes(text, ip_write(call->address, text)) : BYTES_NONE;
}

/* Whoever is refused is noted where its bucket is. */
static void note_refused(RateLimits *limits, const LimitCall *call, const LimitTicket *ticket)
{
    LimitSlot *slot = limit_table_find(limits->table, ticket->part, ticket->key);
    uint32_t per = ticket->of->limit->per;
    if (!slot)
        return;
    LimitRefused refused = {.part = ticket->part,
                            .key = ticket->key,
                            .limit = ticket->of->limit->name,
                            .client = per & LIMIT_PER_CLIENT   ? shown_of(call)
                                      : per & LIMIT_PER_TENANT ? call->identity->tenant
                                                               : call->identity->class,
                            .wall = call->wall};
    if (!(per & LIMIT_PER_CALLER))
        refused.client = BYTES_NONE;
    uint16_t before = limit_table_note(limits->table, slot);
    uint16_t note = limit_hot_count(limits->hot, before, &refused);
    if (note && note != before)
        limit_table_set_note(limits->table, slot, note);
}

/* Whether a refusal by this limit is one of the few that are recorded. */
static bool is_recorded(LimitTally *tally, int64_t now)
{
    long long last = atomic_load_explicit(&tally->recorded_at, memory_order_relaxed);
    return (!last || now - last >= RECORD_EVERY) &&
           atomic_compare_exchange_strong(&tally->recorded_at, &last, now);
}

static const char *unit_of(const RateLimit *limit)
{
    static const char *const names[] = {[LIMIT_CALLS] = "calls",
                                        [LIMIT_MESSAGES] = "messages",
                                        [LIMIT_BYTES] = "bytes",
                                        [LIMIT_FAILURES] = "wrong credentials"};
    return names[limit->count];
}

static const char *period_of(const RateLimit *limit)
{
    return limit->period == SECOND          ? "second"
           : limit->period == 60 * SECOND   ? "minute"
           : limit->period == 3600 * SECOND ? "hour"
                                            : "day";
}

/* The client may know which limit it is. */
static Result say(const LimitCall *call, const RateLimit *limit, Result cause)
{
    if (limit->concurrent)
        return error_new(call->arena, &FAULT_RATE_LIMITED, cause, "", __FILE__, __LINE__,
                         "%s: %u calls at a time", limit->name, limit->concurrent);
    return error_new(call->arena, &FAULT_RATE_LIMITED, cause, "", __FILE__, __LINE__,
                     "%s: %llu %s per %s, %llu at once", limit->name,
                     (unsigned long long)limit->rate, unit_of(limit), period_of(limit),
                     (unsigned long long)limit->burst);
}

/* How many there were since the last record, where there were any. */
static Result others_of(LimitTally *tally, Arena *arena)
{
    unsigned long long others =
        atomic_exchange_explicit(&tally->unrecorded, 0, memory_order_relaxed);
    return others ? FAIL(arena, FAULT_RATE_LIMITED, "with %llu others since the last such record",
                         others)
                  : OK;
}

static Result refuse(RateLimits *limits, const LimitCall *call, const LimitTicket *ticket,
                     int64_t wait, LimitRefusal *refusal)
{
    LimitTally *tally = ticket->of->limit->state->tally;
    int64_t seconds = (wait + SECOND - 1) / SECOND;
    refusal->retry_after =
        seconds > 1 ? (uint32_t)(seconds < UINT32_MAX ? seconds : UINT32_MAX) : 1;
    atomic_fetch_add_explicit(&tally->refused, 1, memory_order_relaxed);
    note_refused(limits, call, ticket);
    refusal->quiet = !is_recorded(tally, call->now);
    if (refusal->quiet)
        atomic_fetch_add_explicit(&tally->unrecorded, 1, memory_order_relaxed);
    Result others = refusal->quiet ? OK : others_of(tally, call->arena);
    return say(call, ticket->of->limit, others);
}

/* What of the pass is of use later, where anything is. */
static LimitPass *make_pass(const LimitCall *call)
{
    uint32_t n = call->limits->n;
    LimitPass *pass = arena_alloc(call->arena, sizeof *pass + n * sizeof *pass->tickets);
    if (pass)
        *pass = (LimitPass){.flows = call->limits->flows};
    return pass;
}

static void fill_ticket(const RateLimits *limits, const LimitCall *call, const MethodLimit *item,
                        LimitTicket *ticket)
{
    *ticket = (LimitTicket){.of = item, .later = item->cost != NULL};
    find_key(limits, call, ticket);
}

static void undo_all(RateLimits *limits, LimitTicket *tickets, uint32_t n, int64_t now)
{
    for (uint32_t i = 0; i < n; i++)
        undo_one(limits, &tickets[i], now);
}

Result rate_limits_admit(RateLimits *limits, const LimitCall *call, LimitPass **pass_out,
                         LimitRefusal *refusal_out)
{
    LimitTicket here[LIMITS_OF_CALL], *tickets = here;
    LimitPass *pass = *pass_out = call->limits->kept ? make_pass(call) : NULL;
    uint32_t n = 0;
    if (call->limits->kept && !pass)
        return FAIL(call->arena, FAULT_OUT_OF_MEMORY, "counting a call");
    if (pass)
        tickets = pass->tickets;
    for (uint32_t i = 0; i < call->limits->n; i++) {
        const MethodLimit *item = &call->limits->items[i];
        int64_t wait;
        if (!meets(item, call->identity))
            continue;
        fill_ticket(limits, call, item, &tickets[n]);
        if (!tickets[n].later && !admit_one(limits, &tickets[n], 1, call->now, &wait)) {
            undo_all(limits, tickets, n, call->now);
            if (pass) /* the response says where it stands, up to this one */
                *pass = (LimitPass){.n = n + 1};
            return refuse(limits, call, &tickets[n], wait, refusal_out);
        }
        if (pass)
            pass->costs |= tickets[n].later;
        n++;
    }
    if (pass)
        pass->n = n;
    return OK;
}

Result rate_limits_admit_cost(RateLimits *limits, const LimitCall *call, LimitPass *pass,
                              LimitCostOf *cost_of, void *owner, LimitRefusal *refusal_out)
{
    pass->costs = false;
    for (uint32_t i = 0; i < pass->n; i++) {
        LimitTicket *ticket = &pass->tickets[i];
        if (!ticket->later)
            continue;
        uint64_t cost = cost_of(owner, ticket->of), most = ticket->of->limit->most_cost;
        int64_t wait;
        cost = cost < 1 ? 1 : cost > most ? most : cost;
        if (!admit_one(limits, ticket, cost, call->now, &wait))
            return refuse(limits, call, ticket, wait, refusal_out);
    }
    return OK;
}

bool rate_limits_charge(RateLimits *limits, LimitPass *pass, uint64_t messages, uint64_t bytes,
                        int64_t now)
{
    bool owes = false;
    for (uint32_t i = 0; pass->flows && i < pass->n; i++) {
        LimitTicket *ticket = &pass->tickets[i];
        LimitCount count = ticket->of->limit->count;
        uint64_t cost = count == LIMIT_MESSAGES ? messages - pass->messages
                        : count == LIMIT_BYTES  ? bytes - pass->bytes
                                                : 0;
        if (!cost)
            continue;
        Doing doing = doing_of(limits, ticket, cost, now);
        change(limits, ticket, charge, &doing);
        owes |= !doing.good;
    }
    pass->messages = messages;
    pass->bytes = bytes;
    return owes;
}

/* ---- Guesses --------------------------------------------------------------------------------- */

/* A bucket may owe as much as it holds, twice. */
static int64_t time_to_forget(const RateLimit *limit)
{
    return (int64_t)(limit->state->rate.depth / RATE_TICKS) * 3 + SECOND;
}

bool rate_limits_guessed(const RateLimits *limits, int64_t now)
{
    return now < atomic_load_explicit(&limits->guessed_until, memory_order_relaxed);
}

/* Where nobody has guessed of late, as nearly always, nothing is looked up. */
Result rate_limits_admit_guess(RateLimits *limits, const LimitCall *call, LimitRefusal *refusal_out)
{
    LimitPass *none;
    if (!rate_limits_guessed(limits, call->now))
        return OK;
    return rate_limits_admit(limits, call, &none, refusal_out);
}

void rate_limits_count_guess(RateLimits *limits, const LimitCall *call)
{
    for (uint32_t i = 0; i < call->limits->n; i++) {
        const MethodLimit *item = &call->limits->items[i];
        LimitTicket ticket;
        fill_ticket(limits, call, item, &ticket);
        Doing doing = doing_of(limits, &ticket, 1, call->now);
        change(limits, &ticket, charge, &doing);
        long long until = call->now + time_to_forget(item->limit);
        if (until > atomic_load_explicit(&limits->guessed_until, memory_order_relaxed))
            atomic_store_explicit(&limits->guessed_until, until, memory_order_relaxed);
    }
}

/* ---- Leaving --------------------------------------------------------------------------------- */

void rate_limits_leave(LimitPass *pass)
{
    for (uint32_t i = 0; pass && i < pass->n; i++) {
        if (pass->tickets[i].place)
            limit_slot_leave(pass->tickets[i].place);
        pass->tickets[i].place = NULL;
    }
}

LimitStanding rate_limits_standing(RateLimits *limits, const LimitTicket *ticket, int64_t now)
{
    const RateLimit *limit = ticket->of->limit;
    LimitSlot *slot = limit_table_find(limits->table, ticket->part, ticket->key);
    uint64_t word = slot ? atomic_load(&slot->word) : 0;
    if (limit->concurrent) {
        uint64_t most = concurrent_here(limits, limit);
        uint64_t used = word & LIMIT_COUNT ? word - LIMIT_COUNT : 0;
        return (LimitStanding){.left = used < most ? most - used : 0};
    }
    Rate rate = rate_here(limits, ticket);
    word = rate_fit(&rate, word, limit->count == LIMIT_CALLS ? RATE_TAKEN : RATE_OWED, now);
    LimitStanding standing = {.left = rate_left(&rate, word, now), .wait = rate_missing(word, now)};
    if (!standing.left)
        standing.wait = rate_take(&rate, word, 1, now).wait;
    return standing;
}

/* ---- Seeing ---------------------------------------------------------------------------------- */

void rate_limits_write(RateLimits *limits, int64_t wall, Buffer *out)
{
    buffer_add_byte(out, '{');
    limit_hot_write(limits->hot, wall, SHOWN_MOST, out);
    buffer_add_byte(out, '}');
}

static void write_tallies(const RateLimits *limits, Exposition *e, const char *name,
                          const char *help, bool shared)
{
    exposition_family(e, name, METRIC_COUNTER, help);
    for (const LimitTally *tally = limits->tallies; tally; tally = tally->next)
        exposition_number(
            e, "", &(Label){"limit", tally->name}, 1,
            atomic_load_explicit(shared ? &tally->shared : &tally->refused, memory_order_relaxed));
}

void rate_limits_metrics_write(Exposition *e, void *owner)
{
    RateLimits *limits = owner;
    const LimitTable *table = atomic_load(&limits->table);
    pthread_mutex_lock(&limits->lock);
    if (limits->tallies) {
        write_tallies(limits, e, "passerelle_rate_limited", "Calls refused by a limit.", false);
        write_tallies(
            limits, e, "passerelle_rate_limit_shared",
            "Calls that had to share a bucket, since there was no room for their client's.", true);
        exposition_single(e, "passerelle_rate_limit_bytes", METRIC_GAUGE,
                          "Memory of the table of limits, whatever is in it.",
                          table ? limit_table_bytes(table) : 0);
        exposition_single(e, "passerelle_rate_limit_share_parts", METRIC_GAUGE,
                          "The part of each rate that this gateway has, of 65536.",
                          atomic_load_explicit(&limits->share, memory_order_relaxed));
    }
    pthread_mutex_unlock(&limits->lock);
}
