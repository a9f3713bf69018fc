/*
 * The PROXY protocol, versions 1 and 2: what a load balancer that only passes bytes on says of the
 * connection that it passes on, before the first of these bytes ("The PROXY protocol", HAProxy's
 * doc/proxy-protocol.txt).
 *
 * A ProxyReader reads the one header of a connection, in whatever pieces it comes. It keeps at most
 * PROXY_HEAD_MOST bytes: what else version 2 may say (the TLVs, section 2.2) is passed over and not
 * kept.
 */
#ifndef PROTOCOLS_PROXY_PROTOCOL_H
#define PROTOCOLS_PROXY_PROTOCOL_H

#include "base/ip.h"

enum { PROXY_HEAD_MOST = 107 }; /* a line of version 1 with its CRLF (section 2.1) */

typedef enum ProxyOutcome {
    PROXY_MORE, /* all input is taken, and the header goes on */
    PROXY_DONE,
    PROXY_BAD, /* no header, or a malformed one: the connection is of no use (section 2) */
} ProxyOutcome;

/* Whose connection it is. */
typedef struct ProxySource {
    bool local;   /* the sender's own, a health check for example: it passes nobody on */
    IpAddress ip; /* not known where whom it passes on has none: UNKNOWN, a unix socket */
    uint16_t port;
} ProxySource;

typedef struct ProxyReader {
    uint8_t head[PROXY_HEAD_MOST];
    uint8_t n;        /* bytes of `head` that are there */
    uint32_t skipped; /* bytes behind them that are not kept */
} ProxyReader;        /* zeroed: at the beginning */

/* Takes the header off the front of `*input`, or all of it. `*source_out` is set with PROXY_DONE.
 */
ProxyOutcome proxy_reader_read(ProxyReader *reader, Bytes *input, ProxySource *source_out);

#endif
