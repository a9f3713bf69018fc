/*
 * PathRewrite: converts the field paths of errors to another version's names.
 *
 * They are spelled as people do: "lines[2].giftNote", with the elements of lists and maps, and
 * names of either spelling. The result for a path of the source is every field of the target that
 * is computed from it, from a part of it or from a message that contains it, spelled as in the
 * schema. Used by one thread; the result lives in its arena. For masks, see mask_rewrite.h.
 */
#ifndef ADAPTERS_PATH_REWRITE_H
#define ADAPTERS_PATH_REWRITE_H

#include "adapters/mapping/mapping.h"

enum { PATH_REWRITE_MOST = 1000 }; /* paths of one PathRewrite */

typedef struct PathRewrite {
    Buffer paths; /* those found so far, each once: the bytes of a google.protobuf.FieldMask */
    bool full;    /* there were more than PATH_REWRITE_MOST */
    /* private */
    unsigned depth, n_paths;
    bool found;
} PathRewrite;

static inline PathRewrite path_rewrite_in(Arena *arena)
{
    return (PathRewrite){.paths = buffer_in(arena)};
}

/* Adds the paths in the target of `mapping`. False: there are none. */
bool path_rewrite(PathRewrite *rewrite, const Mapping *mapping, Bytes path);

#endif
