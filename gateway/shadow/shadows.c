#include "gateway/shadow/shadows.h"

#include "base/arena.h"
#include "gateway/access/access.h"
#include "gateway/shadow/shadow_call.h"

#include <stdlib.h>

/* What the arena of a copy may have, for each byte of the largest message, and at least: both
   responses are in it in several forms. */
enum { MEMORY_TIMES = 32, MEMORY_LEAST = 256 * 1024 };

/* What a route's copies may still do here. */
typedef struct Allowance {
    struct Allowance *next;
    const ShadowRules *rules;
    uint64_t generation; /* of the config that has them */
    uint32_t running;
    double tokens;
    int64_t since; /* when it had these */
} Allowance;

struct Shadows {
    ShadowPort port; /* first */
    ShadowOwner owner;
    ShadowCall *calls;
    Allowance *allowances;
    bool stopped;
};

/* ---- Allowances ------------------------------------------------------------------------------ */

/* Those of older configs go when their copies have ended. */
static void forget_old(Shadows *shadows, uint64_t generation)
{
    for (Allowance **at = &shadows->allowances; *at;) {
        Allowance *each = *at;
        if (each->generation >= generation || each->running) {
            at = &each->next;
            continue;
        }
        *at = each->next;
        free(each);
    }
}

static Allowance *allowance_of(Shadows *shadows, const Config *config, const ShadowRules *rules)
{
    Allowance *each = shadows->allowances;
    while (each && !(each->rules == rules && each->generation == config->generation))
        each = each->next;
    if (each)
        return each;
    forget_old(shadows, config->generation);
    each = calloc(1, sizeof *each);
    CHECK(each);
    *each = (Allowance){.next = shadows->allowances,
                        .rules = rules,
                        .generation = config->generation,
                        .tokens = 1,
                        .since = shadows->owner.loop->now};
    return shadows->allowances = each;
}

/* One for each copy; a second's worth is kept, and at least one. */
static bool take_token(Allowance *allowance, int64_t now)
{
    double rate = allowance->rules->loop_rate, most = rate > 1 ? rate : 1;
    allowance->tokens += (double)(now - allowance->since) / SECOND * rate;
    allowance->since = now;
    if (allowance->tokens > most)
        allowance->tokens = most;
    if (allowance->tokens < 1)
        return false;
    allowance->tokens--;
    return true;
}

/* ---- The port -------------------------------------------------------------------------------- */

static bool is_busy(const Shadows *shadows, size_t memory)
{
    const Loop *loop = shadows->owner.loop;
    return shadows->stopped || loop->sheds || loop->draining ||
           memory_ask(NULL, memory) != MEMORY_GRANTED;
}

static size_t memory_of(const ShadowRules *rules)
{
    return rules->bytes * MEMORY_TIMES + MEMORY_LEAST;
}

/* The client may have a version, and not the one that its calls are copied to. What the request is
   in that one is not known yet: so no rule of its fields allows the copy. */
static bool may_call(const EndedCall *call)
{
    const Method *method = call->method, *target = NULL;
    const ShadowRules *rules = method->extras->shadow->rules;
    if (rules->version)
        target = method->pairs[rules->version->index].target;
    if (!target || target == method)
        return true; /* it has made this call */
    return access_allows_request(call->config, target, call->identity, BYTES_NONE);
}

/* SHADOW_SKIPS: nothing is against a copy, and it has its token. */
static ShadowSkip obstacle(Shadows *shadows, const EndedCall *call, size_t bytes)
{
    const ShadowRules *rules = call->method->extras->shadow->rules;
    if (shadow_target_is(call->method, call->served, call->instance))
        return SHADOW_SKIP_SAME;
    if (!may_call(call))
        return SHADOW_SKIP_ACCESS;
    if (bytes > rules->bytes)
        return SHADOW_SKIP_SIZE;
    if (is_busy(shadows, memory_of(rules)))
        return SHADOW_SKIP_LOAD;
    Allowance *allowance = allowance_of(shadows, call->config, rules);
    if (allowance->running >= rules->in_flight)
        return SHADOW_SKIP_FLIGHT;
    return take_token(allowance, shadows->owner.loop->now) ? SHADOW_SKIPS : SHADOW_SKIP_RATE;
}

static Arena *admit(ShadowPort *port, const EndedCall *call, size_t bytes)
{
    Shadows *shadows = (Shadows *)port;
    ShadowSkip why = obstacle(shadows, call, bytes);
    if (why != SHADOW_SKIPS) {
        shadow_book_skip(shadows->owner.book, why);
        return NULL;
    }
    Arena *arena = arena_new(memory_of(call->method->extras->shadow->rules));
    arena_charge(arena, NULL, false);
    return arena;
}

static void take(ShadowPort *port, Arena *arena, const EndedCall *ended)
{
    Shadows *shadows = (Shadows *)port;
    ShadowOwner *owner = &shadows->owner;
    ShadowCall *call = NULL;
    if (ended)
        call = shadow_call_begin(owner, arena, ended);
    else
        arena_free(arena);
    if (!call) {
        shadow_book_skip(owner->book, SHADOW_SKIP_MESSAGE);
        return;
    }
    Allowance *allowance =
        allowance_of(shadows, ended->config, ended->method->extras->shadow->rules);
    allowance->running++;
    call->allowance = allowance;
    call->next = shadows->calls;
    call->at = &shadows->calls;
    if (call->next)
        call->next->at = &call->next;
    shadows->calls = call;
    shadow_book_begin(owner->book);
}

static void on_end(ShadowOwner *owner, ShadowCall *call)
{
    ((Allowance *)call->allowance)->running--;
    *call->at = call->next;
    if (call->next)
        call->next->at = call->at;
    shadow_book_end(owner->book);
}

/* ---- Its life -------------------------------------------------------------------------------- */

Shadows *shadows_open(Loop *loop, ShadowBook *book)
{
    Shadows *shadows = calloc(1, sizeof *shadows);
    CHECK(shadows);
    shadows->port = (ShadowPort){admit, take};
    shadows->owner = (ShadowOwner){.loop = loop, .book = book, .on_end = on_end};
    return shadows;
}

ShadowPort *shadows_port(Shadows *shadows)
{
    return &shadows->port;
}

void shadows_stop(Shadows *shadows)
{
    shadows->stopped = true;
    for (ShadowCall *next, *call = shadows->calls; call; call = next) {
        next = call->next;
        shadow_call_drop(call);
    }
}

void shadows_free(Shadows *shadows)
{
    if (!shadows)
        return;
    CHECK(!shadows->calls);
    for (Allowance *next, *each = shadows->allowances; each; each = next) {
        next = each->next;
        free(each);
    }
    free(shadows);
}
