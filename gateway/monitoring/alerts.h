/*
 * Alerts: the table of what is told to whom. For gateway/monitoring.
 *
 * In expressions `$5m` is a length of time, and `@3600` a number of seconds, both of which
 * MonitoringOptions.time_scale shortens. The label `instance` of a metric of ours, an instance of a
 * service, is `exported_instance` at Prometheus: `instance` is the gateway there.
 */
#ifndef GATEWAY_ALERTS_H
#define GATEWAY_ALERTS_H

#include <stddef.h>
#include <stdint.h>

typedef enum AlertSeverity {
    ALERT_TICKET,    /* somebody looks at it on a working day */
    ALERT_PAGE,      /* somebody is woken, if the config has any route of high impact */
    ALERT_BY_IMPACT, /* the one for routes of high impact, the other for those of low impact; the
                        expression has `service` and `impact` */
    ALERT_BY_SERVICE /* likewise by the highest impact of the service; it has `service` */
} AlertSeverity;

typedef struct Alert {
    const char *name;
    uint32_t with; /* only where the config has this: Monitorable; 0: always */
    AlertSeverity severity;
    uint32_t seconds; /* for how long it must be so; 0: once is enough */
    const char *expression;
    const char *summary, *description; /* templates of Prometheus */
} Alert;

/* The last one has no name. */
extern const Alert alerts[];

#endif
