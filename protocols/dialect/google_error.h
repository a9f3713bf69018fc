/*
 * Errors of REST as other servers of google.api.http write them: Google's own, and grpc-gateway.
 * For this module only.
 */
#ifndef PROTOCOLS_GOOGLE_ERROR_H
#define PROTOCOLS_GOOGLE_ERROR_H

#include "protocols/dialect/reply_parts.h"

/* Appends {"error": {"code": 404, "message": ..., "status": "NOT_FOUND", "details": [...]}}
   (AIP-193, "HTTP/1.1+JSON representation"). What else a problem says is in its details. Out of
   memory: Buffer.full is set. */
void google_error_add(const Reply *reply, uint16_t http_status, Buffer *out);

/* Appends {"error": google.rpc.Status}, whose code is gRPC's number: the last item of a stream of
   grpc-gateway. */
void google_error_add_of_gateway(const Reply *reply, Buffer *out);

#endif
