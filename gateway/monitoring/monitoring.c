#include "gateway/monitoring/monitoring.h"

#include "gateway/monitoring/monitored.h"
#include "gateway/monitoring/monitoring_internal.h"

uint32_t monitoring_files(const Config *config, const MonitoringOptions *options, Arena *arena,
                          MonitoringFile *files_out)
{
    Monitoring m = {config, options, monitored_of(config), arena};
    uint32_t n = 0;
    files_out[n++] = (MonitoringFile){"passerelle.rules.yaml", monitoring_rules(&m)};
    files_out[n++] = (MonitoringFile){"probes.yaml", monitoring_probes(&m)};
    files_out[n++] = (MonitoringFile){"blackbox.yaml", monitoring_probe_modules(&m)};
    return n + monitoring_dashboards(&m, files_out + n, MONITORING_FILES_MOST - n);
}
