/*
 * Two steps of a chain become one: the second's expressions over the version between are rewritten
 * over the first's source, each FIELD replaced by what feeds that field. Renames and moves vanish,
 * so a long chain gives mappings as small as a short one.
 */
#include "adapters/changes/change_list.h"

typedef struct Composing {
    Arena *arena;
    const MappingSet *first, *second;
    Problems *problems;
    MappingSet *set;
    Table by_pair;  /* first's and second's mapping -> Task */
    Table stranded; /* full name -> Stranded of the second list */
    struct Task **tasks;
    uint32_t n_tasks, n_filled, tasks_capacity;
} Composing;

enum { MOST_TAKEN = 64 }; /* messages within each other of which one field is taken */

/* One composed mapping, to be filled. */
typedef struct Task {
    const Mapping *first, *second; /* second NULL: it leaves alone what the first gives */
    Mapping *made;
    Guard *guards;
    uint32_t n_guards, guards_capacity;
    Table taken; /* messages of which a field was taken, each with the way to it */
    const Expr *way[MOST_TAKEN];
    uint32_t n_way;
    int line; /* of the second list, which is at work */
} Task;

/* What the fields of a message of the version between are made of. */
typedef struct Scope {
    const Rule *rules;
    uint32_t n_rules;
} Scope;

static const Expr *subst(Composing *c, Task *task, Scope scope, const Expr *expr);

/* ---- Tasks ----------------------------------------------------------------------------------- */

static const Mapping *compose_pair(Composing *c, const Mapping *first, const Mapping *second)
{
    const void *key[2] = {first, second};
    Task *task = table_get(&c->by_pair, bytes(key, sizeof key));
    if (task)
        return task->made;
    task = arena_make(c->arena, Task);
    *task = (Task){.first = first, .second = second, .made = arena_make(c->arena, Mapping)};
    *task->made =
        (Mapping){.from = first->from, .to = second ? second->to : first->to, .index = c->n_tasks};
    if (c->n_tasks == c->tasks_capacity) {
        uint32_t capacity = c->tasks_capacity ? c->tasks_capacity * 2 : 64;
        c->tasks = arena_grow(c->arena, c->tasks, c->n_tasks * sizeof *c->tasks,
                              capacity * sizeof *c->tasks);
        c->tasks_capacity = capacity;
    }
    c->tasks[c->n_tasks++] = task;
    table_put(&c->by_pair, bytes_copy(c->arena, bytes(key, sizeof key)), task);
    return task->made;
}

static void add_guard(Composing *c, Task *task, Guard guard)
{
    if (task->n_guards == task->guards_capacity) {
        uint32_t capacity = task->guards_capacity ? task->guards_capacity * 2 : 8;
        task->guards = arena_grow(c->arena, task->guards, task->n_guards * sizeof *task->guards,
                                  capacity * sizeof *task->guards);
        task->guards_capacity = capacity;
    }
    task->guards[task->n_guards++] = guard;
}

static void refuse(Composing *c, const Task *task, const FieldType *field, const char *why)
{
    problem_add(
        c->problems, c->second->file, task->line, task->line ? 1 : 0,
        arena_printf(c->arena, "%s.%s", task->second->from->name, field->name),
        arena_printf(c->arena, "give the whole message that it is in, or say {removed: ...}"),
        "%s of %s %s", field->name, c->second->from_version, why);
}

/* ---- Expressions as they are, elsewhere ------------------------------------------------------ */

/* A path into a message that is a field of the source is a longer path; any other is taken apart.
 */
static const Expr *inside(Composing *c, const Expr *message, const FieldType *const *steps,
                          uint32_t n_steps)
{
    if (message->kind == EXPR_FIELD) {
        uint32_t n = message->n_steps + n_steps;
        const FieldType **path = arena_array(c->arena, const FieldType *, n);
        memcpy(path, message->steps, message->n_steps * sizeof *path);
        memcpy(path + message->n_steps, steps, n_steps * sizeof *path);
        return expr_field(c->arena, path, n);
    }
    for (uint32_t i = 0; i < n_steps; i++) {
        Converter *member = arena_make(c->arena, Converter);
        *member = (Converter){.code = CONVERT_MEMBER,
                              .from = message->type,
                              .to = value_type_of(steps[i]),
                              .name = "member",
                              .value = steps[i]};
        Expr *value = expr_copy(c->arena, expr_convert(c->arena, member, message, NULL));
        value->type = member->to;
        message = value;
    }
    return message;
}

