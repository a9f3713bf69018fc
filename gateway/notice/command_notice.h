/*
 * The commands `signals` and `feedback`: what is unusual, and what customers say. See command.h.
 */
#ifndef GATEWAY_COMMAND_NOTICE_H
#define GATEWAY_COMMAND_NOTICE_H

#include "gateway/commands/command.h"

int command_signals(const CommandLine *line);
int command_feedback(const CommandLine *line);

#endif
