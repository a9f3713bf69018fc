/* The admin listener: where it listens, by which names it is asked, and who its operators are. */
#include "gateway/settings/settings.h"

#include "base/arena.h"
#include "base/file/file.h"
#include "base/net/ip.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { PASSWORD_FILE_MOST = 4096 };

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

/* The bits of everybody else. */
static void check_others(ConfigReader *reader, const SocketRights *rights)
{
    if (rights && rights->mode & S_IRWXO)
        config_tell(reader, "admin.socket.mode", "0660",
                    "everybody on this machine could operate the gateway");
}

static void read_socket(ConfigReader *reader, const Passerelle__Config__AdminSocket *said)
{
    const char *text = said->address;
    Config *config = reader->config;
    if (!text)
        return; /* which was told */
    config->admin_socket_said = true;
    config->admin_socket_place = config_place_of_address(reader, "admin.socket");
    if (!bytes_start_with(bytes_of(text), "unix:")) {
        config_tell(reader, "admin.socket.address", "for example unix:" CONFIG_ADMIN_SOCKET,
                    "%s is not a unix socket: that begins with unix:", text);
        return;
    }
    if (!config_address(reader, text, true, "admin.socket.address", &config->admin_socket))
        return;
    config->admin_socket_rights =
        config_socket_rights(reader, &(RightsText){said->mode, said->owner, said->group},
                             &config->admin_socket, "admin.socket");
    check_others(reader, config->admin_socket_rights);
    tell_taken(reader, &config->admin_socket, "admin.socket.address");
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

/* SHA-256 of nothing: what a script writes down when its file with the token is missing. */
static const uint8_t hash_of_nothing[TOKEN_HASH_SIZE] = {
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};

static void read_token(ConfigReader *reader, const char *text, const char *path,
                       OperatorConfig *one)
{
    one->has_token = config_read_hex(bytes_of(text), one->token_hash, TOKEN_HASH_SIZE);
    if (!one->has_token)
        config_tell(reader, path, NULL, "a SHA-256 has 64 hexadecimal digits");
    else if (memcmp(one->token_hash, hash_of_nothing, TOKEN_HASH_SIZE) == 0)
        config_tell(reader, path, NULL, "this is the SHA-256 of an empty token");
}

/* Data NULL: it cannot be read, which was told. */
static Bytes read_password_file(ConfigReader *reader, const char *file, const char *path)
{
    Bytes text = BYTES_NONE;
    config_secret_file(reader, path, file);
    Result r = file_read(reader->arena, file, PASSWORD_FILE_MOST, &text);
    if (failed(r)) {
        config_tell(reader, path, NULL, "%s", r.error->doing);
        return BYTES_NONE;
    }
    if (!text.size)
        return bytes("", 0);
    while (text.size && strchr("\r\n", text.data[text.size - 1]))
        text.size--;
    return text;
}

/* Nothing of it is told: it may be the password itself. */
static void read_hash(ConfigReader *reader, Bytes text, const char *path, OperatorConfig *one)
{
    PasswordHash *hash = arena_make(reader->arena, PasswordHash);
    Result r = password_hash_read(reader->arena, text, hash);
    one->password = hash;
    if (failed(r))
        config_tell(reader, path, "the output of: passerelle password", "%s", r.error->doing);
}

static void read_password(ConfigReader *reader, const Passerelle__Config__Operator *text,
                          const char *path, OperatorConfig *one)
{
    const char *file = text->password_file;
    const char *at = config_path(reader, file ? "%s.password_file" : "%s.password", path);
    Bytes hash = file ? read_password_file(reader, file, at) : bytes_of(text->password);
    if (text->name && strchr(text->name, ':'))
        config_tell(reader, config_path(reader, "%s.name", path), NULL,
                    "the user of a password has no colon");
    if (text->name && hash.data)
        read_hash(reader, hash, at, one);
}

static unsigned count_proofs(const Passerelle__Config__Operator *text)
{
    return (text->certificate != NULL) + (text->token_sha256 != NULL) + (text->password != NULL) +
           (text->password_file != NULL);
}

static void read_operator(ConfigReader *reader, const Passerelle__Config__Operator *text,
                          const Passerelle__Config__ListenerTls *tls, const char *path,
                          OperatorConfig *one)
{
    bool operates = text->role == PASSERELLE__CONFIG__ROLE__ROLE_OPERATE;
    *one = (OperatorConfig){.name = text->name,
                            .role = operates ? ROLE_OPERATE : ROLE_READ,
                            .certificate = text->certificate};
    if (count_proofs(text) != 1)
        config_tell(reader, path, NULL,
                    "it has one of: certificate, token_sha256, password, password_file");
    else if (text->password || text->password_file)
        read_password(reader, text, path, one);
    else if (text->token_sha256)
        read_token(reader, text->token_sha256, config_path(reader, "%s.token_sha256", path), one);
    else if (!tls || !tls->client_ca)
        config_tell(reader, config_path(reader, "%s.certificate", path), NULL,
                    "certificates are shown over TLS only: admin.tls with client_ca");
    if (text->name && !*text->name)
        config_tell(reader, config_path(reader, "%s.name", path), NULL, "it is empty");
}

static bool same_proof(const OperatorConfig *a, const OperatorConfig *b)
{
    if (a->certificate && b->certificate)
        return strcmp(a->certificate, b->certificate) == 0;
    if (a->password && b->password)
        return strcmp(a->name, b->name) == 0;
    return a->has_token && b->has_token &&
           memcmp(a->token_hash, b->token_hash, TOKEN_HASH_SIZE) == 0;
}

/* Then it would not be clear who it is, nor what it may do. */
static void tell_same_proof(ConfigReader *reader, uint32_t at, const char *path)
{
    const OperatorConfig *operators = reader->config->operators;
    for (uint32_t i = 0; i < at; i++)
        if (same_proof(&operators[i], &operators[at])) {
            config_tell(reader, path, NULL, "admin.operators[%u] has the same %s", i,
                        operators[at].certificate ? "certificate"
                        : operators[at].password  ? "name, and a password, too"
                                                  : "token");
            return;
        }
}

static void read_operators(ConfigReader *reader, const Passerelle__Config__Admin *text)
{
    Config *config = reader->config;
    config->operators = arena_array(reader->arena, OperatorConfig, text->n_operators);
    for (size_t i = 0; i < text->n_operators; i++) {
        const char *path = config_path(reader, "admin.operators[%zu]", i);
        uint32_t at = config->n_operators++;
        read_operator(reader, text->operators[i], text->tls, path, &config->operators[at]);
        tell_same_proof(reader, at, path);
    }
}

/* Whoever listens in has a password for ever. */
static bool is_private(const Config *config)
{
    IpAddress address, one;
    IpRange loopback;
    const char *host = config->admin.host;
    if (!host || config->admin_tls || strcasecmp(host, "localhost") == 0)
        return true;
    return ip_read(bytes_of(host), &address) && ip_read(bytes_of("::1"), &one) &&
           ip_range_read(bytes_of("127.0.0.0/8"), &loopback) &&
           (ip_equal(&address, &one) || ip_range_has(&loopback, &address));
}

static void check_passwords(ConfigReader *reader)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_operators && !is_private(config); i++)
        if (config->operators[i].password)
            config_tell(reader, config_path(reader, "admin.operators[%u]", i),
                        "admin.tls, or a loopback address such as 127.0.0.1:9901",
                        "passwords would go over the network unencrypted");
}

