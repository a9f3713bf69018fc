/*
 * YamlDocument: YAML as the same tree of nodes as JSON, with the place of each node in its text.
 *
 * A scalar without quotes is JSON_TEXT (its type is that of the field it is meant for), or
 * JSON_NULL for null, ~ and nothing at all; a quoted or block one is JSON_STRING. An alias becomes
 * a copy of what its anchor is at; a map with the key `<<` gets the keys that it does not have
 * itself from a map there, or from several in a list, the first one first. Everything that readers
 * could interpret differently is refused and reported: duplicate keys and anchors, tags, keys that
 * are not scalars, a second document. Lives in its arena, which has no limit; used at load time;
 * one thread.
 */
#ifndef ADAPTERS_YAML_H
#define ADAPTERS_YAML_H

#include "adapters/text/json.h"
#include "base/problem.h"

/* Nodes that may stand for the aliases of one text: few lines could mean billions. */
enum { YAML_COPIES_MOST = 100000 };

/* The place of a node; lines and columns count from 1. */
typedef struct YamlPlace {
    int line, column;           /* of the value */
    int name_line, name_column; /* of its key, inside an object; else as the value's */
    const char *file;           /* borrowed: the name of the text, for messages */
} YamlPlace;

typedef struct YamlDocument {
    const char *file;  /* borrowed: the name of the first text */
    JsonNode *root;    /* NULL if the text cannot be read at all; JSON_NULL if it is empty */
    YamlPlace *places; /* [node->offset]; what an alias stands for has those of its anchor */
    uint32_t n_places, places_capacity;
    uint32_t n_nodes; /* in all trees */
} YamlDocument;

/*
 * Reads one document. Mistakes go to `problems`, with line and column. After a mistake that leaves
 * the rest readable (a duplicate key, an alias) the tree continues without it, so that the caller
 * can report further mistakes. The text is valid if there are no `problems`. `limits` may be NULL:
 * 64 deep, 1,000,000 nodes. The tree copies all texts.
 */
void yaml_parse(Arena *arena, Bytes text, const char *file, const JsonLimits *limits,
                Problems *problems, YamlDocument *document_out);

/* Reads a text more, whose nodes have places in this document, too: the root of its tree, or NULL
   if it cannot be read at all. The limit of nodes is for all texts together. */
JsonNode *yaml_parse_more(Arena *arena, Bytes text, const char *file, const JsonLimits *limits,
                          Problems *problems, YamlDocument *document);

/* The place of a node of this document. */
const YamlPlace *yaml_place(const YamlDocument *document, const JsonNode *node);

#endif