/* The same expression over the message that `message` yields. */
static const Expr *over(Composing *c, const Expr *expr, const Expr *message)
{
    if (expr->kind == EXPR_FIELD)
        return inside(c, message, expr->steps, expr->n_steps);
    Expr *copy = expr_copy(c->arena, expr);
    const Expr *source = expr_source(message);
    if (expr->kind == EXPR_REQUIRE && source)
        copy->field = arena_printf(
            c->arena, "%s.%s", steps_text(c->arena, source->steps, source->n_steps), expr->field);
    const Expr **args = arena_array(c->arena, const Expr *, expr->n_args + 1);
    for (uint32_t i = 0; i < expr->n_args; i++)
        args[i] = over(c, expr->args[i], message);
    Rule *rules = arena_array(c->arena, Rule, expr->n_rules + 1);
    for (uint32_t i = 0; i < expr->n_rules; i++)
        rules[i] = (Rule){expr->rules[i].target, over(c, expr->rules[i].value, message)};
    copy->args = args;
    copy->rules = rules;
    return copy;
}

/* For those who only ask whether it is there. */
static const Expr *presence_of(const Expr *expr)
{
    while (expr && expr->kind == EXPR_MESSAGE && !expr->type.repeated)
        expr = expr->args[0];
    return expr;
}

/* ---- Fields of the version between ----------------------------------------------------------- */

static const Expr *resolve(Composing *c, Task *task, Scope scope, const FieldType *const *steps,
                           uint32_t n_steps);
static const Expr *descend(Composing *c, Task *task, const Expr *message,
                           const FieldType *const *steps, uint32_t n_steps);

/* Fields without presence take zero for unset: so does the version between. */
static const Expr *as_stored(Composing *c, const FieldType *field, const Expr *value)
{
    Literal zero = {0};
    if (!value || !field_is_implicit(field) || !expr_may_be_zero(value))
        return value;
    return expr_sentinel(c->arena, value, &zero);
}

/* Is this message taken apart for the first time, on the way that led to it? */
static bool is_new_here(Composing *c, Task *task, const Expr *message)
{
    const Expr *way[MOST_TAKEN + 1];
    memcpy(way, task->way, task->n_way * sizeof *way);
    way[task->n_way] = message;
    Bytes key = bytes(way, (task->n_way + 1) * sizeof *way);
    if (!task->taken.arena)
        task->taken = table_in(c->arena);
    if (table_get(&task->taken, key))
        return false;
    table_put(&task->taken, bytes_copy(c->arena, key), task);
    return true;
}

/* The first of a list is taken once for all of its fields: what that drops is counted, or refused,
 * once. */
static const Expr *chosen_once(Composing *c, Task *task, const Expr *message)
{
    if (message->kind != EXPR_FIRST)
        return message;
    if (is_new_here(c, task, message))
        add_guard(c, task, (Guard){.source = message});
    Expr *copy = expr_copy(c->arena, message);
    copy->loss = NULL;
    return copy;
}

/* `inner` is over the message that `message` yields. */
static const Expr *lift(Composing *c, Task *task, const Expr *inner, const Expr *message)
{
    const Expr *chosen = chosen_once(c, task, message);
    if (!inner)
        return NULL;
    const Expr *value = over(c, inner, chosen);
    return expr_makes_up(value) ? expr_when(c->arena, value, chosen, NULL) : value;
}

/* Guards from number `first` on are over the message that `message` yields. */
static void lift_guards(Composing *c, Task *task, uint32_t first, const Expr *message)
{
    for (uint32_t i = first; i < task->n_guards; i++) {
        const Expr *source = over(c, task->guards[i].source, message);
        task->guards[i].source =
            expr_makes_up(source) ? expr_when(c->arena, source, message, NULL) : source;
    }
}

