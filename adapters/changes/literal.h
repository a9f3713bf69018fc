/*
 * Values in a YAML document, read by the type of their field, for what is not a change list.
 *
 * What is not valid is added to `problems`, with its place; `path` is for the text. Values live in
 * the arena, which has no limit. Used when a config is loaded; one thread.
 */
#ifndef ADAPTERS_LITERAL_H
#define ADAPTERS_LITERAL_H

#include "adapters/mapping/mapping.h"
#include "adapters/text/yaml.h"

/* One value of this type; of a message as wire bytes. False: it is not one. */
bool literal_read(Arena *arena, const YamlDocument *document, const JsonNode *node,
                  const char *path, ValueType type, Problems *problems, Literal *literal_out);

/* The records of a field that has this value, which may be a list or a map: none for the zero of a
   field without presence. False: it is no such value. */
bool literal_read_field(const YamlDocument *document, const JsonNode *node, const char *path,
                        const FieldType *field, Problems *problems, Buffer *records);

#endif
