/*
 * passerelle password: the hash of an operator's password, for `admin.operators`.
 */
#ifndef GATEWAY_COMMAND_PASSWORD_H
#define GATEWAY_COMMAND_PASSWORD_H

#include "gateway/commands/command.h"

int command_password(const CommandLine *line);

#endif
