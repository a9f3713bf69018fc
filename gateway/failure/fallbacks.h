/*
 * Fallbacks: what stands in for the response of a failed call, for the table of exchange.h.
 *
 * One for all loops of the process: made before them, freed after them. Any thread.
 */
#ifndef GATEWAY_FALLBACKS_H
#define GATEWAY_FALLBACKS_H

#include "gateway/call/exchange.h"

typedef struct Fallbacks Fallbacks;

Fallbacks *fallbacks_new(void);
void fallbacks_free(Fallbacks *fallbacks); /* NULL is allowed */

/* For Loop.fallbacks. */
const FallbackTable *fallbacks_table(const Fallbacks *fallbacks);

#endif
