/* YamlReader: the state of one yaml_parse. Private to yaml*.c. */
#ifndef ADAPTERS_YAML_READER_H
#define ADAPTERS_YAML_READER_H

#include "adapters/text/yaml.h"

#include "base/table.h"

#include <yaml.h>

/* A sequence or mapping that is open at the moment. */
typedef struct YamlLevel {
    JsonNode *node;
    JsonNode **end; /* where the next child is linked */
    Table names;    /* of a mapping: name -> JsonNode */
    bool has_name;  /* mapping: a key was read, and its value is next */
    bool skip;      /* that value is dropped, because its key is invalid */
    bool merges;    /* the mapping has a key `<<` */
    Bytes name;
    YamlPlace name_place;
} YamlLevel;

typedef struct YamlReader {
    Arena *arena;
    Problems *problems;
    YamlDocument *document;
    const char *file;
    Bytes text;
    JsonNode *root; /* NULL until it is there, and if reading failed */
    JsonLimits limits;
    YamlLevel *levels; /* limits.depth of them */
    uint32_t depth;
    uint32_t skipping; /* number of open levels inside a value that is dropped */
    uint32_t n_copied; /* nodes that stand for aliases */
    Table anchors;     /* name -> JsonNode */
    bool started;
} YamlReader;

YamlPlace yaml_place_of(const YamlReader *reader, const yaml_mark_t *mark);

void yaml_tell(YamlReader *reader, YamlPlace place, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The sequence or mapping that the next node is in; NULL: none, it is the root. */
YamlLevel *yaml_innermost(YamlReader *reader);

/* Adds a node at the current position of the tree; NULL if the text is too large, which was told.
 */
JsonNode *yaml_add_node(YamlReader *reader, JsonKind kind, YamlPlace place);

/* yaml_alias.c. The node has this anchor; NULL: none. */
void yaml_note_anchor(YamlReader *reader, const yaml_char_t *anchor, JsonNode *node);

/* Adds a copy of the node with this anchor. False: reading cannot continue. */
bool yaml_add_alias(YamlReader *reader, const yaml_char_t *anchor, YamlPlace place);

/* yaml_syntax.c. The line to write in place of the one where parsing has failed; NULL: unknown. */
const char *yaml_syntax_hint(Arena *arena, Bytes text, const yaml_parser_t *parser);

/* The innermost mapping is complete: what its key `<<` has becomes part of it. */
void yaml_merge(YamlReader *reader);

#endif
