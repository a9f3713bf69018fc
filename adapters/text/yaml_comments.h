/*
 * YamlComments: the comments of a YAML text, which its tree does not have.
 *
 * For marks that people and tools leave beside a value. Lives in the arena that it was made in,
 * which has no limit; used when something is loaded; one thread.
 */
#ifndef ADAPTERS_YAML_COMMENTS_H
#define ADAPTERS_YAML_COMMENTS_H

#include "base/bytes.h"

typedef struct YamlComment {
    Bytes text;       /* of the text that was read: behind "#", without the spaces around it */
    Bytes before;     /* what stands before "#" in its line, without the spaces around it */
    int line, column; /* of "#", from 1 */
} YamlComment;

typedef struct YamlComments {
    YamlComment *items; /* in the order of the text */
    uint32_t n, capacity;
} YamlComments;

/*
 * Reads the comments of one document. Of a text that is no YAML those before its first mistake; of
 * one in UTF-16 none. What stands in quotes is no comment; that behind the head of a block scalar
 * ("|") is not read.
 */
YamlComments yaml_comments(Arena *arena, Bytes text);

#endif
