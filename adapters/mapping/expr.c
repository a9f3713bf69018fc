#include "adapters/mapping/expr.h"

#include <stdlib.h>

ValueType value_type_of(const FieldType *field)
{
    return (ValueType){field->kind, field->repeated, field->message, field->enumeration};
}

ValueType value_type_element(const FieldType *field)
{
    if (field->map)
        return value_type_of(message_field_by_number(field->message, 2));
    ValueType type = value_type_of(field);
    type.repeated = false;
    return type;
}

bool value_type_equal(ValueType a, ValueType b)
{
    return a.kind == b.kind && a.message == b.message && a.enumeration == b.enumeration;
}

bool kind_is_integer(FieldKind kind)
{
    switch (kind) {
    case KIND_INT64:
    case KIND_UINT64:
    case KIND_INT32:
    case KIND_FIXED64:
    case KIND_FIXED32:
    case KIND_UINT32:
    case KIND_SFIXED32:
    case KIND_SFIXED64:
    case KIND_SINT32:
    case KIND_SINT64: return true;
    default: return false;
    }
}

bool kind_is_unsigned(FieldKind kind)
{
    return kind == KIND_UINT64 || kind == KIND_FIXED64 || kind == KIND_UINT32 ||
           kind == KIND_FIXED32 || kind == KIND_BOOL;
}

bool kind_is_number(FieldKind kind)
{
    return kind_is_integer(kind) || kind_is_float(kind);
}

bool kind_is_float(FieldKind kind)
{
    return kind == KIND_DOUBLE || kind == KIND_FLOAT;
}

bool field_is_implicit(const FieldType *field)
{
    return !field->repeated && !field->presence;
}

/* The number of bits of magnitude that the kind represents exactly. */
static int kind_bits(FieldKind kind)
{
    switch (kind) {
    case KIND_BOOL: return 1;
    case KIND_FLOAT: return 24;
    case KIND_INT32:
    case KIND_SINT32:
    case KIND_SFIXED32:
    case KIND_ENUM: return 31;
    case KIND_UINT32:
    case KIND_FIXED32: return 32;
    case KIND_DOUBLE: return 53;
    case KIND_INT64:
    case KIND_SINT64:
    case KIND_SFIXED64: return 63;
    default: return 64;
    }
}

bool number_narrows(FieldKind from, FieldKind to)
{
    if (from == to)
        return false;
    if (kind_is_float(from))
        return !kind_is_float(to) || (from == KIND_DOUBLE && to == KIND_FLOAT);
    if (!kind_is_unsigned(from) && kind_is_unsigned(to))
        return true;
    return kind_bits(from) > kind_bits(to);
}

bool literal_is_zero(const Literal *literal, ValueType type)
{
    switch (type.kind) {
    case KIND_STRING:
    case KIND_BYTES:
    case KIND_MESSAGE:
    case KIND_GROUP: return literal->bytes.size == 0;
    default:
        /* All bits zero: -0.0 is not zero, as on the wire. */
        return literal->u == 0;
    }
}

bool literal_equal(const Literal *a, const Literal *b, ValueType type)
{
    switch (type.kind) {
    case KIND_STRING:
    case KIND_BYTES:
    case KIND_MESSAGE:
    case KIND_GROUP: return bytes_equal(a->bytes, b->bytes);
    default: return a->u == b->u; /* -0.0 differs from 0.0, as on the wire */
    }
}

static double float_of(uint32_t bits)
{
    float number;
    memcpy(&number, &bits, sizeof number);
    return (double)number;
}

Literal literal_of_wire(FieldKind kind, const WireField *field)
{
    Literal value = {.u = field->value};
    switch (kind) {
    case KIND_STRING:
    case KIND_BYTES:
    case KIND_MESSAGE:
    case KIND_GROUP: return (Literal){.bytes = field->bytes};
    case KIND_FLOAT: value.d = float_of((uint32_t)field->value); break;
    case KIND_INT32:
    case KIND_ENUM:
    case KIND_SFIXED32: value.i = (int32_t)field->value; break;
    case KIND_SINT32: value.i = (int32_t)wire_unzigzag((uint32_t)field->value); break;
    case KIND_SINT64: value.i = wire_unzigzag(field->value); break;
    case KIND_UINT32:
    case KIND_FIXED32: value.u = (uint32_t)field->value; break;
    case KIND_BOOL: value.u = field->value != 0; break;
    default: break;
    }
    return value;
}

