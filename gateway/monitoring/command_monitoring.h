/*
 * passerelle monitoring CONFIG: rules for Prometheus, dashboards for Grafana and a list of probes,
 * made from the config.
 */
#ifndef GATEWAY_COMMAND_MONITORING_H
#define GATEWAY_COMMAND_MONITORING_H

#include "gateway/commands/command.h"

int command_monitoring(const CommandLine *line);

#endif
