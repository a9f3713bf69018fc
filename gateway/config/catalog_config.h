/* What clients may read about the services: `catalog` of the config. */
#ifndef GATEWAY_CATALOG_CONFIG_H
#define GATEWAY_CATALOG_CONFIG_H

#include "base/bytes.h"

typedef struct CatalogConfig {
    const char *path; /* below which the pages are, "/apis": without a slash at its end */
    const char *url;  /* of the gateway, as clients reach it, without a slash at its end; or "" */
    bool openapi;     /* versions are also told as OpenAPI documents */
    /* [service][version]: the document for clients who may call everything, made before any loop
       has the config; empty: it was not made, or not everybody may call everything. NULL: none. */
    Bytes **documents;
} CatalogConfig;

#endif
