#include "adapters/mapping/error_types.h"

extern const Bytes error_types_set; /* adapters/proto/google/rpc, compiled in */

Result error_types_load(Arena *arena, const MappingSet **set_out)
{
    const Schema *schema;
    *set_out = NULL;
    Result r = schema_load(arena, error_types_set, "google.rpc", &schema);
    return failed(r) ? r : mapping_set_identity(arena, schema, set_out);
}
