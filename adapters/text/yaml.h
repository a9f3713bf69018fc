/*
 * YamlDocument: YAML as the same tree of nodes as JSON, with the place of every node in its text.
 *
 * A scalar without quotes is JSON_TEXT (its type is that of the field it is meant for), or
 * JSON_NULL for null, ~ and nothing at all; a quoted or block one is JSON_STRING. What would make
 * two readers see two things is refused and told: a key twice, anchors, aliases, tags, keys that
 * are no scalars, a second document. Lives in the arena that it was made in, which has no limit;
 * used when something is loaded; one thread.
 */
#ifndef ADAPTERS_YAML_H
#define ADAPTERS_YAML_H

#include "adapters/text/json.h"
#include "base/problem.h"

/* Where a node stands; lines and columns count from 1. */
typedef struct YamlPlace {
    int line, column;           /* of the value */
    int name_line, name_column; /* of its key, inside an object; else as the value's */
} YamlPlace;

typedef struct YamlDocument {
    const char *file; /* borrowed: the name for people */
    JsonNode *root;   /* NULL when the text cannot be read at all; JSON_NULL when it is empty */
    const YamlPlace *places; /* [node->offset] */
    uint32_t n_places;
} YamlDocument;

/*
 * Reads one document. What is wrong goes to `problems`, with line and column. After a mistake that
 * leaves the rest readable (a key twice, an alias) the tree goes on without it, so that the caller
 * can tell the other mistakes too: whoever asks whether the text is good asks `problems`. `limits`
 * may be NULL: 64 deep, 1,000,000 nodes. The tree copies all texts.
 */
void yaml_parse(Arena *arena, Bytes text, const char *file, const JsonLimits *limits,
                Problems *problems, YamlDocument *document_out);

/* The place of a node of this document. */
const YamlPlace *yaml_place(const YamlDocument *document, const JsonNode *node);

#endif