const char *steps_text(Arena *arena, const FieldType *const *steps, uint32_t n_steps)
{
    Buffer text = buffer_in(arena);
    for (uint32_t i = 0; i < n_steps; i++)
        buffer_printf(&text, i ? ".%s" : "%s", steps[i]->name);
    buffer_add_byte(&text, 0);
    return (const char *)text.data;
}

static Expr *make(Arena *arena, ExprKind kind, ValueType type, uint32_t n_args)
{
    Expr *expr = arena_make(arena, Expr);
    expr->kind = kind;
    expr->type = type;
    expr->n_args = n_args;
    expr->args = n_args ? arena_array(arena, const Expr *, n_args) : NULL;
    return expr;
}

static void set_arg(Expr *expr, uint32_t i, const Expr *arg)
{
    ((const Expr **)expr->args)[i] = arg;
}

Expr *expr_copy(Arena *arena, const Expr *from)
{
    Expr *copy = arena_make(arena, Expr);
    *copy = *from;
    return copy;
}

const Expr *expr_field(Arena *arena, const FieldType *const *steps, uint32_t n_steps)
{
    Expr *expr = make(arena, EXPR_FIELD, value_type_of(steps[n_steps - 1]), 0);
    expr->steps = steps;
    expr->n_steps = n_steps;
    return expr;
}

const Expr *expr_const(Arena *arena, ValueType type, Literal value, const Loss *loss)
{
    Expr *expr = make(arena, EXPR_CONST, type, 0);
    Literal *constant = arena_make(arena, Literal);
    *constant = value;
    expr->constants = constant;
    expr->loss = loss;
    return expr;
}

const Expr *expr_convert(Arena *arena, const Converter *converter, const Expr *arg,
                         const Loss *loss)
{
    if (!arg)
        return NULL;
    ValueType type = converter->to;
    type.repeated = arg->type.repeated;
    Expr *expr = make(arena, EXPR_CONVERT, type, 1);
    set_arg(expr, 0, arg);
    expr->converter = converter;
    expr->loss = loss;
    return expr;
}

const Expr *expr_convert_many(Arena *arena, const Converter *converter, const Expr *const *args,
                              uint32_t n_args)
{
    Expr *expr = make(arena, EXPR_CONVERT, converter->to, n_args);
    for (uint32_t i = 0; i < n_args; i++) {
        if (!args[i])
            return NULL;
        set_arg(expr, i, args[i]);
    }
    expr->converter = converter;
    return expr;
}

const Expr *expr_number(Arena *arena, const Expr *arg, FieldKind from, FieldKind to)
{
    if (!arg || from == to)
        return arg;
    Converter *converter = arena_make(arena, Converter);
    *converter = (Converter){
        .code = CONVERT_NUMBER, .from = {.kind = from}, .to = {.kind = to}, .name = "number"};
    return expr_convert(arena, converter, arg, NULL);
}

const Expr *expr_message(Arena *arena, const Mapping *mapping, const Expr *arg)
{
    if (!arg)
        return NULL;
    ValueType type = {KIND_MESSAGE, arg->type.repeated, mapping->to, NULL};
    Expr *expr = make(arena, EXPR_MESSAGE, type, 1);
    set_arg(expr, 0, arg);
    expr->mapping = mapping;
    return expr;
}

const Expr *expr_build(Arena *arena, const MessageType *message, const Rule *rules,
                       uint32_t n_rules, const Expr *presence)
{
    if (!n_rules && !presence)
        return NULL;
    Expr *expr =
        make(arena, EXPR_BUILD, (ValueType){KIND_MESSAGE, false, message, NULL}, presence ? 1 : 0);
    if (presence)
        set_arg(expr, 0, presence);
    expr->rules = rules;
    expr->n_rules = n_rules;
    return expr;
}

const Expr *expr_default(Arena *arena, const Expr *arg, const Expr *otherwise, const Loss *loss)
{
    if (!otherwise)
        return arg;
    if (!arg) {
        if (!loss || otherwise->loss)
            return otherwise;
        Expr *always = expr_copy(arena, otherwise);
        always->loss = loss;
        return always;
    }
    if (arg->kind == EXPR_CONST || arg->kind == EXPR_REQUIRE)
        return arg; /* never absent */
    Expr *expr = make(arena, EXPR_DEFAULT, arg->type, 2);
    set_arg(expr, 0, arg);
    set_arg(expr, 1, otherwise);
    expr->loss = loss;
    return expr;
}

const Expr *expr_require(Arena *arena, const Expr *arg, ValueType type, const char *field)
{
    if (arg && (arg->kind == EXPR_CONST || arg->kind == EXPR_REQUIRE))
        return arg;
    Expr *expr = make(arena, EXPR_REQUIRE, arg ? arg->type : type, arg ? 1 : 0);
    if (arg)
        set_arg(expr, 0, arg);
    expr->field = field;
    return expr;
}

