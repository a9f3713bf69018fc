/*
 * YamlDocument: YAML as the same tree of nodes as JSON, with the place of each node in its text.
 *
 * A scalar without quotes is JSON_TEXT (its type is that of the field it is meant for), or
 * JSON_NULL for null, ~ and nothing at all; a quoted or block one is JSON_STRING. Everything that
 * readers could interpret differently is refused and reported: duplicate keys, anchors, aliases,
 * tags, keys that are not scalars, a second document. Lives in its arena, which has no limit; used
 * at load time; one thread.
 */
#ifndef ADAPTERS_YAML_H
#define ADAPTERS_YAML_H

#include "adapters/text/json.h"
#include "base/problem.h"

/* The place of a node; lines and columns count from 1. */
typedef struct YamlPlace {
    int line, column;           /* of the value */
    int name_line, name_column; /* of its key, inside an object; else as the value's */
} YamlPlace;

typedef struct YamlDocument {
    const char *file;        /* borrowed: the name for messages */
    JsonNode *root;          /* NULL if the text cannot be read at all; JSON_NULL if it is empty */
    const YamlPlace *places; /* [node->offset] */
    uint32_t n_places;
} YamlDocument;

/*
 * Reads one document. Mistakes go to `problems`, with line and column. After a mistake that leaves
 * the rest readable (a duplicate key, an alias) the tree continues without it, so that the caller
 * can report further mistakes. The text is valid if there are no `problems`. `limits` may be NULL:
 * 64 deep, 1,000,000 nodes. The tree copies all texts.
 */
void yaml_parse(Arena *arena, Bytes text, const char *file, const JsonLimits *limits,
                Problems *problems, YamlDocument *document_out);

/* The place of a node of this document. */
const YamlPlace *yaml_place(const YamlDocument *document, const JsonNode *node);

#endif
