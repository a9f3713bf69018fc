/* passerelle rollout plan CONFIG [SERVICE]: the word `plan` of command_rollout.c. */
#ifndef GATEWAY_COMMAND_ROLLOUT_PLAN_H
#define GATEWAY_COMMAND_ROLLOUT_PLAN_H

#include "gateway/commands/command.h"

int command_rollout_plan(const CommandLine *line);

/* An option that only `plan` takes, if one was given; else NULL. */
const char *command_rollout_plan_option(const CommandLine *line);

/* Its options, for the row of `rollout` in main.c. */
#define ROLLOUT_PLAN_OPTIONS                                                                       \
    {"--clients", "N", "plan: so many clients call within a day"},                                 \
        {"--clients-per-hour", "N", "plan: so many of them within an hour"},                       \
    {                                                                                              \
        "--failing", "PERCENT", "plan: so many of them fail in the time of a tier anyway"          \
    }

#endif