/* A field of a message that the first list converts: what that does to its other fields happens
 * still. */
static const Expr *descend_mapped(Composing *c, Task *task, const Expr *message,
                                  const FieldType *const *steps, uint32_t n_steps)
{
    const Mapping *mapping = message->mapping;
    uint32_t first = task->n_guards;
    bool is_new = is_new_here(c, task, message);
    if (task->n_way == MOST_TAKEN) {
        refuse(c, task, steps[0], "is too deep inside messages that change");
        return NULL;
    }
    task->way[task->n_way++] = message;
    const Expr *inner = resolve(c, task, (Scope){mapping->rules, mapping->n_rules}, steps, n_steps);
    for (uint32_t i = 0; is_new && i < mapping->n_guards; i++)
        add_guard(c, task, mapping->guards[i]);
    lift_guards(c, task, first, message->args[0]);
    task->n_way--;
    return lift(c, task, inner, message->args[0]);
}

/* The same only when a kind says so. */
static const Expr *descend_when(Composing *c, Task *task, const Expr *message,
                                const FieldType *const *steps, uint32_t n_steps)
{
    uint32_t first = task->n_guards;
    const Expr *inner = descend(c, task, message->args[0], steps, n_steps);
    for (uint32_t i = first; i < task->n_guards; i++)
        task->guards[i].source =
            expr_when(c->arena, task->guards[i].source, message->args[1], message->constants);
    return expr_when(c->arena, inner, message->args[1], message->constants);
}

static const Expr *descend(Composing *c, Task *task, const Expr *message,
                           const FieldType *const *steps, uint32_t n_steps)
{
    switch (message->kind) {
    case EXPR_BUILD:
        return resolve(c, task, (Scope){message->rules, message->n_rules}, steps, n_steps);
    case EXPR_MESSAGE: return descend_mapped(c, task, message, steps, n_steps);
    case EXPR_WHEN: return descend_when(c, task, message, steps, n_steps);
    case EXPR_REQUIRE:
        if (!message->n_args)
            return expr_require(c->arena, NULL, value_type_of(steps[n_steps - 1]), message->field);
        return expr_when(c->arena, descend(c, task, message->args[0], steps, n_steps), message,
                         NULL);
    case EXPR_CONVERT:
        if (message->converter->code == CONVERT_WRAP)
            return message->args[0];
        if (steps[0] == message->converter->currency && message->n_args > 1)
            return expr_when(c->arena, message->args[1], message->args[0], NULL);
        if (steps[0] == message->converter->currency)
            return NULL;
        break;
    default: break;
    }
    return lift(c, task, expr_field(c->arena, steps, n_steps), message);
}

/* By number: what a list left alone comes as an older version has it, and is read as a later one
 * has it. */
static const Expr *resolve(Composing *c, Task *task, Scope scope, const FieldType *const *steps,
                           uint32_t n_steps)
{
    for (uint32_t i = 0; i < scope.n_rules; i++) {
        if (scope.rules[i].target->number != steps[0]->number)
            continue;
        if (n_steps == 1)
            return as_stored(c, steps[0], scope.rules[i].value);
        return descend(c, task, scope.rules[i].value, steps + 1, n_steps - 1);
    }
    return NULL;
}

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

/* A converter that makes a message makes the next version's, where the two are the same. */
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

