/*
 * Entity tags (RFC 9110 section 8.8.3) of responses that the gateway has changed.
 *
 *      instance                   client
 *      "7"  ------------------->  W/"passerelle-7"    the body was converted or compressed
 *      "7"  <-------------------  W/"passerelle-7"    If-Match, If-None-Match
 *      "7"  ------------------->  "7"                 the body is the instance's, byte for byte
 *
 * A strong tag says that the bytes are the same. The mark tells the gateway's weak tags from those
 * of instances, so that an instance gets back what it gave, and its If-Match, which never holds for
 * a weak tag, works. Pure functions; any thread.
 */
#ifndef GATEWAY_ETAGS_H
#define GATEWAY_ETAGS_H

#include "base/bytes.h"
#include "base/fields.h"

/* Makes the strong tag in the field ETag a weak one with the mark. Any other stays as it is. The
   new value is in the arena of the fields. */
void etag_weaken(Fields *fields);

/* The list of tags of If-Match or If-None-Match as the instance knows them. In the arena, or the
   list itself; data NULL: out of memory. */
Bytes etags_restore(Bytes list, Arena *arena);

/* Whether the list of If-None-Match has the tag, weak or not, or is "*" (RFC 9110 section 13.1.2).
   The tag, a strong one, has no comma. */
bool etags_have(Bytes list, Bytes etag);

/* Whether the list has the weak tag that etag_weaken makes of this strong one. */
bool etags_have_weakened(Bytes list, Bytes etag);

#endif
