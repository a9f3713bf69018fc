/*
 * IpAddress and IpRange: addresses of peers, and networks in lists.
 *
 * IPv4 addresses are stored as IPv4-mapped IPv6 addresses (::ffff:192.0.2.1, RFC 4291 section
 * 2.5.5.2), so that a peer has the same address on every kind of socket, and there is only one
 * comparison with ranges. Plain values.
 */
#ifndef BASE_IP_H
#define BASE_IP_H

#include "base/bytes.h"

#include <netinet/in.h>
#include <sys/socket.h>

typedef struct IpAddress {
    uint8_t bytes[16];
    bool known; /* false: the peer has none, as on a unix socket */
} IpAddress;

/* The addresses whose first `bits` bits are these; the other bits are zero. */
typedef struct IpRange {
    uint8_t bytes[16];
    uint8_t bits;
} IpRange;

enum { IP_TEXT_SIZE = 46 }; /* of the longest address as text, with its NUL */

/* `known` is false for other families than IPv4 and IPv6. */
IpAddress ip_of(const struct sockaddr *address);

typedef union IpSocketAddress {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} IpSocketAddress;

/* For connect and bind; returns its size. `address` is known, the port in host order. */
socklen_t ip_socket_address(const IpAddress *address, uint16_t port, IpSocketAddress *out);

/* "192.0.2.1" is one, as are all that ip_of made of an AF_INET address. `address` is known. */
bool ip_is_v4(const IpAddress *address);

/* The same address. Both are known. */
bool ip_equal(const IpAddress *a, const IpAddress *b);

/* Of 4 or 16 bytes in network order. */
IpAddress ip_of_bytes(Bytes raw);

/* "192.0.2.1", "2001:db8::1"; no brackets, no port, no zone. */
bool ip_read(Bytes text, IpAddress *address_out);

/* Writes the address as ip_read takes it; returns its size. `address` is known. */
size_t ip_write(const IpAddress *address, char text[IP_TEXT_SIZE]);

/* "10.0.0.0/8", "2001:db8::/32", or one address. False also if bits after the prefix are set, since
   10.1.2.3/8 is probably a mistake. */
bool ip_range_read(Bytes text, IpRange *range_out);

/* The same with the bits after the prefix cleared: the probable intention. */
bool ip_range_mean(Bytes text, IpRange *range_out);

/* Writes "10.0.0.0/8". `text` has room for IP_TEXT_SIZE + 4 characters. */
void ip_range_write(const IpRange *range, char *text);

/* False for an address that is not known. */
bool ip_range_has(const IpRange *range, const IpAddress *address);

#endif
