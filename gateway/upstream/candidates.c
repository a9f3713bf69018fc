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

/* The versions whose lists contain it: a bit each. */
static uint64_t versions_of(const Candidate *candidate)
{
    return instance_lists(candidate->of->service, candidate->instance);
}

/* Its list of this version. */
static CandidateList *list_of(const Candidate *candidate, uint32_t version)
{
    const Candidates *of = candidate->of;
    return &(candidate->instance->far ? of->far : of->lists)[version + candidate->arm];
}

static void put(CandidateList *list, uint32_t version, uint32_t place, Candidate *candidate)
{
    uint64_t before = versions_of(candidate) & ((UINT64_C(1) << version) - 1);
    list->all[place] = candidate;
    candidate->places[__builtin_popcountll(before)] = place;
}

/* Swaps it with the first one that is away, or the last one that is not, and moves the border
   between them. */
static void move(CandidateList *list, uint32_t version, uint32_t place, bool away)
{
    uint32_t border = away ? --list->n_up : list->n_up++;
    Candidate *candidate = list->all[place];
    put(list, version, place, list->all[border]);
    put(list, version, border, candidate);
}

static void set_away(Candidate *candidate, bool down, bool barred)
{
    bool was = candidate->down || candidate->barred, away = down || barred;
    Candidates *of = candidate->of;
    of->n_down += down - candidate->down;
    of->n_away += away - was;
    candidate->down = down;
    candidate->barred = barred;
    uint32_t *place = candidate->places;
    for (uint64_t left = versions_of(candidate); left; left &= left - 1) {
        uint32_t version = (uint32_t)__builtin_ctzll(left);
        CandidateList *list = list_of(candidate, version);
        if (away != was)
            move(list, version, *place, away);
        place++;
        if (away)
            list->try_from = 0; /* unknown */
    }
}

void candidate_set_down(Candidate *candidate, bool down)
{
    if (candidate->down != down)
        set_away(candidate, down, candidate->barred);
}

/* Reads the bars of all. One that changes meanwhile is read again before the next pick. */
static void count_out(Candidate *candidate)
{
    for (uint64_t left = versions_of(candidate); left; left &= left - 1)
        list_of(candidate, (uint32_t)__builtin_ctzll(left))->n_out++;
}

static void take_bars(Candidates *c)
{
    c->bars_seen = atomic_load_explicit(&known_instances_barred, memory_order_acquire);
    for (uint32_t i = 0; i < c->n_lists; i++)
        c->lists[i].n_out = 0;
    for (uint32_t i = 0; i < c->set->n; i++) {
        Candidate *candidate = &c->candidates[i];
        uint32_t bars = instance_barred(candidate->instance);
        bool barred = bars != 0;
        if (candidate->barred != barred)
            set_away(candidate, candidate->down, barred);
        if (bars & BARS_OF_OPERATORS)
            count_out(candidate);
    }
}

