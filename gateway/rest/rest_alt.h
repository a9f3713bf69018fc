/*
 * RestAlt: the form of a response by the parameter $alt of Google's REST APIs: "json", "proto",
 * "json;enum-encoding=int". A pure function.
 */
#ifndef GATEWAY_REST_ALT_H
#define GATEWAY_REST_ALT_H

#include "base/bytes.h"
#include "base/result.h"

typedef enum RestAlt {
    REST_ALT_NONE,
    REST_ALT_JSON,
    REST_ALT_JSON_NUMBERS, /* enums as numbers */
    REST_ALT_PROTO,
} RestAlt;

/* Fault: BAD_VALUE, of the field "$alt". */
MUST_USE Result rest_alt_read(Bytes text, Arena *arena, RestAlt *alt_out);

#endif
