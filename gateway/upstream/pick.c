#include "gateway/upstream/pick.h"

#include "base/arena.h"

#include "gateway/policy/spill.h"

/* ---- By arm ---------------------------------------------------------------------------------- */

/* The number of a list, by version and arm: in `lists`, and in `far`. */
static uint32_t list_in(const Candidates *from, uint32_t version, const PickWish *wish)
{
    return wish->candidate ? version + from->n_of_arm : version;
}

/* ---- By cell --------------------------------------------------------------------------------- */

/* Instances that the own cell has of the version, or would have if they did not fail. */
static uint32_t n_in(const CandidateList *near)
{
    return near->n - near->n_out;
}

static bool leaves(CandidateList *near, const PickWish *wish, uint32_t share)
{
    return wish->key.bound > 0 ? spill_key(wish->key.hash, share)
                               : spill_next(&near->spilled, share);
}

static bool has_left(const PickTried *tried)
{
    while (tried && !tried->instance->far)
        tried = tried->before;
    return tried != NULL;
}

/* What two instances have not responded to does not get a third one of the same cell: the cell may
   be cut off, and nobody has noticed yet. */
static bool has_tried_two(const PickWish *wish)
{
    return wish->tried && wish->tried->before;
}

/* Per cent of such calls. Of a cell that is known to be down, another attempt of a call that has
   stayed stays: that was decided already, unless the cell counted as up then. */
static uint32_t share_of(const CandidateList *near, const CellPolicy *policy, const PickWish *wish)
{
    if (has_tried_two(wish) && near->n_up > 0)
        return policy->spill;
    uint32_t share = spill_share(near->n_up, n_in(near), policy->healthy, policy->spill);
    bool stays = wish->tried && !wish->undecided && !has_left(wish->tried);
    return stays ? 0 : share;
}

/* Where the own cell has instances of this version, calls leave it only as far as these are
   missing, or if the call has tried two of them, or all. */
__attribute__((noinline)) static Candidate *choose_by_cell(Loop *loop, const Candidates *from,
                                                           uint32_t list, const PickWish *wish)
{
    const CellPolicy *policy = &from->service->cells;
    CandidateList *near = &from->lists[list], *far = &from->far[list];
    if (n_in(near) == 0)
        return choose_up(loop, far, wish);
    uint32_t share = share_of(near, policy, wish);
    bool goes = share && (has_left(wish->tried) || leaves(near, wish, share));
    Candidate *found = goes ? choose_up(loop, far, wish) : NULL;
    if (found)
        return found;
    bool was_up = near->n_up > 0;
    found = choose_up(loop, near, wish);
    return found || !was_up || !leaves(near, wish, policy->spill) ? found
                                                                  : choose_up(loop, far, wish);
}

static Candidate *choose_among_up(Loop *loop, const Candidates *from, uint32_t list,
                                  const PickWish *wish)
{
    return from->far ? choose_by_cell(loop, from, list, wish)
                     : choose_up(loop, &from->lists[list], wish);
}

/* The list of the own cell, unless that has no instance of the version. */
static CandidateList *main_list(const Candidates *from, uint32_t list)
{
    CandidateList *near = &from->lists[list];
    return from->far && n_in(near) == 0 ? &from->far[list] : near;
}

static Candidate *choose_among_down(Loop *loop, const Candidates *from, uint32_t list,
                                    const PickWish *wish)
{
    return choose_down(loop, main_list(from, list), wish);
}

/* Nobody is up in any cell. A bar that the loop sees is one more that is away than is down. */
static Candidate *choose_among_barred(Loop *loop, const Candidates *from, uint32_t list,
                                      const PickWish *wish)
{
    if (from->n_away == from->n_down || from->lists[list].n_up ||
        (from->far && from->far[list].n_up))
        return NULL;
    return choose_at_need(loop, main_list(from, list), wish);
}

typedef Candidate *Choose(Loop *loop, const Candidates *from, uint32_t list, const PickWish *wish);

/* ---- By version ------------------------------------------------------------------------------ */

/* The first version with a usable instance. An instance of several versions is found in its best
   one. */
static Candidate *choose_version(Loop *loop, const Candidates *from, const Method *method,
                                 uint64_t but, const PickWish *wish, Choose *choose,
                                 const Version **served_out)
{
    for (uint32_t i = 0; i < method->n_preferred; i++) {
        *served_out = method->preferred[i];
        if (but >> (*served_out)->index & 1)
            continue;
        Candidate *candidate = choose(loop, from, list_in(from, (*served_out)->index, wish), wish);
        if (candidate)
            return candidate;
    }
    return NULL;
}

static const char *why_of(const Pick *pick, const Method *method)
{
    if (pick->served == method->version)
        return "native";
    return pick->pair->extras->n_lossy ? "fewest losses" : "without loss";
}

static uint32_t count(const PickTried *tried)
{
    uint32_t n = 0;
    for (; tried; tried = tried->before)
        n++;
    return n;
}

