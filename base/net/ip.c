#include "base/net/ip.h"

#include "base/result.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

enum { MAPPED_BITS = 96 }; /* of the prefix before an IPv4 address */

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

IpAddress ip_of_bytes(Bytes raw)
{
    IpAddress address = {.known = true};
    CHECK(raw.size == 4 || raw.size == 16);
    if (raw.size == 4)
        memcpy(address.bytes, mapped_prefix, sizeof mapped_prefix);
    memcpy(address.bytes + 16 - raw.size, raw.data, raw.size);
    return address;
}

static bool is_mapped(const uint8_t bytes[16])
{
    return memcmp(bytes, mapped_prefix, sizeof mapped_prefix) == 0;
}

IpAddress ip_of(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ip_of_bytes(bytes(&((const struct sockaddr_in *)address)->sin_addr, 4));
    if (address->sa_family == AF_INET6)
        return ip_of_bytes(bytes(&((const struct sockaddr_in6 *)address)->sin6_addr, 16));
    return (IpAddress){.known = false};
}

bool ip_equal(const IpAddress *a, const IpAddress *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool ip_is_v4(const IpAddress *address)
{
    return is_mapped(address->bytes);
}

socklen_t ip_socket_address(const IpAddress *address, uint16_t port, IpSocketAddress *out)
{
    *out = (IpSocketAddress){0};
    if (ip_is_v4(address)) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        memcpy(&out->v4.sin_addr, address->bytes + sizeof mapped_prefix, 4);
        return sizeof out->v4;
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(port);
    memcpy(&out->v6.sin6_addr, address->bytes, 16);
    return sizeof out->v6;
}

bool ip_read(Bytes text, IpAddress *address_out)
{
    char copy[IP_TEXT_SIZE];
    uint8_t four[4];
    *address_out = (IpAddress){.known = false};
    if (text.size == 0 || text.size >= sizeof copy || memchr(text.data, '\0', text.size))
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (inet_pton(AF_INET, copy, four) == 1)
        *address_out = ip_of_bytes(bytes(four, sizeof four));
    else
        address_out->known = inet_pton(AF_INET6, copy, address_out->bytes) == 1;
    return address_out->known;
}

size_t ip_write(const IpAddress *address, char text[IP_TEXT_SIZE])
{
    bool is_ipv4 = is_mapped(address->bytes);
    inet_ntop(is_ipv4 ? AF_INET : AF_INET6, address->bytes + (is_ipv4 ? sizeof mapped_prefix : 0),
              text, IP_TEXT_SIZE);
    return strlen(text);
}

static uint8_t mask_of(uint8_t bits, size_t at)
{
    if (bits >= 8 * (at + 1))
        return 0xff;
    return bits <= 8 * at ? 0 : (uint8_t)(0xff << (8 - (bits - 8 * at)));
}

/* *clean_out: no bit is set after the prefix. */
static bool read_range(Bytes text, IpRange *range_out, bool *clean_out)
{
    IpAddress address;
    Bytes host = bytes_slice(text, 0, bytes_find(text, '/'));
    *clean_out = true;
    if (!ip_read(host, &address))
        return false;
    bool is_ipv4 = is_mapped(address.bytes) && !memchr(host.data, ':', host.size);
    uint64_t most = is_ipv4 ? 32 : 128, bits = most;
    if (host.size < text.size &&
        (!bytes_to_u64(bytes_slice(text, host.size + 1, SIZE_MAX), &bits) || bits > most))
        return false;
    range_out->bits = (uint8_t)(is_ipv4 ? MAPPED_BITS + bits : bits);
    for (size_t i = 0; i < sizeof address.bytes; i++) {
        range_out->bytes[i] = address.bytes[i] & mask_of(range_out->bits, i);
        *clean_out &= range_out->bytes[i] == address.bytes[i];
    }
    return true;
}

bool ip_range_read(Bytes text, IpRange *range_out)
{
    bool clean;
    return read_range(text, range_out, &clean) && clean;
}

bool ip_range_mean(Bytes text, IpRange *range_out)
{
    bool clean;
    return read_range(text, range_out, &clean);
}

void ip_range_write(const IpRange *range, char *text)
{
    IpAddress address = {.known = true};
    memcpy(address.bytes, range->bytes, sizeof address.bytes);
    bool is_ipv4 = is_mapped(range->bytes) && range->bits >= MAPPED_BITS;
    size_t size = ip_write(&address, text);
    snprintf(text + size, 5, "/%u", (unsigned)(range->bits - (is_ipv4 ? MAPPED_BITS : 0)));
}

bool ip_range_has(const IpRange *range, const IpAddress *address)
{
    if (!address->known)
        return false;
    for (size_t i = 0; i < sizeof address->bytes; i++) {
        if ((range->bytes[i] ^ address->bytes[i]) & mask_of(range->bits, i))
            return false;
    }
    return true;
}