const Expr *expr_first(Arena *arena, const Expr *arg, bool loud, const Loss *loss)
{
    if (!arg)
        return NULL;
    if (arg->kind == EXPR_WRAP)
        return arg->args[0];
    ValueType type = arg->type;
    type.repeated = false;
    Expr *expr = make(arena, EXPR_FIRST, type, 1);
    set_arg(expr, 0, arg);
    expr->loud = loud;
    expr->loss = loss;
    return expr;
}

const Expr *expr_wrap(Arena *arena, const Expr *arg)
{
    if (!arg)
        return NULL;
    ValueType type = arg->type;
    type.repeated = true;
    Expr *expr = make(arena, EXPR_WRAP, type, 1);
    set_arg(expr, 0, arg);
    return expr;
}

/* Whether each element goes through a mapping: then so do the first and the others, each by itself.
   That is composed further, and no element is converted twice. */
static bool is_converted_list(const Expr *arg)
{
    return arg && arg->kind == EXPR_MESSAGE && arg->args[0]->type.repeated;
}

const Expr *expr_head(Arena *arena, const Expr *arg)
{
    if (is_converted_list(arg))
        return expr_message(arena, arg->mapping, expr_head(arena, arg->args[0]));
    const Expr *first = expr_first(arena, arg, false, NULL);
    if (!first || first->kind != EXPR_FIRST)
        return first;
    Expr *head = expr_copy(arena, first);
    head->rest_kept = true;
    return head;
}

const Expr *expr_rest(Arena *arena, const Expr *arg)
{
    if (!arg || arg->kind == EXPR_WRAP)
        return NULL;
    if (is_converted_list(arg))
        return expr_message(arena, arg->mapping, expr_rest(arena, arg->args[0]));
    Expr *expr = make(arena, EXPR_REST, arg->type, 1);
    set_arg(expr, 0, arg);
    return expr;
}

const Expr *expr_join(Arena *arena, const Expr *first, const Expr *second)
{
    if (!first || !second)
        return first ? first : second;
    Expr *expr = make(arena, EXPR_JOIN, first->type, 2);
    set_arg(expr, 0, first);
    set_arg(expr, 1, second);
    return expr;
}

/* An expression with the result type of `mapping`, for each element of the argument. */
static Expr *make_each(Arena *arena, ExprKind kind, const Mapping *mapping, const Expr *arg)
{
    Expr *expr = make(arena, kind, (ValueType){KIND_MESSAGE, true, mapping->to, NULL}, 1);
    set_arg(expr, 0, arg);
    expr->mapping = mapping;
    return expr;
}

const Expr *expr_keyed(Arena *arena, const Mapping *mapping, const Expr *arg, const Expr *like)
{
    if (!arg)
        return NULL;
    Expr *expr = make_each(arena, EXPR_KEYED, mapping, arg);
    expr->loud = like->loud;
    expr->loss = like->loss;
    expr->order = like->order;
    return expr;
}

const Expr *expr_listed(Arena *arena, const Mapping *mapping, const Expr *arg)
{
    return arg ? make_each(arena, EXPR_LISTED, mapping, arg) : NULL;
}

const Expr *expr_when(Arena *arena, const Expr *arg, const Expr *subject, const Literal *constant)
{
    if (!arg || !subject)
        return NULL;
    Expr *expr = make(arena, EXPR_WHEN, arg->type, 2);
    set_arg(expr, 0, arg);
    set_arg(expr, 1, subject);
    expr->constants = constant;
    return expr;
}

const Expr *expr_unless(Arena *arena, const Expr *arg, const Expr *const *others, uint32_t n_others)
{
    if (!arg)
        return NULL;
    Expr *expr = make(arena, EXPR_UNLESS, arg->type, n_others + 1);
    uint32_t n = 1;
    set_arg(expr, 0, arg);
    for (uint32_t i = 0; i < n_others; i++) {
        if (others[i])
            set_arg(expr, n++, others[i]);
    }
    expr->n_args = n;
    return n > 1 ? expr : arg;
}

const Expr *expr_select(Arena *arena, ValueType type, const Expr *const *args,
                        const Literal *constants, uint32_t n_args)
{
    Expr *expr = make(arena, EXPR_SELECT, type, n_args);
    Literal *kept = arena_array(arena, Literal, n_args ? n_args : 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_args; i++) {
        if (!args[i])
            continue;
        set_arg(expr, n, args[i]);
        kept[n++] = constants[i];
    }
    expr->n_args = n;
    expr->constants = kept;
    return n ? expr : NULL;
}

