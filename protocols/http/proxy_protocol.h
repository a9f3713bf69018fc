/*
 * The PROXY protocol, versions 1 and 2: a header in which a TCP load balancer names the source of
 * the connection that it forwards, before the first forwarded byte ("The PROXY protocol", HAProxy's
 * doc/proxy-protocol.txt).
 *
 * A ProxyReader reads the header of one connection from pieces of any size. It stores at most
 * PROXY_HEAD_MOST bytes: the TLVs of version 2 (section 2.2) are skipped.
 */
#ifndef PROTOCOLS_PROXY_PROTOCOL_H
#define PROTOCOLS_PROXY_PROTOCOL_H

#include "base/net/ip.h"

enum { PROXY_HEAD_MOST = 107 }; /* a line of version 1 with its CRLF (section 2.1) */

typedef enum ProxyOutcome {
    PROXY_MORE, /* all input was taken; the header is not complete */
    PROXY_DONE,
    PROXY_BAD, /* no header, or a malformed one: close the connection (section 2) */
} ProxyOutcome;

/* The source of the connection. */
typedef struct ProxySource {
    bool local;   /* LOCAL: a connection of the sender itself, such as a health check */
    IpAddress ip; /* unknown when the source has no IP address: UNKNOWN, a Unix socket */
    uint16_t port;
} ProxySource;

typedef struct ProxyReader {
    uint8_t head[PROXY_HEAD_MOST];
    uint8_t n;        /* bytes in `head` */
    uint32_t skipped; /* bytes after them that were skipped */
} ProxyReader;        /* zeroed: nothing read yet */

/* Removes the bytes of the header from the front of `*input`. `*source_out` is set with
   PROXY_DONE. */
ProxyOutcome proxy_reader_read(ProxyReader *reader, Bytes *input, ProxySource *source_out);

#endif
