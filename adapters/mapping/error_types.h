/*
 * Error types: the messages of google.rpc that the errors of any service may have as details, and
 * those of google.protobuf. They are the same in every version, and available without being in a
 * service's schema.
 */
#ifndef ADAPTERS_ERROR_TYPES_H
#define ADAPTERS_ERROR_TYPES_H

#include "adapters/mapping/mapping.h"

/* The identity set of these types, including google.protobuf.Any. */
MUST_USE Result error_types_load(Arena *arena, const MappingSet **set_out);

#endif
