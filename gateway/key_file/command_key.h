/*
 * passerelle key: API keys in a file that `api_keys` of a config names. A file is replaced whole,
 * or stays as it is; comments and order stay.
 */
#ifndef GATEWAY_COMMAND_KEY_H
#define GATEWAY_COMMAND_KEY_H

#include "gateway/commands/command.h"

int command_key(const CommandLine *line);

#endif
