/* What the pages of the catalog have in common. */
#ifndef GATEWAY_CATALOG_INTERNAL_H
#define GATEWAY_CATALOG_INTERNAL_H

#include "gateway/catalog/catalog.h"

/* Whether the client may call it; one of its methods; one of a version of it. */
bool catalog_shows_method(const CatalogView *view, const Method *method);
bool catalog_shows_version(const CatalogView *view, const Version *version);
bool catalog_shows_service(const CatalogView *view, const Service *service);

/* The next newer version that is served, as far as the client may see it; NULL: none. */
const Version *catalog_successor(const CatalogView *view, const Version *version);

/* Of the page of a service, or of one version of it (which may be NULL); in the arena. */
const char *catalog_url(const Config *config, const Service *service, const Version *version,
                        Arena *arena);

/* service_page.c: what is shown of it, as JSON. */
void catalog_write_service(const CatalogView *view, const Service *service, Buffer *out);
void catalog_write_version(const CatalogView *view, const Version *version, Buffer *out);

#endif
