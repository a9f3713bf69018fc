#include "gateway/upstream/candidates.h"

#include "gateway/config/config.h"
#include "gateway/upstream/upstream.h"

#include <stdlib.h>

/* The candidates of one loop. */
struct CandidateTable {
    Candidates *first;       /* all, including replaced ones that running calls still use */
    Candidates **by_service; /* of loop->config, by index; NULL: not made yet */
    uint32_t n_services;
};

/* ---- Lists ----------------------------------------------------------------------------------- */

/* The lists that contain an instance: a bit each. */
static uint64_t lists_of(const Service *service, const Instance *instance)
{
    return service->n_versions ? instance->versions : 1;
}

static void put(CandidateList *list, uint32_t list_index, uint32_t place, Candidate *candidate)
{
    uint64_t before =
        lists_of(candidate->of->service, candidate->instance) & ((UINT64_C(1) << list_index) - 1);
    list->all[place] = candidate;
    candidate->places[__builtin_popcountll(before)] = place;
}

/* Swaps it with the first one that is down, or the last one that is up, and moves the border
   between them. */
static void move(CandidateList *list, uint32_t list_index, uint32_t place, bool down)
{
    uint32_t border = down ? --list->n_up : list->n_up++;
    Candidate *candidate = list->all[place];
    put(list, list_index, place, list->all[border]);
    put(list, list_index, border, candidate);
}

void candidate_set_down(Candidate *candidate, bool down)
{
    if (candidate->down == down)
        return;
    Candidates *of = candidate->of;
    candidate->down = down;
    of->n_down += down ? 1 : -1;
    uint32_t *place = candidate->places;
    for (uint64_t left = lists_of(of->service, candidate->instance); left; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(left);
        move(&of->lists[i], i, *place++, down);
        if (down)
            of->lists[i].try_from = 0; /* unknown */
    }
}

void candidate_try_from(Candidate *candidate, int64_t time)
{
    Candidates *of = candidate->of;
    for (uint64_t left = lists_of(of->service, candidate->instance); left; left &= left - 1) {
        CandidateList *list = &of->lists[__builtin_ctzll(left)];
        if (time < list->try_from)
            list->try_from = time;
    }
}

/* ---- Making ---------------------------------------------------------------------------------- */

static void *take_memory(size_t n, size_t size)
{
    void *memory = calloc(n + 1, size);
    CHECK(memory);
    return memory;
}

/* Appends the candidate to its lists; all are taken to be up at first. */
static void add(Candidates *c, Candidate *candidate)
{
    uint32_t *place = candidate->places;
    for (uint64_t left = lists_of(c->service, candidate->instance); left; left &= left - 1) {
        CandidateList *list = &c->lists[__builtin_ctzll(left)];
        *place++ = list->n;
        list->all[list->n++] = candidate;
        list->n_up = list->n;
    }
}

static void make_lists(Candidates *c)
{
    const Service *service = c->service;
    uint32_t n_places = 0;
    c->n_lists = service->n_versions ? service->n_versions : 1;
    c->lists = take_memory(c->n_lists, sizeof *c->lists);
    for (uint32_t i = 0; i < c->set->n; i++) {
        for (uint64_t left = lists_of(service, c->set->instances[i]); left; left &= left - 1) {
            c->lists[__builtin_ctzll(left)].n++;
            n_places++;
        }
    }
    for (uint32_t i = 0; i < c->n_lists; i++) {
        c->lists[i].all = take_memory(c->lists[i].n, sizeof(Candidate *));
        c->lists[i].n = 0;
    }
    c->places = take_memory(n_places, sizeof *c->places);
}

/* What was learned goes on: of the latest candidates of a service with this name. Methods have
   their places in one config only. */
static void take_over(Loop *loop, Candidates *c)
{
    Candidates *before = loop->candidates->first;
    while (before && strcmp(before->service->name, c->service->name) != 0)
        before = before->next;
    if (before)
        c->budget = retry_budget_continue(&before->budget);
    if (before && before->service == c->service) {
        c->delays = before->delays;
        before->delays = NULL;
    }
    if (!c->delays && c->service->n_delays)
        c->delays = take_memory(c->service->n_delays, sizeof *c->delays);
}

