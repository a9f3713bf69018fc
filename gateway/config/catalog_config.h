/* What clients may read about the services: `catalog` of the config. */
#ifndef GATEWAY_CATALOG_CONFIG_H
#define GATEWAY_CATALOG_CONFIG_H

#include "base/bytes.h"

typedef struct DocumentTable DocumentTable; /* gateway/catalog/documents.c */

typedef struct CatalogConfig {
    const char *path; /* below which the pages are, "/apis": without a slash at its end */
    const char *url;  /* of the gateway, as clients reach it, without a slash at its end; or "" */
    bool openapi;     /* versions are also told as OpenAPI documents */
    uint64_t document_bytes, kept_bytes;      /* of one document; of those that are kept */
    DocumentTable *documents;                 /* NULL: none, or not in force yet */
    void (*let_go)(DocumentTable *documents); /* frees them with the config; NULL: there are none */
} CatalogConfig;

#endif
