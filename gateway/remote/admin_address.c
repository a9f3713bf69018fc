#include "gateway/remote/admin_address.h"

#include "base/arena.h"
#include "base/net/ip.h"

#include <ctype.h>

static bool take_prefix(const char **text, const char *prefix)
{
    size_t size = strlen(prefix);
    if (strncmp(*text, prefix, size) != 0)
        return false;
    *text += size;
    return true;
}

/* Of a host, or an IPv4 address. */
static bool is_name(Bytes host)
{
    for (size_t i = 0; i < host.size; i++)
        if (!isalnum(host.data[i]) && !strchr("-._", host.data[i]))
            return false;
    return host.size > 0;
}

/* "gw1:9901", "[::1]:9901"; without a port only if there is a default. */
static bool read_host(Arena *arena, Bytes text, const char *default_port, AdminAddress *address)
{
    size_t end = text.size;
    while (end > 0 && text.data[end - 1] != ':' && text.data[end - 1] != ']')
        end--;
    bool has_port = end > 0 && text.data[end - 1] == ':';
    Bytes host = has_port ? bytes_slice(text, 0, end - 1) : text;
    Bytes port = has_port ? bytes_slice(text, end, SIZE_MAX) : bytes_of(default_port);
    bool brackets = host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']';
    if (brackets)
        host = bytes_slice(host, 1, host.size - 2);
    uint64_t number;
    IpAddress ip;
    if (!(brackets ? ip_read(host, &ip) : is_name(host)) || !bytes_to_u64(port, &number) ||
        number == 0 || number > UINT16_MAX)
        return false;
    address->host = arena_text(arena, host);
    address->port = arena_text(arena, port);
    return true;
}

/* A relative one is told from a host without its port: it has a slash, or the usual end. */
static bool is_path(const char *text)
{
    return *text == '/' || (*text == '.' && strchr(text, '/')) ||
           (!strchr(text, ':') && (strchr(text, '/') || bytes_end_with(bytes_of(text), ".sock")));
}

bool admin_address_read(Arena *arena, const char *text, AdminAddress *address_out)
{
    *address_out = (AdminAddress){.path = NULL};
    if (take_prefix(&text, "unix:") || is_path(text)) {
        address_out->path = text;
        return *text != '\0';
    }
    address_out->tls = take_prefix(&text, "https://");
    const char *default_port = address_out->tls                ? "443"
                               : take_prefix(&text, "http://") ? "80"
                                                               : NULL;
    Bytes rest = bytes_of(text);
    if (default_port && bytes_end_with(rest, "/"))
        rest = bytes_slice(rest, 0, rest.size - 1);
    return read_host(arena, rest, default_port, address_out);
}
