/*
 * VersionScope: the versions of a service that a text may mean, and the texts that mean one: a name
 * ("v2", "2"), a range (">=v1 <v3", "v1..v3"), a date ("2026-03-01"), and lists of these with
 * weights.
 *
 * Versions that are still served come first. One that is past its sunset is given where no other
 * is meant, so that the caller hears just that.
 *
 * Pure functions over the config; any thread.
 */
#ifndef GATEWAY_VERSION_TEXT_H
#define GATEWAY_VERSION_TEXT_H

#include "gateway/config/config.h"

#define VERSIONS_ALL UINT64_MAX

typedef struct VersionScope {
    const Service *service;
    uint64_t among; /* the versions that may be meant: a bit by Version.index */
    int64_t wall;   /* nanoseconds, for sunset */
} VersionScope;

static inline uint64_t version_bit(const Version *version)
{
    return UINT64_C(1) << version->index;
}

bool version_is_sunset(const Version *version, int64_t wall);

/* The version with this name ("v2" or "2"), or NULL. */
const Version *version_by_name(const Service *service, Bytes name);

/* What a name, a range or a date means: of a range the newest in it, of a date the newest released
   not later. NULL: nothing in scope, or no such text. */
const Version *version_of_text(const VersionScope *scope, Bytes text);

/* The heaviest of a list, the first of equals; a weight of 0 takes its element out. */
const Version *version_of_list(const VersionScope *scope, Bytes list);

#endif
