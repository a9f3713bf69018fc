/*
 * Cause: the text of an error without its particulars, so that errors of one kind have one text.
 *
 *   "10.0.0.7:7001 returned INTERNAL: order 4711 of \"ada\" is locked"
 *   "* returned INTERNAL: order # of \"*\" is locked"
 *
 * Gone are: numbers ("#"; the names of versions, v1 to v999, stay), values in quotes ("\"*\"", also
 * without a closing quote), and as "*" addresses, hosts with a port, URLs, paths of sockets, mail
 * addresses, UUIDs, and hexadecimal ids of 4 digits or more. Of a list of them one stays. The text
 * of a text without particulars is the same. Any thread; no memory, one pass.
 */
#ifndef GATEWAY_CAUSE_H
#define GATEWAY_CAUSE_H

#include "base/bytes.h"

enum {
    CAUSE_SIZE = 200,      /* bytes of a result at most; it is cut between two characters */
    CAUSE_READ_SIZE = 1024 /* bytes of a text that are looked at */
};

/* Writes to `out`, without NUL; returns the size. */
size_t cause_write(Bytes text, char out[CAUSE_SIZE]);

#endif
