/*
 * Error types: the messages of google.rpc that any service's errors may carry as details, and those
 * of google.protobuf. They are the same in every version, so that they are known though no schema
 * of a service has them.
 */
#ifndef ADAPTERS_ERROR_TYPES_H
#define ADAPTERS_ERROR_TYPES_H

#include "adapters/mapping/mapping.h"

/* The set in which each of them is itself; google.protobuf.Any is among them. */
MUST_USE Result error_types_load(Arena *arena, const MappingSet **set_out);

#endif
