/*
 * AdminAddress: where the admin listener of a gateway is reached, as an operator writes it:
 *
 *      unix:/run/x.sock, /run/x.sock, x.sock, run/x      a unix socket
 *      gw1:9901, [::1]:9901                              TCP
 *      http://gw1:9901, https://gw1:9901                 TCP, or TLS over it; default: the usual
 * ports
 *
 * Plain values; any thread.
 */
#ifndef GATEWAY_ADMIN_ADDRESS_H
#define GATEWAY_ADMIN_ADDRESS_H

#include "base/bytes.h"

typedef struct AdminAddress {
    const char *path;        /* of a unix socket; or NULL, as the next two */
    const char *host, *port; /* TCP; the host without brackets */
    bool tls;
} AdminAddress;

/* False: it is no address. The parts live in `arena`, or are parts of `text`. */
bool admin_address_read(Arena *arena, const char *text, AdminAddress *address_out);

#endif
