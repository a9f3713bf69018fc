/*
 * passerelle tail: follows the log of a running gateway (gateway/log_output/tail.h). Over a reload,
 * or an upgrade, it connects again.
 */
#ifndef GATEWAY_COMMAND_TAIL_H
#define GATEWAY_COMMAND_TAIL_H

#include "gateway/commands/command.h"

int command_tail(const CommandLine *line);

#endif
