/*
 * The rules for names, values, authorities and paths that HTTP/1.1 and HTTP/2 share (RFC 9110
 * sections 4, 5 and 7.6.1; RFC 3986). Plain functions, any thread.
 */
#ifndef PROTOCOLS_HTTP_RULES_H
#define PROTOCOLS_HTTP_RULES_H

#include "base/fields.h"

/* A token (RFC 9110 section 5.6.2): methods and field names. Not empty. */
bool http_is_token(Bytes text);

/* A token without upper-case letters: a field name as Fields hold it. */
bool http_is_field_name(Bytes name);

/* No control characters but tab, no blank at either end (RFC 9110 section 5.5). May be empty. */
bool http_is_field_value(Bytes value);

/* host [":" port], without user information; not empty (RFC 3986 section 3.2). */
bool http_is_authority(Bytes authority);

/* Begins with "/", or is "*"; visible ASCII without "#" (RFC 9112 section 3.2). */
bool http_is_path(Bytes path);

/* Belongs to one connection, not to the message: never passed on (RFC 9110 section 7.6.1). "te" is
   not among them: what it may say depends on the version. */
bool http_is_connection_field(Bytes name);

/* Must not come in trailers: framing, routing, authentication (RFC 9110 section 6.5.1). */
bool http_is_barred_from_trailers(Bytes name);

/* May be written into a message as it is: well-formed, about the message and not its connection or
   framing. What could split a message never goes out. */
bool http_may_go_out(const Field *field);

/* Doing it twice is meant to be as doing it once (RFC 9110 section 9.2.2). */
bool http_is_idempotent(Bytes method);

/* Whether a comma-separated list has this member, in any case of letters. */
bool http_list_has(Bytes list, const char *member);

#endif
