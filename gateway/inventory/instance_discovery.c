/* Where instances are listed outside of the config; and the lists in files, read with it. */
#include "gateway/inventory/instance_list.h"
#include "gateway/inventory/instance_read.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/file/file.h"

#include <openssl/ssl.h>

enum { PASSWORD_FILE_MOST = 4096, DNS_NAME_MOST = 253 };

typedef const Passerelle__Config__Discovery DiscoveryText;

/* ---- DNS ------------------------------------------------------------------------------------- */

static bool is_dns_name(const char *name)
{
    size_t size = strlen(name);
    return size > 0 && size <= DNS_NAME_MOST && name[0] != '.' && config_is_word(name, "-_.");
}

static void read_dns_name(ConfigReader *reader, const char *text, const char *path,
                          DiscoveredName *name)
{
    const char *example = "for example orders.internal:7001, or _grpc._tcp.orders.internal";
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    name->text = text;
    name->name =
        arena_text(reader->arena, bytes(text, colon ? (size_t)(colon - text) : strlen(text)));
    if (!is_dns_name(name->name))
        config_tell(reader, path, example, "%s is not a name in DNS", text);
    else if (colon && (!bytes_to_u64(bytes_of(colon + 1), &port) || !port || port > UINT16_MAX))
        config_tell(reader, path, config_path(reader, "%s:7001", name->name), "%s is not a port",
                    colon + 1);
    else if (!colon && name->name[0] != '_')
        config_tell(
            reader, path, config_path(reader, "%s:7001", text),
            "the port is missing: only a name of SRV records, which begins with _, has none");
    else if (colon && name->name[0] == '_')
        config_tell(reader, path, name->name, "SRV records have the ports of their instances");
    name->port = (uint16_t)port;
}

/* The members of `instance`, without braces. NULL: a mistake, which was reported. */
static const JsonNode *read_members(ConfigReader *reader, const char *text, const char *path,
                                    DiscoveredName *name)
{
    JsonNode *root;
    Result r = json_parse(reader->arena, bytes_of(text), NULL, &root);
    if (failed(r) || root->kind != JSON_OBJECT) {
        config_tell(reader, path, "{versions: [v1]}", "this is not what an instance is");
        return NULL;
    }
    if (json_member(root, "address")) {
        config_tell(reader, config_path(reader, "%s.address", path), NULL,
                    "DNS has the addresses of its instances");
        return NULL;
    }
    name->weighted = json_member(root, "weight") != NULL;
    if (root->first)
        name->members = bytes_of(arena_printf(reader->arena, ",%.*s", (int)root->text.size - 2,
                                              (const char *)root->text.data + 1));
    return root;
}

/* Reads an instance that DNS might give, and tells what is wrong with it where it is written. */
static void check_members(ConfigReader *reader, const Service *service, const DiscoveredName *name,
                          const char *path)
{
    Problems problems = problems_in(reader->arena);
    InstanceList list;
    const char *file = document_file(&reader->file.document, path);
    ListDocument document = {.name = file, .base = file, .is_entry = true};
    document.text = bytes_of(arena_printf(reader->arena, "{\"address\":\"192.0.2.1:1\"%.*s}",
                                          BYTES_ARGS(name->members)));
    Result r = config_list_read(reader->arena, service, &document, 1, NULL, &problems, &list);
    CHECK(!failed(r)); /* an entry is no list that could be missing */
    for (uint32_t i = 0; i < list.n; i++)
        SSL_CTX_free(list.items[i]->tls);
    for (size_t i = 0; i < problems.n; i++) {
        const Problem *p = &problems.items[i];
        const char *hint = p->hint;
        if (!name->members.size && hint)
            hint = config_path(reader, "{name: '%s', instance: {%s}}", name->text, hint);
        config_tell(reader, *p->path ? config_path(reader, "%s.%s", path, p->path) : path, hint,
                    "%s", p->reason);
    }
}

static void read_dns(ConfigReader *reader, const Service *service, DiscoveryText *text,
                     const char *path, Discovery *discovery)
{
    Buffer place = buffer_in(reader->arena);
    discovery->names = arena_array(reader->arena, DiscoveredName, text->n_dns);
    for (size_t i = 0; i < text->n_dns; i++) {
        DiscoveredName *name = &discovery->names[i];
        const char *name_path = config_path(reader, "%s.dns[%zu]", path, i);
        const char *instance_path = config_path(reader, "%s.instance", name_path);
        if (!text->dns[i]->name)
            continue;
        discovery->n_names = (uint32_t)i + 1;
        read_dns_name(reader, text->dns[i]->name, config_path(reader, "%s.name", name_path), name);
        buffer_printf(&place, "%s%s", i ? ", " : "DNS ", name->text);
        const char *members = text->dns[i]->instance;
        if (!members || read_members(reader, members, instance_path, name))
            check_members(reader, service, name, members ? instance_path : name_path);
    }
    discovery->place = arena_text(reader->arena, buffer_bytes(&place));
}

/* ---- etcd ------------------------------------------------------------------------------------ */

static const char *read_password(ConfigReader *reader, const char *file, const char *path)
{
    Bytes text = BYTES_NONE;
    config_secret_file(reader, path, file);
    Result r = file_read(reader->arena, file, PASSWORD_FILE_MOST, &text);
    while (text.size && strchr("\r\n", text.data[text.size - 1]))
        text.size--;
    if (failed(r))
        config_tell(reader, path, NULL, "%s", r.error->doing);
    else if (!text.size || memchr(text.data, '\n', text.size) || memchr(text.data, 0, text.size))
        config_tell(reader, path, NULL, "%s is not one line with a password", file);
    return arena_text(reader->arena, text);
}

