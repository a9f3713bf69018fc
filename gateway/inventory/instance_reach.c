/*
 * Whether the address of an instance is one of the gateway's own listeners: a gateway that calls
 * itself multiplies each call. It is a doubt and not a mistake, because the config may be checked
 * on another machine than it runs on. At run time max_hops ends such calls.
 */
#include "gateway/inventory/instance_read.h"

#include "base/net/ip.h"

#include <ifaddrs.h>
#include <strings.h>

static IpAddress ip_of_text(const char *text)
{
    IpAddress ip;
    ip_read(bytes_of(text), &ip);
    return ip;
}

/* Only "localhost" is resolved here. */
static IpAddress ip_of_host(const char *host)
{
    return ip_of_text(strcasecmp(host, "localhost") == 0 ? "127.0.0.1" : host);
}

static bool is_wildcard(const IpAddress *ip)
{
    IpAddress any = ip_of_text("::"), any_ipv4 = ip_of_text("0.0.0.0");
    return ip_equal(ip, &any) || ip_equal(ip, &any_ipv4);
}

static bool is_loopback(const IpAddress *ip)
{
    IpRange range;
    IpAddress one = ip_of_text("::1");
    return (ip_range_read(bytes_of("127.0.0.0/8"), &range) && ip_range_has(&range, ip)) ||
           ip_equal(ip, &one);
}

/* An address of this machine: loopback, or one of its interfaces. */
static bool is_here(const IpAddress *ip)
{
    struct ifaddrs *all;
    bool found =
        is_loopback(ip) || is_wildcard(ip); /* a connect to the wildcard address goes to loopback */
    if (found || getifaddrs(&all) != 0)
        return found;
    for (const struct ifaddrs *at = all; at && !found; at = at->ifa_next) {
        IpAddress own = at->ifa_addr ? ip_of(at->ifa_addr) : (IpAddress){.known = false};
        found = own.known && ip_equal(&own, ip);
    }
    freeifaddrs(all);
    return found;
}

static bool host_reaches(const char *instance_host, const char *listener_host)
{
    if (strcasecmp(instance_host, listener_host) == 0)
        return true;
    IpAddress to = ip_of_host(instance_host), at = ip_of_host(listener_host);
    if (!to.known || !at.known)
        return false;
    if (is_wildcard(&at))
        return is_here(&to);
    return ip_equal(&to, &at) || (is_wildcard(&to) && is_loopback(&at));
}

static bool address_reaches(const Address *instance, const Address *listener)
{
    if (instance->path || listener->path)
        return instance->path && listener->path && strcmp(instance->path, listener->path) == 0;
    return instance->host && listener->host && instance->port && instance->port == listener->port &&
           host_reaches(instance->host, listener->host);
}

void config_doubt_loop(ConfigReader *reader, const Address *instance, const char *path)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_listeners; i++) {
        if (address_reaches(instance, &config->listeners[i].address)) {
            config_doubt(reader, path, "the address of a service's own process",
                         "this gateway itself listens on %s (listen[%u]): calls would loop",
                         instance->text, i);
            return;
        }
    }
}
