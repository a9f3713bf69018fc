/*
 * Draft: a program while it is compiled: its slots, its scan tables and its operations so far.
 *
 * compile_fields.c goes over the target's fields; compile_values.c makes operations that compute an
 * expression, compile_puts.c operations that write one. One thread; inside the compiler only. What
 * goes wrong is noted in `failure`, and looked at in the end.
 */
#ifndef ADAPTERS_COMPILE_DRAFT_H
#define ADAPTERS_COMPILE_DRAFT_H

#include "adapters/compile/compile.h"

/* A value that operations so far have put into a slot. */
typedef struct Operand {
    uint16_t slot;
    Form form;
    ValueType type;
    const FieldType *source; /* FORM_SOURCE: the field that it is of */
    const char *where;       /* path in the source */
    bool zero_when_unset;
} Operand;

typedef struct Draft {
    Compiler *compiler;
    Arena *arena;
    Program *program;
    ScanTable *root;
    ScanTable **tables;
    uint32_t n_tables;
    PlanOp *ops;
    uint32_t n_ops;
    Codec to; /* what is written now: BUILDs that are values are written as protobuf */
    unsigned open;
    Result failure;
} Draft;

/* Notes a failure, if none is noted yet. `what` is copied. */
void draft_refuse(Draft *d, const char *what);

/* ---- Slots and tables ------------------------------------------------------------------------ */

uint16_t draft_slot(Draft *d);
ScanTable *draft_table(Draft *d, const MessageType *type);

/* A field of the source, by its path; and with a slot. */
ScanField *draft_scanned(Draft *d, const Expr *path);
Operand draft_field(Draft *d, const Expr *expr);

/* When all operations are there. */
void draft_finish_tables(Draft *d);

/* After the last operation: what each does when its slot is not set. */
void draft_finish_ops(Draft *d);

/* After both: which slots wake which operations. */
void draft_finish_wakes(Draft *d);

/* After all of these: whether its messages are often the same on both sides. */
void draft_finish_same(Draft *d);

/* ---- Operations ------------------------------------------------------------------------------ */

PlanOp *draft_op(Draft *d, PlanOp op);

/* A jump over what is added until draft_jump_here. */
uint32_t draft_jump(Draft *d, PlanOp op);
void draft_jump_here(Draft *d, uint32_t jump);

/* One more message begins within those that are open; false: too many. */
bool draft_open(Draft *d);

/* ---- Operands -------------------------------------------------------------------------------- */

/* A new slot with what is computed from `from`. */
Operand draft_computed(Draft *d, const Operand *from, Form form, ValueType type);

Codec draft_codec(const Draft *d, const Operand *from);
const ElementShape *draft_shape(Draft *d, const Operand *from);
bool operand_is_map(ValueType type);
const MessageType *operand_message(ValueType type); /* of a map, its values' */

/* ---- compile_values.c ------------------------------------------------------------------------ */

Operand compile_value(Draft *d, const Expr *expr);
Value draft_literal(FieldKind kind, const Literal *literal);
void draft_require(Draft *d, const Expr *expr, const Operand *value);

/* ---- compile_puts.c -------------------------------------------------------------------------- */

void compile_put(Draft *d, const FieldType *target, const Expr *expr);
void compile_rules(Draft *d, const Rule *rules, uint32_t n_rules);

/* What stands for a field that nothing feeds, if anything does. */
void compile_put_nothing(Draft *d, const FieldType *target);

/* What writes a field, for the caller to fill in. */
PlanOp put_op(Draft *d, PlanCode code, const FieldType *target);

/* Written when the field is read. */
void put_straight(Draft *d, ScanField *field, const FieldType *target, const Straight *straight);

#endif
