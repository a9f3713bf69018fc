/* Compiles an expression to operations that compute it to an operand. */
#include "adapters/compile/compile_draft.h"

/* ---- Literals -------------------------------------------------------------------------------- */

Value draft_literal(FieldKind kind, const Literal *literal)
{
    if (kind_is_bytes(kind) || kind_is_message(kind))
        return value_of_bytes(literal->bytes);
    if (kind == KIND_FLOAT)
        return value_of_float((float)literal->d);
    return (Value){.u = literal->u};
}

/* The literal of a list is wire bytes: records of field 1. */
static Value list_literal(Draft *d, FieldKind kind, Bytes records)
{
    Buffer items = buffer_in(d->arena);
    WireReader reader = wire_reader(records);
    for (WireField f; wire_next(&reader, &f);) {
        bool text = kind_is_bytes(kind) || kind_is_message(kind);
        Value value = text ? value_of_bytes(f.bytes) : value_of_wire(kind, f.value);
        if (!kind_is_message(kind) && f.type != kind_wire_type(kind))
            draft_refuse(d, "a literal list that is not well-formed");
        buffer_add(&items, &value, sizeof(value));
    }
    return (Value){.items = (const Value *)(const void *)items.data,
                   .size = items.size / sizeof(Value)};
}

static Operand compile_const(Draft *d, const Expr *expr)
{
    Operand into =
        draft_computed(d, NULL, expr->type.repeated ? FORM_VALUES : FORM_WIRE, expr->type);
    Value value = expr->type.repeated ? list_literal(d, expr->type.kind, expr->constants[0].bytes)
                                      : draft_literal(expr->type.kind, &expr->constants[0]);
    draft_op(d, (PlanOp){.code = PLAN_CONST,
                         .kind = (uint8_t)expr->type.kind,
                         .into = into.slot,
                         .constant = value});
    if (expr->loss)
        draft_op(d, (PlanOp){.code = PLAN_LOSS, .loss = expr->loss});
    return into;
}

/* ---- Expressions ----------------------------------------------------------------------------- */

/* The same value in a form that does not depend on the source's codec: messages as protobuf bytes,
   lists as FORM_VALUES. */
static Operand normal(Draft *d, Operand from)
{
    bool message = kind_is_message(from.type.kind);
    if (from.form != FORM_SOURCE || (!message && !from.type.repeated))
        return from;
    if (!from.type.repeated && d->program->from_codec == CODEC_PROTO) {
        from.form = FORM_WIRE;
        return from;
    }
    Operand into =
        draft_computed(d, &from, from.type.repeated ? FORM_VALUES : FORM_WIRE, from.type);
    const MessageType *type = operand_message(from.type);
    bool convert = type && d->program->from_codec == CODEC_JSON;
    draft_op(d,
             (PlanOp){
                 .code = from.type.repeated ? PLAN_NORMAL_LIST : PLAN_NORMAL,
                 .a = from.slot,
                 .into = into.slot,
                 .form = (uint8_t)from.form,
                 .where = from.where,
                 .map = operand_is_map(from.type),
                 .shape = from.type.repeated ? draft_shape(d, &from) : NULL,
                 .program =
                     convert ? compiler_identity(d->compiler, type, CODEC_JSON, CODEC_PROTO) : NULL,
             });
    return into;
}

static Operand compile_convert_list(Draft *d, const Expr *expr, Operand from)
{
    if (kind_is_message(from.type.kind) && !operand_is_map(from.type))
        from = normal(d, from);
    Operand into = draft_computed(d, &from, FORM_VALUES, expr->type);
    bool map = operand_is_map(from.type);
    if (map && message_field_by_number(from.type.message, 2)->message)
        from = normal(d, from);
    draft_op(d, (PlanOp){
                    .code = map ? PLAN_CONVERT_MAP : PLAN_CONVERT_LIST,
                    .a = from.slot,
                    .into = into.slot,
                    .form = (uint8_t)from.form,
                    .shape = draft_shape(d, &from),
                    .converter = expr->converter,
                    .where = from.where,
                    .loss = expr->loss,
                    .map = map,
                });
    return into;
}

