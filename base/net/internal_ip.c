#include "base/net/internal_ip.h"

/* Prefixes of IPv4 in their mapped form, and of IPv6. */
typedef struct Prefix {
    uint8_t bytes[16];
    uint8_t bits;
} Prefix;

#define V4(a, b, c, size)                                                                          \
    {                                                                                              \
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c}, 96 + (size)                           \
    }

static const Prefix internal[] = {
    V4(0, 0, 0, 8),      /* this network */
    V4(10, 0, 0, 8),     /* private */
    V4(100, 64, 0, 10),  /* shared between carriers and their customers */
    V4(127, 0, 0, 8),    /* loopback */
    V4(169, 254, 0, 16), /* link-local: also where clouds tell machines their secrets */
    V4(172, 16, 0, 12),  /* private */
    V4(192, 0, 0, 24),   /* protocol assignments */
    V4(192, 0, 2, 24),   /* documentation, as the next two of this kind */
    V4(192, 88, 99, 24), /* relays of 6to4 */
    V4(192, 168, 0, 16), /* private */
    V4(198, 18, 0, 15),  /* benchmarks */
    V4(198, 51, 100, 24),
    V4(203, 0, 113, 24),
    V4(224, 0, 0, 4),                  /* multicast */
    V4(240, 0, 0, 4),                  /* reserved, and broadcast */
    {{0}, 96},                         /* unspecified, loopback, and IPv4-compatible ones */
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48}, /* translation within a network */
    {{1}, 64},                         /* discard only */
    {{0x20, 0x01, 0}, 23},             /* protocol assignments: Teredo too */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},    /* documentation */
    {{0x3f, 0xff}, 20},                /* documentation */
    {{0x5f}, 16},                      /* segment routing */
    {{0xfc}, 7},                       /* unique local */
    {{0xfe, 0x80}, 10},                /* link-local */
    {{0xfe, 0xc0}, 10},                /* site-local, once */
    {{0xff}, 8},                       /* multicast */
};

static bool has_prefix(const IpAddress *address, const Prefix *prefix)
{
    uint8_t whole = prefix->bits / 8, rest = prefix->bits % 8;
    if (memcmp(address->bytes, prefix->bytes, whole) != 0)
        return false;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return !rest || ((address->bytes[whole] ^ prefix->bytes[whole]) & mask) == 0;
}

static bool is_listed(const IpAddress *address)
{
    for (size_t i = 0; i < sizeof internal / sizeof *internal; i++)
        if (has_prefix(address, &internal[i]))
            return true;
    return false;
}

/* The IPv4 address that an IPv6 address leads to: by NAT64, or by 6to4. */
static bool leads_to_v4(const IpAddress *address, IpAddress *v4_out)
{
    static const Prefix nat64 = {{0, 0x64, 0xff, 0x9b}, 96}, six_to_four = {{0x20, 0x02}, 16};
    if (has_prefix(address, &nat64))
        *v4_out = ip_of_bytes(bytes(address->bytes + 12, 4));
    else if (has_prefix(address, &six_to_four))
        *v4_out = ip_of_bytes(bytes(address->bytes + 2, 4));
    else
        return false;
    return true;
}

bool ip_is_internal(const IpAddress *address)
{
    IpAddress v4;
    if (!address->known || is_listed(address))
        return true;
    return leads_to_v4(address, &v4) && is_listed(&v4);
}
