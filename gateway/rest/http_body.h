/*
 * HttpBody: google.api.HttpBody, bytes of any media type in a REST call, {content_type = 1, data =
 * 2}.
 *
 * In messages it is an ordinary one; where REST is spoken, its data is the body itself, on the
 * client's side and on the instance's. Pure functions.
 */
#ifndef GATEWAY_HTTP_BODY_H
#define GATEWAY_HTTP_BODY_H

#include "adapters/schema/schema.h"
#include "base/bytes.h"

bool http_body_is(const MessageType *type); /* may be NULL */

/* Whether the body of a request by this rule of the method, or of the answer to it, is one. They
   look names up: what each call needs to know stands in its RestBinding. */
bool http_body_in(const MethodType *method, const HttpRule *rule);
bool http_body_out(const MethodType *method, const HttpRule *rule);

/* A body as the JSON of an HttpBody. */
void http_body_wrap(Bytes content_type, Bytes body, Buffer *out);

/* The data of the HttpBody that an answer in wire format is, or has in its response_body. Borrows
   from it. */
Bytes http_body_unwrap(const MethodType *method, const HttpRule *rule, Bytes message,
                       Bytes *content_type_out);

#endif
