/*
 * HttpPath: paths of requests as prefixes are compared with them.
 *
 * One path has many spellings (RFC 3986 section 6.2.2), and servers differ in how many of them they
 * know. What is matched and what is sent on must be the same, or a path leads past the prefix that
 * it was matched by. So there are two readings of a path:
 *
 *   as sent        /public/%7Ea/./b/%2e%2e/c%2fd;v=1//e
 *   normal form    /public/~a/c%2Fd;v=1//e    the standard's: this one is matched, and sent on
 *   loose reading  /public/~a/c/d/e           the most lenient server's: it must lead to the same
 * place
 *
 * Plain functions, any thread. What they give back is in the arena, or the path itself where
 * nothing changes.
 */
#ifndef PROTOCOLS_HTTP_PATH_H
#define PROTOCOLS_HTTP_PATH_H

#include "base/bytes.h"
#include "base/result.h"

/*
 * The normal form of a path (http_is_path, without its query): escapes of unreserved characters are
 * decoded, other escapes in capitals (section 6.2.2), dot segments taken out (section 5.2.4). "*"
 * stays. Empty segments stay. Faults: BAD_REQUEST at a "%" without two hexadecimal digits,
 * OUT_OF_MEMORY.
 */
MUST_USE Result http_path_normalize(Bytes path, Arena *arena, Bytes *normal_out);

/*
 * A normal form as a server would read it that decodes again and again, overlong UTF-8 too, takes
 * backslashes for slashes, many slashes for one, and cuts segments at ";". Faults: BAD_REQUEST
 * where dot segments come out, or control characters, or where the path has a plain backslash:
 * nobody can say what such a path means to its receiver; OUT_OF_MEMORY.
 */
MUST_USE Result http_path_read_loosely(Bytes normal, Arena *arena, Bytes *loose_out);

#endif
