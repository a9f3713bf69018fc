/*
 * SchemaCache: files with the schemas that were fetched by reflection, so that a gateway can start
 * while an instance cannot be reached.
 */
#ifndef GATEWAY_SCHEMA_CACHE_H
#define GATEWAY_SCHEMA_CACHE_H

#include "gateway/config/config.h"

/* Call when `config` begins to run: writes the fetched schemas to their files, atomically. Logs a
   warning if a cached schema is in use, or if a file cannot be written. Blocks on the disk; any
   thread except a loop's. */
void schema_caches_keep(const Config *config);

#endif
