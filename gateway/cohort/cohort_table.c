#include "gateway/cohort/cohort_table.h"

#include "base/result.h"
#include "gateway/cohort/key_set.h"
#include "gateway/rollout/tier.h"

#include <stdatomic.h>
#include <stdlib.h>

typedef struct Standing {
    CohortPlan plan; /* without its members, which are: */
    KeySet before, fresh;
    CohortSample *known; /* a copy; NULL: all count */
} Standing;

struct CohortTable {
    atomic_uint references;
    uint32_t n;
    Standing standings[];
};

uint64_t cohort_hash(const KeySeed *salt, Bytes client)
{
    KeyHash hash;
    key_begin(&hash, salt);
    key_add(&hash, 0, client);
    uint64_t low = key_end(&hash).low;
    return low ? low : 1;
}

/* ---- Making ---------------------------------------------------------------------------------- */

static void take_members(Standing *standing, const CohortPlan *plan)
{
    uint32_t most = plan->n_members + 1; /* all are kept */
    key_set_init(&standing->before, most);
    key_set_init(&standing->fresh, most);
    for (uint32_t i = 0; i < plan->n_members; i++) {
        KeySet *set = i < plan->n_before ? &standing->before : &standing->fresh;
        key_set_add(set, cohort_hash(&plan->salt, plan->members[i]));
    }
}

CohortTable *cohort_table_new(const CohortPlan *plans, uint32_t n)
{
    CohortTable *table = calloc(1, sizeof *table + n * sizeof table->standings[0]);
    CHECK(table);
    atomic_init(&table->references, 1);
    table->n = n;
    for (uint32_t i = 0; i < n; i++) {
        Standing *standing = &table->standings[i];
        standing->plan = plans[i];
        take_members(standing, &plans[i]);
        standing->plan.members = NULL;
        standing->known = plans[i].known ? cohort_sample_copy(plans[i].known) : NULL;
    }
    return table;
}

CohortTable *cohort_table_ref(CohortTable *table)
{
    atomic_fetch_add_explicit(&table->references, 1, memory_order_relaxed);
    return table;
}

void cohort_table_unref(CohortTable *table)
{
    if (!table || atomic_fetch_sub_explicit(&table->references, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < table->n; i++) {
        key_set_deinit(&table->standings[i].before);
        key_set_deinit(&table->standings[i].fresh);
        cohort_sample_free(table->standings[i].known);
    }
    free(table);
}

/* ---- Finding --------------------------------------------------------------------------------- */

static const Standing *standing_of(const CohortTable *table, uint64_t rollout)
{
    for (uint32_t i = 0; table && i < table->n; i++)
        if (table->standings[i].plan.rollout == rollout)
            return &table->standings[i];
    return NULL;
}

/* Whether it has the candidate; then whether it had it before this round. */
static bool has_it(const Standing *standing, uint64_t hash, bool *before_out)
{
    const CohortPlan *plan = &standing->plan;
    if (plan->reach < COHORT_MEMBERS)
        return false;
    *before_out = key_set_has(&standing->before, hash) ||
                  (plan->reach >= COHORT_SHARE && tier_hash_is_in(hash, plan->share_before));
    return *before_out || plan->reach == COHORT_ALL || key_set_has(&standing->fresh, hash) ||
           (plan->reach == COHORT_SHARE && tier_hash_is_in(hash, plan->share));
}

static bool is_known(const Standing *standing, uint64_t client)
{
    return !standing->known || cohort_sample_may_have(standing->known, COHORT_BASELINE, client);
}

static CohortPlace place_known(const Standing *standing, const RolloutDefinition *rollout,
                               const CohortClient *client)
{
    const CohortPlan *plan = &standing->plan;
    CohortPlace place = {.round = plan->round,
                         .client = cohort_hash(&plan->salt, client->recorded)};
    bool before = false;
    if (rollout_is_pilot(rollout, client->name)) {
        place.arm = plan->reach == COHORT_NOBODY ? COHORT_BASELINE : COHORT_CANDIDATE;
    } else if (has_it(standing, place.client, &before)) {
        place.arm = COHORT_CANDIDATE;
        place.judged = !before;
    } else {
        place.knocks = tier_door_admits(place.client, plan->round, plan->door);
        place.judged = !place.knocks;
        place.late = place.judged && !is_known(standing, place.client);
    }
    return place;
}

CohortPlace cohort_table_find(const CohortTable *table, const RolloutDefinition *rollout,
                              const CohortClient *client)
{
    const Standing *standing = standing_of(table, rollout->id);
    if (!standing)
        return (CohortPlace){.arm = COHORT_BASELINE};
    if (client->recorded.size)
        return place_known(standing, rollout, client);
    return (CohortPlace){.round = standing->plan.round,
                         .arm = standing->plan.reach == COHORT_ALL ? COHORT_CANDIDATE
                                                                   : COHORT_BASELINE};
}

bool cohort_table_is_empty(const CohortTable *table, uint64_t rollout)
{
    const Standing *standing = standing_of(table, rollout);
    return !standing || standing->plan.reach == COHORT_NOBODY;
}

uint64_t cohort_table_round(const CohortTable *table, uint64_t rollout)
{
    const Standing *standing = standing_of(table, rollout);
    return standing ? standing->plan.round : 0;
}
