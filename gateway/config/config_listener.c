/* The listeners for clients and operators. */
#include "gateway/config/config_internal.h"

#include "base/arena.h"
#include "gateway/tls/tls_context.h"

void config_tell_tls(ConfigReader *reader, Result r, const char *path)
{
    const Error *error = error_with_field(r);
    const char *key = error ? error->field : "certificate";
    config_tell(reader, config_path(reader, "%s.%s", path, key), NULL, "%s",
                error ? error->doing : r.error->doing);
}

static void read_tls(ConfigReader *reader, const Passerelle__Config__ListenerTls *text,
                     const char *path, ListenerConfig *listener)
{
    if (!text->certificate || !text->key)
        return;
    TlsFiles files = {
        .certificate = text->certificate,
        .key = text->key,
        .authorities = text->client_ca,
        .certificate_optional = text->client_certificate_optional,
    };
    if (text->client_certificate_optional && !text->client_ca)
        config_tell(reader, path, NULL, "client_certificate_optional needs client_ca");
    Result r = tls_server_context(reader->arena, &files, &listener->tls);
    if (failed(r))
        config_tell_tls(reader, r, path);
    listener->client_certificate = text->client_ca != NULL;
}

/* Reports an address that occurs twice. Port 0 is a different one each time. */
static void tell_duplicate(ConfigReader *reader, uint32_t at, const char *path)
{
    const ListenerConfig *listeners = reader->config->listeners;
    for (uint32_t i = 0; i < at; i++)
        if (strcmp(listeners[i].address.text, listeners[at].address.text) == 0 &&
            (listeners[at].address.port || listeners[at].address.path)) {
            config_tell(reader, path, NULL, "listen[%u] already has the address %s", i,
                        listeners[at].address.text);
            return;
        }
}

/* ---- Trust ----------------------------------------------------------------------------------- */

/* Reports why a text is not a valid entry of the list. */
static void tell_no_network(ConfigReader *reader, const char *text, bool alone, const char *path)
{
    IpRange meant;
    if (strcmp(text, "none") == 0 && !alone)
        config_tell(reader, path, "leave it out, or leave out the others",
                    "none must be the only entry");
    else if (ip_range_mean(bytes_of(text), &meant)) {
        char network[IP_TEXT_SIZE + 4];
        ip_range_write(&meant, network);
        config_tell(reader, path, arena_printf(reader->arena, "write %s", network),
                    "%s has bits after its prefix", text);
    } else
        config_tell(
            reader, path, "for example 10.0.0.0/8, 192.0.2.7, 2001:db8::/32 or unix",
            "%s is not a network: an IP address, without a port, or one with a slash and the "
            "length of its prefix; names are not looked up",
            text);
}

static void read_trusted(ConfigReader *reader, char **texts, size_t n, const char *path,
                         TrustedPeers *trusted)
{
    IpRange *ranges = arena_array(reader->arena, IpRange, n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(texts[i], "unix") == 0)
            trusted->unix_sockets = true;
        else if (ip_range_read(bytes_of(texts[i]), &ranges[trusted->n]))
            trusted->n++;
        else if (n > 1 || strcmp(texts[i], "none") != 0)
            tell_no_network(reader, texts[i], n == 1, config_path(reader, "%s[%zu]", path, i));
    }
    trusted->ranges = ranges;
}

static void read_proxies(ConfigReader *reader, const Passerelle__Config__Listener *text,
                         const TrustedPeers *of_all, const char *path, ListenerConfig *listener)
{
    listener->trusted = *of_all;
    if (text->n_trusted_proxies) {
        listener->trusted = (TrustedPeers){.n = 0};
        read_trusted(reader, text->trusted_proxies, text->n_trusted_proxies,
                     config_path(reader, "%s.trusted_proxies", path), &listener->trusted);
    }
    listener->proxy_protocol = text->proxy_protocol;
    if (text->proxy_protocol && trusted_peers_are_none(&listener->trusted))
        config_tell(reader, config_path(reader, "%s.proxy_protocol", path),
                    "list the senders in trusted_proxies", "there are no trusted proxies here");
}

static void read_admin(ConfigReader *reader, const Passerelle__Config__Admin *text)
{
    Config *config = reader->config;
    if (!text->address ||
        !config_address(reader, text->address, true, "admin.address", &config->admin))
        return;
    for (uint32_t i = 0; i < config->n_listeners; i++)
        if (strcmp(config->listeners[i].address.text, config->admin.text) == 0 &&
            (config->admin.port || config->admin.path))
            config_tell(reader, "admin.address", NULL, "listen[%u] already has the address %s", i,
                        config->admin.text);

    const char **hosts = arena_array(reader->arena, const char *, text->n_hosts);
    for (size_t i = 0; i < text->n_hosts; i++) {
        hosts[i] = text->hosts[i];
        if (!config_is_host_pattern(bytes_of(hosts[i])))
            config_tell(reader, config_path(reader, "admin.hosts[%zu]", i),
                        "for example gw1.internal, or *.monitoring.svc",
                        "%s is not the name of a host, without its port",
                        *hosts[i] ? hosts[i] : "nothing");
    }
    config->admin_hosts = hosts;
    config->n_admin_hosts = (uint32_t)text->n_hosts;
}

void config_read_listeners(ConfigReader *reader)
{
    const Passerelle__Config__Config *text = reader->file.content;
    Config *config = reader->config;
    TrustedPeers trusted = {.n = 0};
    read_trusted(reader, text->trusted_proxies, text->n_trusted_proxies, "trusted_proxies",
                 &trusted);
    config->listeners = arena_array(reader->arena, ListenerConfig, text->n_listen);
    for (size_t i = 0; i < text->n_listen; i++) {
        const char *path = config_path(reader, "listen[%zu]", i);
        ListenerConfig *listener = &config->listeners[config->n_listeners];
        if (!text->listen[i]->address)
            continue;
        if (config_address(reader, text->listen[i]->address, true,
                           config_path(reader, "%s.address", path), &listener->address))
            tell_duplicate(reader, config->n_listeners, config_path(reader, "%s.address", path));
        listener->errors = config_errors(text->listen[i]->has_errors, text->listen[i]->errors);
        config->n_listeners++;
        read_proxies(reader, text->listen[i], &trusted, path, listener);
        if (text->listen[i]->tls)
            read_tls(reader, text->listen[i]->tls, config_path(reader, "%s.tls", path), listener);
    }

    if (text->admin)
        read_admin(reader, text->admin);
}
