#include "gateway/admin/admin_host.h"

#include "base/net/ip.h"

#include <ctype.h>

/* "name:8080", "[::1]:8080" -> "name", "[::1]". A name may end with the dot of the root. */
static Bytes host_of(Bytes authority)
{
    size_t end = authority.size;
    while (end > 0 && isdigit(authority.data[end - 1]))
        end--;
    bool port = end > 0 && authority.data[end - 1] == ':';
    Bytes host = port ? bytes_slice(authority, 0, end - 1) : authority;
    return bytes_end_with(host, ".") ? bytes_slice(host, 0, host.size - 1) : host;
}

/* As browsers write them: four decimal numbers, or brackets around IPv6. */
static bool is_ip_address(Bytes host)
{
    IpAddress address;
    bool brackets = host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']';
    if (brackets)
        host = bytes_slice(host, 1, host.size - 2);
    return ip_read(host, &address) && (bytes_find(host, ':') < host.size) == brackets;
}

/* `pattern`: a name; "*.name" for any name before it; "*" for all. */
static bool matches(const char *pattern, Bytes host)
{
    if (strcmp(pattern, "*") == 0)
        return true;
    if (*pattern != '*')
        return bytes_are_nocase(host, pattern);
    Bytes end = bytes_of(pattern + 1);
    return host.size > end.size &&
           bytes_equal_nocase(bytes_slice(host, host.size - end.size, end.size), end);
}

bool admin_host_allowed(const Config *config, Bytes authority)
{
    Bytes host = host_of(authority);
    if (bytes_are_nocase(host, "localhost") || is_ip_address(host))
        return true;
    if (config->admin.host && bytes_are_nocase(host, config->admin.host))
        return true;
    for (uint32_t i = 0; i < config->n_admin_hosts; i++) {
        if (matches(config->admin_hosts[i], host))
            return true;
    }
    return false;
}
