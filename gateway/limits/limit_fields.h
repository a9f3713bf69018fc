/*
 * LimitFields: what a response says of the limits that its call met: RateLimit-Policy and RateLimit
 * (draft-ietf-httpapi-ratelimit-headers-10), two Lists of RFC 9651.
 *
 *      RateLimit-Policy: "client";q=200;w=2, "at-once";q=10;qu="concurrent-requests"
 *      RateLimit: "client";r=31;t=2, "at-once";r=9
 *
 * The quota of a bucket is its burst, and its window the time in which that refills, so that both
 * together say its rate. Only limits with `tell` are there.
 */
#ifndef GATEWAY_LIMIT_FIELDS_H
#define GATEWAY_LIMIT_FIELDS_H

#include "base/fields.h"
#include "gateway/limits/rate_limits.h"

/* Texts are in the arena; where it is full, `fields` is. */
void limit_fields_add(RateLimits *limits, const LimitPass *pass, int64_t now, Arena *arena,
                      Fields *fields);

#endif
