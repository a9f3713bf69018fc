#include "gateway/report/rollout_report.h"

#include "adapters/text/spelling.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/rollout/tier.h"

#include <math.h>

/* ---- What is known of it --------------------------------------------------------------------- */

/* Listed instances, by their weights. */
typedef struct Listed {
    uint32_t candidate, baseline;
} Listed;

static bool is_candidate(const RolloutDefinition *rollout, const Instance *instance)
{
    return rollout->build ? strcmp(instance->build, rollout->build) == 0
                          : instance->versions >> rollout->version->index & 1;
}

static Listed listed(const RolloutDefinition *rollout)
{
    Listed listed = {0};
    for (uint32_t i = 0; i < rollout->service->n_instances; i++) {
        const Instance *instance = &rollout->service->instances[i];
        *(is_candidate(rollout, instance) ? &listed.candidate : &listed.baseline) +=
            instance->weight;
    }
    return listed;
}

/* As rollout_capacity.h: instances of the candidate that bear this share of the clients. */
static uint32_t needed_for(const RolloutTier *tier, const Listed *listed)
{
    double share = tier->kind == ROLLOUT_TIER_ALL ? 1 : tier->share;
    return (uint32_t)ceil(share * listed->baseline);
}

const char *rollout_cohort_text(const CohortSource *cohort, Arena *arena)
{
    if (cohort->header)
        return arena_printf(arena, "the header %s", cohort->header);
    if (cohort->claim)
        return arena_printf(arena, "the claim %s", cohort->claim);
    if (cohort->field)
        return arena_printf(arena, "the field %s of the request", cohort->field);
    return "their identity";
}

/* Whether the tier is the last one in which there is something to compare with. */
static bool is_before_all(const RolloutDefinition *rollout, uint32_t tier)
{
    return tier + 2 == rollout->n_tiers;
}

/* ---- For people ------------------------------------------------------------------------------ */

static void add_whom(const RolloutDefinition *rollout, Buffer *out)
{
    buffer_printf(out, "rollout of %s to ", rollout->name);
    for (uint32_t i = 0; i < rollout->n_pilots; i++)
        buffer_printf(out, "%s%s", i ? ", " : "the pilots ", rollout->pilots[i]);
    buffer_add_text(out, rollout->n_pilots ? "; then " : "");
    for (uint32_t i = 0; i < rollout->n_tiers; i++)
        buffer_printf(out, "%s%s", i ? ", " : "", rollout->tiers[i].text);
    buffer_printf(out, " clients, told apart by %s\n",
                  rollout_cohort_text(&rollout->cohort, out->arena));
}

static void add_judge(const RolloutDefinition *rollout, Buffer *out)
{
    const char *between = "  judged by ";
    for (int m = 0; m < ROLLOUT_METRICS; m++)
        if (rollout->judging.metrics >> m & 1) {
            buffer_printf(out, "%s%s", between, rollout_metric_name(rollout, (RolloutMetric)m));
            between = ", ";
        }
    buffer_printf(out, "; a good one is found bad with a probability of %g %%\n",
                  rollout->judging.alpha * 100);
    buffer_printf(out, "  bad: %s\n",
                  rollout->on_bad == ROLLOUT_PAUSE ? "it is paused, and keeps its clients"
                                                   : "all clients get the baseline");
    buffer_add_text(out, "  good: ");
    buffer_add_text(out, rollout->on_good == ROLLOUT_WAIT ? "an operator lets it advance"
                                                          : "it advances");
    buffer_add_text(out, ", after ");
    spelling_add_duration(out, rollout->judging.least);
    buffer_printf(out, " at least; before `all`, impact %s, an excess above %g %% is ruled out%s\n",
                  impact_name(rollout->impact), tier_impact_excess(rollout->impact) * 100,
                  rollout->impact == IMPACT_CATASTROPHIC ? ", and an operator approves" : "");
}

static void add_bounds(const RolloutDefinition *rollout, Buffer *out)
{
    Listed here = listed(rollout);
    if (service_is_listed_afar(rollout->service)) {
        buffer_printf(out, "  instances: as listed in %s; they bound how many clients it gets\n",
                      rollout->service->discovery->place);
        return;
    }
    double share = here.candidate < here.baseline ? (double)here.candidate / here.baseline : 1;
    buffer_printf(out,
                  "  instances: %u of the candidate, %u of the baseline: it gets at most %.0f "
                  "%% of the clients\n",
                  here.candidate, here.baseline, floor(share * 100));
}

