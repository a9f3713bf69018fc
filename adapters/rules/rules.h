/*
 * FieldRules: what a route demands of the messages of its requests, beyond their schema: fields
 * that must be there, defaults, bounds.
 *
 * Read from the config when it is loaded, and immutable from then on: any thread may check messages
 * by them. They live in the config's arena.
 *
 * A field is absent when it is unset, when it is a list or map without elements, and when it has no
 * presence and is zero; a text that is empty counts as missing, too. What is inside a message is
 * demanded of each message that is there: of each element of a list, and of none where an optional
 * message is absent. A default is written only for an absent field, and into a oneof only if none
 * of its members is set. Bounds are for what is there.
 */
#ifndef ADAPTERS_RULES_H
#define ADAPTERS_RULES_H

#include "adapters/schema/schema.h"
#include "adapters/text/yaml.h"

typedef struct FieldRules FieldRules;

/* The rule of one field, as it is written. */
typedef struct RuleText {
    const char *field;    /* "page_size", "items.count" */
    const JsonNode *node; /* {required:, default:, at_least:, at_most:, clamp:, one_of:} */
    const char *path;     /* of the node in its document, for problems */
} RuleText;

/* The end of a path of fields in a message. */
typedef struct RulePath {
    const FieldType *field;  /* NULL: there is none, because */
    const MessageType *in;   /* this message has no field with */
    Bytes name;              /* this name; */
    const FieldType *closed; /* or, if it is not NULL, nothing is within this field */
} RulePath;

/* Follows the path, also through lists of messages. */
RulePath rule_path(const MessageType *type, const char *path);

/*
 * Reads the rules of one message type. The fields exist. Mistakes are added to `problems`;
 * then nothing can be checked by the rules. `arena` has no limit.
 */
const FieldRules *rules_read(Arena *arena, const MessageType *type, const RuleText *texts,
                             uint32_t n, const YamlDocument *document, Problems *problems);

/*
 * Checks one message, as protobuf. If something is to be written, `*message` becomes another one in
 * the arena. `json_names`: of fields, in errors.
 *
 * Faults, with the paths of the fields, and all of them beside the first one, up to a limit
 * (Error.also): FIELD_REQUIRED, VALUE_NOT_ALLOWED. Others: BAD_MESSAGE, OUT_OF_MEMORY.
 */
MUST_USE Result rules_check(const FieldRules *rules, bool json_names, Arena *arena, Bytes *message);

/*
 * What else is to be told of a message whose fields were found invalid: `told`, and beside it the
 * mistakes of other fields in `rest`, which is the message without the invalid ones.
 */
MUST_USE Result rules_check_rest(const FieldRules *rules, bool json_names, Arena *arena,
                                 Result told, Bytes rest);

/* Calls `see` with the path of each field that must be there: "spec.name", by names of the schema.
   What is within an optional message, or a list, is demanded where there is one. Paths live in
   `arena`, which has no limit. */
typedef void RuleSees(void *owner, const char *path);
void rules_see_required(const FieldRules *rules, Arena *arena, RuleSees *see, void *owner);

/* "page_size: default 50, at most 500", a line for each field, each with `indent` in front. */
void rules_print(const FieldRules *rules, const char *indent, Buffer *out);

#endif
