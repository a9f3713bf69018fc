/*
 * VersionScope: the versions that a text may refer to. A text is a name ("v2", "2"), a range (">=v1
 * <v3", "v1..v3"), a date ("2026-03-01"), or a list of these with weights.
 *
 * Versions that are still served take precedence. One past its sunset is returned only if the text
 * matches no other, so that the caller can report the sunset.
 *
 * Pure functions over the config; any thread.
 */
#ifndef GATEWAY_VERSION_TEXT_H
#define GATEWAY_VERSION_TEXT_H

#include "gateway/config/config.h"

#define VERSIONS_ALL UINT64_MAX

typedef struct VersionScope {
    const Service *service;
    uint64_t among; /* the allowed versions: a bit by Version.index */
    int64_t wall;   /* nanoseconds, for sunset */
} VersionScope;

static inline uint64_t version_bit(const Version *version)
{
    return UINT64_C(1) << version->index;
}

bool version_is_sunset(const Version *version, int64_t wall);

/* The version with this name ("v2" or "2"), or NULL. */
const Version *version_by_name(const Service *service, Bytes name);

/* The version for a name, a range (the newest in it) or a date (the newest released by then). NULL:
   none in scope, or a malformed text. */
const Version *version_of_text(const VersionScope *scope, Bytes text);

/* The element of a list with the largest weight, the first of equals; a weight of 0 excludes its
   element. */
const Version *version_of_list(const VersionScope *scope, Bytes list);

#endif