void rollout_report(const RolloutDefinition *rollout, Buffer *out)
{
    add_whom(rollout, out);
    add_judge(rollout, out);
    add_bounds(rollout, out);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void add_texts(Buffer *out, const char *name, const char *const *texts, uint32_t n)
{
    json_text_open_list(out, name);
    for (uint32_t i = 0; i < n; i++) {
        json_text_add_element(out);
        json_text_add(out, bytes_of(texts[i]));
    }
    buffer_add_byte(out, ']');
}

static void add_tiers_json(const RolloutDefinition *rollout, Buffer *out)
{
    const char *texts[ROLLOUT_TIERS_MOST];
    for (uint32_t i = 0; i < rollout->n_tiers; i++)
        texts[i] = rollout->tiers[i].text;
    add_texts(out, "tiers", texts, rollout->n_tiers);
}

static void add_metrics_json(const RolloutDefinition *rollout, Buffer *out)
{
    const char *texts[ROLLOUT_METRICS];
    uint32_t n = 0;
    for (int m = 0; m < ROLLOUT_METRICS; m++)
        if (rollout->judging.metrics >> m & 1)
            texts[n++] = rollout_metric_name(rollout, (RolloutMetric)m);
    add_texts(out, "metrics", texts, n);
}

void rollout_report_json(const RolloutDefinition *rollout, Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_add_member(out, "rollout", bytes_of(rollout->name));
    json_text_add_member(out, "service", bytes_of(rollout->service->name));
    json_text_add_member(out, "candidate", bytes_of(rollout->candidate));
    add_texts(out, "pilots", rollout->pilots, rollout->n_pilots);
    add_tiers_json(rollout, out);
    json_text_add_member(out, "clients_by",
                         bytes_of(rollout_cohort_text(&rollout->cohort, out->arena)));
    add_metrics_json(rollout, out);
    json_text_add_key(out, "alpha");
    buffer_printf(out, "%g", rollout->judging.alpha);
    json_text_add_number(out, "least_ms", (uint64_t)(rollout->judging.least / MILLISECOND));
    json_text_add_member(out, "on_bad",
                         bytes_of(rollout->on_bad == ROLLOUT_PAUSE ? "pause" : "rollback"));
    json_text_add_member(out, "on_good",
                         bytes_of(rollout->on_good == ROLLOUT_WAIT ? "wait" : "advance"));
    json_text_add_member(out, "impact", bytes_of(impact_name(rollout->impact)));
    if (!service_is_listed_afar(rollout->service)) {
        Listed here = listed(rollout);
        json_text_add_key(out, "instances");
        buffer_printf(out, "{\"candidate\":%u,\"baseline\":%u}", here.candidate, here.baseline);
    }
    buffer_add_byte(out, '}');
}

/* ---- Warnings -------------------------------------------------------------------------------- */

#define ALPHA_LARGE 0.1   /* more than one good build in ten is rolled back */
#define ALPHA_SMALL 0.001 /* more clients are broken until it is certain */

static void PRINTF_LIKE(3, 4)
    warn(Problems *warnings, const RolloutDefinition *rollout, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    text_format(text, sizeof text, format, args);
    va_end(args);
    problem_add(warnings, "", 0, 0, "", NULL, "%s: %s", rollout->name, text);
}

static bool has_certificates(const Config *config)
{
    for (uint32_t i = 0; i < config->n_listeners; i++)
        if (config->listeners[i].client_certificate)
            return true;
    return false;
}

/* Headers that nobody may send are refused when the config is read. */
static void warn_of_clients(const Config *config, const RolloutDefinition *rollout,
                            Problems *warnings)
{
    const CohortSource *cohort = &rollout->cohort;
    if (cohort->header || cohort->claim || cohort->field || config->identity.header ||
        config->access.n_credentials || has_certificates(config))
        return;
    warn(warnings, rollout,
         "nothing tells clients apart, neither identity_header nor certificates or credentials of "
         "clients nor `cohort`: all of them stay on the baseline until `all`");
}

static void warn_of_alpha(const RolloutDefinition *rollout, Problems *warnings)
{
    double alpha = rollout->judging.alpha;
    if (alpha > ALPHA_LARGE)
        warn(warnings, rollout, "judge.alpha: one in %.0f good builds may be found bad", 1 / alpha);
    else if (alpha < ALPHA_SMALL)
        warn(warnings, rollout,
             "judge.alpha: %g is so small that a bad build breaks more clients until it is found",
             alpha);
}

/* Even if none of its clients fails, the last tier that is compared may have too few. */
static void warn_of_tiers(const RolloutDefinition *rollout, Problems *warnings)
{
    double excess = tier_impact_excess(rollout->impact);
    if (rollout->n_tiers == 1)
        warn(warnings, rollout, "its only tier is `all`: nobody is compared, nothing is found");
    for (uint32_t i = 0; i < rollout->n_tiers; i++) {
        const RolloutTier *tier = &rollout->tiers[i];
        if (is_before_all(rollout, i) && tier->kind == ROLLOUT_TIER_CLIENTS &&
            tier_clean_excess(tier->clients) > excess)
            warn(warnings, rollout,
                 "the tier %s before `all` does not pass by itself: its clients rule out %.2g %% "
                 "at best, and the impact is %s: %g %%",
                 tier->text, tier_clean_excess(tier->clients) * 100, impact_name(rollout->impact),
                 excess * 100);
    }
    if (rollout->impact == IMPACT_CATASTROPHIC)
        warn(warnings, rollout,
             "a route of %s has impact catastrophic: before `all` it waits until an operator says "
             "`passerelle rollout advance`",
             rollout->service->name);
}

/* The first tier that too few instances bear; of recorded clients nobody knows which share they
   are. */
static void warn_of_instances(const RolloutDefinition *rollout, Problems *warnings)
{
    Listed here = listed(rollout);
    if (service_is_listed_afar(rollout->service) || here.candidate == 0)
        return; /* a doubt tells that there is none */
    for (uint32_t i = 0; i < rollout->n_tiers; i++) {
        const RolloutTier *tier = &rollout->tiers[i];
        uint32_t needed = needed_for(tier, &here);
        if (tier->kind == ROLLOUT_TIER_CLIENTS || needed <= here.candidate)
            continue;
        warn(warnings, rollout,
             "the tier %s does not begin before there are %u instances of the candidate; there "
             "%s %u",
             tier->text, needed, here.candidate == 1 ? "is" : "are", here.candidate);
        return;
    }
}

void rollout_warnings(const Config *config, Problems *warnings)
{
    for (uint32_t i = 0; i < config->n_rollouts; i++) {
        const RolloutDefinition *rollout = &config->rollouts[i];
        warn_of_clients(config, rollout, warnings);
        warn_of_alpha(rollout, warnings);
        warn_of_tiers(rollout, warnings);
        warn_of_instances(rollout, warnings);
    }
}
