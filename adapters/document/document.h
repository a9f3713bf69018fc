/*
 * Document: reads a YAML tree as a message.
 *
 * Converts a YAML tree to protobuf's JSON of a message type, for the plans. All mistakes are
 * reported, each with its place, its path and the most similar valid word. Invalid values are left
 * out of the result, so that later checks can report more mistakes in the same run.
 *
 * With DocumentRules (the options of document.proto on the type's fields) it is read as a config:
 * only names as in the schema, enum values as words in lower case, durations, sizes, dates, file
 * names, bare values for messages. Without, it is read as a value of an API: protobuf's JSON
 * mapping, in which unquoted words have the type of their field.
 *
 * Used at load time; everything lives in the arena of the Problems, which has no limit; one thread.
 */
#ifndef ADAPTERS_DOCUMENT_H
#define ADAPTERS_DOCUMENT_H

#include "adapters/schema/schema.h"
#include "adapters/text/yaml.h"

typedef struct DocumentRules DocumentRules;

/* The options in a FileDescriptorSet. Fault: BAD_SCHEMA. */
MUST_USE Result document_rules_load(Arena *arena, Bytes descriptor_set,
                                    const DocumentRules **rules_out);

/*
 * Reads `node` (the root, or any node of the document) as a message. `path` is that of the node, ""
 * for the root. `rules` may be NULL. Obsolete keys, which have no effect, are added to `doubts`,
 * and those that will be to `deprecated`. A map in place of a secret is left out in silence: it
 * says where the secret is, and who reads it has told what is wrong with it.
 */
void document_read(const DocumentRules *rules, const MessageType *type,
                   const YamlDocument *document, const JsonNode *node, const char *path,
                   Problems *problems, Problems *doubts, Problems *deprecated, Buffer *json_out);

/* The node at a path such as "services[0].name"; NULL if there is none. */
const JsonNode *document_node(const YamlDocument *document, const char *path);

/* The file that the value at a path is in, or the nearest one above it. */
const char *document_file(const YamlDocument *document, const char *path);

/* Reports a mistake at a path, or at the nearest existing node above it. */
void document_tell(const YamlDocument *document, Problems *problems, const char *path,
                   const char *hint, const char *reason_format, ...)
    __attribute__((format(printf, 5, 6)));

/* The hint for a word that is not among these: "did you mean X", or all of them when they are few;
   NULL when none is similar and there are many. In the arena. */
enum { DOCUMENT_CHOICE_MOST = 12 };
const char *document_hint(Arena *arena, Bytes word, const char *const *words, size_t n);

/* The path of a file that is named in a document: names are relative to the document. "-", a
   standard stream, stays as it is. In the arena, or `name` itself. */
const char *document_path(Arena *arena, const char *document, const char *name);

/* The name of an enum value in a config: "grpc_web" for PROTOCOL_GRPC_WEB. */
const char *document_word(Arena *arena, const EnumType *type, const EnumValue *value);

#endif
