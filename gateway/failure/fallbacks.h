/*
 * Fallbacks: what stands in for the response of a failed call, for the table of exchange.h.
 *
 * One for all loops of the process: made before them, freed after them. Any thread, unless a
 * function says otherwise.
 */
#ifndef GATEWAY_FALLBACKS_H
#define GATEWAY_FALLBACKS_H

#include "gateway/call/exchange.h"
#include "gateway/telemetry/exposition.h"

typedef struct Fallbacks Fallbacks;

Fallbacks *fallbacks_new(const Config *config);
void fallbacks_free(Fallbacks *fallbacks); /* NULL is allowed */

/* Of a new config: its limits; and nothing is left of what was kept under other schemas or change
   lists. The main thread. */
void fallbacks_use(Fallbacks *fallbacks, const Config *config);

/* For Loop.fallbacks. */
const FallbackTable *fallbacks_table(const Fallbacks *fallbacks);

/* For metrics_add_writer. */
void fallbacks_metrics_write(Exposition *e, void *fallbacks);

#endif
