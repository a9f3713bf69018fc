/* How a scalar of a document becomes a value of protobuf's JSON. Private to document*.c. */
#ifndef ADAPTERS_DOCUMENT_VALUE_H
#define ADAPTERS_DOCUMENT_VALUE_H

#include "adapters/document/document_rules.h"

/* What is wrong with a value: `reason` and `hint` in the arena. */
typedef struct ValueMistake {
    const char *reason, *hint;
} ValueMistake;

/*
 * Adds the JSON of a scalar node (TEXT or STRING) for a field that is no message. `config`: words
 * without quotes are numbers and enum values; otherwise protobuf's JSON mapping is followed, and
 * what a plan checks itself is left to it. False: nothing is added, and the mistake is told in
 * *mistake_out.
 */
bool document_scalar(Arena *arena, const FieldType *field, const FieldRules *rules, bool config,
                     const YamlDocument *document, const JsonNode *node, Buffer *out,
                     ValueMistake *mistake_out);

/* Adds any tree as JSON; words without quotes are what YAML's core schema says: true, 42, a
   string. */
void document_tree(const JsonNode *node, Buffer *out);

/* "a, b or c" of the words, in the arena. */
const char *document_choice(Arena *arena, const char *const *words, size_t n);

#endif