static Operand compile_convert(Draft *d, const Expr *expr)
{
    if (converter_keeps_numbers(expr->converter))
        return compile_value(d, expr->args[0]);
    if (expr->n_args == 0 || expr->n_args > MOST_ARGS) {
        draft_refuse(d, "a converter with no arguments, or too many");
        return (Operand){0};
    }
    Operand first = compile_value(d, expr->args[0]);
    if (first.type.repeated && !expr->converter->from.repeated)
        return compile_convert_list(d, expr, first);

    uint16_t *args = arena_array(d->arena, uint16_t, expr->n_args);
    for (uint32_t i = 0; i < expr->n_args; i++)
        args[i] = normal(d, i ? compile_value(d, expr->args[i]) : first).slot;
    Operand into =
        draft_computed(d, &first, expr->type.repeated ? FORM_VALUES : FORM_WIRE, expr->type);
    draft_op(d, (PlanOp){
                    .code = PLAN_CONVERT,
                    .into = into.slot,
                    .args = args,
                    .n_args = expr->n_args,
                    .converter = expr->converter,
                    .where = first.where,
                    .loss = expr->loss,
                });
    return into;
}

/* Converts `from`, or each of its elements, by the program. */
static Operand compile_make(Draft *d, const Expr *expr, const Operand *from, const Program *program)
{
    Operand into =
        draft_computed(d, from, from->type.repeated ? FORM_VALUES : FORM_WIRE, expr->type);
    draft_op(d, (PlanOp){
                    .code = from->type.repeated ? PLAN_MAKE_LIST : PLAN_MAKE,
                    .a = from->slot,
                    .into = into.slot,
                    .form = (uint8_t)from->form,
                    .map = operand_is_map(from->type),
                    .where = from->where,
                    .shape = from->type.repeated ? draft_shape(d, from) : NULL,
                    .program = program,
                });
    return into;
}

static Operand compile_message(Draft *d, const Expr *expr)
{
    Operand from = compile_value(d, expr->args[0]);
    return compile_make(
        d, expr, &from,
        compiler_program(d->compiler, expr->mapping, draft_codec(d, &from), CODEC_PROTO));
}

/* The program for the content of an Any is looked up at run time, by its type. */
static Operand compile_any(Draft *d, const Expr *expr)
{
    Operand from = compile_value(d, expr->args[0]);
    return compile_make(d, expr, &from,
                        compiler_any(d->compiler, expr->converter, operand_message(from.type),
                                     draft_codec(d, &from), CODEC_PROTO));
}

static Operand compile_build(Draft *d, const Expr *expr)
{
    Operand presence = {.slot = NO_SLOT};
    if (expr->n_args)
        presence = compile_value(d, expr->args[0]);
    Operand into = draft_computed(d, NULL, FORM_WIRE, expr->type);
    Codec to = d->to;
    if (!draft_open(d))
        return into;
    d->to = CODEC_PROTO;
    draft_op(d, (PlanOp){.code = PLAN_BUILD});
    compile_rules(d, expr->rules, expr->n_rules);
    draft_op(d, (PlanOp){.code = PLAN_END_BUILD, .a = presence.slot, .into = into.slot});
    d->to = to;
    d->open--;
    return into;
}

static Operand compile_default(Draft *d, const Expr *expr)
{
    Operand first = normal(d, compile_value(d, expr->args[0]));
    Operand second = normal(d, compile_value(d, expr->args[1]));
    Operand into = draft_computed(d, &first, second.form, expr->type);
    draft_op(d, (PlanOp){.code = PLAN_EITHER,
                         .a = first.slot,
                         .b = second.slot,
                         .into = into.slot,
                         .loss = expr->loss,
                         .where = first.where});
    return into;
}

