/* What monitoring.c puts together. For gateway/monitoring only. */
#ifndef GATEWAY_MONITORING_INTERNAL_H
#define GATEWAY_MONITORING_INTERNAL_H

#include "gateway/monitoring/monitoring.h"

/* What each file is made of. */
typedef struct Monitoring {
    const Config *config;
    const MonitoringOptions *options;
    uint32_t has; /* Monitorable */
    Arena *arena;
} Monitoring;

/* rules.c: recording and alerting rules of Prometheus, YAML. */
Bytes monitoring_rules(const Monitoring *m);

/* probes.c: targets for blackbox_exporter, as a list of file_sd_configs; and the modules that they
   name. YAML. */
Bytes monitoring_probes(const Monitoring *m);
Bytes monitoring_probe_modules(const Monitoring *m);

/* dashboards.c: the dashboards that the config has a use for; returns the number. */
uint32_t monitoring_dashboards(const Monitoring *m, MonitoringFile *files_out, uint32_t most);

#endif
