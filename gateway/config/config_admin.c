/* The admin listener: where it listens, by which names it is asked, and who its operators are. */
#include "gateway/config/config_internal.h"

#include "base/arena.h"

/* ---- Addresses ------------------------------------------------------------------------------- */

static void tell_taken(ConfigReader *reader, const Address *address, const char *path)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_listeners; i++)
        if (strcmp(config->listeners[i].address.text, address->text) == 0 &&
            (address->port || address->path))
            config_tell(reader, path, NULL, "listen[%u] already has the address %s", i,
                        address->text);
}

static void read_socket(ConfigReader *reader, const char *text)
{
    Config *config = reader->config;
    config->admin_socket_said = true;
    if (!config_address(reader, text, true, "admin.socket", &config->admin_socket))
        return;
    tell_taken(reader, &config->admin_socket, "admin.socket");
    if (!config->admin_socket.path)
        config_tell(reader, "admin.socket", "for example unix:" CONFIG_ADMIN_SOCKET,
                    "%s is not a unix socket", text);
}

static void read_hosts(ConfigReader *reader, const Passerelle__Config__Admin *text)
{
    const char **hosts = arena_array(reader->arena, const char *, text->n_hosts);
    for (size_t i = 0; i < text->n_hosts; i++) {
        hosts[i] = text->hosts[i];
        if (!config_is_host_pattern(bytes_of(hosts[i])))
            config_tell(reader, config_path(reader, "admin.hosts[%zu]", i),
                        "for example gw1.internal, or *.monitoring.svc",
                        "%s is not the name of a host, without its port",
                        *hosts[i] ? hosts[i] : "nothing");
    }
    reader->config->admin_hosts = hosts;
    reader->config->n_admin_hosts = (uint32_t)text->n_hosts;
}

/* ---- Operators ------------------------------------------------------------------------------- */

static void read_operator(ConfigReader *reader, const Passerelle__Config__Operator *text,
                          const char *path, OperatorConfig *one)
{
    bool operates = text->role == PASSERELLE__CONFIG__ROLE__ROLE_OPERATE;
    *one = (OperatorConfig){.name = text->name,
                            .role = operates ? ROLE_OPERATE : ROLE_READ,
                            .certificate = text->certificate,
                            .has_token = text->token_sha256 != NULL};
    if (!text->certificate == !text->token_sha256)
        config_tell(reader, path, NULL, "it has either a certificate or a token_sha256");
    else if (text->token_sha256 &&
             !config_read_hex(bytes_of(text->token_sha256), one->token_hash, TOKEN_HASH_SIZE))
        config_tell(reader, config_path(reader, "%s.token_sha256", path), NULL,
                    "a SHA-256 has 64 hexadecimal digits");
    else if (text->certificate && !reader->config->admin_tls)
        config_tell(reader, config_path(reader, "%s.certificate", path), NULL,
                    "certificates are shown over TLS only: admin.tls with client_ca");
}

static void read_operators(ConfigReader *reader, const Passerelle__Config__Admin *text)
{
    Config *config = reader->config;
    config->operators = arena_array(reader->arena, OperatorConfig, text->n_operators);
    for (size_t i = 0; i < text->n_operators; i++)
        read_operator(reader, text->operators[i], config_path(reader, "admin.operators[%zu]", i),
                      &config->operators[config->n_operators++]);
}

/* ---- All together ---------------------------------------------------------------------------- */

void config_read_admin(ConfigReader *reader)
{
    const Passerelle__Config__Admin *text = reader->file.content->admin;
    Config *config = reader->config;
    if (!text || !(text->address || text->socket)) {
        config->admin_socket =
            (Address){.text = "unix:" CONFIG_ADMIN_SOCKET, .path = CONFIG_ADMIN_SOCKET};
        if (!text)
            return;
    }
    if (text->address &&
        config_address(reader, text->address, true, "admin.address", &config->admin))
        tell_taken(reader, &config->admin, "admin.address");
    if (text->socket)
        read_socket(reader, text->socket);
    if (text->tls)
        config->admin_tls = config_server_tls(reader, text->tls, "admin.tls", true);
    read_hosts(reader, text);
    read_operators(reader, text);
}
