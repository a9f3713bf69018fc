/* passerelle profile: see docs/profiling.md. */
#ifndef GATEWAY_COMMAND_PROFILE_H
#define GATEWAY_COMMAND_PROFILE_H

#include "gateway/commands/command.h"

int command_profile(const CommandLine *line);

#endif
