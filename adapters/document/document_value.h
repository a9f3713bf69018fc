/* Converts a scalar of a document to a value of protobuf's JSON. Private to document*.c. */
#ifndef ADAPTERS_DOCUMENT_VALUE_H
#define ADAPTERS_DOCUMENT_VALUE_H

#include "adapters/document/document_rules.h"

/* A mistake in a value: `reason` and `hint` are in the arena. */
typedef struct ValueMistake {
    const char *reason, *hint;
} ValueMistake;

/*
 * Adds the JSON of a scalar node (TEXT or STRING) for a field that is not a message. `config`:
 * unquoted words are numbers and enum values; otherwise protobuf's JSON mapping applies, and the
 * plan does its own checks. False: nothing is added, and the mistake is in *mistake_out.
 */
bool document_scalar(Arena *arena, const FieldType *field, const FieldRules *rules, bool config,
                     const YamlDocument *document, const JsonNode *node, Buffer *out,
                     ValueMistake *mistake_out);

/* How a value of this field is written: "for example 2s"; NULL: a text. */
const char *document_example(const FieldType *field, const FieldRules *rules);

/* A number as a document has it: "1m30s", "64KiB". */
void document_add_number(Buffer *out, FieldSpelling spelled, int64_t number);

/* Adds any tree as JSON; unquoted words are read by YAML's core schema: true, 42, a string. */
void document_tree(const JsonNode *node, Buffer *out);

/* "a, b or c" of the words, in the arena. */
const char *document_choice(Arena *arena, const char *const *words, size_t n);

#endif
