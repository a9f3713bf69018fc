/* passerelle init: see command_init.c. */
#ifndef GATEWAY_COMMAND_INIT_H
#define GATEWAY_COMMAND_INIT_H

#include "gateway/commands/command.h"

int command_init(const CommandLine *line);

#endif
