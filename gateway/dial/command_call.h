/*
 * passerelle call CONFIG METHOD [FIELD=VALUE ...]: one call, shown on both sides of its conversion.
 */
#ifndef GATEWAY_COMMAND_CALL_H
#define GATEWAY_COMMAND_CALL_H

#include "gateway/commands/command.h"

int command_call(const CommandLine *line);

#endif