static bool cell_is_up(const Candidates *from, uint32_t list)
{
    return from->far && from->lists[list].n_up > 0;
}

static bool has_spilled(const Candidates *from, uint32_t list, const Candidate *found)
{
    return found->instance->far && n_in(&from->lists[list]) > 0;
}

/* ---- Nobody ---------------------------------------------------------------------------------- */

static const Candidate *untried_down(const CandidateList *list, const PickTried *tried)
{
    for (uint32_t i = list->n_up; i < list->n; i++) {
        if (list->all[i]->down && !choose_was_tried(tried, list->all[i]->instance))
            return list->all[i];
    }
    return NULL;
}

/* Why calls do not leave the cell, though others have instances; "": they may. */
static const char *kept_in_cell(const Candidates *from, uint32_t list, Arena *arena)
{
    const CellPolicy *policy = &from->service->cells;
    if (!from->far || n_in(&from->lists[list]) == 0 || from->far[list].n_up == 0)
        return "";
    const char *text = arena_printf(arena, "; cells.spill lets %u %% of the calls leave cell %s",
                                    policy->spill, policy->own);
    return text ? text : "";
}

/* How many have this as their first bar, in the order of /config. */
static uint32_t count_barred(const Candidates *from, uint32_t bar)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < from->set->n; i++) {
        uint32_t bars = from->candidates[i].down ? 0 : instance_barred(from->set->instances[i]);
        n += (bars & -bars) == bar;
    }
    return n;
}

/* The bars of the others: ", 3 barred (2 ejected, 1 drained)". */
static const char *barred(const Candidates *from, Arena *arena)
{
    uint32_t n = from->n_away - from->n_down;
    if (!n)
        return "";
    Buffer text = buffer_in(arena);
    buffer_printf(&text, ", %u barred", n);
    const char *before = " (";
    for (uint32_t bar = BAR_UNHEALTHY; bar <= BAR_WITHDRAWN; bar <<= 1) {
        uint32_t n_of = count_barred(from, bar);
        if (!n_of)
            continue;
        buffer_printf(&text, "%s%u %s", before, n_of, bar_name(bar));
        before = ", ";
    }
    if (before[0] == ',')
        buffer_add_byte(&text, ')');
    return arena_text(arena, buffer_bytes(&text));
}

static Result nobody(const Candidates *from, const Method *method, const PickWish *wish,
                     Arena *arena)
{
    const PickTried *tried = wish->tried;
    const Service *service = method->version->service;
    const char *path = method->type->path, *kept = "";
    for (uint32_t i = 0; i < method->n_preferred; i++) {
        uint32_t list = list_in(from, method->preferred[i]->index, wish);
        const Candidate *down = untried_down(main_list(from, list), tried);
        kept = *kept ? kept : kept_in_cell(from, list, arena);
        if (down)
            return FAIL_OVER(
                arena, error_copy(arena, upstream_failure(down->upstream)), FAULT_UPSTREAM_DOWN,
                "no instance of %s can serve %s: %u of %u down%s, %u tried%s", service->name, path,
                from->n_down, from->set->n, barred(from, arena), count(tried), kept);
    }
    if (tried || from->n_away > from->n_down)
        return FAIL(arena, FAULT_UPSTREAM_DOWN, "no instance of %s is left for %s: %u tried%s%s",
                    service->name, path, count(tried), barred(from, arena), kept);
    /* Without instances no version is served, so METHOD_REMOVED would be wrong. */
    for (uint32_t i = 0; i < service->n_versions && from->set->n; i++) {
        const MethodPair *pair = &method->pairs[i];
        if (!pair->target && pair->extras->reason)
            return FAIL_TELL(arena, FAULT_METHOD_REMOVED, "%s: %s", path, pair->extras->reason);
    }
    return FAIL(arena, FAULT_NO_INSTANCE, "no instance of %s serves %s or a version it converts to",
                service->name, method->version->name);
}

/* ---- Picking --------------------------------------------------------------------------------- */

Result pick_instance(Loop *loop, const Method *method, const PickTried *tried, Arena *arena,
                     Pick *pick_out)
{
    return pick_other_version(loop, method, 0, &(PickWish){.tried = tried}, arena, pick_out);
}

Result pick_at_version(Loop *loop, const Method *method, const Version *version,
                       const PickWish *wish, Arena *arena, Pick *pick_out)
{
    return pick_other_version(loop, method, ~(UINT64_C(1) << version->index), wish, arena,
                              pick_out);
}

