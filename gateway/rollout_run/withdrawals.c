#include "gateway/rollout_run/withdrawals.h"

#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/instances/instance_set.h"
#include "gateway/rollout_run/rollout_record.h"
#include "gateway/telemetry/telemetry.h"

/* ---- Which there are ------------------------------------------------------------------------- */

/* Rows stay in their order, so that it is nearly always the one in the same place. */
static const Withdrawal *find_before(const Withdrawals *before, uint32_t at, const char *rollout)
{
    if (at < before->n && strcmp(before->all[at].rollout, rollout) == 0)
        return &before->all[at];
    for (uint32_t i = 0; i < before->n; i++)
        if (strcmp(before->all[i].rollout, rollout) == 0)
            return &before->all[i];
    return NULL;
}

bool withdrawals_see(Withdrawals *withdrawals, const RolloutRow *rows, uint32_t n)
{
    Withdrawals before = *withdrawals, now = {.arena = arena_new(ARENA_UNLIMITED)};
    bool news = false;
    now.all = arena_array(now.arena, Withdrawal, n);
    for (uint32_t i = 0; i < n; i++) {
        RolloutRecord record;
        if (!rollout_record_read(&rows[i], &record) || record.state.phase == ROLLOUT_COMPLETE)
            continue;
        Withdrawal *one = &now.all[now.n];
        *one =
            (Withdrawal){.rollout = arena_text(now.arena, rows[i].id), .phase = record.state.phase};
        const Withdrawal *same = find_before(&before, now.n++, one->rollout);
        bool is_same = same && same->phase == one->phase;
        one->told = is_same && same->told;
        news |= !is_same;
    }
    news |= now.n != before.n;
    arena_free(before.arena);
    *withdrawals = now;
    return news;
}

void withdrawals_tell_again(Withdrawals *withdrawals)
{
    for (uint32_t i = 0; i < withdrawals->n; i++)
        withdrawals->all[i].told = false;
}

void withdrawals_deinit(Withdrawals *withdrawals)
{
    arena_free(withdrawals->arena);
    *withdrawals = (Withdrawals){NULL};
}

/* ---- What they withdraw ---------------------------------------------------------------------- */

/* The build of the service that is not to serve; NULL: this one withdraws none of it. */
static const char *build_of(const Withdrawal *withdrawal, const Service *service)
{
    static const char word[] = " build ";
    const char *name = withdrawal->rollout;
    size_t n = strlen(service->name), n_word = sizeof word - 1;
    if (service->rollout && strcmp(service->rollout->name, name) == 0)
        return NULL;
    return strncmp(name, service->name, n) == 0 && strncmp(name + n, word, n_word) == 0
               ? name + n + n_word
               : NULL;
}

static bool is_withdrawn(const Withdrawals *withdrawals, const Service *service, const char *build)
{
    for (uint32_t i = 0; i < withdrawals->n; i++) {
        const char *withdrawn = build_of(&withdrawals->all[i], service);
        if (withdrawn && strcmp(withdrawn, build) == 0)
            return true;
    }
    return false;
}

/* Whether instances are left for clients that have no candidate. */
static bool has_others(const Withdrawals *withdrawals, const InstanceSet *set)
{
    for (uint32_t i = 0; i < set->n; i++) {
        const Instance *instance = set->instances[i];
        if (!instance_is_candidate(set->service, instance) &&
            !is_withdrawn(withdrawals, set->service, instance->build))
            return true;
    }
    return false;
}

static uint32_t count_of(const InstanceSet *set, const char *build)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < set->n; i++)
        n += strcmp(set->instances[i]->build, build) == 0;
    return n;
}

static void tell(Withdrawal *withdrawal, const InstanceSet *set, const char *build, bool others)
{
    uint32_t n = count_of(set, build);
    if (n > 0 && !withdrawal->told && others)
        telemetry_event("warning", "rollout_withdrawn", OK,
                        "%s: it is %s, and the config has no entry of it: its instances (%u) get "
                        "no calls. Take them away, or put the entry back: its rollout goes on by "
                        "that, and passerelle rollout start tries again what was rolled back",
                        withdrawal->rollout, rollout_phase_text(withdrawal->phase), n);
    else if (n > 0 && !withdrawal->told)
        telemetry_event("error", "rollout_withdrawn", OK,
                        "%s: it is %s, and the config has no entry of it: it serves all the same, "
                        "since no other build of %s has an instance",
                        withdrawal->rollout, rollout_phase_text(withdrawal->phase),
                        set->service->name);
    withdrawal->told = n > 0;
}

static void apply_to(Withdrawals *withdrawals, const Service *service)
{
    InstanceSet *set = instance_set_of(service);
    bool others = set && has_others(withdrawals, set);
    for (uint32_t i = 0; set && i < set->n; i++)
        instance_set_aside(set->instances[i], BAR_WITHDRAWN,
                           others && is_withdrawn(withdrawals, service, set->instances[i]->build));
    for (uint32_t i = 0; set && i < withdrawals->n; i++) {
        const char *build = build_of(&withdrawals->all[i], service);
        if (build)
            tell(&withdrawals->all[i], set, build, others);
    }
    instance_set_unref(set);
}

void withdrawals_apply(Withdrawals *withdrawals, const Config *config)
{
    for (uint32_t i = 0; i < config->n_services; i++)
        apply_to(withdrawals, &config->services[i]);
}

/* ---- For operators --------------------------------------------------------------------------- */

/* Whose build it withdraws, and which; NULL: the config has nothing of it. */
static const Service *service_of(const Withdrawal *withdrawal, const Config *config,
                                 const char **build_out)
{
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        *build_out = build_of(withdrawal, service);
        if (!*build_out)
            continue;
        InstanceSet *set = instance_set_of(service);
        bool any = set && count_of(set, *build_out) > 0;
        instance_set_unref(set);
        if (any)
            return service;
    }
    return NULL;
}

static bool is_named(const Withdrawal *withdrawal, const Service *service, Bytes name)
{
    return bytes_are(name, withdrawal->rollout) || bytes_are(name, service->name);
}

const Withdrawal *withdrawals_find(const Withdrawals *withdrawals, const Config *config, Bytes name)
{
    for (uint32_t i = 0; i < withdrawals->n; i++) {
        const char *build;
        const Service *service = service_of(&withdrawals->all[i], config, &build);
        if (service && is_named(&withdrawals->all[i], service, name))
            return &withdrawals->all[i];
    }
    return NULL;
}

void withdrawals_show(const Withdrawals *withdrawals, const Config *config, Bytes name, Buffer *out)
{
    for (uint32_t i = 0; i < withdrawals->n; i++) {
        const Withdrawal *one = &withdrawals->all[i];
        const char *build;
        const Service *service = service_of(one, config, &build);
        if (!service || (name.size && !is_named(one, service, name)))
            continue;
        json_text_open_item(out);
        json_text_add_member(out, "rollout", bytes_of(one->rollout));
        json_text_add_member(out, "service", bytes_of(service->name));
        json_text_add_member(out, "candidate", bytes_of(one->rollout + strlen(service->name) + 1));
        json_text_add_member(out, "state", bytes_of(rollout_phase_text(one->phase)));
        json_text_add_bool(out, "withdrawn", true);
        buffer_add_byte(out, '}');
    }
}
