/*
 * Whether an address is one of the inside: of this machine, of a private network, or of nobody. A
 * request that somebody else has caused must not go there. Pure; any thread.
 */
#ifndef BASE_INTERNAL_IP_H
#define BASE_INTERNAL_IP_H

#include "base/net/ip.h"

/* Loopback, private, link-local, shared, multicast and reserved ones (IANA's registries of
   special-purpose addresses, RFC 6890), also where an IPv6 address has such an IPv4 address in it.
   One that is not known is internal. */
bool ip_is_internal(const IpAddress *address);

#endif
