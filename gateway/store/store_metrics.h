/* The store's families on the metrics page: docs/seeing.md lists them. Any thread. */
#ifndef GATEWAY_STORE_METRICS_H
#define GATEWAY_STORE_METRICS_H

#include "gateway/telemetry/exposition.h"

/* `store`: a Store, as metrics_add_writer passes it. */
void store_metrics_write(Exposition *e, void *store);

#endif
