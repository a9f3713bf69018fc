/* passerelle openapi: see docs/catalog.md. */
#ifndef GATEWAY_COMMAND_OPENAPI_H
#define GATEWAY_COMMAND_OPENAPI_H

#include "gateway/commands/command.h"

int command_openapi(const CommandLine *line);

#endif
