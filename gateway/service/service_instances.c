/* Instances: their addresses and protocols. */
#include "gateway/service/instance_list.h"
#include "gateway/service/service_internal.h"

#include "base/arena.h"
#include "base/file/file.h"
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

static void read_tls(ConfigReader *reader, const Passerelle__Config__InstanceTls *text,
                     const char *path, Instance *instance)
{
    TlsFiles files = {
        .certificate = text->certificate,
        .key = text->key,
        .authorities = text->ca,
        .http2 = instance->http2,
    };
    instance->tls_name = text->name ? text->name : instance->address.host;
    if (!instance->tls_name)
        config_tell(reader, config_path(reader, "%s.name", path), NULL,
                    "the key name is missing: a Unix socket has no host name");
    if (!files.certificate != !files.key) {
        config_tell(reader, path, NULL, "the key %s is missing", files.key ? "certificate" : "key");
        return;
    }
    Result r = tls_client_context(reader->arena, &files, &instance->tls);
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

bool config_read_reflecting(ConfigReader *reader, const Passerelle__Config__Reflection *text,
                            const char *path, Instance *instance)
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
    const char **names = arena_array(reader->arena, const char *, service->n_versions);
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

static void read_instance(ConfigReader *reader, const Service *service, bool opaque,
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
    bool opaque = !reader->services[service->index].text;
    Table seen = table_in(reader->arena);
    service->instances = arena_array(reader->arena, Instance, n);
    for (uint32_t i = 0; i < n; i++) {
        Instance *instance = &service->instances[i];
        const char *instance_path = config_path(reader, "%s.instances[%u]", path, i);
        service->n_instances++;
        read_instance(reader, service, opaque, texts[i], instance_path, instance);
        if (instance->address.text)
            config_doubt_loop(reader, &instance->address,
                              config_path(reader, "%s.address", instance_path));
        tell_duplicate(reader, &seen, instance, instance_path);
    }
}

/* ---- Lists outside of the config ------------------------------------------------------------- */

enum { LIST_SIZE_MOST = 64 << 20 };

Result config_list_text(Arena *arena, const char *file, Bytes *text_out)
{
    return file_read(arena, file, LIST_SIZE_MOST, text_out);
}

/* A list while it is read. */
typedef struct ListReader {
    ConfigReader reader; /* only what reading an instance needs */
    const Service *service;
    const Table *had;
    InstanceList *list;
    Instance **fresh; /* new ones, in their order, with `said` filled in */
    const char **fresh_paths;
    uint32_t n_fresh;
    Buffer fresh_json; /* {"instances":[...]} */
} ListReader;

/* The value of `instances`; NULL: there is no such list, which was reported. */
static const JsonNode *find_entries(ConfigReader *reader)
{
    const JsonNode *root = reader->file.document.root, *entries = NULL;
    if (!root || root->kind != JSON_OBJECT) {
        config_tell(reader, "", "instances: []", "this is not a list of instances");
        return NULL;
    }
    for (const JsonNode *member = root->first; member; member = member->next) {
        if (bytes_are(member->name, "instances"))
            entries = member;
        else
            config_tell(reader, "", NULL, "there is no such key as %.*s", BYTES_ARGS(member->name));
    }
    if (reader->problems->n)
        return NULL;
    if (!entries)
        config_tell(reader, "", "instances: []", "the key instances is missing");
    else if (entries->kind != JSON_ARRAY)
        config_tell(reader, "instances", "[]", "this is not a list");
    return entries && entries->kind == JSON_ARRAY ? entries : NULL;
}

static void add_entry(ListReader *l, const char *path, Bytes said)
{
    Instance *instance = l->had ? table_get(l->had, said) : NULL;
    if (!instance) {
        instance = arena_make(l->reader.arena, Instance);
        instance->said = said;
        buffer_add_text(&l->fresh_json, l->n_fresh ? "," : "{\"instances\":[");
        buffer_add(&l->fresh_json, said.data, said.size);
        l->fresh_paths[l->n_fresh] = path;
        l->fresh[l->n_fresh++] = instance;
    }
    l->list->items[l->list->n++] = instance;
}

/* Reads the entries; those that are valid by themselves go to fresh_json. */
static void read_entries(ListReader *l, const JsonNode *entries, const MessageType *type,
                         const DocumentRules *rules)
{
    ConfigReader *reader = &l->reader;
    l->list->items = arena_array(reader->arena, Instance *, entries->count);
    l->fresh = arena_array(reader->arena, Instance *, entries->count);
    l->fresh_paths = arena_array(reader->arena, const char *, entries->count);
    uint32_t i = 0;
    for (const JsonNode *entry = entries->first; entry; entry = entry->next, i++) {
        const char *path = config_path(reader, "instances[%u]", i);
        size_t n_problems = reader->problems->n;
        Buffer json = buffer_in(reader->arena);
        document_read(rules, type, &reader->file.document, entry, path, reader->problems,
                      reader->problems, &json);
        if (reader->problems->n == n_problems)
            add_entry(l, path, buffer_bytes(&json));
        else
            l->list->n_refused++;
    }
}

static Result read_fresh(ListReader *l, const Schema *schema)
{
    ConfigReader *reader = &l->reader;
    if (!l->n_fresh)
        return OK;
    buffer_add_text(&l->fresh_json, "]}");
    ProtobufCMessage *message;
    Result r = config_message(
        reader->arena, schema_message(schema, bytes_of("passerelle.config.InstanceList")),
        buffer_bytes(&l->fresh_json), &passerelle__config__instance_list__descriptor, &message);
    if (failed(r))
        return r;
    const Passerelle__Config__InstanceList *text =
        (const Passerelle__Config__InstanceList *)message;
    for (uint32_t i = 0; i < l->n_fresh; i++) {
        Bytes said = l->fresh[i]->said;
        size_t n_problems = reader->problems->n;
        read_instance(reader, l->service, l->service->n_versions == 0, text->instances[i],
                      l->fresh_paths[i], l->fresh[i]);
        l->fresh[i]->said = said;
        if (reader->problems->n != n_problems) {
            SSL_CTX_free(l->fresh[i]->tls);
            l->fresh[i]->service = NULL; /* marks a mistake: see keep_good */
        }
    }
    return OK;
}

/* Removes entries with mistakes, and repeated addresses. */
static void keep_good(ListReader *l)
{
    Table seen = table_in(l->reader.arena);
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->list->n; i++) {
        Instance *instance = l->list->items[i];
        if (instance->service && !table_put(&seen, bytes_of(instance->address.text), instance)) {
            l->list->items[n++] = instance;
            continue;
        }
        l->list->n_refused++;
        if (!instance->service)
            continue;
        config_tell(&l->reader, "instances", NULL, "the address %s occurs twice",
                    instance->address.text);
        if (!l->had || !table_get(l->had, instance->said))
            SSL_CTX_free(instance->tls);
    }
    l->list->n = n;
}

