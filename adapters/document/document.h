/*
 * Document: a tree that a person wrote, read as a message.
 *
 * Takes a YAML tree and a message type, and gives protobuf's JSON for the plans to read. All
 * mistakes are told, each with its place, its path and the nearest word that would have been right;
 * what is wrong is left out of the result, so that whoever reads it on can tell more mistakes in
 * the same run.
 *
 * With DocumentRules (the options of document.proto on the type's fields) it is read as a config:
 * names as in the schema only, enum values as words in lower case, durations, sizes, dates, file
 * names, bare values for messages. Without, as a value of an API: protobuf's JSON mapping, in which
 * words without quotes take the type of their field.
 *
 * Used when something is loaded; everything lives in the arena of the Problems, which has no limit;
 * one thread.
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
 * for the root. `rules` may be NULL. `doubts` is told of keys that are no longer read: they change
 * nothing, and nobody who writes them means that.
 */
void document_read(const DocumentRules *rules, const MessageType *type,
                   const YamlDocument *document, const JsonNode *node, const char *path,
                   Problems *problems, Problems *doubts, Buffer *json_out);

/* The node at a path such as "services[0].name"; NULL when there is none. */
const JsonNode *document_node(const YamlDocument *document, const char *path);

/* Tells a mistake at a path, or at the nearest node above it that was written. */
void document_tell(const YamlDocument *document, Problems *problems, const char *path,
                   const char *hint, const char *reason_format, ...)
    __attribute__((format(printf, 5, 6)));

/* The file that is named in a document, as seen from where the document's own name is: names are
   relative to it. "-", a standard stream, stays as it is. In the arena, or `name` itself. */
const char *document_path(Arena *arena, const char *document, const char *name);

/* The name of an enum value as a config has it: "grpc-web" is not, "grpc_web" is, of
   PROTOCOL_GRPC_WEB. */
const char *document_word(Arena *arena, const EnumType *type, const EnumValue *value);

#endif
