/*
 * TargetPath: the path of a field in the target of a mapping, while one goes through its rules; and
 * the list of those that were found. Private to path_rewrite.c and mask_rewrite.c.
 */
#ifndef ADAPTERS_TARGET_PATH_H
#define ADAPTERS_TARGET_PATH_H

#include "adapters/mapping/mapping.h"

/* The innermost step first. */
typedef struct TargetPath {
    const struct TargetPath *outer;
    const FieldType *field;
    Bytes element; /* of a list or map, as the path spells it; or empty */
} TargetPath;

void target_path_write(Buffer *out, const TargetPath *path);

/* The path, and `rest` below it (which may be empty), in the arena of `paths`; when that is full,
   `paths` is so, too. */
Bytes target_path_text(Buffer *paths, const TargetPath *path, Bytes rest);

/* Whether the list, the bytes of a google.protobuf.FieldMask, has the path. */
bool target_paths_have(const Buffer *paths, Bytes path);

#endif