Result pick_other_version(Loop *loop, const Method *method, uint64_t but, const PickWish *wish,
                          Arena *arena, Pick *pick_out)
{
    Candidates *from = candidates_use(loop, method->version->service);
    const Version *served = NULL;
    Candidate *found = choose_version(loop, from, method, but, wish, choose_among_up, &served);
    if (!found)
        found = choose_version(loop, from, method, but, wish, choose_among_down, &served);
    if (!found)
        found = choose_version(loop, from, method, but, wish, choose_among_barred, &served);
    if (!found) {
        Result r = nobody(from, method, wish, arena);
        candidates_release(loop, from);
        return r;
    }
    uint32_t list = list_in(from, served->index, wish);
    *pick_out = (Pick){.instance = found->instance,
                       .served = served,
                       .pair = &method->pairs[served->index],
                       .upstream = found->upstream,
                       .from = from,
                       .spilled = has_spilled(from, list, found),
                       .cell_up = cell_is_up(from, list)};
    pick_out->why = why_of(pick_out, method);
    return OK;
}

static Result nobody_at_all(const Candidates *from, const PickWish *wish, Arena *arena)
{
    uint32_t list = list_in(from, 0, wish);
    const Candidate *down = untried_down(main_list(from, list), wish->tried);
    const char *name = from->service->name, *kept = kept_in_cell(from, list, arena);
    if (down)
        return FAIL_OVER(arena, error_copy(arena, upstream_failure(down->upstream)),
                         FAULT_UPSTREAM_DOWN, "no instance of %s can be reached%s", name, kept);
    return FAIL(arena, FAULT_UPSTREAM_DOWN, "%s has no instance left%s%s", name,
                barred(from, arena), kept);
}

Result pick_any(Loop *loop, const Service *service, const PickWish *wish, Arena *arena,
                Pick *pick_out)
{
    Candidates *from = candidates_use(loop, service);
    uint32_t list = list_in(from, 0, wish);
    Candidate *found = choose_among_up(loop, from, list, wish);
    if (!found)
        found = choose_among_down(loop, from, list, wish);
    if (!found)
        found = choose_among_barred(loop, from, list, wish);
    if (!found) {
        Result r = nobody_at_all(from, wish, arena);
        candidates_release(loop, from);
        return r;
    }
    *pick_out = (Pick){.instance = found->instance,
                       .upstream = found->upstream,
                       .why = "native",
                       .from = from,
                       .spilled = has_spilled(from, list, found),
                       .cell_up = cell_is_up(from, list)};
    return OK;
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
    return measured ? &pick->from->delays[method->extras->delays] : NULL;
}

int64_t *pick_usual(const Pick *pick, const Method *method)
{
    if (!pick->from || !pick->from->usual || !method)
        return NULL;
    return &pick->from->usual[method->version->index][method - method->version->methods];
}

static bool may_answer(const Loop *loop, const CandidateList *list)
{
    for (uint32_t i = 0; i < list->n; i++) {
        const Upstream *upstream = list->all[i]->upstream;
        if (!list->all[i]->barred && (upstream_state(upstream, loop->now) == UPSTREAM_READY ||
                                      upstream_worth_a_try(upstream, loop->now)))
            return true;
    }
    return false;
}

/* Moves no turn: nothing is picked. */
bool pick_is_served(Loop *loop, const Method *method, const Version *version, const PickWish *wish)
{
    Candidates *from = candidates_use(loop, method->version->service);
    uint32_t list = list_in(from, version->index, wish);
    bool is_served =
        may_answer(loop, &from->lists[list]) || (from->far && may_answer(loop, &from->far[list]));
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

static bool any_up_in(const Candidates *from, uint32_t list)
{
    return any_up(&from->lists[list]) || (from->far && any_up(&from->far[list]));
}

/* Whether any of these lists, or the one of other cells beside it, is so. */
static bool any_list(Loop *loop, const Service *service, uint64_t lists, bool candidate,
                     bool (*test)(const Loop *loop, const CandidateList *list))
{
    const PickWish wish = {.candidate = candidate};
    Candidates *from = candidates_use(loop, service);
    bool found = false;
    for (uint64_t left = lists; left && !found; left &= left - 1) {
        uint32_t list = list_in(from, (uint32_t)__builtin_ctzll(left), &wish);
        found = test(loop, &from->lists[list]) || (from->far && test(loop, &from->far[list]));
    }
    candidates_release(loop, from);
    return found;
}

static bool is_filled(const Loop *loop, const CandidateList *list)
{
    return list->n > 0;
}

bool pick_has_any(Loop *loop, const Service *service, uint64_t lists, bool candidate)
{
    return any_list(loop, service, lists, candidate, is_filled);
}

bool pick_may_answer(Loop *loop, const Service *service, uint64_t lists, bool candidate)
{
    return any_list(loop, service, lists, candidate, may_answer);
}

bool pick_possible(Loop *loop, const Method *method)
{
    Candidates *from = candidates_use(loop, method->version->service);
    bool possible = false;
    for (uint32_t i = 0; i < method->n_preferred && !possible; i++) {
        uint32_t version = method->preferred[i]->index;
        possible = any_up_in(from, version) || any_up_in(from, version + from->n_of_arm);
    }
    candidates_release(loop, from);
    return possible;
}
