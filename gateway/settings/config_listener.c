/* The listeners for clients and operators. */
#include "gateway/settings/settings.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/tls/tls_context.h"

void config_tell_tls(ConfigReader *reader, Result r, const char *path)
{
    const Error *error = error_with_field(r);
    const char *key = error ? error->field : "certificate";
    config_tell(reader, config_path(reader, "%s.%s", path, key), NULL, "%s",
                error ? error->doing : r.error->doing);
}

/* False: a part is missing, which was reported. */
static bool read_more(ConfigReader *reader, const Passerelle__Config__ListenerTls *text,
                      const char *path, TlsFiles *files)
{
    TlsPair *more = arena_array(reader->arena, TlsPair, text->n_certificates);
    files->more = more;
    for (; files->n_more < text->n_certificates; files->n_more++) {
        const Passerelle__Config__NamedCertificate *one = text->certificates[files->n_more];
        if (!one->certificate || !one->key)
            return false;
        more[files->n_more] = (TlsPair){one->certificate, one->key};
        config_secret_file(
            reader, config_path(reader, "%s.certificates[%zu].key", path, files->n_more), one->key);
    }
    return true;
}

/* A ticket is good for whole seconds, and its key for half of them. */
static uint32_t session_seconds(ConfigReader *reader)
{
    int64_t time = reader->config->limits.session_time;
    return time > 0 && time < 2 * SECOND ? 2 : (uint32_t)(time / SECOND);
}

SSL_CTX *config_server_tls(ConfigReader *reader, const Passerelle__Config__ListenerTls *text,
                           const char *path, bool http1_only)
{
    SSL_CTX *context = NULL;
    if (!text->certificate || !text->key)
        return NULL;
    TlsFiles files = {
        .certificate = text->certificate,
        .key = text->key,
        .authorities = text->client_ca,
        .revocations = text->client_crl,
        .session_seconds = session_seconds(reader),
        .certificate_optional = text->client_certificate_optional,
        .watched = text->watch,
        .http1_only = http1_only,
    };
    config_secret_file(reader, config_path(reader, "%s.key", path), text->key);
    if (!read_more(reader, text, path, &files))
        return NULL;
    if (text->client_certificate_optional && !text->client_ca)
        config_tell(reader, path, NULL, "client_certificate_optional needs client_ca");
    if (text->client_crl && !text->client_ca)
        config_tell(reader, path, NULL, "client_crl needs client_ca");
    Result r = tls_server_context(reader->arena, &files, &context);
    if (failed(r))
        config_tell_tls(reader, r, path);
    return context;
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
        const Passerelle__Config__Listener *said = text->listen[i];
        listener->rights = config_socket_rights(
            reader, &(RightsText){said->mode, said->owner, said->group}, &listener->address, path);
        listener->place = config_place_of_address(reader, path);
        listener->errors = config_errors(text->listen[i]->errors);
        listener->authenticate =
            config_authenticate(text->listen[i]->has_authenticate, text->listen[i]->authenticate);
        listener->credentials = config_credentials(reader, text->listen[i]->authentication,
                                                   text->listen[i]->n_authentication, path);
        listener->policy = config_policy_use(reader, text->listen[i]->policy_server, path);
        config->n_listeners++;
        read_proxies(reader, text->listen[i], &trusted, path, listener);
        const Passerelle__Config__ListenerTls *tls = text->listen[i]->tls;
        if (tls)
            listener->tls =
                config_server_tls(reader, tls, config_path(reader, "%s.tls", path), false);
        listener->client_certificate = listener->tls && tls->client_ca;
    }

    config_read_admin(reader);
}