/* Does the result say of this rule's field whether it is there? Then it says it of the whole
   message. What has no presence does not say it of what became zero. */
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
        const Expr *value = subst(c, task, scope, second->rules[i].value);
        if (value && expr_makes_up(value))
            value = expr_when(c->arena, value, built, NULL);
        if (value)
            rules[n++] = (Rule){second->rules[i].target, value, second->rules[i].line};
    }
    for (uint32_t i = 0; i < second->n_guards; i++) {
        Guard guard = second->guards[i];
        guard.source = subst(c, task, scope, guard.source);
        if (guard.source && expr_makes_up(guard.source))
            guard.source = expr_when(c->arena, guard.source, built, NULL);
        if (guard.source)
            add_guard(c, task, guard);
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

static const Expr *through(Composing *c, Task *task, const Mapping *second, const Expr *message)
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
    case EXPR_BUILD: return build_through(c, task, second, message);
    case EXPR_DEFAULT:
        return expr_default(c->arena, through(c, task, second, message->args[0]),
                            through(c, task, second, message->args[1]), message->loss);
    case EXPR_REQUIRE:
        inner = message->n_args ? through(c, task, second, message->args[0]) : NULL;
        return expr_require(c->arena, inner, (ValueType){KIND_MESSAGE, false, second->to, NULL},
                            message->field);
    case EXPR_WRAP:
        inner = through(c, task, second, message->args[0]);
        if (!inner)
            return NULL;
        const Expr **arg = arena_array(c->arena, const Expr *, 1);
        arg[0] = inner;
        return with_args(c, message, arg, 1);
    case EXPR_WHEN:
        return expr_when(c->arena, through(c, task, second, message->args[0]), message->args[1],
                         message->constants);
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

/* Where the second takes a number: false when that is an error. */
static bool enum_step(const Converter *second, int32_t number, int32_t *out)
{
    const EnumEntry *entry = entry_of(second, number);
    *out = entry ? entry->to : second->fallback.to;
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
        int32_t number;
        if (enum_step(second, first->entries[i].to, &number))
            entries[n++] = (EnumEntry){first->entries[i].from, number, BYTES_NONE};
    }
    fused->entries = entries;
    fused->n_entries = n;
    if (first->has_fallback)
        fused->has_fallback = enum_step(second, first->fallback.to, &fused->fallback.to);
    fused->keep_unknown = first->keep_unknown && second->keep_unknown;
    return fused;
}

/* A number that only the version between has a name for is an error, and goes through where nobody
 * has. */
static bool knows_more(const EnumType *between, const EnumType *from, const EnumType *to)
{
    for (uint32_t i = 0; i < between->n_values; i++) {
        int32_t number = between->values[i].number;
        if (!enum_value_by_number(from, number) && !enum_value_by_number(to, number))
            return true;
    }
    return false;
}

/* Can the two tables be one? A fallback counts, and what the first lets through the second may
 * catch. */
static bool enums_fuse(const Converter *first, const Converter *second)
{
    return first->code == CONVERT_ENUM && second->code == CONVERT_ENUM && !first->has_fallback &&
           !second->has_fallback &&
           !(first->keep_unknown && second->keep_unknown &&
             knows_more(first->to.enumeration, first->from.enumeration, second->to.enumeration));
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
    if (first->code == CONVERT_TYPE_URL && second->code == CONVERT_TYPE_URL)
        return fused;
    if (first->code == CONVERT_FIELD_MASK && second->code == CONVERT_FIELD_MASK) {
        fused->mapping = compose_pair(c, first->mapping, second->mapping);
        return fused;
    }
    return NULL;
}

/* A converter that takes a message apart takes the version's before, where the two are the same. */
static const Expr *convert_message(Composing *c, const Expr *second, const Expr *arg)
{
    const MessageType *from = arg->mapping->from;
    Converter *converter = copy_converter(c, second->converter);
    converter->from.message = from;
    if (!converter->to.message || converter->code == CONVERT_DATE_TIME)
        members_like(converter, from);
    return expr_convert(c->arena, converter, arg->args[0], second->loss);
}

static const Expr *convert_again(Composing *c, const Expr *second, const Expr *arg)
{
    if (!arg)
        return NULL;
    const Converter *converter = second->converter;
    if (arg->kind == EXPR_MESSAGE && arg->mapping->identity)
        return convert_message(c, second, arg);
    if (arg->kind == EXPR_CONVERT && arg->n_args == 1) {
        if (arg->converter->code == CONVERT_WRAP && converter->code == CONVERT_UNWRAP)
            return arg->args[0];
        const Converter *fused = fuse(c, arg->converter, converter);
        if (fused && fused->code == CONVERT_NUMBER && fused->from.kind == fused->to.kind)
            return arg->args[0];
        if (fused)
            return expr_convert(c->arena, fused, arg->args[0],
                                second->loss ? second->loss : arg->loss);
    }
    return expr_convert(c->arena, converter, arg, second->loss);
}

