/*
 * Version headers: the fields of a response, also of an error, about its API version.
 *
 *   api-version: v1
 *   vary: api-version, accept
 *   deprecation: @1772323200                         RFC 9745 section 2: a structured date
 *   sunset: Mon, 01 Mar 2027 00:00:00 GMT            RFC 8594 section 3: an HTTP-date
 *   link: <https://...>; rel="successor-version"     RFC 5829 section 3.5
 *   passerelle-brownout: @1772323200;for=600;share=5.0
 *                                                    RFC 9651: a date with parameters
 *
 * Dates are sent whether they have passed or not; the gateway enforces the sunset. Of brown-outs
 * (retiring.h) the next one is announced: when it begins, for how many seconds calls fail, and of
 * how many percent of the clients.
 */
#ifndef GATEWAY_VERSION_HEADERS_H
#define GATEWAY_VERSION_HEADERS_H

#include "base/fields.h"
#include "gateway/config/config.h"

/*
 * Adds the fields for a response in `version`. `decided_by` is the rule that chose it: Vary names
 * the request fields that were read, up to that rule. `identity_header` is the config's, or NULL.
 * `wall`: the time now, in nanoseconds.
 */
void version_headers_write(const Version *version, VersionRule decided_by,
                           const char *identity_header, int64_t wall, Fields *out);

/* Adds only Vary: for a response without a version, because the rules found none. */
void version_headers_vary(const Service *service, VersionRule decided_by,
                          const char *identity_header, Fields *out);

#endif
