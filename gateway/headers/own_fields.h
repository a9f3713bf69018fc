/*
 * Own fields: response fields that only the gateway may set. This is the only list of them.
 *
 * A service may be behind another gateway, set its version itself, or be malicious. Fields with
 * these names in its head, its trailers or an interim response are removed before the gateway adds
 * its own, so that each occurs once and comes from the gateway. In all dialects:
 *
 * - x-request-id, passerelle-*, grpc-previous-rpc-attempts: always
 * - access-control-*: if the gateway has a CORS policy (RPC responses never have them)
 * - the service's version field: if the response has a version, so not on opaque routes
 * - deprecation, sunset, and rel="successor-version" of link: the same, if the gateway sets it
 *   for this version, or the instance served another one
 *
 * The prefix "trailer-", by which Connect and REST put a trailer into a head, makes no difference.
 * Fields that frame a message (content-type, grpc-status and others) are not in this list: the
 * dialects read them and write their own. Plain functions, any thread.
 */
#ifndef GATEWAY_OWN_FIELDS_H
#define GATEWAY_OWN_FIELDS_H

#include "gateway/config/config.h"

/* The conditions of the list. */
typedef struct OwnFields {
    const Version *version; /* in the response; NULL: none, as on opaque routes */
    const Version *served;  /* by the instance; NULL as above */
    bool cors;              /* the gateway has a policy */
} OwnFields;

/* Removes the gateway's own fields from those that a service sent. */
void own_fields_remove(const OwnFields *own, Fields *fields);

/* Merges all Vary fields into one, each name once: the service's and the gateway's. */
void own_fields_merge_vary(Fields *fields);

#endif