static Operand compile_first(Draft *d, const Expr *expr)
{
    Operand from = compile_value(d, expr->args[0]);
    Operand into =
        draft_computed(d, &from, from.form == FORM_SOURCE ? FORM_SOURCE : FORM_WIRE, expr->type);
    into.source = from.source;
    draft_op(d, (PlanOp){.code = PLAN_FIRST,
                         .a = from.slot,
                         .into = into.slot,
                         .loud = expr->loud,
                         .form = (uint8_t)from.form,
                         .shape = draft_shape(d, &from),
                         .where = from.where,
                         .loss = expr->loss});
    return into;
}

/* A list that is made from one operand. */
static Operand compile_list(Draft *d, const Expr *expr, PlanCode code)
{
    Operand from = normal(d, compile_value(d, expr->args[0]));
    Operand into = draft_computed(d, &from, FORM_VALUES, expr->type);
    draft_op(d, (PlanOp){.code = code, .a = from.slot, .into = into.slot, .where = from.where});
    return into;
}

/* The value is not computed if the other one is unset. */
static Operand compile_when_present(Draft *d, const Expr *expr)
{
    Operand told = compile_value(d, expr->args[1]);
    uint16_t slot = draft_slot(d);
    draft_op(d, (PlanOp){.code = PLAN_CLEAR, .into = slot});
    uint32_t to_end = draft_jump(d, (PlanOp){.code = PLAN_SKIP_UNLESS, .a = told.slot});
    Operand into = compile_value(d, expr->args[0]);
    draft_op(
        d,
        (PlanOp){
            .code = PLAN_WHEN, .a = into.slot, .b = told.slot, .into = slot, .where = into.where});
    draft_jump_here(d, to_end);
    into.slot = slot;
    return into;
}

/* The value is not computed if another one is set. */
static Operand compile_unless(Draft *d, const Expr *expr)
{
    uint16_t slot = draft_slot(d);
    uint32_t *to_end = arena_array(d->arena, uint32_t, expr->n_args);
    draft_op(d, (PlanOp){.code = PLAN_CLEAR, .into = slot});
    for (uint32_t i = 1; i < expr->n_args; i++) {
        Operand other = compile_value(d, expr->args[i]);
        to_end[i] = draft_jump(d, (PlanOp){.code = PLAN_SKIP_IF, .a = other.slot});
    }
    Operand into = compile_value(d, expr->args[0]);
    draft_op(
        d,
        (PlanOp){
            .code = PLAN_WHEN, .a = into.slot, .b = into.slot, .into = slot, .where = into.where});
    for (uint32_t i = 1; i < expr->n_args; i++)
        draft_jump_here(d, to_end[i]);
    into.slot = slot;
    return into;
}

static Operand compile_when(Draft *d, const Expr *expr)
{
    if (!expr->constants)
        return compile_when_present(d, expr);
    Operand value = compile_value(d, expr->args[0]), told = compile_value(d, expr->args[1]);
    Operand into = value;
    into.slot = draft_slot(d);
    draft_op(d, (PlanOp){.code = PLAN_WHEN,
                         .a = value.slot,
                         .b = told.slot,
                         .into = into.slot,
                         .constant = draft_literal(told.type.kind, &expr->constants[0]),
                         .constant_kind = told.type.kind,
                         .where = value.where,
                         .zero_when_unset = told.zero_when_unset});
    return into;
}

static Operand compile_select(Draft *d, const Expr *expr)
{
    Operand into = draft_computed(d, NULL, FORM_WIRE, expr->type);
    uint32_t *to_end = arena_array(d->arena, uint32_t, expr->n_args);
    draft_op(d, (PlanOp){.code = PLAN_CLEAR, .into = into.slot});
    for (uint32_t i = 0; i < expr->n_args; i++) {
        Operand arg = compile_value(d, expr->args[i]);
        uint32_t next = draft_jump(d, (PlanOp){.code = PLAN_SKIP_UNLESS, .a = arg.slot});
        draft_op(d, (PlanOp){.code = PLAN_CONST,
                             .kind = (uint8_t)expr->type.kind,
                             .into = into.slot,
                             .constant = draft_literal(expr->type.kind, &expr->constants[i])});
        to_end[i] = draft_jump(d, (PlanOp){.code = PLAN_SKIP});
        draft_jump_here(d, next);
    }
    for (uint32_t i = 0; i < expr->n_args; i++)
        draft_jump_here(d, to_end[i]);
    return into;
}

