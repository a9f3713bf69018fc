/*
 * VersionMedia: what media types say of versions: "application/json; version=2",
 * "application/vnd.shop.v2+json".
 *
 * Content-Type speaks of the request, Accept of the response; one alone speaks of both. Only types
 * that RPC and REST are spoken in are looked at: others (of pages, images, uploads) may have
 * versions of their own. Of Accept's alternatives the one counts that is wanted most and that there
 * is; if it says no version, Accept says none.
 *
 * Pure functions over the config; any thread. All borrows the fields.
 */
#ifndef GATEWAY_VERSION_MEDIA_H
#define GATEWAY_VERSION_MEDIA_H

#include "gateway/version/version_text.h"

typedef struct VersionMedia {
    Bytes sent;   /* the version that Content-Type says; empty: none */
    Bytes accept; /* the Accept fields; empty: none of their types says a version */
} VersionMedia;

VersionMedia version_media(Bytes content_type, Bytes accept);

typedef enum MediaSays {
    MEDIA_SAYS_NOTHING,
    MEDIA_SAYS_VERSION,
    MEDIA_SAYS_UNKNOWN, /* only versions that there are not, or not in scope */
} MediaSays;

/* What Accept says. *version_out: with MEDIA_SAYS_VERSION; *text_out: the first version that it
   says, for messages. */
MediaSays version_of_accept(const VersionScope *scope, Bytes accept, const Version **version_out,
                            Bytes *text_out);

#endif
