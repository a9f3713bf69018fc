/*
 * Grpc-Metadata-NAME: metadata in fields of HTTP, as clients of grpc-gateway write and read it.
 * Pure functions.
 */
#ifndef GATEWAY_GRPC_METADATA_H
#define GATEWAY_GRPC_METADATA_H

#include "base/fields.h"

/* Whether a request's head has such fields. */
bool grpc_metadata_is_in(const Fields *fields);

/*
 * The fields of a request's head under their shorter names, in the arena, before anything else is
 * read of it, so that what proves a name or is withheld is recognised by either. Left out are those
 * that would be a field which frames a message; which pages cannot set (Fetch, "forbidden
 * request-header"): a page of another origin could say what browsers say; and which proxies vouch
 * for (X-Forwarded-For, `vouched`: names in lower case, ending with NULL; or NULL): a proxy takes
 * these away from clients by the shorter name only. Out of memory: Fields.full.
 */
Fields grpc_metadata_read(const Fields *fields, const char *const *vouched, Arena *arena);

/* Adds the metadata of a response under its longer names, beside it. Out of memory: Fields.full. */
void grpc_metadata_add(const Fields *metadata, Arena *arena, Fields *fields);

#endif
