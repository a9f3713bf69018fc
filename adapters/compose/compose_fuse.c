/*
 * Composing, fusing: two conversions of one value become one.
 *
 *     v1 to v2:   address = v2.Address{street: street}
 *                 status = enum[1=2](status)
 *                 count = number[int32 to int64](count)
 *
 *     v2 to v3:   address = v3.Address(address), of which road = street
 *                 status = enum[2=3](status)
 *                 count = number[int64 to double](count)
 *
 *     v1 to v3:   address = v3.Address{road: street}
 *                 status = enum[1=3](status)
 *                 count = number[int32 to double](count)
 *
 * A message that the first builds is built as the last version has it (build_through); one that it
 * converts is converted once, by the mapping of both (compose_pair). Tables of enums are joined,
 * and numbers are converted at once (fuse). What cannot be fused, such as an enum with a fallback,
 * which is counted as a loss, stays one conversion after the other. So do masks: a path of v1 may
 * name a list of v2, of which v3 has the first element and the others, although a message of v1
 * never gives any others.
 */
#include "adapters/compose/compose_internal.h"

/* ---- Messages through the second mapping ----------------------------------------------------- */

static const FieldType *member_like(const MessageType *message, const FieldType *like)
{
    return like ? message_field(message, bytes_of(like->name)) : NULL;
}

static void members_like(Converter *converter, const MessageType *message)
{
    const FieldType **members[] = {&converter->value, &converter->seconds,  &converter->nanos,
                                   &converter->units, &converter->currency, &converter->year,
                                   &converter->month, &converter->day};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const FieldType *found = member_like(message, *members[i]);
        *members[i] = found ? found : *members[i];
    }
}

static Converter *copy_converter(Composing *c, const Converter *from)
{
    Converter *copy = arena_make(c->arena, Converter);
    *copy = *from;
    return copy;
}

/* A converter whose result is a message can make the type of the next version, if the two types are
   the same. */
static const Expr *retarget(Composing *c, const Expr *expr, const MessageType *to)
{
    Converter *converter = copy_converter(c, expr->converter);
    converter->to.message = to;
    if (!converter->from.message || converter->code == CONVERT_TIME_DATE)
        members_like(converter, to);
    Expr *copy = expr_copy(c->arena, expr);
    copy->converter = converter;
    copy->type.message = to;
    return copy;
}

/* Whether this rule's field is set in the result whenever it is set in the source; then so is the
   message. If the target has no presence, a value that became zero is not. */
static bool presence_is_kept(const Rule *built, const Mapping *second)
{
    for (uint32_t i = 0; i < second->n_rules; i++) {
        const Expr *value = second->rules[i].value;
        if (field_is_implicit(second->rules[i].target) &&
            (!field_is_implicit(built->target) || expr_may_be_zero(value)))
            continue;
        while (value->kind == EXPR_MESSAGE || value->kind == EXPR_DEFAULT ||
               (value->kind == EXPR_CONVERT && value->n_args == 1 &&
                value->converter->code != CONVERT_SENTINEL))
            value = value->args[0];
        if (value->kind == EXPR_FIELD && value->n_steps == 1 && value->steps[0] == built->target)
            return true;
    }
    return false;
}

static const Expr *build_through(Composing *c, Task *task, const Mapping *second, const Expr *built)
{
    Scope scope = {built->rules, built->n_rules};
    Rule *rules = arena_array(c->arena, Rule, second->n_rules + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < second->n_rules; i++) {
        const Expr *value = compose_value(c, task, scope, second->rules[i].value);
        if (value && expr_makes_up(value))
            value = expr_when(c->arena, value, built, NULL);
        if (value)
            rules[n++] = (Rule){second->rules[i].target, value, second->rules[i].line};
    }
    for (uint32_t i = 0; i < second->n_guards; i++) {
        Guard guard = second->guards[i];
        guard.source = compose_value(c, task, scope, guard.source);
        if (guard.source && expr_makes_up(guard.source))
            guard.source = expr_when(c->arena, guard.source, built, NULL);
        if (guard.source)
            compose_add_guard(c, task, guard);
    }
    bool kept = true;
    for (uint32_t i = 0; i < built->n_rules; i++)
        kept &= presence_is_kept(&built->rules[i], second);
    const Expr *presence = !kept ? built : built->n_args ? built->args[0] : NULL;
    return expr_build(c->arena, second->to, rules, n, presence);
}

static const Expr *with_args(Composing *c, const Expr *expr, const Expr *const *args,
                             uint32_t n_args)
{
    Expr *copy = expr_copy(c->arena, expr);
    copy->args = args;
    copy->n_args = n_args;
    copy->type.message = args[0]->type.message;
    return copy;
}

/* A message that depends on a kind: so does what is dropped of it. */
static const Expr *through_when(Composing *c, Task *task, const Mapping *second,
                                const Expr *message)
{
    uint32_t first = task->n_guards;
    const Expr *inner = compose_through(c, task, second, message->args[0]);
    compose_guards_when(c, task, first, message->args[1], message->constants);
    return expr_when(c->arena, inner, message->args[1], message->constants);
}

