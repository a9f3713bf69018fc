/*
 * OpaqueRoute: which of the routes without a schema a path belongs to, and how it is sent on.
 *
 * Prefixes are compared with the normal form of the path (http_path.h), which is also what the
 * instance gets, so that no spelling leads out of the prefix. Methods and REST bindings were looked
 * up before, by the exact path; another spelling of such a path matches nothing. Pure functions
 * over the config; any thread.
 */
#ifndef GATEWAY_OPAQUE_ROUTE_H
#define GATEWAY_OPAQUE_ROUTE_H

#include "gateway/config/config.h"

/*
 * `path` is without its query, and is not the path of a method or a REST binding. NULL: no route
 * matches. Faults: BAD_REQUEST, if the path is malformed, or if a lenient server would read it as
 * one of another route, of a method or of a binding; OUT_OF_MEMORY.
 */
MUST_USE Result opaque_route_find(const Config *config, Bytes verb, Bytes path, Arena *arena,
                                  const Route **route_out, Bytes *normal_out);

#endif