/* ---- The second's expressions over the first's source ---------------------------------------- */

static const Expr *subst_build(Composing *c, Task *task, Scope scope, const Expr *expr)
{
    Rule *rules = arena_array(c->arena, Rule, expr->n_rules + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < expr->n_rules; i++) {
        const Expr *value = subst(c, task, scope, expr->rules[i].value);
        if (value)
            rules[n++] = (Rule){expr->rules[i].target, value};
    }
    const Expr *presence = expr->n_args ? presence_of(subst(c, task, scope, expr->args[0])) : NULL;
    return expr_build(c->arena, expr->type.message, rules, n, presence);
}

static const Expr *subst_convert(Composing *c, Task *task, Scope scope, const Expr *expr)
{
    const Expr *value;
    if (expr->n_args == 1) {
        value = convert_again(c, expr, subst(c, task, scope, expr->args[0]));
    } else {
        const Expr **args = arena_array(c->arena, const Expr *, expr->n_args + 1);
        uint32_t n = expr->n_args;
        for (uint32_t i = 0; i < n; i++)
            args[i] = subst(c, task, scope, expr->args[i]);
        if (expr->converter->code == CONVERT_AMOUNT_MONEY && !args[1])
            n = 1; /* an amount without its currency is still one */
        value = expr_convert_many(c->arena, expr->converter, args, n);
    }
    if (!value || value->type.message == expr->type.message)
        return value;
    Expr *typed = expr_copy(c->arena, value); /* of a map, the entry's type */
    typed->type = expr->type;
    return typed;
}

static const Expr *subst_select(Composing *c, Task *task, Scope scope, const Expr *expr)
{
    const Expr **args = arena_array(c->arena, const Expr *, expr->n_args + 1);
    for (uint32_t i = 0; i < expr->n_args; i++)
        args[i] = presence_of(subst(c, task, scope, expr->args[i]));
    return expr_select(c->arena, expr->type, args, expr->constants, expr->n_args);
}

static const Expr *subst_message(Composing *c, Task *task, Scope scope, const Expr *expr)
{
    const Expr *value = through(c, task, expr->mapping, subst(c, task, scope, expr->args[0]));
    if (!value || !expr->args[0]->type.repeated || value->type.message == expr->type.message)
        return value;
    Expr *typed = expr_copy(c->arena, value);
    typed->type = expr->type;
    return typed;
}

static const Expr *subst(Composing *c, Task *task, Scope scope, const Expr *expr)
{
    switch (expr->kind) {
    case EXPR_FIELD: return resolve(c, task, scope, expr->steps, expr->n_steps);
    case EXPR_CONST: return expr;
    case EXPR_CONVERT: return subst_convert(c, task, scope, expr);
    case EXPR_MESSAGE: return subst_message(c, task, scope, expr);
    case EXPR_BUILD: return subst_build(c, task, scope, expr);
    case EXPR_DEFAULT:
        return expr_default(c->arena, subst(c, task, scope, expr->args[0]),
                            subst(c, task, scope, expr->args[1]), expr->loss);
    case EXPR_REQUIRE:
        return expr_require(c->arena, expr->n_args ? subst(c, task, scope, expr->args[0]) : NULL,
                            expr->type, expr->field);
    case EXPR_FIRST:
        return expr_first(c->arena, subst(c, task, scope, expr->args[0]), expr->loud, expr->loss);
    case EXPR_WRAP: return expr_wrap(c->arena, subst(c, task, scope, expr->args[0]));
    case EXPR_WHEN: {
        const Expr *subject = subst(c, task, scope, expr->args[1]);
        return expr_when(c->arena, subst(c, task, scope, expr->args[0]),
                         expr->constants ? subject : presence_of(subject), expr->constants);
    }
    case EXPR_SELECT: return subst_select(c, task, scope, expr);
    }
    return NULL;
}

