/*
 * MaskRewrite: converts a field mask to another version's names.
 *
 * A path becomes the fields of the target that are made of what the mask names, and of nothing
 * else: a service writes what a mask names, so it must not name more than the client did. With
 * `path: {template: "{project}/{topic}", from: [project, topic]}`, `project` alone is only a part
 * of what becomes `path`; together with `topic` it is all of it. Paths are those of AIP-161: names
 * of fields, keys of maps, and `*` for each element of a list or a map. Used by one thread; the
 * result lives in the arena.
 */
#ifndef ADAPTERS_MASK_REWRITE_H
#define ADAPTERS_MASK_REWRITE_H

#include "adapters/mapping/mapping.h"

enum { MASK_REWRITE_MOST = 1000 }; /* paths of a mask, of either version */

typedef enum MaskFate {
    MASK_OK,
    MASK_NO_FIELD,       /* `path` names no field */
    MASK_NO_COUNTERPART, /* no field of the target is made of it */
    MASK_PART,           /* only a part of what becomes `whole` */
    MASK_MALFORMED,
    MASK_TOO_LONG, /* more than MASK_REWRITE_MOST paths */
} MaskFate;

typedef struct MaskRewrite {
    Buffer paths;        /* each once: the bytes of a google.protobuf.FieldMask */
    bool widened;        /* a path names more than the one that it was made of */
    Bytes path;          /* that is refused */
    const char *whole;   /* PART: the path in the target */
    const char *instead; /* PART: what to name, "project and topic" */
} MaskRewrite;

/* Converts the mask, the bytes of a google.protobuf.FieldMask, of a message of mapping->from. With
   `widen`, a part becomes the whole instead of being refused. Malformed bytes are MASK_MALFORMED.
 */
MaskFate mask_rewrite(Arena *arena, const Mapping *mapping, Bytes mask, bool widen,
                      MaskRewrite *rewrite_out);

#endif
