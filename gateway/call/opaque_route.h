/*
 * OpaqueRoute: which of the routes without a schema a path belongs to, and how it is sent on.
 *
 * Prefixes are compared with the normal form of the path (http_path.h), which is also what the
 * instance gets, so that no spelling leads out of the prefix. What has a schema is found by its
 * path as it is spelled there, before; another spelling of such a path leads nowhere. Pure
 * functions over the config; any thread.
 */
#ifndef GATEWAY_OPAQUE_ROUTE_H
#define GATEWAY_OPAQUE_ROUTE_H

#include "gateway/config/config.h"

/*
 * `path` is without its query, and neither a method's nor a REST binding's. NULL: no route has it.
 * Faults: BAD_REQUEST, where the path is malformed, or where a lenient reader would take it for one
 * of another route, of a method or of a binding; OUT_OF_MEMORY.
 */
MUST_USE Result opaque_route_find(const Config *config, Bytes verb, Bytes path, Arena *arena,
                                  const Route **route_out, Bytes *normal_out);

#endif
