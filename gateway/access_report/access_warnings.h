/* AccessWarnings: rules of who may call that do not do what one expects of them. For `check`. */
#ifndef GATEWAY_ACCESS_WARNINGS_H
#define GATEWAY_ACCESS_WARNINGS_H

#include "gateway/config/config.h"

/* Tells all, as problems without a place:
 *   - a rule names a version that the service does not have, or one for a path;
 *   - a rule needs a claim, a class or a tenant that neither a method which counts at the route
 *     gives nor a trusted proxy;
 *   - a pattern has a star that is not at its end, and so stands for itself, or is in a claim's
 *     word;
 *   - a route without authentication has rules, none of which an anonymous client satisfies;
 *   - a method takes tokens of the issuer "";
 *   - pins do not count where the version decides which credentials do. */
void access_warnings(const Config *config, Problems *warnings);

#endif
