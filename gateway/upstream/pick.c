#include "gateway/upstream/pick.h"

#include "base/arena.h"

static bool was_tried(const PickTried *tried, const Instance *instance)
{
    while (tried && tried->instance != instance)
        tried = tried->before;
    return tried != NULL;
}

/* ---- Those that are up ----------------------------------------------------------------------- */

/* The first one from `at` on that is up and was not tried; NULL: there is none. One that is found
   to be down is swapped out of the first part of the list, so another one takes its place. */
static Candidate *next_up(const Loop *loop, const CandidateList *list, uint32_t at,
                          const PickTried *tried)
{
    for (uint32_t n_looked = 0; n_looked < list->n_up;) {
        at = at < list->n_up ? at : 0;
        Candidate *candidate = list->all[at];
        if (upstream_state(candidate->upstream, loop->now) != UPSTREAM_READY) {
            candidate_set_down(candidate, true);
            n_looked = 0; /* the one in its place may have been skipped already */
            continue;
        }
        if (!was_tried(tried, candidate->instance))
            return candidate;
        n_looked++;
        at++;
    }
    return NULL;
}

/* The next in turn, or a random other one if that has less load. */
static Candidate *choose_up(Loop *loop, CandidateList *list, const PickTried *tried)
{
    if (list->n_up == 0)
        return NULL;
    Candidate *first = next_up(loop, list, list->turn++ % list->n_up, tried);
    if (!first || list->n_up == 1)
        return first;
    PickTried but_first = {first->instance, tried};
    uint32_t other = (uint32_t)random_below(&loop->random, list->n_up);
    Candidate *second = next_up(loop, list, other, &but_first);
    return second && upstream_load(second->upstream) < upstream_load(first->upstream) ? second
                                                                                      : first;
}

/* ---- Those that are down --------------------------------------------------------------------- */

/* One that is down but worth a try, from a random start, so that calls are spread. If there is
   none, the list is not searched again before that may have changed. */
static Candidate *choose_down(Loop *loop, CandidateList *list, const PickTried *tried)
{
    uint32_t n_down = list->n - list->n_up;
    uint32_t times_back = atomic_load_explicit(&known_instances_back, memory_order_acquire);
    if (n_down == 0 || (loop->now < list->try_from && times_back == list->times_back))
        return NULL;
    int64_t try_from = NO_TIMEOUT;
    uint32_t start = (uint32_t)random_below(&loop->random, n_down);
    for (uint32_t i = 0; i < n_down; i++) {
        uint32_t at = start + i < n_down ? start + i : start + i - n_down;
        Candidate *candidate = list->all[list->n_up + at];
        const Upstream *upstream = candidate->upstream;
        if (upstream_worth_a_try(upstream, loop->now)) {
            if (!was_tried(tried, candidate->instance))
                return candidate;
            try_from = loop->now; /* for the next call */
        } else if (upstream_try_from(upstream) < try_from) {
            try_from = upstream_try_from(upstream);
        }
    }
    list->try_from = try_from;
    list->times_back = times_back;
    return NULL;
}

static const Upstream *untried_down(const CandidateList *list, const PickTried *tried)
{
    for (uint32_t i = list->n_up; i < list->n; i++) {
        if (!was_tried(tried, list->all[i]->instance))
            return list->all[i]->upstream;
    }
    return NULL;
}

/* ---- By version ------------------------------------------------------------------------------ */

typedef Candidate *Choose(Loop *loop, CandidateList *list, const PickTried *tried);

/* The first version with a usable instance. An instance of several versions is found in its best
   one. */
static Candidate *choose_version(Loop *loop, const Candidates *from, const Method *method,
                                 uint64_t but, const PickTried *tried, Choose *choose,
                                 const Version **served_out)
{
    for (uint32_t i = 0; i < method->n_preferred; i++) {
        *served_out = method->preferred[i];
        if (but >> (*served_out)->index & 1)
            continue;
        Candidate *candidate = choose(loop, &from->lists[(*served_out)->index], tried);
        if (candidate)
            return candidate;
    }
    return NULL;
}

static const char *why_of(const Pick *pick, const Method *method)
{
    if (pick->served == method->version)
        return "native";
    return pick->pair->n_lossy ? "fewest losses" : "without loss";
}

static uint32_t count(const PickTried *tried)
{
    uint32_t n = 0;
    for (; tried; tried = tried->before)
        n++;
    return n;
}

static Result nobody(const Candidates *from, const Method *method, const PickTried *tried,
                     Arena *arena)
{
    const Service *service = method->version->service;
    const char *path = method->type->path;
    for (uint32_t i = 0; i < method->n_preferred; i++) {
        const Upstream *down = untried_down(&from->lists[method->preferred[i]->index], tried);
        if (down)
            return FAIL_OVER(arena, error_copy(arena, upstream_failure(down)), FAULT_UPSTREAM_DOWN,
                             "no instance of %s can serve %s: %u of %u down, %u tried",
                             service->name, path, from->n_down, from->set->n, count(tried));
    }
    if (tried)
        return FAIL(arena, FAULT_UPSTREAM_DOWN, "no instance of %s is left for %s: %u tried",
                    service->name, path, count(tried));
    /* Without instances no version is served, so METHOD_REMOVED would be wrong. */
    for (uint32_t i = 0; i < service->n_versions && from->set->n; i++) {
        const MethodPair *pair = &method->pairs[i];
        if (!pair->target && pair->reason)
            return FAIL_TELL(arena, FAULT_METHOD_REMOVED, "%s: %s", path, pair->reason);
    }
    return FAIL(arena, FAULT_NO_INSTANCE, "no instance of %s serves %s or a version it converts to",
                service->name, method->version->name);
}

