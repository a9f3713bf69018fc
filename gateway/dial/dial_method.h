/*
 * DialMethod: the method that is meant, and who may serve it.
 *
 * Names are those of routes, "orders.Orders/Get"; also "Orders/Get" if one service has it, and the
 * full name of an RPC, "shop.orders.v1.Orders/Get", which says the version, too. Pure; any thread.
 */
#ifndef GATEWAY_DIAL_METHOD_H
#define GATEWAY_DIAL_METHOD_H

#include "gateway/config/config.h"

/* An instance that may serve a call, and the version in which it is asked. */
typedef struct DialPlace {
    const Instance *instance;
    const Version *served;
} DialPlace;

typedef struct DialPlaces {
    DialPlace *items; /* the best version first; in one version in the order of the config */
    uint32_t n;
    const Version *best; /* in which an instance would be asked that is not in the list */
} DialPlaces;

/*
 * `version` may be NULL: that of a full name, else the service's default, else the newest that has
 * the method. Faults: UNKNOWN_METHOD, UNKNOWN_VERSION, with what there is.
 */
MUST_USE Result dial_method_find(const Config *config, const char *name, const char *version,
                                 Arena *arena, const Method **method_out);

/* Fault: UNKNOWN_VERSION, with those that there are; then *version_out stays. */
MUST_USE Result dial_version_find(const Service *service, const char *name, Arena *arena,
                                  const Version **version_out);

/*
 * By the same rules as calls: negotiation, end of versions, change lists. `fields`: what else the
 * client sends beside its version. Faults: those of explain; UNSUPPORTED, where the
 * gateway makes the response itself. No places: its instances are listed elsewhere.
 */
MUST_USE Result dial_places_find(const Config *config, const Method *method, const Fields *fields,
                                 Arena *arena, DialPlaces *places_out);

#endif