const Expr *expr_sentinel(Arena *arena, const Expr *arg, const Literal *value)
{
    if (!arg)
        return NULL;
    Converter *converter = arena_make(arena, Converter);
    *converter = (Converter){
        .code = CONVERT_SENTINEL,
        .from = arg->type,
        .to = arg->type,
        .name = "sentinel",
        .sentinel = *value,
    };
    return expr_convert(arena, converter, arg, NULL);
}

bool expr_has_mapping(const Expr *expr)
{
    return expr->kind == EXPR_MESSAGE || expr->kind == EXPR_KEYED || expr->kind == EXPR_LISTED;
}

const Expr *expr_source(const Expr *expr)
{
    if (!expr || expr->kind == EXPR_FIELD)
        return expr;
    const Expr *found = NULL;
    for (uint32_t i = 0; i < expr->n_args && !found; i++)
        found = expr_source(expr->args[i]);
    for (uint32_t i = 0; i < expr->n_rules && !found; i++)
        found = expr_source(expr->rules[i].value);
    return found;
}

bool expr_makes_up(const Expr *expr)
{
    switch (expr->kind) {
    case EXPR_FIELD: return false;
    case EXPR_CONST:
    case EXPR_REQUIRE: return true;
    case EXPR_DEFAULT: return expr_makes_up(expr->args[0]) || expr_makes_up(expr->args[1]);
    case EXPR_CONVERT: {
        uint32_t n = 0;
        for (uint32_t i = 0; i < expr->n_args; i++)
            n += expr_makes_up(expr->args[i]);
        /* If only some parts of a template are set, that is an error, not absence. */
        return n == expr->n_args || (n && expr->converter->code == CONVERT_TEMPLATE);
    }
    case EXPR_BUILD:
        for (uint32_t i = 0; i < expr->n_rules; i++) {
            if (expr_makes_up(expr->rules[i].value))
                return true;
        }
        return expr->n_args && expr_makes_up(expr->args[0]);
    case EXPR_WHEN: return expr_makes_up(expr->args[1]);
    case EXPR_UNLESS: /* the others are evaluated first, and may be an error */
    case EXPR_MESSAGE:
    case EXPR_FIRST:
    case EXPR_WRAP:
    case EXPR_SELECT:
    case EXPR_REST:
    case EXPR_JOIN:
    case EXPR_KEYED:
    case EXPR_LISTED:
        for (uint32_t i = 0; i < expr->n_args; i++) {
            if (expr_makes_up(expr->args[i]))
                return true;
        }
        return false;
    }
    return false;
}

/* Whether a table converts a number other than zero to zero. */
static bool makes_zero(const Converter *converter)
{
    for (uint32_t i = 0; i < converter->n_entries; i++) {
        if (converter->entries[i].to == 0 && converter->entries[i].from != 0)
            return true;
    }
    return converter->has_fallback && converter->fallback.to == 0;
}

bool expr_may_be_zero(const Expr *expr)
{
    switch (expr->kind) {
    case EXPR_FIELD: return !field_is_implicit(expr->steps[expr->n_steps - 1]);
    case EXPR_CONST: return literal_is_zero(expr->constants, expr->type);
    case EXPR_CONVERT:
        if ((expr->converter->code == CONVERT_NUMBER &&
             !kind_is_float(expr->converter->from.kind)) ||
            (expr->converter->code == CONVERT_ENUM && !makes_zero(expr->converter)))
            return expr_may_be_zero(expr->args[0]);
        if (expr->converter->code == CONVERT_SENTINEL &&
            literal_is_zero(&expr->converter->sentinel, expr->type))
            return false;
        return true;
    case EXPR_DEFAULT: return expr_may_be_zero(expr->args[0]) || expr_may_be_zero(expr->args[1]);
    case EXPR_REQUIRE: return expr->n_args && expr_may_be_zero(expr->args[0]);
    case EXPR_WHEN:
    case EXPR_UNLESS: return expr_may_be_zero(expr->args[0]);
    default: return true;
    }
}

static int by_number(const void *a, const void *b)
{
    uint32_t p = ((const Rule *)a)->target->number, q = ((const Rule *)b)->target->number;
    return (p > q) - (p < q);
}

void rules_sort(Rule *rules, uint32_t n_rules)
{
    if (n_rules)
        qsort(rules, n_rules, sizeof *rules, by_number);
}