Result config_list_read(Arena *arena, const Service *service, Bytes text, const Table *had,
                        Problems *problems, InstanceList *list_out)
{
    ListReader l = {.service = service, .had = had, .list = list_out};
    l.reader = (ConfigReader){.arena = arena, .problems = problems};
    l.reader.file.path = service->discovery->file;
    l.fresh_json = buffer_in(arena);
    *list_out = (InstanceList){0};
    const Schema *schema;
    const DocumentRules *rules;
    Result r = config_schema(arena, &schema, &rules);
    if (failed(r))
        return r;
    yaml_parse(arena, text, l.reader.file.path, NULL, problems, &l.reader.file.document);
    const JsonNode *entries = problems->n ? NULL : find_entries(&l.reader);
    if (!entries)
        return FAIL(arena, FAULT_BAD_CONFIG, "%s has no list of instances of %s",
                    service->discovery->file, service->name);
    read_entries(&l, entries, schema_message(schema, bytes_of("passerelle.config.Instance")),
                 rules);
    r = read_fresh(&l, schema);
    if (!failed(r))
        keep_good(&l);
    return r;
}

void config_read_discovery(ConfigReader *reader, Service *service,
                           const Passerelle__Config__Discovery *text, const char *path)
{
    Discovery *discovery = arena_make(reader->arena, Discovery);
    *discovery = (Discovery){text->file, text->every, text->empty_after};
    service->discovery = discovery;
    if (!text->file)
        return;
    Bytes list_text;
    InstanceList list = {0};
    Problems problems = problems_in(reader->arena);
    Result r = config_list_text(reader->arena, text->file, &list_text);
    if (failed(r))
        r = FAIL_OVER(reader->arena, r, FAULT_NO_FILE, "reading the instances of %s",
                      service->name);
    else
        r = config_list_read(reader->arena, service, list_text, NULL, &problems, &list);
    if (failed(r))
        config_doubt(reader, config_path(reader, "%s.file", path), NULL, "%s",
                     error_text(reader->arena, r));
    for (size_t i = 0; i < problems.n; i++) {
        const Problem *p = &problems.items[i];
        problem_add(&reader->config->doubts, p->file, p->line, p->column, p->path, p->hint, "%s",
                    p->reason);
    }
    service->instances = arena_array(reader->arena, Instance, list.n);
    for (uint32_t i = 0; i < list.n; i++)
        service->instances[i] = *list.items[i];
    service->n_instances = list.n;
}
