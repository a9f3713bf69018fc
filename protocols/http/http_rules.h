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

/* No control characters except tab, no space or tab at either end (RFC 9110 section 5.5). May be
   empty. */
bool http_is_field_value(Bytes value);

/* host [":" port] without userinfo, not empty (RFC 3986 section 3.2). */
bool http_is_authority(Bytes authority);

/* Starts with "/" or is "*"; visible ASCII without "#" (RFC 9112 section 3.2). */
bool http_is_path(Bytes path);

/* Connection-specific: never passed on (RFC 9110 section 7.6.1). "te" is not included: its allowed
   values depend on the version of HTTP. */
bool http_is_connection_field(Bytes name);

/* Not allowed in trailers: framing, routing, authentication (RFC 9110 section 6.5.1). */
bool http_is_barred_from_trailers(Bytes name);

/* Whether a received trailer is dropped: all that are barred but Cache-Control. A gRPC service that
   says `no-store` late, in its trailers, means it. */
bool http_is_dropped_from_trailers(Bytes name);

/* Safe to write into a message: well-formed, and neither connection-specific nor framing. Prevents
   message splitting. */
bool http_may_go_out(const Field *field);

/* An idempotent method (RFC 9110 section 9.2.2). */
bool http_is_idempotent(Bytes method);

/* Whether a comma-separated list has this member; letter case is ignored. */
bool http_list_has(Bytes list, const char *member);

#endif
