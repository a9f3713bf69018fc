/* Instances: their addresses and protocols. */
#include "gateway/inventory/instance_read.h"

#include "base/arena.h"
#include "gateway/tls/spiffe.h"
#include "gateway/tls/tls_context.h"

#include <openssl/ssl.h>

static UpstreamProtocol protocol_of(Passerelle__Config__Protocol protocol)
{
    switch (protocol) {
    case PASSERELLE__CONFIG__PROTOCOL__PROTOCOL_CONNECT: return UPSTREAM_CONNECT;
    case PASSERELLE__CONFIG__PROTOCOL__PROTOCOL_GRPC_WEB: return UPSTREAM_GRPC_WEB;
    case PASSERELLE__CONFIG__PROTOCOL__PROTOCOL_REST: return UPSTREAM_REST;
    case PASSERELLE__CONFIG__PROTOCOL__PROTOCOL_HTTP: return UPSTREAM_HTTP;
    case PASSERELLE__CONFIG__PROTOCOL__PROTOCOL_GRPC:
    case _PASSERELLE__CONFIG__PROTOCOL_IS_INT_SIZE: break;
    }
    return UPSTREAM_GRPC;
}

static Compression compression_of(Passerelle__Config__Compression compression)
{
    switch (compression) {
    case PASSERELLE__CONFIG__COMPRESSION__COMPRESSION_GZIP: return COMPRESSION_GZIP;
    case PASSERELLE__CONFIG__COMPRESSION__COMPRESSION_BR: return COMPRESSION_BR;
    case PASSERELLE__CONFIG__COMPRESSION__COMPRESSION_ZSTD: return COMPRESSION_ZSTD;
    case PASSERELLE__CONFIG__COMPRESSION__COMPRESSION_IDENTITY:
    case _PASSERELLE__CONFIG__COMPRESSION_IS_INT_SIZE: break;
    }
    return COMPRESSION_IDENTITY;
}

/* Checks combinations of settings, and fills in what follows from others. */
static void read_protocol(ConfigReader *reader, const Passerelle__Config__Instance *text,
                          bool opaque, const char *path, Instance *instance)
{
    instance->protocol = opaque ? UPSTREAM_HTTP : protocol_of(text->protocol);
    instance->codec =
        text->codec == PASSERELLE__CONFIG__CODEC__CODEC_JSON || instance->protocol == UPSTREAM_REST
            ? CODEC_JSON
            : CODEC_PROTO;
    instance->http2 = instance->protocol == UPSTREAM_GRPC || text->http2;
    instance->compression = compression_of(text->compression);

    const char *protocol_path = config_path(reader, "%s.protocol", path);
    if (!opaque && instance->protocol == UPSTREAM_HTTP)
        config_tell(reader, protocol_path,
                    "write a route that matches the path, with instances of its own",
                    "plain HTTP has no versions and cannot serve a schema");
    if (opaque && text->has_protocol && protocol_of(text->protocol) != UPSTREAM_HTTP)
        config_tell(reader, protocol_path, "http", "a path is passed through in plain HTTP only");
    if (text->has_http2 && !text->http2 && instance->protocol == UPSTREAM_GRPC)
        config_tell(reader, config_path(reader, "%s.http2", path), NULL, "gRPC needs HTTP/2");
    if (text->http2 && (instance->protocol == UPSTREAM_REST || instance->protocol == UPSTREAM_HTTP))
        config_tell(reader, config_path(reader, "%s.http2", path), NULL,
                    "this protocol needs HTTP/1.1");
    if (text->has_codec && instance->protocol == UPSTREAM_REST &&
        text->codec == PASSERELLE__CONFIG__CODEC__CODEC_PROTO)
        config_tell(reader, config_path(reader, "%s.codec", path), "json", "REST is always JSON");
    if (text->has_compression && (instance->protocol == UPSTREAM_REST || opaque) &&
        instance->compression != COMPRESSION_IDENTITY)
        config_tell(reader, config_path(reader, "%s.compression", path), NULL,
                    "requests of this protocol are not compressed");
}

/* Instances of a list share a context if their settings are the same: reading the authorities of
   the system takes 10 ms. */
static Result make_context(ConfigReader *reader, const TlsFiles *files, SSL_CTX **context_out)
{
    if (!reader->contexts)
        return tls_client_context(reader->arena, files, context_out);
    const char *key =
        config_path(reader, "%s\n%s\n%s\n%s\n%d", files->certificate ? files->certificate : "",
                    files->key ? files->key : "", files->authorities ? files->authorities : "",
                    files->spiffe ? files->spiffe : "", files->http2);
    *context_out = table_get(reader->contexts, bytes_of(key));
    if (!*context_out) {
        Result r = tls_client_context(reader->arena, files, context_out);
        if (failed(r))
            return r;
        table_put(reader->contexts, bytes_of(key), *context_out);
    }
    SSL_CTX_up_ref(*context_out); /* one is the table's */
    return OK;
}

