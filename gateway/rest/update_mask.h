/*
 * Update mask: which fields the body of a PATCH says, for requests that leave their update_mask out
 * (AIP-134; grpc-gateway derives it in the same way).
 *
 *   {"title": "x", "size": {"width": 1}, "tags": []}   ->   "title,size.width,tags"
 *
 * A message that has members is entered; lists, maps, messages with a JSON of their own and empty
 * messages are said as a whole. Members that are no fields are left out: they are refused or
 * counted where the body is converted. Pure; any thread.
 */
#ifndef GATEWAY_UPDATE_MASK_H
#define GATEWAY_UPDATE_MASK_H

#include "adapters/schema/schema.h"
#include "adapters/text/json.h"

/* The field update_mask of requests by this rule, if it is one that a body of the rule leaves room
   for: the rule is a PATCH whose body is one field, a message. NULL: there is none. */
const FieldType *update_mask_field(const MessageType *request, const HttpRule *rule);

/* The mask in the JSON of google.protobuf.FieldMask, without quotes, in the arena; empty if the
   body says nothing. `type` is that of the body. Faults: BAD_VALUE: the name of a field that is
   said cannot be in the JSON of a mask; OUT_OF_MEMORY. */
MUST_USE Result update_mask_write(const MessageType *type, const JsonNode *body, Arena *arena,
                                  Bytes *mask_out);

#endif
