/*
 * OpenApi: one version of a service as an OpenAPI 3.1 document.
 *
 * The document is made of what the config has compiled: the schema with its comments, the bindings
 * of google.api.http, what routes demand and how they write JSON, the dates of the version, the
 * methods by which clients prove who they are. It says how REST clients call the version; methods
 * without a binding are not in it. Pure functions over the config; any thread.
 */
#ifndef GATEWAY_OPENAPI_H
#define GATEWAY_OPENAPI_H

#include "gateway/config/config.h"

/* Whether the document has this method. `owner` is the question's. */
typedef bool OpenApiShows(const void *owner, const Method *method);

/* Whether nobody wants the document any more. It is asked often. */
typedef bool OpenApiDropped(const void *owner);

typedef struct OpenApiQuestion {
    const Config *config;
    const Version *version;
    const char *url;     /* where clients reach the gateway, "https://api.example.com"; NULL: where
                            they have the document from */
    OpenApiShows *shows; /* NULL: all methods */
    OpenApiDropped *dropped; /* NULL: somebody waits for it to the end */
    const void *owner;
} OpenApiQuestion;

/* Adds the document to `out`, on one line, without a newline. Faults: OUT_OF_MEMORY, at the limit
   of the arena of `out`; CANCELLED, it was dropped. */
MUST_USE Result openapi_write(const OpenApiQuestion *question, Buffer *out);

/* Adds the same JSON with a line for each member and element, indented by two blanks. `json` is
   well-formed, without blanks between its tokens. */
void openapi_indent(Bytes json, Buffer *out);

#endif
