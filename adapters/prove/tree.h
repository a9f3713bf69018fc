/*
 * Tree: a protobuf message as plain values, simple and slow: for the oracle, its random messages,
 * and tests.
 *
 * Reads and writes the wire format by the schema and nothing else. Fields without presence never
 * hold zero; a map is a list of entries. Unknown fields are left out. Lives in an arena; one
 * thread.
 */
#ifndef ADAPTERS_TREE_H
#define ADAPTERS_TREE_H

#include "adapters/mapping/mapping.h"
#include "adapters/schema/wire.h"
#include "base/arena.h"

typedef struct Tree Tree;

typedef struct TreeValue {
    Literal plain;
    Tree *message; /* MESSAGE and GROUP */
} TreeValue;

typedef struct TreeField {
    TreeValue *values;
    uint32_t n, capacity;
} TreeField;

struct Tree {
    const MessageType *type;
    TreeField *fields; /* by FieldType.index */
    Bytes raw;         /* what it was parsed from, with its unknown fields; until a field is set */
};

Tree *tree_new(Arena *arena, const MessageType *type);
MUST_USE Result tree_parse(Arena *arena, const MessageType *type, Bytes wire, Tree **tree_out);
void tree_write(const Tree *tree, Buffer *out); /* in one form, whatever it was parsed from */
void tree_forget_raw(Tree *tree);               /* of it and of all messages in it */

/* Writes a value that is not a message, without its tag; and the tag's wire type. */
void tree_write_plain(Buffer *out, FieldKind kind, const Literal *value);
WireType tree_wire_type(FieldKind kind);

TreeField *tree_field(const Tree *tree, const FieldType *field);

/* Sets or adds; a single field's value is replaced, its oneof's others are cleared, a zero that
   means unset is not kept. */
void tree_put(Arena *arena, Tree *tree, const FieldType *field, TreeValue value);

/* A map's entry without a key or a value has the zero one. */
void tree_fill_entry(Arena *arena, Tree *entry);

/* Schemas for looking up the type of an Any's content. */
typedef struct TreeTypes {
    const Schema *const *schemas;
    uint32_t n;
} TreeTypes;

/* In the holder's own schema first, then in the others; NULL: no schema has it. */
const MessageType *tree_find_type(const TreeTypes *types, const Schema *holder, Bytes name);

/* Maps and field masks are compared in any order; an Any by its content. */
bool tree_equal(const TreeTypes *types, const Tree *a, const Tree *b);

/* "{id: "a" lines: {sku: "b"}}", for people. */
void tree_print(const Tree *tree, Buffer *out);

#endif
