/*
 * OtherVersion: a name or path that has the version of a service in it, and what it would be in
 * another version: for clients that ask for a version which does not exist.
 *
 * Plain functions, any thread; results are in the arena.
 */
#ifndef GATEWAY_OTHER_VERSION_H
#define GATEWAY_OTHER_VERSION_H

#include "gateway/config/config.h"

/* "v2, v3": the versions that are still served, without `but`, which may be NULL. */
const char *versions_served(const Service *service, int64_t wall, const Version *but, Arena *arena);

/*
 * "shop.orders.v9.Orders", where the version's package is shop.orders.v2: said v9, and the same
 * name in this version, "shop.orders.v2.Orders". False: the name has not the package of the
 * version, but for the version's name in it; or that is the name of a version of the service.
 */
bool version_in_name(const Version *version, Bytes name, Arena *arena, Bytes *said_out,
                     Bytes *same_out);

/* The first segment of a path that looks as a version does, "v9"; empty: it does not. */
Bytes version_said_in_path(Bytes path);

/* Likewise the first segment of a path that looks as a version does: "/v9/orders" -> "/v2/orders".
   Whether there is anything at this path is not looked at. */
bool version_in_path(const Version *version, Bytes path, Arena *arena, Bytes *said_out,
                     Bytes *same_out);

#endif
