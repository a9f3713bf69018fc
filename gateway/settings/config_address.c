/* Addresses as written in a config. */
#include "gateway/settings/settings.h"

#include "base/arena.h"
#include "base/net/ip.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <sys/un.h>

static bool has_host_characters(Bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!isalnum(text.data[i]) && text.data[i] != '-' && text.data[i] != '.' &&
            text.data[i] != '_')
            return false;
    return true;
}

static bool is_host_name(Bytes host)
{
    return host.size > 0 && host.size <= 253 && has_host_characters(host);
}

/* What looks like an IPv4 address must be one: "127.0.0.256" is not a name. */
static bool is_wrong_ipv4(const char *host)
{
    struct in_addr address;
    return host[strspn(host, "0123456789.")] == '\0' && inet_pton(AF_INET, host, &address) != 1;
}

static bool read_unix(ConfigReader *reader, const char *text, const char *path, Address *address)
{
    struct sockaddr_un socket;
    address->path = document_path(reader->arena, document_file(&reader->file.document, path),
                                  text + strlen("unix:"));
    if (!*address->path)
        config_tell(reader, path, "for example unix:/run/passerelle.sock",
                    "there is no path after unix:");
    else if (strlen(address->path) >= sizeof socket.sun_path)
        config_tell(reader, path, NULL, "the path of a unix socket has at most %zu characters",
                    sizeof socket.sun_path - 1);
    else
        return true;
    return false;
}

/* Splits "[::1]:80" or "name:80"; false when it is neither. */
static bool split(Arena *arena, const char *text, Address *address, Bytes *port_out, bool *ipv6_out)
{
    const char *colon = strrchr(text, ':');
    *ipv6_out = text[0] == '[';
    if (!colon)
        return false;
    Bytes host = bytes(text, (size_t)(colon - text));
    if (*ipv6_out) {
        if (host.size < 3 || host.data[host.size - 1] != ']')
            return false;
        host = bytes_slice(host, 1, host.size - 2);
    }
    address->host = arena_text(arena, host);
    *port_out = bytes_of(colon + 1);
    return true;
}

/* "https://orders.internal/v1", as other gateways have it: what would be right. */
static void tell_scheme(ConfigReader *reader, const char *text, const char *scheme_end,
                        const char *path)
{
    const char *host = scheme_end + strspn(scheme_end, ":/");
    int size = (int)strcspn(host, "/");
    bool secure = strncmp(text, "https", 5) == 0 || strncmp(text, "grpcs", 5) == 0;
    const char *port = memchr(host, ':', (size_t)size) ? "" : secure ? ":443" : ":80";
    config_tell(reader, path,
                arena_printf(reader->arena, "%.*s%s%s", size, host, port,
                             secure ? ", and tls beside it" : ""),
                "an address has no scheme");
}

bool config_address(ConfigReader *reader, const char *text, bool listening, const char *path,
                    Address *address_out)
{
    const char *example = listening ? "for example 0.0.0.0:8080" : "for example 10.0.0.7:7001";
    *address_out = (Address){.text = text};
    if (strncmp(text, "unix:", 5) == 0)
        return read_unix(reader, text, path, address_out);
    const char *scheme_end = strstr(text, "://");
    if (scheme_end) {
        tell_scheme(reader, text, scheme_end, path);
        return false;
    }

    Bytes port_text;
    bool ipv6;
    struct in6_addr ip;
    uint64_t port = 0;
    if (!split(reader->arena, text, address_out, &port_text, &ipv6))
        config_tell(reader, path, example, "%s is not an address: a host, a colon and a port",
                    text);
    else if (!ipv6 && strchr(address_out->host, ':'))
        config_tell(
            reader, path,
            arena_printf(reader->arena, "[%s]:%.*s", address_out->host, BYTES_ARGS(port_text)),
            "an IPv6 address must be in brackets");
    else if (ipv6 && inet_pton(AF_INET6, address_out->host, &ip) != 1)
        config_tell(reader, path, NULL, "%s is not an IPv6 address", address_out->host);
    else if (!*address_out->host)
        config_tell(reader, path,
                    arena_printf(reader->arena, "%s:%.*s", listening ? "0.0.0.0" : "127.0.0.1",
                                 BYTES_ARGS(port_text)),
                    "there is no host before the port");
    else if (!port_text.size)
        config_tell(reader, path, example, "there is no port after %s:", address_out->host);
    else if (!ipv6 &&
             (!is_host_name(bytes_of(address_out->host)) || is_wrong_ipv4(address_out->host)))
        config_tell(reader, path, example, "%s is neither an IP address nor a host name",
                    address_out->host);
    else if (!bytes_to_u64(port_text, &port) || port > UINT16_MAX || (port == 0 && !listening))
        config_tell(reader, path, listening ? "0 to 65535" : "1 to 65535", "%.*s is not a port",
                    BYTES_ARGS(port_text));
    else {
        address_out->port = (uint16_t)port;
        return true;
    }
    return false;
}

enum { DNS_PORT = 53 };

/* "10.0.0.2", "10.0.0.2:53" or "[::1]:53", added to a list of the latter. */
static void read_name_server(ConfigReader *reader, const char *text, const char *path,
                             Buffer *servers)
{
    IpAddress ip;
    Address address = {.host = text, .port = DNS_PORT};
    if (!ip_read(bytes_of(text), &ip) && strchr(text, ':') &&
        !config_address(reader, text, false, path, &address))
        return;
    if (!address.host || !ip_read(bytes_of(address.host), &ip)) {
        config_tell(reader, path, "for example 10.0.0.2 or 127.0.0.1:8600",
                    "%s is not the IP address of a name server", text);
        return;
    }
    buffer_printf(servers, ip_is_v4(&ip) ? "%s%s:%u" : "%s[%s]:%u", servers->size ? "," : "",
                  address.host, address.port);
}

void config_read_dns(ConfigReader *reader)
{
    static const Passerelle__Config__Dns defaults = PASSERELLE__CONFIG__DNS__INIT;
    const Passerelle__Config__Dns *text =
        reader->file.content->dns ? reader->file.content->dns : &defaults;
    Buffer servers = buffer_in(reader->arena);
    for (size_t i = 0; i < text->n_servers; i++)
        read_name_server(reader, text->servers[i], config_path(reader, "dns.servers[%zu]", i),
                         &servers);
    reader->config->dns = (DnsConfig){
        .servers = servers.size ? arena_text(reader->arena, buffer_bytes(&servers)) : NULL,
        .timeout = text->timeout,
        .attempts = text->attempts,
    };
}

bool config_is_host_pattern(Bytes host)
{
    if (bytes_are(host, "*"))
        return true;
    Bytes name = bytes_slice(host, bytes_start_with(host, "*.") ? 2 : 0, SIZE_MAX);
    return name.size > 0 && has_host_characters(name) && name.data[0] != '.' &&
           name.data[name.size - 1] != '.';
}