Result pick_instance(Loop *loop, const Method *method, const PickTried *tried, Arena *arena,
                     Pick *pick_out)
{
    return pick_other_version(loop, method, 0, tried, arena, pick_out);
}

Result pick_at_version(Loop *loop, const Method *method, const Version *version,
                       const PickTried *tried, Arena *arena, Pick *pick_out)
{
    return pick_other_version(loop, method, ~(UINT64_C(1) << version->index), tried, arena,
                              pick_out);
}

Result pick_other_version(Loop *loop, const Method *method, uint64_t but, const PickTried *tried,
                          Arena *arena, Pick *pick_out)
{
    Candidates *from = candidates_use(loop, method->version->service);
    const Version *served = NULL;
    Candidate *found = choose_version(loop, from, method, but, tried, choose_up, &served);
    if (!found)
        found = choose_version(loop, from, method, but, tried, choose_down, &served);
    if (!found) {
        Result r = nobody(from, method, tried, arena);
        candidates_release(loop, from);
        return r;
    }
    *pick_out =
        (Pick){found->instance, served, &method->pairs[served->index], found->upstream, NULL, from};
    pick_out->why = why_of(pick_out, method);
    return OK;
}

Result pick_any(Loop *loop, const Service *service, const PickTried *tried, Arena *arena,
                Pick *pick_out)
{
    Candidates *from = candidates_use(loop, service);
    CandidateList *list = &from->lists[0];
    Candidate *found = choose_up(loop, list, tried);
    if (!found)
        found = choose_down(loop, list, tried);
    if (found) {
        *pick_out = (Pick){.instance = found->instance,
                           .upstream = found->upstream,
                           .why = "native",
                           .from = from};
        return OK;
    }
    const Upstream *down = untried_down(list, tried);
    Result r =
        down ? FAIL_OVER(arena, error_copy(arena, upstream_failure(down)), FAULT_UPSTREAM_DOWN,
                         "no instance of %s can be reached", service->name)
             : FAIL(arena, FAULT_UPSTREAM_DOWN, "%s has no instance left", service->name);
    candidates_release(loop, from);
    return r;
}

void pick_release(Loop *loop, Pick *pick)
{
    if (!pick->from)
        return;
    pick->from->n_hedged -= pick->hedge;
    pick_end_trial(loop, pick, false);
    candidates_release(loop, pick->from);
    pick->from = NULL;
}

/* ---- Two attempts at once -------------------------------------------------------------------- */

bool pick_may_hedge(const Pick *pick, uint32_t percent)
{
    const Candidates *from = pick->from;
    return from && (from->n_hedged == 0 ||
                    (uint64_t)(from->n_hedged + 1) * 100 <= (uint64_t)from->n_calls * percent);
}

void pick_hedge(Pick *pick)
{
    pick->hedge = true;
    pick->from->n_hedged++;
}

/* ---- What retries are based on --------------------------------------------------------------- */

bool pick_budget_is_spent(Loop *loop, const Pick *pick)
{
    Candidates *from = pick->from;
    return from && retry_budget_is_spent(&from->budget, &from->service->retries, loop->now);
}

void pick_charge(Loop *loop, Pick *pick, PolicyCharge charge)
{
    if (!pick->from)
        return;
    pick->trial = charge == CHARGE_TRIAL;
    pick->from->budget.trials += pick->trial;
    if (charge == CHARGE_RETRY)
        retry_budget_take(&pick->from->budget, loop->now);
}

void pick_end_trial(Loop *loop, Pick *pick, bool refused)
{
    if (!pick->trial)
        return;
    pick->trial = false;
    pick->from->budget.trials--;
    if (refused)
        retry_budget_take(&pick->from->budget, loop->now);
}

void pick_earn(Loop *loop, const Pick *pick)
{
    if (pick->from)
        retry_budget_earn(&pick->from->budget, loop->now);
}

DelaySketch *pick_delays(const Pick *pick, const Method *method)
{
    bool measured = pick->from && pick->from->delays && method && method->route->hedge_p95;
    return measured ? &pick->from->delays[method->delays] : NULL;
}

/* Moves no turn: nothing is picked. */
bool pick_is_served(Loop *loop, const Method *method, const Version *version)
{
    Candidates *from = candidates_use(loop, method->version->service);
    const CandidateList *list = &from->lists[version->index];
    bool is_served = false;
    for (uint32_t i = 0; i < list->n && !is_served; i++) {
        const Upstream *upstream = list->all[i]->upstream;
        is_served = upstream_state(upstream, loop->now) == UPSTREAM_READY ||
                    upstream_worth_a_try(upstream, loop->now);
    }
    candidates_release(loop, from);
    return is_served;
}

/* ---- For others ------------------------------------------------------------------------------ */

/* One that another loop considers down is not counted: this loop may just not have noticed yet. */
static bool any_up(const CandidateList *list)
{
    for (uint32_t i = 0; i < list->n_up; i++) {
        if (instance_loops_down(list->all[i]->instance) == 0)
            return true;
    }
    return false;
}

bool pick_possible(Loop *loop, const Method *method)
{
    Candidates *from = candidates_use(loop, method->version->service);
    bool possible = false;
    for (uint32_t i = 0; i < method->n_preferred && !possible; i++)
        possible = any_up(&from->lists[method->preferred[i]->index]);
    candidates_release(loop, from);
    return possible;
}

uint32_t pick_compressions(Loop *loop, const Service *service)
{
    Candidates *from = candidates_use(loop, service);
    uint32_t compressions = from->set->compressions;
    candidates_release(loop, from);
    return compressions;
}