void draft_require(Draft *d, const Expr *expr, const Operand *value)
{
    draft_op(d, (PlanOp){.code = PLAN_REQUIRE,
                         .a = value->slot,
                         .where = expr->field ? expr->field : value->where});
}

static Operand compile_require(Draft *d, const Expr *expr)
{
    Operand value = expr->n_args ? compile_value(d, expr->args[0])
                                 : (Operand){.slot = NO_SLOT, .type = expr->type};
    draft_require(d, expr, &value);
    return value;
}

static Operand compile_join(Draft *d, const Expr *expr)
{
    Operand first = normal(d, compile_value(d, expr->args[0]));
    Operand second = normal(d, compile_value(d, expr->args[1]));
    Operand into = draft_computed(d, &second, FORM_VALUES, expr->type);
    draft_op(d, (PlanOp){.code = PLAN_JOIN,
                         .a = first.slot,
                         .b = second.slot,
                         .into = into.slot,
                         .where = second.where});
    return into;
}

/* Converts a list of messages to a list of entries, and that to a map. */
static Operand compile_keyed(Draft *d, const Expr *expr)
{
    Operand from = compile_value(d, expr->args[0]);
    Operand entries = compile_make(
        d, expr, &from,
        compiler_program(d->compiler, expr->mapping, draft_codec(d, &from), CODEC_PROTO));
    Operand into = draft_computed(d, &from, FORM_VALUES, expr->type);
    draft_op(d, (PlanOp){.code = PLAN_KEYED,
                         .a = entries.slot,
                         .into = into.slot,
                         .loud = expr->loud,
                         .loss = expr->loss,
                         .order = expr->order,
                         .shape = draft_shape(d, &into),
                         .where = from.where});
    return into;
}

static Operand compile_listed(Draft *d, const Expr *expr)
{
    Operand from = normal(d, compile_value(d, expr->args[0]));
    Operand into = draft_computed(d, &from, FORM_VALUES, expr->type);
    draft_op(d, (PlanOp){.code = PLAN_LISTED,
                         .a = from.slot,
                         .into = into.slot,
                         .shape = draft_shape(d, &from),
                         .program =
                             compiler_program(d->compiler, expr->mapping, CODEC_PROTO, CODEC_PROTO),
                         .where = from.where});
    return into;
}

Operand compile_value(Draft *d, const Expr *expr)
{
    switch (expr->kind) {
    case EXPR_FIELD: return draft_field(d, expr);
    case EXPR_CONST: return compile_const(d, expr);
    case EXPR_CONVERT:
        return expr->converter->code == CONVERT_TYPE_URL ? compile_any(d, expr)
                                                         : compile_convert(d, expr);
    case EXPR_MESSAGE: return compile_message(d, expr);
    case EXPR_BUILD: return compile_build(d, expr);
    case EXPR_DEFAULT: return compile_default(d, expr);
    case EXPR_REQUIRE: return compile_require(d, expr);
    case EXPR_FIRST: return compile_first(d, expr);
    case EXPR_WRAP: return compile_list(d, expr, PLAN_WRAP);
    case EXPR_WHEN: return compile_when(d, expr);
    case EXPR_UNLESS: return compile_unless(d, expr);
    case EXPR_SELECT: return compile_select(d, expr);
    case EXPR_REST: return compile_list(d, expr, PLAN_REST);
    case EXPR_JOIN: return compile_join(d, expr);
    case EXPR_KEYED: return compile_keyed(d, expr);
    case EXPR_LISTED: return compile_listed(d, expr);
    }
    return (Operand){0};
}