/* ---- Losses, in the names of the ends -------------------------------------------------------- */

static const Loss *adopt_loss(Composing *c, const Task *task, const Loss *loss, const Expr *expr,
                              const char *into)
{
    if (!loss)
        return NULL;
    const Expr *source = expr_source(expr);
    Loss *copy = arena_make(c->arena, Loss);
    *copy = *loss;
    if (source)
        copy->path = arena_printf(c->arena, "%s.%s", task->made->from->name,
                                  steps_text(c->arena, source->steps, source->n_steps));
    if (into[0])
        copy->into = into;
    if (loss->kind == LOSS_DEFAULTED && into[0])
        copy->path = into;
    return mapping_set_add_loss(c->arena, c->set, copy);
}

/* A copy whose losses are this set's and whose texts name this source. */
static const Expr *adopt(Composing *c, const Task *task, const Expr *expr, const char *into)
{
    Expr *copy = expr_copy(c->arena, expr);
    const Expr **args = arena_array(c->arena, const Expr *, expr->n_args + 1);
    for (uint32_t i = 0; i < expr->n_args; i++)
        args[i] = adopt(c, task, expr->args[i], into);
    Rule *rules = arena_array(c->arena, Rule, expr->n_rules + 1);
    for (uint32_t i = 0; i < expr->n_rules; i++) {
        const char *inner = arena_printf(c->arena, "%s.%s", into, expr->rules[i].target->name);
        rules[i] = (Rule){expr->rules[i].target, adopt(c, task, expr->rules[i].value, inner)};
    }
    copy->args = args;
    copy->rules = rules;
    copy->loss = adopt_loss(c, task, expr->loss, expr, into);
    if (expr->kind == EXPR_MESSAGE && !task->second)
        copy->mapping = compose_pair(c, expr->mapping, NULL);
    const Expr *source = expr_source(expr);
    if (expr->kind == EXPR_REQUIRE && source)
        copy->field = steps_text(c->arena, source->steps, source->n_steps);
    return copy;
}

/* ---- One mapping ----------------------------------------------------------------------------- */

/* A target without presence takes zero for unset by itself. */
static const Expr *without_zero_sentinel(const FieldType *target, const Expr *value)
{
    while (field_is_implicit(target) && value->kind == EXPR_CONVERT &&
           value->converter->code == CONVERT_SENTINEL &&
           literal_is_zero(&value->converter->sentinel, value->type))
        value = value->args[0];
    return value;
}

static void check_guard(Composing *c, const Task *task, const Guard *guard)
{
    if (!guard->loud || guard->source->kind != EXPR_CONST || !guard->loss)
        return;
    if (guard->has_ignored &&
        literal_equal(&guard->ignored, guard->source->constants, guard->source->type))
        return;
    problem_add(
        c->problems, guard->loss->file, guard->loss->line, 1, task->made->from->name, NULL,
        "from %s every message would be an error: the value is made up on the way and refused here",
        c->first->from_version);
}

static void add_guards(Composing *c, Task *task, const Mapping *mapping)
{
    for (uint32_t i = 0; i < mapping->n_guards; i++)
        add_guard(c, task, mapping->guards[i]);
}

static Rule adopt_rule(Composing *c, const Task *task, const Rule *rule, const Expr *value)
{
    const char *into = arena_printf(c->arena, "%s.%s", task->made->to->name, rule->target->name);
    return (Rule){rule->target, adopt(c, task, value, into), rule->line};
}

/* The rules of the first alone. */
static void fill_kept(Composing *c, Task *task)
{
    const Mapping *first = task->first;
    Rule *rules = arena_array(c->arena, Rule, first->n_rules + 1);
    for (uint32_t i = 0; i < first->n_rules; i++)
        rules[i] = adopt_rule(c, task, &first->rules[i], first->rules[i].value);
    task->made->rules = rules;
    task->made->n_rules = first->n_rules;
}

