/*
 * YamlComments: the comments of a YAML text, which are not in its tree.
 *
 * For marks beside a value. Lives in its arena, which has no limit; used at load time; one thread.
 */
#ifndef ADAPTERS_YAML_COMMENTS_H
#define ADAPTERS_YAML_COMMENTS_H

#include "base/bytes.h"

typedef struct YamlComment {
    Bytes text;       /* of the text that was read: after "#", without the spaces around it */
    Bytes before;     /* the text before "#" in its line, without the spaces around it */
    int line, column; /* of "#", from 1 */
} YamlComment;

typedef struct YamlComments {
    YamlComment *items; /* in the order of the text */
    uint32_t n, capacity;
} YamlComments;

/*
 * Reads the comments of one document. In invalid YAML, those before the first mistake; in UTF-16,
 * none. A "#" in quotes is not a comment; a comment after the head of a block scalar ("|") is not
 * read.
 */
YamlComments yaml_comments(Arena *arena, Bytes text);

#endif
