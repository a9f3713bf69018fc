/*
 * Compiler: compiles a Mapping into Programs, one for each pair of message types and codecs that
 * occurs.
 *
 * Used by one thread at a time. New programs are queued; when a plan is compiled, so are they, one
 * after another, so that the depth of a schema costs no stack. When a program is compiled because
 * it is needed, those that it leads to wait for their own need.
 */
#ifndef ADAPTERS_COMPILE_H
#define ADAPTERS_COMPILE_H

#include "adapters/program/program.h"
#include "base/arena.h"

typedef struct Compiler {
    Arena *arena; /* of programs, and of what they share */
    Arena *room;  /* of what a compiled program consists of: `arena`, or, when a program is compiled
                     only to find out whether it can be, one that is reset after each */
    ProgramSet *set;
    Table programs;    /* style, mapping or type, codecs -> Program */
    Table identities;  /* Schema pointer -> MappingSet */
    Table any_reaches; /* Schema pointer -> any_reach() */
    Table costs;       /* Schema pointer -> levels of its messages: compile_cost.c */
    Table names;       /* prefix of a value -> itself: see compile_puts.c */
    Buffer text;       /* for building the next name */
    PlanOp *ops;       /* the draft of the next program; reused */
    uint32_t op_capacity;
    bool any_asked, any_changes; /* whether a type inside an Any is changed */
    Result failure;
} Compiler;

/* The program for one mapping; a new one is compiled later. NULL if the compiler failed. */
const Program *compiler_program(Compiler *compiler, const Mapping *mapping, Codec from, Codec to);

/* A message of this type as it is, from one codec to another. */
const Program *compiler_identity(Compiler *compiler, const MessageType *type, Codec from, Codec to);

/* An Any, in which the converter's types go their own way. */
const Program *compiler_any(Compiler *compiler, const Converter *converter, const MessageType *any,
                            Codec from, Codec to);

/* The same for one field of the target, without its name and braces, to JSON. Each call makes a new
   one. */
const Program *compiler_only(Compiler *compiler, const Mapping *mapping, Codec from,
                             const FieldType *only);

/* Compiles one program, which was not. */
MUST_USE Result compiler_compile(Compiler *compiler, Program *program);

/* Compiles queued programs that are not, from number `first` on. */
MUST_USE Result compiler_finish(Compiler *compiler, uint32_t first);

/* compile_fields.c, by way of a draft (compile_draft.h): the scan tables and operations of one
   program. */
MUST_USE Result compile_fields(Compiler *compiler, Program *program);

/* compile_cost.c: Plan.cost of messages of this type, read or written. */
uint8_t compiler_cost(Compiler *compiler, const MessageType *type);

/* ---- compile_straight.c ---------------------------------------------------------------------- */

/* A rule whose field may be copied straight from protobuf to protobuf. */
typedef struct Straight {
    const FieldType *source; /* NULL: it may not */
    const Expr *path;        /* of a source in sub-messages; or NULL */
    const Program *program;  /* of messages */
    uint64_t fits;           /* as in PlanOp */
} Straight;

/* Beside mapping->rules: what each rule allows by itself. */
const Straight *straight_rules(Compiler *compiler, const Mapping *mapping);

/* And still allows, now that it is known which fields have slots. */
bool straight_stands(const Mapping *mapping, const Straight *rules, const ScanTable *table,
                     uint32_t rule);

/*
 * A BUILD that is there when a message of the source is, and takes fields of that as they are:
 * beside build->rules, those rules. NULL when there are none, or when anybody else reads a field
 * inside it: then they have slots.
 */
const Straight *straight_inside(Compiler *compiler, const Mapping *mapping, const Expr *build);

ScanRead straight_read(const FieldType *field, const Program *program);

/* Whether only the names of an enum's values changed. */
bool converter_keeps_numbers(const Converter *converter);

#endif