static void read_user(ConfigReader *reader, const Passerelle__Config__DiscoveryEtcd *text,
                      const char *path, EtcdSource *etcd)
{
    const char *file_path = config_path(reader, "%s.password_file", path);
    if (!text->user != !text->password_file)
        config_tell(reader, path, text->user ? "password_file: etcd.password" : "user: gateway",
                    "the key %s is missing", text->user ? "password_file" : "user");
    if (text->password_file && !text->tls)
        config_doubt(reader, file_path, "tls: {}", "the password is sent unencrypted");
    etcd->user = text->user;
    if (text->password_file)
        etcd->password = read_password(reader, text->password_file, file_path);
}

static void read_etcd(ConfigReader *reader, const Passerelle__Config__DiscoveryEtcd *text,
                      const char *path, Discovery *discovery)
{
    EtcdSource *etcd = arena_make(reader->arena, EtcdSource);
    Buffer place = buffer_in(reader->arena);
    discovery->etcd = etcd;
    *etcd = (EtcdSource){.prefix = text->prefix ? text->prefix : "", .silence = text->silence};
    etcd->endpoints = arena_array(reader->arena, Instance, text->n_endpoints);
    for (size_t i = 0; i < text->n_endpoints; i++) {
        PeerText endpoint = {.address = text->endpoints[i], .tls = text->tls};
        Instance *instance = &etcd->endpoints[i];
        const char *at = config_path(reader, "%s.endpoints[%zu]", path, i);
        etcd->n_endpoints = (uint32_t)i + 1;
        config_read_peer(reader, &endpoint, at, instance);
        buffer_printf(&place, "%s%s", i ? ", " : "etcd ", text->endpoints[i]);
    }
    if (text->prefix && !*text->prefix)
        config_tell(reader, config_path(reader, "%s.prefix", path), "/services/orders/",
                    "without a prefix, every key of this etcd would be an instance");
    buffer_printf(&place, " %s", etcd->prefix);
    discovery->place = arena_text(reader->arena, buffer_bytes(&place));
    read_user(reader, text, path, etcd);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static Result read_documents(Arena *arena, const Discovery *discovery, ListDocument **documents_out,
                             uint32_t *n_out)
{
    const char **names = (const char **)&discovery->path;
    uint32_t n = 1;
    Result r = OK;
    if (discovery->kind == DISCOVERY_FOLDER)
        r = config_list_names(arena, discovery->path, &names, &n);
    *documents_out = arena_array(arena, ListDocument, n);
    for (uint32_t i = 0; i < n && !failed(r); i++) {
        (*documents_out)[i] = (ListDocument){.name = names[i], .base = names[i]};
        r = config_list_text(arena, names[i], &(*documents_out)[i].text);
    }
    *n_out = n;
    return r;
}

/* The list as it is now; mistakes in it are doubts. */
static void read_files(ConfigReader *reader, Service *service, const Discovery *discovery,
                       const char *path)
{
    ListDocument *documents;
    uint32_t n;
    InstanceList list = {0};
    Problems problems = problems_in(reader->arena);
    Result r = read_documents(reader->arena, discovery, &documents, &n);
    if (failed(r))
        r = FAIL_OVER(reader->arena, r, FAULT_NO_FILE, "reading the instances of %s",
                      service->name);
    else
        r = config_list_read(reader->arena, service, documents, n, NULL, &problems, &list);
    if (failed(r))
        config_doubt(reader, path, NULL, "%s", error_text(reader->arena, r));
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

static void read_path(ConfigReader *reader, Service *service, DiscoveryText *text, const char *path,
                      Discovery *discovery)
{
    const char *kind = text->file ? "file" : "folder";
    discovery->path = text->file ? text->file : text->folder;
    discovery->place = arena_printf(reader->arena, "%s %s", kind, discovery->path);
    read_files(reader, service, discovery, config_path(reader, "%s.%s", path, kind));
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* False: there is not exactly one, which was reported. */
static bool read_kind(ConfigReader *reader, DiscoveryText *text, const char *path,
                      DiscoveryKind *kind_out)
{
    const bool said[] = {[DISCOVERY_FILE] = text->file,
                         [DISCOVERY_FOLDER] = text->folder,
                         [DISCOVERY_DNS] = text->n_dns,
                         [DISCOVERY_ETCD] = text->etcd};
    int n = 0;
    for (int kind = DISCOVERY_FILE; kind <= DISCOVERY_ETCD; kind++) {
        if (said[kind])
            *kind_out = (DiscoveryKind)kind;
        n += said[kind];
    }
    if (n != 1)
        config_tell(reader, path, "file: instances.yaml",
                    n ? "instances are listed in one place: a file, a folder, DNS or etcd"
                      : "it does not say where: file, folder, dns or etcd");
    return n == 1;
}

void config_read_discovery(ConfigReader *reader, Service *service, DiscoveryText *text,
                           const char *path)
{
    Discovery *discovery = arena_make(reader->arena, Discovery);
    *discovery = (Discovery){.base = document_file(&reader->file.document, path),
                             .place = "nothing",
                             .every = text->every,
                             .empty_after = text->empty_after,
                             .timeout = text->timeout};
    service->discovery = discovery;
    if (!read_kind(reader, text, path, &discovery->kind))
        return;
    switch (discovery->kind) {
    case DISCOVERY_FILE:
    case DISCOVERY_FOLDER: read_path(reader, service, text, path, discovery); return;
    case DISCOVERY_DNS: read_dns(reader, service, text, path, discovery); return;
    case DISCOVERY_ETCD:
        read_etcd(reader, text->etcd, config_path(reader, "%s.etcd", path), discovery);
        return;
    }
}
