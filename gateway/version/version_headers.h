/*
 * Version headers: what an answer, also an error, says about the API version that it is in.
 *
 *   api-version: v1
 *   vary: api-version, accept
 *   deprecation: @1772323200                         RFC 9745 section 2: a structured date
 *   sunset: Mon, 01 Mar 2027 00:00:00 GMT            RFC 8594 section 3: an HTTP-date
 *   link: <https://...>; rel="successor-version"     RFC 5829 section 3.5
 *
 * Dates are said whether they have passed or not; the sunset is one that the gateway enforces.
 */
#ifndef GATEWAY_VERSION_HEADERS_H
#define GATEWAY_VERSION_HEADERS_H

#include "base/fields.h"
#include "gateway/config/config.h"

/*
 * Adds the fields for an answer in `version`. `decided_by` is the rule that chose it: Vary names
 * the request fields that were asked for it, up to that rule. `identity_header` is the config's, or
 * NULL.
 */
void version_headers_write(const Version *version, VersionRule decided_by,
                           const char *identity_header, Fields *out);

/* Only the Vary of it: of an answer that is in no version, because the rules found none. */
void version_headers_vary(const Service *service, VersionRule decided_by,
                          const char *identity_header, Fields *out);

#endif