static Candidates *candidates_new(Loop *loop, InstanceSet *set)
{
    Candidates *c = take_memory(1, sizeof *c);
    *c = (Candidates){.service = set->service, .set = set};
    take_over(loop, c);
    c->next = loop->candidates->first;
    loop->candidates->first = c;
    make_lists(c);
    c->candidates = take_memory(set->n, sizeof *c->candidates);
    uint32_t *places = c->places;
    for (uint32_t i = 0; i < set->n; i++) {
        Candidate *candidate = &c->candidates[i];
        const Instance *instance = set->instances[i];
        Upstream *upstream = upstream_of(loop, instance);
        Candidate **first = upstream_candidates(upstream);
        *candidate = (Candidate){.instance = instance,
                                 .upstream = upstream,
                                 .next = *first,
                                 .at = first,
                                 .of = c,
                                 .places = places};
        if (*first)
            (*first)->at = &candidate->next;
        *first = candidate;
        places += __builtin_popcountll(lists_of(c->service, instance));
        add(c, candidate);
    }
    for (uint32_t i = 0; i < set->n; i++) {
        if (upstream_state(c->candidates[i].upstream, loop->now) != UPSTREAM_READY)
            candidate_set_down(&c->candidates[i], true);
    }
    for (uint32_t i = 0; i < c->n_lists; i++)
        c->lists[i].turn = loop->index; /* so that loops begin with different instances */
    return c;
}

/* Frees what only picking needs. */
static void strip(Candidates *c)
{
    for (uint32_t i = 0; c->candidates && i < c->set->n; i++) {
        Candidate *candidate = &c->candidates[i];
        *candidate->at = candidate->next;
        if (candidate->next)
            candidate->next->at = candidate->at;
    }
    for (uint32_t i = 0; i < c->n_lists; i++)
        free(c->lists[i].all);
    free(c->lists);
    free(c->places);
    free(c->candidates);
    c->n_lists = 0;
    c->lists = NULL;
    c->places = NULL;
    c->candidates = NULL;
}

static void candidates_free(Loop *loop, Candidates *c)
{
    Candidates **at = &loop->candidates->first;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    strip(c);
    free(c->delays);
    instance_set_unref(c->set);
    free(c);
}

/* ---- The table of a loop --------------------------------------------------------------------- */

static CandidateTable *table_of(Loop *loop)
{
    if (!loop->candidates)
        loop->candidates = take_memory(1, sizeof *loop->candidates);
    return loop->candidates;
}

static bool is_of(const Config *config, const Service *service)
{
    return config && config->n_services && service >= config->services &&
           service < config->services + config->n_services;
}

static void replaced(Loop *loop, Candidates *c)
{
    c->current = false;
    if (c->n_calls)
        strip(c);
    else
        candidates_free(loop, c);
}

/* The new candidates are made before the old ones are freed, so that upstreams of instances that
   stay are always referred to. */
static Candidates *make_current(Loop *loop, InstanceSet *set)
{
    CandidateTable *table = table_of(loop);
    uint32_t index = set->service->index;
    if (index >= table->n_services) {
        table->by_service = realloc(table->by_service, (index + 1) * sizeof *table->by_service);
        CHECK(table->by_service);
        while (table->n_services <= index)
            table->by_service[table->n_services++] = NULL;
    }
    Candidates *c = candidates_new(loop, set), *before = table->by_service[index];
    c->current = true;
    table->by_service[index] = c;
    if (before)
        replaced(loop, before);
    return c;
}

/* For a service of an older config, or one that the loop has not taken yet. */
static Candidates *find_or_make(Loop *loop, const Service *service)
{
    Candidates *c = table_of(loop)->first;
    while (c && (c->service != service || !c->candidates))
        c = c->next;
    if (c)
        return c;
    InstanceSet *set = instance_set_of(service);
    CHECK(set);
    return is_of(loop->config, service) ? make_current(loop, set) : candidates_new(loop, set);
}

Candidates *candidates_use(Loop *loop, const Service *service)
{
    const CandidateTable *table = loop->candidates;
    uint32_t index = service->index;
    Candidates *c = table && index < table->n_services ? table->by_service[index] : NULL;
    if (!c || c->service != service)
        c = find_or_make(loop, service);
    c->n_calls++;
    return c;
}

void candidates_release(Loop *loop, Candidates *c)
{
    CHECK(c->n_calls > 0);
    if (--c->n_calls == 0 && !c->current)
        candidates_free(loop, c);
}

void candidates_take(Loop *loop, InstanceSet *set)
{
    const CandidateTable *table = table_of(loop);
    uint32_t index = set->service->index;
    if (index < table->n_services && table->by_service[index] &&
        table->by_service[index]->set == set)
        instance_set_unref(set);
    else
        make_current(loop, set);
}

void candidates_trim(Loop *loop)
{
    CandidateTable *table = table_of(loop);
    for (uint32_t i = 0; i < table->n_services; i++) {
        Candidates *c = table->by_service[i];
        if (!c || is_of(loop->config, c->service))
            continue;
        table->by_service[i] = NULL;
        replaced(loop, c);
    }
}

void candidates_end(Loop *loop)
{
    if (!loop->candidates)
        return;
    while (loop->candidates->first)
        candidates_free(loop, loop->candidates->first);
    free(loop->candidates->by_service);
    free(loop->candidates);
    loop->candidates = NULL;
}