static const Expr *through_unless(Composing *c, Task *task, const Mapping *second,
                                  const Expr *message)
{
    const Expr *const *others = message->args + 1;
    uint32_t first = task->n_guards, n = message->n_args - 1;
    const Expr *inner = compose_through(c, task, second, message->args[0]);
    compose_guards_unless(c, task, first, others, n);
    return expr_unless(c->arena, inner, others, n);
}

/* A message, or the one that is given where it is absent. */
static const Expr *through_default(Composing *c, Task *task, const Mapping *second,
                                   const Expr *message)
{
    const Expr *own = compose_through(c, task, second, message->args[0]);
    uint32_t first = task->n_guards;
    const Expr *given = compose_through(c, task, second, message->args[1]);
    compose_guards_unless(c, task, first, message->args, 1);
    return expr_default(c->arena, own, given, message->loss);
}

const Expr *compose_through(Composing *c, Task *task, const Mapping *second, const Expr *message)
{
    if (!message)
        return NULL;
    const Expr *inner;
    switch (message->kind) {
    case EXPR_MESSAGE: {
        Expr *copy =
            expr_copy(c->arena, expr_message(c->arena, compose_pair(c, message->mapping, second),
                                             message->args[0]));
        copy->type.repeated = message->type.repeated;
        return copy;
    }
    case EXPR_LISTED:
        return expr_listed(c->arena, compose_pair(c, message->mapping, second), message->args[0]);
    case EXPR_JOIN:
        return expr_join(c->arena, compose_through(c, task, second, message->args[0]),
                         compose_through(c, task, second, message->args[1]));
    case EXPR_BUILD: return build_through(c, task, second, message);
    case EXPR_DEFAULT: return through_default(c, task, second, message);
    case EXPR_REQUIRE:
        inner = message->n_args ? compose_through(c, task, second, message->args[0]) : NULL;
        return expr_require(c->arena, inner, (ValueType){KIND_MESSAGE, false, second->to, NULL},
                            message->field);
    case EXPR_WRAP:
        inner = compose_through(c, task, second, message->args[0]);
        if (!inner)
            return NULL;
        const Expr **arg = arena_array(c->arena, const Expr *, 1);
        arg[0] = inner;
        return with_args(c, message, arg, 1);
    case EXPR_WHEN: return through_when(c, task, second, message);
    case EXPR_UNLESS: return through_unless(c, task, second, message);
    case EXPR_CONVERT:
        if (second->identity || second->from->well_known != WELL_KNOWN_NONE)
            return retarget(c, message, second->to);
        break;
    default: break;
    }
    return expr_message(c->arena, second, message);
}

/* ---- Converters on converters ---------------------------------------------------------------- */

static const EnumEntry *entry_of(const Converter *converter, int32_t number)
{
    for (uint32_t i = 0; i < converter->n_entries; i++) {
        if (converter->entries[i].from == number)
            return &converter->entries[i];
    }
    return NULL;
}

/* The number that the second converter gives for a number; false if that is an error. */
static bool enum_step(const Converter *second, int32_t number, EnumEntry *out)
{
    const EnumEntry *entry = entry_of(second, number);
    out->to = entry ? entry->to : second->fallback.to;
    out->merges |= entry && entry->merges;
    return entry || second->has_fallback;
}

static const Converter *fuse_enums(Composing *c, const Converter *first, const Converter *second)
{
    Converter *fused = arena_make(c->arena, Converter);
    EnumEntry *entries = arena_array(c->arena, EnumEntry, first->n_entries + 1);
    uint32_t n = 0;
    *fused = *first;
    fused->to = second->to;
    for (uint32_t i = 0; i < first->n_entries; i++) {
        entries[n] = first->entries[i];
        n += enum_step(second, first->entries[i].to, &entries[n]);
    }
    fused->entries = entries;
    fused->n_entries = n;
    if (first->has_fallback)
        fused->has_fallback = enum_step(second, first->fallback.to, &fused->fallback);
    fused->keep_unknown = first->keep_unknown && second->keep_unknown;
    return fused;
}

/* Whether the version between has a name for a number that the others do not have. Such a number is
   an error in the two steps, but would be kept in one. */
static bool knows_more(const EnumType *between, const EnumType *from, const EnumType *to)
{
    for (uint32_t i = 0; i < between->n_values; i++) {
        int32_t number = between->values[i].number;
        if (!enum_value_by_number(from, number) && !enum_value_by_number(to, number))
            return true;
    }
    return false;
}

/* Whether the two tables can be joined. Not with a fallback, which counts a loss, nor if both count
   one for values that become the same, nor if the second table handles numbers that the first
   keeps as unknown. */
