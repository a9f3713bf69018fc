/*
 * HttpPath: the forms of a request path that route prefixes are compared with.
 *
 * One path has many equivalent spellings (RFC 3986 section 6.2.2), and servers differ in which of
 * them they treat as equal. The path that is matched must be the path that is sent, or a request
 * bypasses the prefix that it matched. So a path has two readings:
 *
 *   as sent        /public/%7Ea/./b/%2e%2e/c%2fd;v=1//e
 *   normal form    /public/~a/c%2Fd;v=1//e    by the standard: this one is matched and sent
 *   loose reading  /public/~a/c/d/e           as the most lenient server reads it
 *
 * Plain functions, any thread. Results are in the arena, or are the argument itself when nothing
 * changes.
 */
#ifndef PROTOCOLS_HTTP_PATH_H
#define PROTOCOLS_HTTP_PATH_H

#include "base/bytes.h"
#include "base/result.h"

/* Whether neither reading would change the path: true for most. */
bool http_path_is_plain(Bytes path);

/*
 * The normal form of a path (http_is_path, without its query): escapes of unreserved characters are
 * decoded, other escapes are in upper case (section 6.2.2), dot segments are removed
 * (section 5.2.4). "*" and empty segments are kept. Faults: BAD_REQUEST for a "%" without two
 * hexadecimal digits; OUT_OF_MEMORY.
 */
MUST_USE Result http_path_normalize(Bytes path, Arena *arena, Bytes *normal_out);

/*
 * The normal form as the most lenient server reads it: decoded repeatedly, also from overlong
 * UTF-8; backslashes as slashes; repeated slashes as one; segments cut at ";". Faults: BAD_REQUEST
 * when the result has dot segments or control characters, or the path has a literal backslash: the
 * meaning of such a path depends on the server; OUT_OF_MEMORY.
 */
MUST_USE Result http_path_read_loosely(Bytes normal, Arena *arena, Bytes *loose_out);

#endif
