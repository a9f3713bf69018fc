/*
 * What the name of a protobuf package says: its API version, and whether its services come with
 * others. Pure; any thread.
 */
#ifndef ADAPTERS_PACKAGE_H
#define ADAPTERS_PACKAGE_H

#include "base/bytes.h"

/* "v2" of "shop.orders.v2" and of "shop.v2.orders": the last part that is a version, borrowed from
   `package`. Empty: none is. */
Bytes package_version(const char *package);

/* Whether its services come with those of others: operations, locations, health, reflection. Also
   for the full name of a service. */
bool package_is_common(Bytes package);

/* A number that grows with the version: v1alpha1, v1beta1, v1, v2. 0: the name is none of those. */
int64_t version_rank(const char *name);

#endif
