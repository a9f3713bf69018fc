/*
 * SchemaCache: files in which schemas are kept that instances tell by reflection, so that a gateway
 * can start while an instance cannot be asked.
 */
#ifndef GATEWAY_SCHEMA_CACHE_H
#define GATEWAY_SCHEMA_CACHE_H

#include "gateway/config/config.h"

/* `config` is taken to be run: what was told for it is kept, whole or not at all; where a cache
   stands in for an instance a warning is logged, as when a file cannot be written. It waits for the
   disk; any thread but a loop's. */
void schema_caches_keep(const Config *config);

#endif
