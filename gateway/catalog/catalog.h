/*
 * Catalog: what the gateway tells clients of its services, as pages of JSON: which there are (RFC
 * 9727), their versions with states and dates, and each version as an OpenAPI document.
 *
 *      /.well-known/api-catalog         links to all of them (RFC 9264)
 *      /apis/orders                     a service: its versions
 *      /apis/orders/v2                  one of them
 *      /apis/orders/v2/openapi.json     how it is called by REST
 *
 * There are pages only if the config has a `catalog`. A client is shown the methods that it may
 * call, as by reflection, with the versions and services that have some; the others do not exist
 * for it. Pure functions over the config; any thread.
 */
#ifndef GATEWAY_CATALOG_H
#define GATEWAY_CATALOG_H

#include "gateway/identity/identity.h"

typedef enum CatalogKind {
    CATALOG_LINKS,
    CATALOG_SERVICE,
    CATALOG_VERSION,
    CATALOG_OPENAPI,
} CatalogKind;

typedef struct CatalogPage {
    CatalogKind kind;
    const Service *service; /* NULL: CATALOG_LINKS */
    const Version *version; /* likewise, and CATALOG_SERVICE */
} CatalogPage;

/* Who looks, and when. */
typedef struct CatalogView {
    const Config *config;
    const Identity *identity;
    int64_t wall; /* nanoseconds */
} CatalogView;

/* Whether there is a page at the path, which has no query. The config may have no catalog. */
bool catalog_find(const Config *config, Bytes path, CatalogPage *page_out);

/* The service whose page of a version that it has not, or what lies below it, is at the path;
 *said_out is that version. NULL: it is at no such path. The config may have no catalog. */
const Service *catalog_lacks_version(const Config *config, Bytes path, Bytes *said_out);

/* The media type of such a page; a literal. */
const char *catalog_media(CatalogKind kind);

/* The value of a Link field that leads to the first page (RFC 9727, section 2); in the arena. */
const char *catalog_link(const Config *config, Arena *arena);

/* Whether something on the page may be seen. Fault: UNKNOWN_PATH. */
MUST_USE Result catalog_check(const CatalogView *view, const CatalogPage *page, Bytes path,
                              Arena *arena);

/* Adds the page, which may be seen and is no CATALOG_OPENAPI: see documents.h. Fault:
   OUT_OF_MEMORY. */
MUST_USE Result catalog_write(const CatalogView *view, const CatalogPage *page, Buffer *out);

/* Makes room for documents. On one thread, before any other has the config. */
void catalog_adopt(Config *config);

#endif
