/*
 * What the config's rollouts mean, for `passerelle check`: whom they reach, by what they are
 * judged, what follows, and what is doubtful about them. Instances are those that the config lists:
 * of others nothing is known. Pure; any thread.
 */
#ifndef GATEWAY_ROLLOUT_REPORT_H
#define GATEWAY_ROLLOUT_REPORT_H

#include "base/problem.h"
#include "gateway/config/config.h"

/* A few lines for people. */
void rollout_report(const RolloutDefinition *rollout, Buffer *out);

/* One object; its members are in docs/commands.md. */
void rollout_report_json(const RolloutDefinition *rollout, Buffer *out);

/* What is allowed, and perhaps not meant. */
void rollout_warnings(const Config *config, Problems *warnings);

/* "their identity", "the header x-account": what tells its clients apart. In the arena. */
const char *rollout_cohort_text(const CohortSource *cohort, Arena *arena);

#endif
