/*
 * OpenPath: a path template of google.api.http as a path of OpenAPI.
 *
 * OpenAPI has parameters of one segment only. A variable with a pattern becomes its literal
 * segments, and a parameter for each star:
 *
 *      /v1/{name=shelves/<star>/books/<star>}:lend   ->   /v1/shelves/{shelf}/books/{book}:lend
 *      /v1/{buyer.id}/orders                         ->   /v1/{buyer_id}/orders
 *      /v1/{path=<two stars>}                        ->   /v1/{path}, which may have slashes
 */
#ifndef GATEWAY_OPENAPI_PATH_H
#define GATEWAY_OPENAPI_PATH_H

#include "base/bytes.h"

typedef struct OpenPathParameter {
    const char *name; /* unique in the path */
    Bytes field_path; /* of the variable; empty: a star outside of a variable */
    bool whole;       /* it is all of the variable; else one segment of its pattern */
    bool several;     /* two stars: any number of segments */
} OpenPathParameter;

typedef struct OpenPath {
    const char *text;  /* "/v1/{buyer_id}/orders" */
    const char *shape; /* the same with "{}" for each parameter: equal for the same requests */
    OpenPathParameter *parameters; /* in the order of the path */
    uint32_t n_parameters;
} OpenPath;

/* `rule` is a template that was found good. In the arena, which has no limit. */
OpenPath open_path(const char *rule, Arena *arena);

#endif
