/*
 * JsonNode: JSON as a tree of nodes.
 *
 * Created from JSON text by json_parse, or from YAML by yaml_parse, so that configs and calls share
 * one reader; read by the plans. Strings are borrowed from the text; only those with escapes are
 * copied. Lives in its arena.
 */
#ifndef ADAPTERS_JSON_H
#define ADAPTERS_JSON_H

#include "base/bytes.h"
#include "base/result.h"

typedef enum JsonKind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER, /* text: as written, valid by RFC 8259 */
    JSON_STRING, /* text: unescaped, valid UTF-8 */
    JSON_TEXT,   /* text of a value of any scalar type: a URL's parameter, a YAML plain scalar */
    JSON_ARRAY,
    JSON_OBJECT,
} JsonKind;

typedef struct JsonNode JsonNode;

struct JsonNode {
    JsonKind kind;
    uint32_t offset; /* in the source text, of the value; for errors */
    uint32_t count;  /* ARRAY, OBJECT: children */
    Bytes name;      /* inside an OBJECT: the member's name, unescaped */
    Bytes
        text; /* ARRAY, OBJECT: as written, with the brackets; empty if it was not created from JSON
               */
    JsonNode *first; /* ARRAY, OBJECT: first child */
    JsonNode *next;  /* sibling */
};

typedef struct JsonLimits {
    uint32_t depth;    /* 0: 100; never more than 1,000 */
    uint32_t elements; /* 0: 1,000,000 */
} JsonLimits;

/* Strict RFC 8259: UTF-8 checked, no trailing bytes, lone surrogates refused. Faults: BAD_JSON with
   line and column, TOO_DEEP, MESSAGE_TOO_LARGE, OUT_OF_MEMORY. Duplicate names are not checked
   here. */
MUST_USE Result json_parse(Arena *arena, Bytes text, const JsonLimits *limits, JsonNode **root_out);

/* The member with this name, or NULL. */
JsonNode *json_member(const JsonNode *object, const char *name);

/* The text of a member; empty if there is none. */
Bytes json_member_text(const JsonNode *object, const char *name);

/* A member that is a whole number from 0 to INT64_MAX; 0 if there is none. */
int64_t json_member_number(const JsonNode *object, const char *name);

/* Writes a JSON string with its quotes, escaping what must be. `text` is valid UTF-8. */
void json_write_string(Buffer *out, Bytes text);

/* The same if it is valid UTF-8; otherwise nothing is written, and it returns false. */
bool json_write_checked(Buffer *out, Bytes text);

/* Line and column of an offset in the text, both from 1. */
void json_place(Bytes text, size_t offset, unsigned *line_out, unsigned *column_out);

/* Writes the whole tree, for tests and tools. */
void json_write(Buffer *out, const JsonNode *node);

#endif
