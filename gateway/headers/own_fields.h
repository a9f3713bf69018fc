/*
 * Own fields: those of an answer that only the gateway may say. This is the one list of them.
 *
 * A service may stand behind another gateway, say its version itself, or mean no good. What it
 * sends under these names in its head, its trailers or an interim answer is taken out before the
 * gateway adds its own, so that each comes once and by the gateway's word. In all dialects:
 *
 *   x-request-id, passerelle-*       always
 *   access-control-*                 where the gateway has a CORS policy (of RPC answers they are
 * dropped anyway) the service's version field      where the answer has a version: not on opaque
 * routes deprecation, sunset, and         the same, if the gateway says it of this version, or the
 * instance spoke of rel="successor-version" of link  another one
 *
 * "trailer-" before such a name is how Connect and REST spell a trailer in a head, and changes
 * nothing. Fields that frame a message (content-type, grpc-status, ...) are not here: the dialects
 * read them and write their own. Plain functions, any thread.
 */
#ifndef GATEWAY_OWN_FIELDS_H
#define GATEWAY_OWN_FIELDS_H

#include "gateway/config/config.h"

/* What the list depends on. */
typedef struct OwnFields {
    const Version *version; /* that the client is told; NULL: none, as on opaque routes */
    const Version *served;  /* by the instance; NULL likewise */
    bool cors;              /* the gateway has a policy */
} OwnFields;

/* Takes the gateway's own out of what a service sent. */
void own_fields_remove(const OwnFields *own, Fields *fields);

/* All that an answer varies by in one field, each name once: the service's and the gateway's. */
void own_fields_merge_vary(Fields *fields);

#endif
