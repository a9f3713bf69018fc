/*
 * Monitoring: what Prometheus, Grafana and a prober need to know of a config, made from it.
 *
 * Alerts are only about what the config has, page only for routes of impact `high` and
 * `catastrophic`, and never for mistakes of clients. The same config gives the same bytes. Pure: no
 * loop, no clock; any thread.
 */
#ifndef GATEWAY_MONITORING_H
#define GATEWAY_MONITORING_H

#include "gateway/config/config.h"

typedef struct MonitoringOptions {
    const char *job; /* Prometheus' name of the job that scrapes the gateways */
    const char
        *host; /* of the machine, for probes of addresses like 0.0.0.0; NULL: the config's node */
    const char *docs;    /* URL of the page docs/monitoring.md, for the links to what to do */
    uint32_t time_scale; /* all times of the rules are so many times shorter: 1, but for tests */
} MonitoringOptions;

/* The name is relative to a folder, and may have one folder in it: "dashboards/overview.json". */
typedef struct MonitoringFile {
    const char *name;
    Bytes text;
} MonitoringFile;

enum { MONITORING_FILES_MOST = 16 };

/* Fills in at most MONITORING_FILES_MOST, the rules first; returns the number. All of it is in the
   arena, which has no limit. */
uint32_t monitoring_files(const Config *config, const MonitoringOptions *options, Arena *arena,
                          MonitoringFile *files_out);

#endif
