#include "gateway/catalog/catalog.h"

#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/catalog/catalog_internal.h"

#define WELL_KNOWN "/.well-known/api-catalog"
#define OPENAPI_MEDIA "application/vnd.oai.openapi+json;version=3.1"

/* ---- Which page ------------------------------------------------------------------------------ */

static const Service *find_service(const Config *config, Bytes name)
{
    for (uint32_t i = 0; i < config->n_services; i++)
        if (bytes_are(name, config->services[i].name) && config->services[i].n_versions)
            return &config->services[i];
    return NULL;
}

/* Of the services that have pages. */
static const Service *find_listed(const Config *config, Bytes name)
{
    const Service *service = find_service(config, name);
    return service && !service->unlisted ? service : NULL;
}

/* "orders", "orders/v2", "orders/v2/openapi.json" */
static bool find_below(const Config *config, Bytes rest, CatalogPage *page_out)
{
    Bytes service, version, file;
    if (!bytes_split(&rest, '/', &service))
        return false;
    *page_out = (CatalogPage){CATALOG_SERVICE, find_listed(config, service), NULL};
    if (!page_out->service)
        return false;
    if (!bytes_split(&rest, '/', &version))
        return true;
    page_out->kind = CATALOG_VERSION;
    page_out->version = service_version(page_out->service, version);
    if (!page_out->version || !bytes_split(&rest, '/', &file))
        return page_out->version;
    page_out->kind = CATALOG_OPENAPI;
    return config->catalog->openapi && !rest.size && bytes_are(file, "openapi.json");
}

/* What follows "/apis/"; empty: the path is not below it. */
static Bytes below(const Config *config, Bytes path)
{
    size_t size = strlen(config->catalog->path);
    bool is_below = bytes_start_with(path, config->catalog->path) && path.size > size + 1 &&
                    path.data[size] == '/';
    return is_below ? bytes_slice(path, size + 1, path.size) : BYTES_NONE;
}

bool catalog_find(const Config *config, Bytes path, CatalogPage *page_out)
{
    if (!config->catalog)
        return false;
    if (bytes_are(path, WELL_KNOWN)) {
        *page_out = (CatalogPage){CATALOG_LINKS, NULL, NULL};
        return true;
    }
    Bytes rest = below(config, path);
    return rest.size && !bytes_end_with(rest, "/") && find_below(config, rest, page_out);
}

const Service *catalog_lacks_version(const Config *config, Bytes path, Bytes *said_out)
{
    Bytes rest = config->catalog ? below(config, path) : BYTES_NONE, name;
    if (!bytes_split(&rest, '/', &name) || !bytes_split(&rest, '/', said_out) || !said_out->size)
        return NULL;
    const Service *service = find_listed(config, name);
    return service && !service_version(service, *said_out) ? service : NULL;
}

const char *catalog_media(CatalogKind kind)
{
    switch (kind) {
    case CATALOG_LINKS:
        return "application/linkset+json;profile=\"https://www.rfc-editor.org/info/rfc9727\"";
    case CATALOG_OPENAPI: return OPENAPI_MEDIA;
    case CATALOG_SERVICE:
    case CATALOG_VERSION: break;
    }
    return "application/json";
}

const char *catalog_link(const Config *config, Arena *arena)
{
    return arena_printf(arena, "<%s%s>; rel=\"api-catalog\"", config->catalog->url, WELL_KNOWN);
}

/* ---- Links ----------------------------------------------------------------------------------- */

static void add_link(Buffer *out, const char *relation, const char *href, const char *type)
{
    json_text_add_key(out, relation);
    buffer_add_text(out, "[{");
    json_text_add_member(out, "href", bytes_of(href));
    if (type)
        json_text_add_member(out, "type", bytes_of(type));
    buffer_add_text(out, "}]");
}

static void add_items(const CatalogView *view, Buffer *out)
{
    const Config *config = view->config;
    json_text_open_item(out);
    json_text_add_member(
        out, "anchor",
        bytes_of(arena_printf(out->arena, "%s%s", config->catalog->url, WELL_KNOWN)));
    json_text_open_list(out, "item");
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        if (!catalog_shows_service(view, service))
            continue;
        json_text_open_item(out);
        json_text_add_member(out, "href", bytes_of(catalog_url(config, service, NULL, out->arena)));
        json_text_add_member(out, "title", bytes_of(service->name));
        buffer_add_byte(out, '}');
    }
    buffer_add_text(out, "]}");
}

static void add_version_links(const CatalogView *view, const Version *version, Buffer *out)
{
    const Config *config = view->config;
    const Service *service = version->service;
    const char *url = catalog_url(config, service, version, out->arena);
    const Version *successor = catalog_successor(view, version);
    json_text_open_item(out);
    json_text_add_member(out, "anchor", bytes_of(url));
    add_link(out, "service-meta", catalog_url(config, service, NULL, out->arena),
             "application/json");
    if (config->catalog->openapi)
        add_link(out, "service-desc", arena_printf(out->arena, "%s/openapi.json", url),
                 OPENAPI_MEDIA);
    if (successor)
        add_link(out, "successor-version", catalog_url(config, service, successor, out->arena),
                 "application/json");
    buffer_add_byte(out, '}');
}

static void write_links(const CatalogView *view, Buffer *out)
{
    const Config *config = view->config;
    buffer_add_text(out, "{\"linkset\":[");
    add_items(view, out);
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t k = 0; k < config->services[i].n_versions; k++)
            if (catalog_shows_version(view, &config->services[i].versions[k]))
                add_version_links(view, &config->services[i].versions[k], out);
    buffer_add_text(out, "]}");
}

/* ---- Pages ----------------------------------------------------------------------------------- */

/* Whether there is something on it that the client may see. */
static bool is_shown(const CatalogView *view, const CatalogPage *page)
{
    switch (page->kind) {
    case CATALOG_LINKS: return true;
    case CATALOG_SERVICE: return catalog_shows_service(view, page->service);
    case CATALOG_VERSION:
    case CATALOG_OPENAPI: return catalog_shows_version(view, page->version);
    }
    return false;
}

Result catalog_check(const CatalogView *view, const CatalogPage *page, Bytes path, Arena *arena)
{
    return is_shown(view, page) ? OK
                                : FAIL_TELL(arena, FAULT_UNKNOWN_PATH, "GET %.*s",
                                            BYTES_ARGS(bytes_cut_text(path, 200)));
}

Result catalog_write(const CatalogView *view, const CatalogPage *page, Buffer *out)
{
    switch (page->kind) {
    case CATALOG_LINKS: write_links(view, out); break;
    case CATALOG_SERVICE: catalog_write_service(view, page->service, out); break;
    case CATALOG_VERSION: catalog_write_version(view, page->version, out); break;
    case CATALOG_OPENAPI: break; /* documents.h */
    }
    return out->full ? FAIL(out->arena, FAULT_OUT_OF_MEMORY, "writing a page of the catalog") : OK;
}