/* ---- All together ---------------------------------------------------------------------------- */

static ProfilesConfig read_profiles(const Passerelle__Config__Admin *text)
{
    static const Passerelle__Config__Profiles defaults = PASSERELLE__CONFIG__PROFILES__INIT;
    const Passerelle__Config__Profiles *said = text && text->profiles ? text->profiles : &defaults;
    return (ProfilesConfig){.longest = said->longest, .heap = said->heap};
}

void config_read_admin(ConfigReader *reader)
{
    static const Passerelle__Config__Admin defaults = PASSERELLE__CONFIG__ADMIN__INIT;
    const Passerelle__Config__Admin *text = reader->file.content->admin;
    Config *config = reader->config;
    config->admin_refused_events = text ? text->refused_events : defaults.refused_events;
    config->admin_live_readers = text ? text->live_readers : defaults.live_readers;
    config->admin_password_time = text ? text->password_time : defaults.password_time;
    config->profiles = read_profiles(text);
    if (!text || !(text->address || text->socket)) {
        config->admin_socket =
            (Address){.text = "unix:" CONFIG_ADMIN_SOCKET, .path = CONFIG_ADMIN_SOCKET};
        if (!text)
            return;
    }
    if (text->address &&
        config_address(reader, text->address, true, "admin.address", &config->admin))
        tell_taken(reader, &config->admin, "admin.address");
    config->admin_place = config_place_of_address(reader, "admin");
    if (text->socket)
        read_socket(reader, text->socket);
    if (text->tls)
        config->admin_tls = config_server_tls(reader, text->tls, "admin.tls", true);
    read_hosts(reader, text);
    read_operators(reader, text);
    if (!text->tls) /* with mistakes in it, there is no context */
        check_passwords(reader);
}