/* The rules of the second over the source of the first. */
static void fill_through(Composing *c, Task *task)
{
    Scope scope = {task->first->rules, task->first->n_rules};
    const Mapping *second = task->second;
    Rule *rules = arena_array(c->arena, Rule, second->n_rules + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < second->n_rules; i++) {
        const Rule *rule = &second->rules[i];
        task->line = rule->line;
        const Expr *value = subst(c, task, scope, rule->value);
        if (value)
            rules[n++] = adopt_rule(c, task, rule, without_zero_sentinel(rule->target, value));
    }
    for (uint32_t i = 0; i < second->n_guards; i++) {
        Guard guard = second->guards[i];
        task->line = guard.loss ? guard.loss->line : 0;
        guard.source = subst(c, task, scope, guard.source);
        if (guard.source)
            add_guard(c, task, guard);
    }
    task->made->rules = rules;
    task->made->n_rules = n;
}

static void fill(Composing *c, Task *task)
{
    add_guards(c, task, task->first);
    if (task->second)
        fill_through(c, task);
    else
        fill_kept(c, task);
    for (uint32_t i = 0; i < task->n_guards; i++) {
        Guard *guard = &task->guards[i];
        guard->loss = adopt_loss(c, task, guard->loss, guard->source, "");
        guard->source = adopt(c, task, guard->source, "");
        check_guard(c, task, guard);
    }
    task->made->guards = task->guards;
    task->made->n_guards = task->n_guards;
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* Of the first version, by way of both lists. */
static void compose_own(Composing *c)
{
    for (uint32_t i = 0; i < c->first->n_mappings; i++) {
        const Mapping *one = c->first->mappings[i];
        Bytes name = bytes_of(one->from->full_name);
        const Mapping *two = table_get(&c->second->by_type, bytes_of(one->to->full_name));
        if (two && table_get(&c->first->by_type, name) == one)
            table_put(&c->set->by_type, name, (void *)compose_pair(c, one, two));
    }
}

/* What only an Any can bring: of the versions between, and what the second list leaves alone. */
static void compose_others(Composing *c)
{
    size_t at = 0;
    for (const TableEntry *entry; (entry = table_next(&c->first->by_type, &at));) {
        const Mapping *one = entry->value;
        Bytes between = bytes_of(one->to->full_name);
        const Mapping *two = table_get(&c->second->by_type, between);
        const Stranded *said = table_get(&c->stranded, between);
        if ((two || !said || said->fate == TYPE_KEPT) && !table_get(&c->set->by_type, entry->key))
            table_put(&c->set->by_type, entry->key, (void *)compose_pair(c, one, two));
    }
}

/* All that are asked for, and those that they ask for. */
static void fill_all(Composing *c)
{
    for (; c->n_filled < c->n_tasks; c->n_filled++)
        fill(c, c->tasks[c->n_filled]);
}

const MappingSet *mapping_sets_compose(Arena *arena, const MappingSet *first,
                                       const MappingSet *second, bool same_package,
                                       Problems *problems)
{
    MappingSet *set = arena_make(arena, MappingSet);
    *set = (MappingSet){.from = first->from,
                        .to = second->to,
                        .from_version = first->from_version,
                        .to_version = second->to_version,
                        .by_type = table_in(arena)};
    Composing c = {.arena = arena,
                   .first = first,
                   .second = second,
                   .problems = problems,
                   .set = set,
                   .by_pair = table_in(arena),
                   .stranded = mapping_set_stranded(arena, second)};
    compose_own(&c);
    fill_all(&c);
    set->n_mappings = c.n_tasks;
    compose_others(&c);
    fill_all(&c);

    Mapping **made = arena_array(arena, Mapping *, c.n_tasks + 1);
    for (uint32_t i = 0; i < c.n_tasks; i++)
        made[i] = c.tasks[i]->made;
    set->mappings = (const Mapping **)made;
    mappings_settle(made, c.n_tasks, same_package);
    mapping_set_compose_names(arena, set, first, second);
    return set;
}
