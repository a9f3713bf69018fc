/* passerelle config: see docs/config-files.md. */
#ifndef GATEWAY_COMMAND_CONFIG_H
#define GATEWAY_COMMAND_CONFIG_H

#include "gateway/commands/command.h"

int command_config_view(const CommandLine *line);

#endif