static bool enums_fuse(const Converter *first, const Converter *second)
{
    return first->code == CONVERT_ENUM && second->code == CONVERT_ENUM && !first->has_fallback &&
           !second->has_fallback && !(converter_drops(first) && converter_drops(second)) &&
           !(first->keep_unknown && second->keep_unknown &&
             knows_more(first->to.enumeration, first->from.enumeration, second->to.enumeration));
}

static const Held *find_held(const Converter *converter, const MessageType *from)
{
    for (uint32_t i = 0; i < converter->n_held; i++) {
        if (strcmp(converter->held[i].from->full_name, from->full_name) == 0)
            return &converter->held[i];
    }
    return NULL;
}

/* The second list's mapping for a type that the first list produces in this Any. */
static const Mapping *held_on(Composing *c, const Mapping *one, const Converter *second)
{
    const Held *held = find_held(second, one->to);
    const Mapping *two =
        held ? held->mapping : table_get(&c->second->by_type, bytes_of(one->to->full_name));
    if (two)
        return compose_pair(c, one, two);
    bool lost = held || table_get(&c->stranded, bytes_of(one->to->full_name));
    return lost ? NULL : compose_pair(c, one, NULL);
}

/* Joins the types that have a mapping of their own (Held) in either list. */
static void fuse_held(Composing *c, const Converter *first, const Converter *second,
                      Converter *fused)
{
    size_t at = 0;
    Held *held =
        arena_array(c->arena, Held, first->n_held + second->n_held + c->first->by_type.n + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < first->n_held; i++) {
        const Held *one = &first->held[i];
        held[n++] = (Held){.from = one->from,
                           .mapping = one->mapping ? held_on(c, one->mapping, second) : NULL};
    }
    for (const TableEntry *entry;
         second->n_held && (entry = table_next(&c->first->by_type, &at));) {
        const Mapping *one = entry->value;
        if (!find_held(first, one->from) && find_held(second, one->to))
            held[n++] = (Held){.from = one->from, .mapping = held_on(c, one, second)};
    }
    Table stranded = mapping_set_stranded(c->arena, c->first);
    for (uint32_t i = 0; i < second->n_held; i++) { /* types that the first does not convert */
        Bytes name = bytes_of(second->held[i].from->full_name);
        if (!table_get(&c->first->by_type, name) && !table_get(&stranded, name) &&
            !find_held(first, second->held[i].from))
            held[n++] = second->held[i];
    }
    fused->held = held;
    fused->n_held = n;
}

static const Converter *fuse(Composing *c, const Converter *first, const Converter *second)
{
    Converter *fused = arena_make(c->arena, Converter);
    *fused = *second;
    fused->from = first->from;
    if (enums_fuse(first, second))
        return fuse_enums(c, first, second);
    if (first->code == CONVERT_NUMBER && second->code == CONVERT_NUMBER &&
        !number_narrows(first->from.kind, first->to.kind))
        return fused;
    if (first->code == CONVERT_TYPE_URL && second->code == CONVERT_TYPE_URL) {
        fuse_held(c, first, second, fused);
        return fused;
    }
    return NULL;
}

/* A converter whose argument is a message can read the type of the version before, if the two types
   are the same. */
static const Expr *convert_message(Composing *c, const Expr *second, const Expr *arg)
{
    const MessageType *from = arg->mapping->from;
    Converter *converter = copy_converter(c, second->converter);
    converter->from.message = from;
    if (!converter->to.message || converter->code == CONVERT_DATE_TIME)
        members_like(converter, from);
    return expr_convert(c->arena, converter, arg->args[0], second->loss);
}

/* Whether the second converter unwraps what the first has wrapped, so that both can be omitted. Not
   if the wrapper may be too small for the value: then the first must refuse it. */
static bool unwraps_what_was_wrapped(const Converter *first, const Converter *second)
{
    FieldKind from = first->from.kind, to = second->to.kind;
    return first->code == CONVERT_WRAP && second->code == CONVERT_UNWRAP &&
           !number_narrows(from, first->value->kind) && !number_narrows(from, to);
}

const Expr *compose_convert(Composing *c, const Expr *second, const Expr *arg)
{
    if (!arg)
        return NULL;
    const Converter *converter = second->converter;
    if (arg->kind == EXPR_MESSAGE && arg->mapping->identity)
        return convert_message(c, second, arg);
    if (arg->kind == EXPR_CONVERT && arg->n_args == 1) {
        if (unwraps_what_was_wrapped(arg->converter, converter))
            return expr_number(c->arena, arg->args[0], arg->converter->from.kind,
                               converter->to.kind);
        const Converter *fused = fuse(c, arg->converter, converter);
        if (fused && fused->code == CONVERT_NUMBER && fused->from.kind == fused->to.kind)
            return arg->args[0];
        if (fused)
            return expr_convert(c->arena, fused, arg->args[0],
                                second->loss && !converter_drops(arg->converter) ? second->loss
                                                                                 : arg->loss);
    }
    return expr_convert(c->arena, converter, arg, second->loss);
}
