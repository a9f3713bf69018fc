/*
 * VersionMedia: versions in media types: "application/json; version=2",
 * "application/vnd.shop.v2+json".
 *
 * Content-Type applies to the request, Accept to the response; if only one has a version, it
 * applies to both. Only types of RPC and REST are considered: others (of pages, images, uploads)
 * may have versions of their own. Among Accept's alternatives the available one with the largest
 * weight counts; if it has no version, Accept has none.
 *
 * Pure functions over the config; any thread. All results borrow from the fields.
 */
#ifndef GATEWAY_VERSION_MEDIA_H
#define GATEWAY_VERSION_MEDIA_H

#include "gateway/version/version_text.h"

typedef struct VersionMedia {
    Bytes sent;   /* the version in Content-Type; empty: none */
    Bytes accept; /* the Accept fields; empty: none of their types has a version */
} VersionMedia;

VersionMedia version_media(Bytes content_type, Bytes accept);

typedef enum MediaSays {
    MEDIA_SAYS_NOTHING,
    MEDIA_SAYS_VERSION,
    MEDIA_SAYS_UNKNOWN, /* only versions that do not exist or are not in scope */
} MediaSays;

/* The version in Accept. *version_out: with MEDIA_SAYS_VERSION; *text_out: the first version in it,
   for messages. */
MediaSays version_of_accept(const VersionScope *scope, Bytes accept, const Version **version_out,
                            Bytes *text_out);

#endif
