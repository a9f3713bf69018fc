/*
 * Expr: constructors of a Mapping's expressions, and predicates for change lists and compositions.
 *
 * An absent expression is NULL: a field without a value. The constructors accept NULL arguments and
 * simplify, so that callers need no checks. All expressions are created in an arena without a
 * limit, when a config is loaded.
 */
#ifndef ADAPTERS_EXPR_H
#define ADAPTERS_EXPR_H

#include "adapters/mapping/mapping.h"
#include "adapters/schema/wire.h"
#include "base/arena.h"

ValueType value_type_of(const FieldType *field);

/* The type of one element: of a list its element, of a map its value. */
ValueType value_type_element(const FieldType *field);

bool value_type_equal(ValueType a, ValueType b); /* but for `repeated` */

bool kind_is_integer(FieldKind kind);  /* not bool, not enums */
bool kind_is_unsigned(FieldKind kind); /* bool included: in Literal.u */
bool kind_is_float(FieldKind kind);
bool kind_is_number(FieldKind kind); /* an integer or a float */

/* Is unset the same as zero for this field? (No presence, one value.) */
bool field_is_implicit(const FieldType *field);

/* Can a value of `from` be outside the range or the precision of `to`? Numbers, bool and enums. */
bool number_narrows(FieldKind from, FieldKind to);

/* A text: the source values that the converter refuses; NULL: none. Malformed messages are not
   included, since everything refuses them. */
const char *converter_refuses(const Converter *converter);

/* Whether a text may come back as another one for the same value ("1e3" as "1000"), which is
   counted when it happens. */
bool converter_respells(const Converter *converter);
#define RESPELLED_HOW "another spelling comes back"

/* What a list that becomes a map may lose; counted when it does. */
#define ORDER_HOW "a map has no order"

/* What a converter without `round` or a fallback loses without an error, which is counted: "an
   offset from UTC is dropped"; NULL if nothing. */
const char *converter_drops(const Converter *converter);

/* A text: the numbers of an enum, beside those of its values, that the converter has no counterpart
   for; NULL: none. */
const char *converter_lacks_numbers(const Converter *converter);

bool literal_is_zero(const Literal *literal, ValueType type);
bool literal_equal(const Literal *a, const Literal *b, ValueType type);
Literal literal_of_wire(FieldKind kind, const WireField *field);
void literal_print(Buffer *out, const Literal *literal, ValueType type);

/* "shipping.street" of the steps. */
const char *steps_text(Arena *arena, const FieldType *const *steps, uint32_t n_steps);

const Expr *expr_field(Arena *arena, const FieldType *const *steps, uint32_t n_steps);
const Expr *expr_const(Arena *arena, ValueType type, Literal value, const Loss *loss);
const Expr *expr_convert(Arena *arena, const Converter *converter, const Expr *arg,
                         const Loss *loss);
const Expr *expr_convert_many(Arena *arena, const Converter *converter, const Expr *const *args,
                              uint32_t n_args); /* absent when one of them is */
/* A number of one kind as one of another: itself, when they are the same. */
const Expr *expr_number(Arena *arena, const Expr *arg, FieldKind from, FieldKind to);
const Expr *expr_message(Arena *arena, const Mapping *mapping, const Expr *arg);
const Expr *expr_build(Arena *arena, const MessageType *message, const Rule *rules,
                       uint32_t n_rules, const Expr *presence);
const Expr *expr_default(Arena *arena, const Expr *arg, const Expr *otherwise, const Loss *loss);
const Expr *expr_require(Arena *arena, const Expr *arg, ValueType type, const char *field);
const Expr *expr_first(Arena *arena, const Expr *arg, bool loud, const Loss *loss);
const Expr *expr_wrap(Arena *arena, const Expr *arg);
const Expr *expr_head(Arena *arena, const Expr *arg); /* the first, where expr_rest has the rest */
const Expr *expr_rest(Arena *arena, const Expr *arg);
const Expr *expr_join(Arena *arena, const Expr *first, const Expr *second);
/* With `loud`, `loss` and `order` of `like`. */
const Expr *expr_keyed(Arena *arena, const Mapping *mapping, const Expr *arg, const Expr *like);
const Expr *expr_listed(Arena *arena, const Mapping *mapping, const Expr *arg);
const Expr *expr_when(Arena *arena, const Expr *arg, const Expr *subject, const Literal *constant);
const Expr *expr_unless(Arena *arena, const Expr *arg, const Expr *const *others,
                        uint32_t n_others); /* NULL among the others: those are absent */
const Expr *expr_select(Arena *arena, ValueType type, const Expr *const *args,
                        const Literal *constants, uint32_t n_args);

/* One value (zero: what implicit presence takes for unset) means absent. */
const Expr *expr_sentinel(Arena *arena, const Expr *arg, const Literal *value);

/* MESSAGE, KEYED, LISTED: what it does is what another mapping says. */
bool expr_has_mapping(const Expr *expr);

/* A copy with some members changed. */
Expr *expr_copy(Arena *arena, const Expr *from);

/* The first FIELD in it, or NULL: its source, for messages. */
const Expr *expr_source(const Expr *expr);

/* Whether it can be present although no field of the source message is. Then it needs a WHEN if a
   sub-message is split. */
bool expr_makes_up(const Expr *expr);

/* Whether it can yield a zero that is present. */
bool expr_may_be_zero(const Expr *expr);

/* Rules in the order of the targets' numbers. */
void rules_sort(Rule *rules, uint32_t n_rules);

/*
 * Determines which mappings of one direction are identities, and which can be copied as wire bytes.
 * They must only refer to each other; others are unchanged.
 */
void mappings_settle(Mapping *const *mappings, uint32_t n_mappings, bool same_package);

/* The text of a mapping, for golden tests and `explain`. */
void mapping_print(const Mapping *mapping, Buffer *out);
void expr_print(const Expr *expr, Buffer *out);

#endif
