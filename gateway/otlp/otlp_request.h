/*
 * Requests and responses of OpenTelemetry's protocol. Those of its three signals have other names,
 * and the same numbers of fields:
 *
 *      Export...ServiceRequest { Resource... { resource, Scope... { scope, items } } }
 *      Export...ServiceResponse { partial_success { rejected, error_message } }
 *
 * Items are spans, metrics, or records of a log: each a field OTLP_ITEM. Pure; any thread.
 *
 * https://github.com/open-telemetry/opentelemetry-proto
 */
#ifndef GATEWAY_OTLP_REQUEST_H
#define GATEWAY_OTLP_REQUEST_H

#include "base/bytes.h"

enum { OTLP_ITEM = 2 };

/* Appends a request with these items, of this service and gateway. */
void otlp_request_write(const char *service, const char *node, Bytes items, Buffer *out);

/* How many items the response says were not accepted, and why: in the response. False: it is not
   one. */
bool otlp_response_read(Bytes response, uint64_t *rejected_out, Bytes *why_out);

/* How long a collector wants to be left alone, in nanoseconds, an hour at most: the RetryInfo of a
   google.rpc.Status. 0: it does not say. */
int64_t otlp_retry_delay(Bytes status);

#endif
