/*
 * HttpBody: google.api.HttpBody, bytes of any media type in a REST call, {content_type = 1, data =
 * 2}.
 *
 * In RPC it is an ordinary message. In REST, its data is the body itself, for clients and
 * instances. Pure functions.
 */
#ifndef GATEWAY_HTTP_BODY_H
#define GATEWAY_HTTP_BODY_H

#include "adapters/schema/schema.h"
#include "base/bytes.h"

bool http_body_is(const MessageType *type); /* may be NULL */

/* Whether the body of a request by this rule of the method, or of its response, is an HttpBody.
   They look up names; for calls, the result is in the RestBinding. */
bool http_body_in(const MethodType *method, const HttpRule *rule);
bool http_body_out(const MethodType *method, const HttpRule *rule);

/* A body as the JSON of an HttpBody. */
void http_body_wrap(Bytes content_type, Bytes body, Buffer *out);

/* The data of an HttpBody response in wire format, or of the one in its response_body. Borrowed
   from it. */
Bytes http_body_unwrap(const MethodType *method, const HttpRule *rule, Bytes message,
                       Bytes *content_type_out);

#endif