static void read_tls(ConfigReader *reader, const Passerelle__Config__InstanceTls *text,
                     const char *path, Instance *instance)
{
    TlsFiles files = {
        .certificate = text->certificate,
        .key = text->key,
        .authorities = text->ca,
        .spiffe = text->spiffe,
        .watched = text->watch && !reader->contexts,
        .http2 = instance->http2,
    };
    config_secret_file(reader, config_path(reader, "%s.key", path), text->key);
    instance->tls_name = text->name ? text->name : instance->address.host;
    if (!instance->tls_name && !text->spiffe)
        config_tell(reader, config_path(reader, "%s.name", path), NULL,
                    "the key name is missing: a Unix socket has no host name");
    const char *wrong = text->spiffe ? spiffe_id_is_wrong(bytes_of(text->spiffe)) : NULL;
    if (wrong)
        config_tell(reader, config_path(reader, "%s.spiffe", path),
                    "for example spiffe://shop.example/orders", "%s is no SPIFFE id: %s",
                    text->spiffe, wrong);
    if (!files.certificate != !files.key) {
        config_tell(reader, path, NULL, "the key %s is missing", files.key ? "certificate" : "key");
        return;
    }
    if (text->watch && !files.certificate)
        config_tell(reader, config_path(reader, "%s.watch", path), NULL,
                    "there is no certificate to watch");
    Result r = make_context(reader, &files, &instance->tls);
    if (failed(r))
        config_tell_tls(reader, r, path);
}

/* False: there is no valid address, which was reported. */
static bool read_address(ConfigReader *reader, const char *address, const char *authority,
                         const char *path, Instance *instance)
{
    bool good =
        address && config_address(reader, address, false, config_path(reader, "%s.address", path),
                                  &instance->address);
    instance->authority_said = authority != NULL;
    instance->authority = authority                ? authority
                          : instance->address.host ? instance->address.text
                                                   : "localhost";
    return good;
}

bool config_read_peer(ConfigReader *reader, const PeerText *text, const char *path,
                      Instance *instance)
{
    *instance = (Instance){.protocol = UPSTREAM_GRPC, .http2 = true, .build = ""};
    bool good = read_address(reader, text->address, text->authority, path, instance);
    if (text->tls)
        read_tls(reader, text->tls, config_path(reader, "%s.tls", path), instance);
    return good && !text->tls == !instance->tls;
}

static void read_versions(ConfigReader *reader, const Service *service,
                          const Passerelle__Config__Instance *text, const char *path,
                          Instance *instance)
{
    const char **names = arena_array(reader->working, const char *, service->n_versions);
    for (uint32_t i = 0; i < service->n_versions; i++)
        names[i] = service->versions[i].name;
    for (size_t i = 0; i < text->n_versions; i++) {
        const char *version_path = config_path(reader, "%s.versions[%zu]", path, i);
        uint32_t at = 0;
        while (at < service->n_versions && strcmp(names[at], text->versions[i]) != 0)
            at++;
        if (at == service->n_versions)
            config_tell(reader, version_path,
                        config_hint(reader, text->versions[i], names, service->n_versions),
                        "%s has no version %s", service->name, text->versions[i]);
        else if (instance->versions >> at & 1)
            config_tell(reader, version_path, NULL, "%s is already in the list", text->versions[i]);
        else
            instance->versions |= UINT64_C(1) << at;
    }
    if (!text->n_versions && service->n_versions == 1)
        instance->versions = 1;
    else if (!text->n_versions && service->n_versions > 1)
        config_tell(reader, path,
                    config_path(reader, "versions: [%s]", names[service->n_versions - 1]),
                    "the key versions is missing: %s has more than one", service->name);
}

void config_read_instance(ConfigReader *reader, const Service *service, bool opaque,
                          const Passerelle__Config__Instance *text, const char *path,
                          Instance *instance)
{
    *instance = (Instance){.service = service};
    read_address(reader, text->address, text->authority, path, instance);
    instance->build = text->build ? text->build : "";
    instance->cell = text->cell;
    instance->far = text->cell && service->cells.own && strcmp(text->cell, service->cells.own) != 0;
    instance->weight = text->weight;
    read_protocol(reader, text, opaque, path, instance);
    if (text->tls)
        read_tls(reader, text->tls, config_path(reader, "%s.tls", path), instance);
    if (!opaque)
        read_versions(reader, service, text, path, instance);
    else if (text->n_versions)
        config_tell(reader, config_path(reader, "%s.versions", path), NULL,
                    "a path that is passed through has no versions");
}

/* `seen`: address -> the path of its instance. */
static void tell_duplicate(ConfigReader *reader, Table *seen, const Instance *instance,
                           const char *path)
{
    Bytes address = bytes_of(instance->address.text);
    const char *other = address.size ? table_get(seen, address) : NULL;
    if (other)
        config_tell(reader, config_path(reader, "%s.address", path),
                    "give it all its versions there", "%s already has the address %s", other,
                    instance->address.text);
    else if (address.size)
        table_put(seen, address, (void *)(uintptr_t)(strrchr(path, '.') + 1));
}

void config_read_instances(ConfigReader *reader, Service *service,
                           Passerelle__Config__Instance *const *texts, size_t n, const char *path)
{
    const ServicePlan *plan = &reader->services[service->index];
    bool opaque = !plan->text && !plan->is_policy_server;
    Table seen = table_in(reader->working);
    service->instances = arena_array(reader->arena, Instance, n);
    for (uint32_t i = 0; i < n; i++) {
        Instance *instance = &service->instances[i];
        const char *instance_path = config_path(reader, "%s.instances[%u]", path, i);
        service->n_instances++;
        config_read_instance(reader, service, opaque, texts[i], instance_path, instance);
        if (instance->address.text)
            config_doubt_loop(reader, &instance->address,
                              config_path(reader, "%s.address", instance_path));
        tell_duplicate(reader, &seen, instance, instance_path);
    }
}