void candidate_try_from(Candidate *candidate, int64_t time)
{
    for (uint64_t left = versions_of(candidate); left; left &= left - 1) {
        CandidateList *list = list_of(candidate, (uint32_t)__builtin_ctzll(left));
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
static void add(Candidate *candidate)
{
    uint32_t *place = candidate->places;
    for (uint64_t left = versions_of(candidate); left; left &= left - 1) {
        CandidateList *list = list_of(candidate, (uint32_t)__builtin_ctzll(left));
        *place++ = list->n;
        list->all[list->n++] = candidate;
        list->n_up = list->n;
    }
}

static uint32_t n_versions(const Service *service)
{
    return service->n_versions ? service->n_versions : 1;
}

static uint32_t arm_of(const Candidates *c, const Instance *instance)
{
    return instance_is_candidate(c->service, instance) ? c->n_of_arm : 0;
}

/* Lists with room for their candidates. */
static void make_lists(Candidates *c)
{
    const InstanceSet *set = c->set;
    uint32_t n_places = 0, n = n_versions(c->service);
    bool has_arms = c->service->rollout && c->service->rollout->build;
    c->n_lists = set->has_far ? 2 * n : n;
    c->n_of_arm = has_arms ? c->n_lists : 0;
    c->n_lists += c->n_of_arm;
    c->lists = take_memory(c->n_lists, sizeof *c->lists);
    c->far = set->has_far ? c->lists + n : NULL;
    for (uint32_t i = 0; i < set->n; i++) {
        const Instance *instance = set->instances[i];
        CandidateList *lists = (instance->far ? c->far : c->lists) + arm_of(c, instance);
        for (uint64_t left = instance_lists(c->service, instance); left; left &= left - 1) {
            lists[__builtin_ctzll(left)].n++;
            n_places++;
        }
    }
    for (uint32_t i = 0; i < c->n_lists; i++) {
        CandidateList *list = &c->lists[i];
        *list = (CandidateList){
            .of = c,
            .all = take_memory(list->n, sizeof(Candidate *)),
            .ring = set->rings ? set->rings[i] : NULL,
        };
    }
    c->places = take_memory(n_places, sizeof *c->places);
}

static bool weigh_alike(const CandidateList *list)
{
    for (uint32_t i = 1; i < list->n; i++) {
        if (instance_weight(list->all[i]->instance) != instance_weight(list->all[0]->instance))
            return false;
    }
    return true;
}

/* While the list is in its first order. */
static void make_draw(CandidateList *list)
{
    if (weigh_alike(list))
        return;
    uint32_t *weights = take_memory(list->n, sizeof *weights);
    list->drawn = take_memory(list->n, sizeof(Candidate *));
    for (uint32_t i = 0; i < list->n; i++) {
        weights[i] = instance_weight(list->all[i]->instance);
        list->drawn[i] = list->all[i];
    }
    list->draw = draw_new(weights, list->n);
    free(weights);
}

static float mean_weight(const InstanceSet *set)
{
    double sum = 0;
    for (uint32_t i = 0; i < set->n; i++)
        sum += instance_weight(set->instances[i]);
    return set->n ? (float)(sum / set->n) : 1;
}

/* One block: the rows, and behind them what they point to. */
static int64_t **usual_new(const Service *service)
{
    size_t n = 0;
    for (uint32_t i = 0; i < service->n_versions; i++)
        n += service->versions[i].n_methods;
    if (n == 0)
        return NULL;
    int64_t **rows = take_memory(service->n_versions + n, sizeof(int64_t));
    int64_t *next = (int64_t *)(rows + service->n_versions);
    for (uint32_t i = 0; i < service->n_versions; i++) {
        rows[service->versions[i].index] = next;
        next += service->versions[i].n_methods;
    }
    return rows;
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
    c->count = before ? before->count : take_memory(1, sizeof *c->count);
    c->count->references++;
    if (before && before->service == c->service) {
        c->delays = before->delays;
        before->delays = NULL;
        c->usual = before->usual;
        before->usual = NULL;
    }
    if (!c->usual)
        c->usual = usual_new(c->service);
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
    float mean = mean_weight(set);
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
                                 .weight = (float)instance_weight(instance) / mean,
                                 .arm = arm_of(c, instance),
                                 .places = places};
        if (*first)
            (*first)->at = &candidate->next;
        *first = candidate;
        places += __builtin_popcountll(versions_of(candidate));
        add(candidate);
    }
    for (uint32_t i = 0; i < c->n_lists; i++)
        make_draw(&c->lists[i]);
    for (uint32_t i = 0; i < set->n; i++) {
        if (upstream_state(c->candidates[i].upstream, loop->now) != UPSTREAM_READY)
            candidate_set_down(&c->candidates[i], true);
    }
    take_bars(c);
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
    for (uint32_t i = 0; i < c->n_lists; i++) {
        draw_free(c->lists[i].draw);
        free(c->lists[i].drawn);
        free(c->lists[i].all);
    }
    free(c->lists);
    free(c->places);
    free(c->candidates);
    c->n_lists = 0;
    c->lists = c->far = NULL;
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
    free(c->usual);
    if (--c->count->references == 0)
        free(c->count);
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
    if (atomic_load_explicit(&known_instances_barred, memory_order_relaxed) != c->bars_seen)
        take_bars(c);
    c->n_calls++;
    c->count->n_calls++;
    return c;
}

void candidates_release(Loop *loop, Candidates *c)
{
    CHECK(c->n_calls > 0);
    c->count->n_calls--;
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
