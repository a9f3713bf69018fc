/* How the kinds of fields are written in protobuf's wire format. */
#ifndef ADAPTERS_KINDS_H
#define ADAPTERS_KINDS_H

#include "adapters/schema/schema.h"
#include "adapters/schema/wire.h"

static inline bool kind_is_bytes(FieldKind kind)
{
    return kind == KIND_STRING || kind == KIND_BYTES;
}

static inline bool kind_is_message(FieldKind kind)
{
    return kind == KIND_MESSAGE || kind == KIND_GROUP;
}

/* Numbers, bool and enums: whose lists may be one record. */
static inline bool kind_may_be_packed(FieldKind kind)
{
    return !kind_is_bytes(kind) && !kind_is_message(kind);
}

extern const uint8_t kind_wire_types[]; /* by FieldKind */

static inline WireType kind_wire_type(FieldKind kind)
{
    return (WireType)kind_wire_types[kind];
}

#endif
