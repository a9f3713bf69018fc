/* A path, which is a page of the catalog only if it is written as the page's own. */
#include "base/arena.h"
#include "gateway/catalog/catalog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *path_of(const CatalogConfig *catalog, const CatalogPage *page, Arena *arena)
{
    if (page->kind == CATALOG_LINKS)
        return "/.well-known/api-catalog";
    const char *below = arena_printf(arena, "%s/%s", catalog->path, page->service->name);
    if (page->kind == CATALOG_SERVICE)
        return below;
    return arena_printf(arena, "%s/%s%s", below, page->version->name,
                        page->kind == CATALOG_OPENAPI ? "/openapi.json" : "");
}

static void check(const CatalogConfig *catalog, Bytes path, Arena *arena)
{
    Version versions[] = {{.name = "v1"}, {.name = "v2beta"}};
    Service services[] = {
        {.name = "orders", .versions = versions, .n_versions = 2},
        {.name = "a.b-c", .versions = versions, .n_versions = 1},
        {.name = "secret", .versions = versions, .n_versions = 2, .unlisted = true},
        {.name = "opaque"}};
    Config config = {
        .services = services, .n_services = 4, .catalog = (CatalogConfig *)(uintptr_t)catalog};
    CatalogPage page;
    if (!catalog_find(&config, path, &page))
        return;
    CHECK(catalog_media(page.kind) && bytes_are(path, path_of(catalog, &page, arena)));
    CHECK(!page.service || (page.service->n_versions && !page.service->unlisted));
    CHECK(catalog->openapi || page.kind != CATALOG_OPENAPI);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const CatalogConfig catalogs[] = {{.path = "/apis", .url = "", .openapi = true},
                                             {.path = "/a/b", .url = ""},
                                             {.path = "", .url = ""}};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof catalogs / sizeof *catalogs; i++)
        check(&catalogs[i], bytes(data, size), arena);
    arena_free(arena);
    return 0;
}
